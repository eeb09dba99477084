#include "spot_values.hpp"

#include <algorithm>

#include "smeta/core/error.hpp"

namespace smeta::analysis::detail {
namespace {

struct Entry {
    std::int32_t feature = 0;
    std::int32_t spot = 0;
    float value = 0;
};

}  // namespace

core::MatrixF gather_features(const comm::Comm& comm, const RunValues& values,
                              const std::vector<std::int32_t>& features,
                              std::span<const std::int32_t> codes) {
    core::check(static_cast<std::int64_t>(codes.size()) == values.rows(), "one code a row");
    std::vector<std::int32_t> place(codes.size(), -1);
    std::int32_t kept = 0;
    for (std::size_t row = 0; row < codes.size(); ++row)
        if (codes[row] >= 0) place[row] = kept++;
    std::vector<std::int32_t> wanted(values.features().count(), -1);
    for (std::size_t f = 0; f < features.size(); ++f)
        wanted[features[f]] = static_cast<std::int32_t>(f);
    core::MatrixF result = core::MatrixF::Zero(static_cast<Eigen::Index>(features.size()), kept);
    for (std::int64_t round = 0; round < values.rounds(); ++round) {
        std::vector<Entry> mine;
        comm.all_or_throw([&] {
            const auto block = values.read(round, ValueScale::LogNormalised);
            for (std::int64_t r = 0; r < block.values.rows; ++r) {
                const auto spot = place[block.first_row + r];
                if (spot < 0) continue;
                for (auto e = block.values.indptr[r]; e < block.values.indptr[r + 1]; ++e)
                    if (const auto f = wanted[block.values.indices[e]]; f >= 0)
                        mine.push_back({f, spot, block.values.values[e]});
            }
        });
        for (const auto& part : comm.allgather(std::span<const Entry>(mine)))
            for (const auto& entry : part) result(entry.feature, entry.spot) = entry.value;
    }
    return result;
}

}  // namespace smeta::analysis::detail

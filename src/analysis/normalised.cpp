#include "smeta/analysis/normalised.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "smeta/atlas/common_features.hpp"
#include "smeta/stats/shared_pca.hpp"

namespace smeta::analysis {
namespace {

constexpr double kTarget = 1e4;
constexpr std::int64_t kRowsAtOnce = 4096;

/// This rank's rows of all modalities side by side.
struct OwnRows {
    core::CountsCsr values;
    std::vector<stats::ColumnBlock> blocks;
};

/// Appends rows [first, last) of a sample.
void append_rows(OwnRows& own, const atlas::JointReader& reader, const atlas::FeatureSet& features,
                 std::int64_t first, std::int64_t last) {
    std::vector<core::CountsCsr> parts;
    for (std::size_t m = 0; m < features.modalities.size(); ++m) {
        const bool has = reader.has(features.modalities[m].name);
        own.blocks[m].present.insert(own.blocks[m].present.end(), last - first, has ? 1 : 0);
        parts.push_back(has ? normalised_rows(reader, features.modalities[m], first, last)
                            : core::CountsCsr{});
    }
    std::vector<std::int32_t> columns;
    std::vector<float> values;
    for (std::int64_t r = 0; r < last - first; ++r) {
        columns.clear();
        values.clear();
        for (std::size_t m = 0; m < parts.size(); ++m) {
            if (parts[m].rows == 0) continue;
            for (const auto c : parts[m].view().row_indices(r))
                columns.push_back(own.blocks[m].first + c);
            const auto row = parts[m].view().row_values(r);
            values.insert(values.end(), row.begin(), row.end());
        }
        own.values.append_row(columns, values);
    }
}

OwnRows read_rows(const atlas::Run& run, comm::Range rows) {
    const auto features = run.features();
    OwnRows own;
    for (const auto& modality : features.modalities) {
        const auto width = static_cast<std::int32_t>(modality.names().size());
        own.blocks.push_back({.first = own.values.cols,
                              .last = own.values.cols + width,
                              .scale = stats::BlockScale::UnitTotalVariance});
        own.values.cols += width;
    }
    std::int64_t start = 0;
    for (const auto& sample : run.inputs().samples) {
        const auto first = std::max<std::int64_t>(rows.first - start, 0);
        const auto last = std::min(rows.last - start, sample.rows());
        if (first < last) {
            const auto reader = run.open_joint(sample.name);
            for (auto r = first; r < last; r += kRowsAtOnce)
                append_rows(own, reader, features, r, std::min(r + kRowsAtOnce, last));
        }
        start += sample.rows();
    }
    return own;
}

}  // namespace

core::CountsCsr normalised_rows(const atlas::JointReader& sample,
                                const atlas::ModalityFeatures& features, std::int64_t first,
                                std::int64_t last) {
    const auto width = static_cast<std::int32_t>(features.names().size());
    const auto new_column = atlas::features_in(sample.var(features.name), features);
    auto rows = core::select_columns(sample.read_rows(features.name, first, last).view(),
                                     new_column, width);
    const auto sums = core::row_sums(rows.view());
    for (std::int64_t r = 0; r < rows.rows; ++r)
        for (auto e = rows.indptr[r]; e < rows.indptr[r + 1]; ++e)
            rows.values[e] = sums[r] > 0 ? static_cast<float>(std::log1p(
                                               std::max(0.0, rows.values[e] * kTarget / sums[r])))
                                         : 0;
    return rows;
}

stats::PrincipalComponents run_components(const comm::Comm& comm, const atlas::Run& run,
                                          std::int32_t count, std::uint64_t seed) {
    const auto rows = run.inputs().rows();
    OwnRows own;
    comm.all_or_throw(
        [&] { own = read_rows(run, stats::pca_rows(rows, comm.size(), comm.rank())); });
    return stats::principal_components(comm, rows, own.values.view(), own.blocks, count, seed);
}

}  // namespace smeta::analysis

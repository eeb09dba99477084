#include "smeta/analysis/latent.hpp"

#include <algorithm>
#include <set>
#include <span>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"

namespace smeta::analysis {
namespace {

/// One sample's part as it travels between ranks.
struct Part {
    std::string names;           ///< each followed by a zero byte
    std::vector<double> values;  ///< rows x width
    std::int64_t rows = 0;
    std::int64_t width = 0;
};

Part read_part(const atlas::Run& run, const std::string& sample) {
    const auto result = run.read_result(sample);
    const auto found = result.obsm.find("X_smeta");
    if (found == result.obsm.end())
        throw core::FormatError({.file = run.result_file(sample).string(),
                                 .object = "obsm/X_smeta",
                                 .expected = "the latent of every spot",
                                 .found = "no such element",
                                 .hint = "run smeta embed again"});
    Part part;
    for (const auto& name : result.obs.index) part.names.append(name).push_back('\0');
    part.rows = found->second.rows();
    part.width = found->second.cols();
    part.values.assign(found->second.data(), found->second.data() + found->second.size());
    return part;
}

void append_names(std::vector<std::string>& spots, const std::string& names) {
    for (std::size_t at = 0; at < names.size();) {
        const auto end = names.find('\0', at);
        spots.push_back(names.substr(at, end - at));
        at = end + 1;
    }
}

}  // namespace

std::vector<std::int32_t> RunLatent::sample_of_row() const {
    std::vector<std::int32_t> result;
    result.reserve(rows());
    for (std::size_t s = 0; s < samples.size(); ++s)
        result.insert(result.end(), first_row[s + 1] - first_row[s], static_cast<std::int32_t>(s));
    return result;
}

std::vector<std::string> RunLatent::unique_names() const {
    if (std::set<std::string_view>(spots.begin(), spots.end()).size() == spots.size()) return spots;
    std::vector<std::string> result;
    result.reserve(spots.size());
    for (std::size_t s = 0; s < samples.size(); ++s)
        for (auto r = first_row[s]; r < first_row[s + 1]; ++r)
            result.push_back(spots[r] + "-" + samples[s]);
    return result;
}

RunLatent read_latent(const comm::Comm& comm, const atlas::Run& run) {
    RunLatent all;
    all.samples = run.samples();
    std::vector<Part> parts(all.samples.size());
    comm.all_or_throw([&] {
        for (std::size_t s = 0; s < all.samples.size(); ++s)
            if (static_cast<int>(s) % comm.size() == comm.rank())
                parts[s] = read_part(run, all.samples[s]);
    });
    all.first_row = {0};
    core::Hasher128 hasher;
    for (std::size_t s = 0; s < parts.size(); ++s) {
        const int owner = static_cast<int>(s) % comm.size();
        comm.broadcast(parts[s].names, owner);
        comm.broadcast(parts[s].values, owner);
        comm.broadcast(parts[s].rows, owner);
        comm.broadcast(parts[s].width, owner);
        if (parts[s].width != parts[0].width)
            throw core::FormatError({.file = run.result_file(all.samples[s]).string(),
                                     .object = "obsm/X_smeta",
                                     .expected = fmt::format("{} columns", parts[0].width),
                                     .found = fmt::format("{} columns", parts[s].width),
                                     .hint = "run smeta embed again"});
        append_names(all.spots, parts[s].names);
        all.first_row.push_back(all.first_row.back() + parts[s].rows);
        hasher.update(std::as_bytes(std::span(all.samples[s])));
        hasher.update(std::as_bytes(std::span(parts[s].names)));
        hasher.update(std::as_bytes(std::span(parts[s].values)));
    }
    all.checksum = core::to_hex(hasher.digest());
    all.latent.resize(all.rows(), parts.empty() ? 0 : parts[0].width);
    double* next = all.latent.data();
    for (const auto& part : parts) next = std::copy(part.values.begin(), part.values.end(), next);
    return all;
}

}  // namespace smeta::analysis

#include "smeta/analysis/embedding_file.hpp"

#include <span>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

namespace smeta::analysis {
namespace {

std::string pair_of(const std::string& sample, const std::string& spot) {
    return sample + '\0' + spot;
}

/// What the rows of the file and of the run are told apart by.
struct Names {
    std::vector<std::string> file;
    std::vector<std::string> run;
};

Names names_of(const io::Frame& obs, const std::string& path, const RunLatent& run) {
    if (obs.find("sample") == nullptr || obs.find("spot") == nullptr)
        return {obs.index, run.unique_names()};
    Names names;
    const auto samples = obs.as_text("sample", path);
    const auto spots = obs.as_text("spot", path);
    for (std::size_t r = 0; r < spots.size(); ++r)
        names.file.push_back(pair_of(samples[r], spots[r]));
    const auto sample = run.sample_of_row();
    for (std::size_t r = 0; r < run.spots.size(); ++r)
        names.run.push_back(pair_of(run.samples[sample[r]], run.spots[r]));
    return names;
}

core::MatrixD read_rows(const std::string& path, const std::string& key, const RunLatent& run) {
    const io::AnnDataReader reader(path);
    if (!reader.has_obsm(key))
        throw core::FormatError({.file = path,
                                 .object = fmt::format("obsm/{}", key),
                                 .expected = "an embedding, one row a spot",
                                 .found = "no such element",
                                 .hint = "name another with --key"});
    const auto values = reader.obsm(key);
    const auto names = names_of(reader.obs(), path, run);
    std::unordered_map<std::string, std::int64_t> row;
    for (std::size_t r = 0; r < names.file.size(); ++r)
        if (!row.emplace(names.file[r], static_cast<std::int64_t>(r)).second)
            throw core::FormatError({.file = path,
                                     .object = fmt::format("obs, row {}", r + 1),
                                     .expected = "a spot that no other row names",
                                     .found = fmt::format("'{}' again", reader.obs().index[r]),
                                     .hint = "add the columns sample and spot"});
    core::MatrixD result(run.rows(), values.cols());
    std::int64_t missing = 0;
    std::string first_missing;
    for (std::int64_t r = 0; r < run.rows(); ++r) {
        const auto found = row.find(names.run[r]);
        if (found == row.end()) {
            if (missing++ == 0) first_missing = run.spots[r];
            continue;
        }
        result.row(r) = values.row(found->second);
    }
    if (missing > 0)
        throw core::FormatError(
            {.file = path,
             .object = "obs",
             .expected = fmt::format("the run's {} spots", run.rows()),
             .found = fmt::format("{} of them missing, the first '{}'", missing, first_missing),
             .hint = "obs_names as smeta export writes them, or columns sample and spot"});
    for (std::int64_t r = 0; r < run.rows(); ++r)
        if (!result.row(r).allFinite())
            throw core::FormatError({.file = path,
                                     .object = fmt::format("obsm/{}, spot '{}'", key, run.spots[r]),
                                     .expected = "finite numbers",
                                     .found = "NaN or infinity",
                                     .hint = ""});
    return result;
}

}  // namespace

core::MatrixD read_embedding(const comm::Comm& comm, const std::string& file,
                             const std::string& key, const RunLatent& run) {
    core::MatrixD result;
    comm.root_or_throw([&] { result = read_rows(file, key, run); });
    std::int64_t width = result.cols();
    comm.broadcast(width);
    result.resize(run.rows(), width);
    comm.broadcast(std::span<double>(result.data(), static_cast<std::size_t>(result.size())));
    return result;
}

}  // namespace smeta::analysis

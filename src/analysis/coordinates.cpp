#include "smeta/analysis/coordinates.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "smeta/core/error.hpp"

namespace smeta::analysis {
namespace {

std::vector<double> read_positions(const atlas::Run& run, const std::string& sample) {
    const auto position = positions_in(run.read_result(sample), run.result_file(sample).string());
    return {position.data(), position.data() + position.size()};
}

}  // namespace

core::MatrixD positions_in(const io::AnnData& result, const std::string& file) {
    const auto found = result.obsm.find("spatial");
    if (found == result.obsm.end() || found->second.cols() < 2)
        throw core::FormatError({.file = file,
                                 .object = "obsm/spatial",
                                 .expected = "x and y of every spot",
                                 .found = "no such element",
                                 .hint = "run smeta embed again"});
    return found->second.leftCols(2);
}

core::MatrixD read_coordinates(const comm::Comm& comm, const atlas::Run& run) {
    const auto samples = run.samples();
    const auto ranks = static_cast<std::size_t>(comm.size());
    std::vector<std::vector<double>> parts(samples.size());
    comm.all_or_throw([&] {
        for (std::size_t s = comm.rank(); s < samples.size(); s += ranks)
            parts[s] = read_positions(run, samples[s]);
    });
    core::MatrixD all(run.inputs().rows(), 2);
    double* next = all.data();
    for (std::size_t s = 0; s < samples.size(); ++s) {
        comm.broadcast(parts[s], static_cast<int>(s % ranks));
        core::check(static_cast<std::int64_t>(parts[s].size()) == 2 * run.sample(samples[s]).rows(),
                    "a position a spot");
        next = std::copy(parts[s].begin(), parts[s].end(), next);
    }
    return all;
}

}  // namespace smeta::analysis

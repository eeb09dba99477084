#include "smeta/analysis/subcluster.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/analysis/cluster.hpp"
#include "smeta/analysis/groups.hpp"
#include "smeta/analysis/leiden.hpp"
#include "smeta/atlas/names.hpp"
#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

namespace smeta::analysis {
namespace {

constexpr const char* kStage = "subcluster";

/// Rows and columns of a square matrix where `place` (new number, -1: left out) keeps them.
core::CountsCsr keep(const core::CountsCsr& matrix, const std::vector<std::int32_t>& place,
                     std::int32_t kept) {
    core::CountsCsr result;
    result.cols = kept;
    for (std::int64_t r = 0; r < matrix.rows; ++r) {
        if (place[r] < 0) continue;
        std::vector<std::int32_t> columns;
        std::vector<float> values;
        for (auto e = matrix.indptr[r]; e < matrix.indptr[r + 1]; ++e)
            if (const auto column = place[matrix.indices[e]]; column >= 0) {
                columns.push_back(column);
                values.push_back(matrix.values[e]);
            }
        result.append_row(columns, values);
    }
    return result;
}

std::int32_t code_of(const Groups& clusters, const std::string& name) {
    const auto found = std::find(clusters.names.begin(), clusters.names.end(), name);
    if (found == clusters.names.end())
        throw core::ConfigError(fmt::format("--within: there is no cluster '{}'; there are: {}",
                                            name, fmt::join(clusters.names, ", ")));
    return static_cast<std::int32_t>(found - clusters.names.begin());
}

/// Clusters with subclusters in place of the divided one.
io::Categorical divided(const Groups& clusters, std::int32_t within, std::int32_t count,
                        const std::vector<std::int32_t>& labels) {
    io::Categorical column;
    for (std::int32_t c = 0; c < clusters.count(); ++c) {
        if (c != within) column.categories.push_back(clusters.names[c]);
        for (std::int32_t s = 0; c == within && s < count; ++s)
            column.categories.push_back(fmt::format("{},{}", clusters.names[c], s));
    }
    std::size_t next = 0;
    for (const auto code : clusters.codes)
        column.codes.push_back(code == within  ? within + labels[next++]
                               : code > within ? code + count - 1
                                               : code);
    return column;
}

/// Columns that this command did not make stay as they are. Collective.
void check_column(const comm::Comm& comm, const atlas::Run& run, const std::string& column) {
    atlas::check_name("column", column);
    comm.root_or_throw([&] {
        for (const auto& sample : run.samples()) {
            const auto result = run.read_result(sample);
            if (result.obs.find(column) != nullptr && atlas::key_in(result.uns, kStage) != column)
                throw core::ConfigError(fmt::format(
                    "{} has a column '{}' that is not of subclusters; --column chooses another "
                    "name",
                    run.result_file(sample).string(), column));
        }
    });
}

}  // namespace

std::int32_t run_subcluster(const comm::Comm& comm, const atlas::Run& run,
                            const ClusterConfig& config, const SubclusterRequest& request) {
    const auto clusters = read_groups(comm, run, run.samples(), "cluster");
    const auto within = code_of(clusters, request.within);
    check_column(comm, run, request.column);
    run_neighbors(comm, run, config);
    std::vector<std::int32_t> place;
    std::int32_t kept = 0;
    for (const auto code : clusters.codes) place.push_back(code == within ? kept++ : -1);
    std::vector<std::int32_t> labels;
    comm.root_or_throw([&] {
        const auto graph = io::read_h5ad(run.neighbors_file().string());
        labels = leiden(keep(graph.obsp.at("connectivities"), place, kept).view(),
                        {.resolution = config.resolution,
                         .iterations = config.iterations,
                         .seed = request.seed});
    });
    comm.broadcast(labels);
    const std::int32_t count = *std::max_element(labels.begin(), labels.end()) + 1;
    const auto all = divided(clusters, within, count, labels);
    const auto samples = run.samples();
    std::vector<std::int64_t> first{0};
    for (const auto& sample : samples) first.push_back(first.back() + run.sample(sample).rows());
    atlas::for_own_samples(comm, samples, [&](const std::string& sample) {
        const auto s = std::find(samples.begin(), samples.end(), sample) - samples.begin();
        run.update_result(sample, [&](io::AnnData& result) {
            result.obs.set(request.column, io::Categorical{{all.codes.begin() + first[s],
                                                            all.codes.begin() + first[s + 1]},
                                                           all.categories});
            atlas::set_key(result.uns, kStage, request.column);
        });
        return std::string();
    });
    return count;
}

}  // namespace smeta::analysis

// Analysis on one file's points: bench_analysis FILE.h5ad --task T. obsm["X"] are the points,
// obs["label"] their labels; for moran: X and obsp["spatial_connectivities"]. With mpirun the ranks
// share the work. benchmarks/peers/analysis.py runs it beside the Python packages.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "smeta/analysis/batch_scores.hpp"
#include "smeta/analysis/connectivities.hpp"
#include "smeta/analysis/leiden.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/memory.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/core/version.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/spatial/autocorrelation.hpp"

#include "stopwatch.hpp"

namespace {

using namespace smeta;

constexpr std::int32_t kGraphNeighbors = 14;  // 15 with the point itself

struct Problem {
    core::MatrixD points;
    std::vector<std::int32_t> labels;
    core::CountsCsr values;  ///< features x spots
    spatial::SpatialGraph graph;
};

Problem read(const std::string& file) {
    auto data = io::read_h5ad(file);
    Problem problem;
    problem.points = data.obsm["X"];
    if (data.obs.find("label") != nullptr)
        for (const double label : data.obs.as_number("label", file))
            problem.labels.push_back(static_cast<std::int32_t>(label));
    if (data.x) problem.values = core::transpose(io::to_csr(*data.x).view());
    if (const auto found = data.obsp.find("spatial_connectivities"); found != data.obsp.end()) {
        const auto& weights = found->second;
        problem.graph.rows = weights.rows;
        problem.graph.indptr = weights.indptr;
        problem.graph.columns.assign(weights.indices.begin(), weights.indices.end());
        problem.graph.weights.assign(weights.values.begin(), weights.values.end());
        spatial::normalise_rows(problem.graph);
    }
    return problem;
}

double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double v : values) sum += v;
    return sum / static_cast<double>(values.size());
}

/// A few points' neighbours against all distances.
void check_neighbors(const core::MatrixD& points, const analysis::NearestNeighbors& nearest) {
    const std::int64_t step = std::max<std::int64_t>(nearest.rows / 10, 1);
    for (std::int64_t r = 0; r < nearest.rows; r += step) {
        const double farthest = nearest.distances[(r + 1) * nearest.neighbors - 1];
        std::int64_t nearer = 0;
        for (Eigen::Index j = 0; j < points.rows(); ++j)
            nearer += j != r && (points.row(j) - points.row(r)).norm() < farthest * (1 - 1e-12);
        core::check(nearer < nearest.neighbors, "no point is nearer than the last neighbour");
    }
}

/// Moran's I of every feature; returns the mean of those that have one.
double morans(const Problem& problem) {
    const spatial::Autocorrelation statistics(problem.graph);
    const auto view = problem.values.view();
    std::vector<double> result(view.rows);
#pragma omp parallel num_threads(core::threads())
    {
        std::vector<double> scratch;
        std::vector<double> row;
#pragma omp for schedule(dynamic, 16)
        for (std::int64_t f = 0; f < view.rows; ++f) {
            const auto stored = view.row_values(f);
            row.assign(stored.begin(), stored.end());
            result[f] = statistics.morans_i(view.row_indices(f), row, scratch);
        }
    }
    double sum = 0;
    std::int64_t known = 0;
    for (const double value : result)
        if (!std::isnan(value)) {
            sum += value;
            ++known;
        }
    return known > 0 ? sum / static_cast<double>(known) : 0;
}

/// The task's work; its result is one number that other tools can compute.
double work(const std::string& task, const comm::Comm& comm, const Problem& problem) {
    if (task == "silhouette")
        return mean(analysis::silhouette(comm, problem.points, problem.labels));
    if (task == "lisi")
        return analysis::median(analysis::neighbor_lisi(comm, problem.points, problem.labels));
    if (task == "moran") return morans(problem);
    const auto nearest = analysis::gather_nearest_neighbors(comm, problem.points, kGraphNeighbors);
    double value = mean(nearest.distances);
    if (task == "neighbors") return value;
    auto graph = comm.is_root() ? analysis::connectivities(nearest) : core::CountsCsr{};
    if (task == "connectivities") return comm.is_root() ? static_cast<double>(graph.nnz()) : 0;
    if (task == "leiden") {
        std::int32_t clusters = 0;
        if (comm.is_root())
            for (const auto label : analysis::leiden(graph.view(), {}))
                clusters = std::max(clusters, label + 1);
        return clusters;
    }
    // graph_lisi
    comm.broadcast(graph.rows);
    comm.broadcast(graph.cols);
    comm.broadcast(graph.indptr);
    comm.broadcast(graph.indices);
    comm.broadcast(graph.values);
    return analysis::median(analysis::graph_lisi(comm, graph.view(), problem.labels));
}

void run(const comm::Comm& world, const std::string& file, const std::string& task,
         int repetitions) {
    const Problem problem = read(file);
    for (int repetition = 0; repetition < repetitions; ++repetition) {
        double value = 0;
        world.barrier();
        const auto seconds = bench::timed([&] { value = work(task, world, problem); });
        const auto peak = world.allgather(core::peak_memory());
        if (task == "neighbors" && repetition == 0) {
            const auto nearest =
                analysis::gather_nearest_neighbors(world, problem.points, kGraphNeighbors);
            if (world.is_root()) check_neighbors(problem.points, nearest);
        }
        if (!world.is_root()) continue;
        const auto spots = problem.points.rows() > 0 ? problem.points.rows() : problem.graph.rows;
        const nlohmann::json line = {{"bench", "analysis"},
                                     {"git", core::kGitRevision},
                                     {"task", task},
                                     {"spots", spots},
                                     {"dimensions", problem.points.cols()},
                                     {"ranks", world.size()},
                                     {"threads", core::threads()},
                                     {"seconds", seconds.wall},
                                     {"processor_seconds", seconds.processor},
                                     {"rate", static_cast<double>(spots) / seconds.wall},
                                     {"value", value},
                                     {"peak_memory", peak}};
        std::puts(line.dump().c_str());
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const comm::Environment environment(argc, argv);
    std::string file;
    std::string task;
    int threads = 1;
    int repetitions = 1;
    CLI::App app("Neighbours, scores and autocorrelation of the points of a file");
    app.add_option("file", file)->required();
    app.add_option("--task", task)
        ->required()
        ->check(CLI::IsMember({"neighbors", "connectivities", "leiden", "silhouette", "lisi",
                               "graph_lisi", "moran"}));
    app.add_option("--threads", threads)->check(CLI::PositiveNumber);
    app.add_option("--repetitions", repetitions)->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    core::set_threads(threads);
    try {
        run(comm::Comm::world(), file, task, repetitions);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_analysis: %s\n", error.what());
        return 1;
    }
    return 0;
}

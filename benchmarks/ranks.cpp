// What two ranks of one thread gain over one rank, against what two concurrent single-threaded
// sgemm processes gain over one, all in one run:
//     mpirun -n 2 --bind-to core bench_ranks [--batch 1024,128] [--reduction fast]
// Alone, rank 0 computes and the others sleep. One JSON object a repetition and batch, from rank 0,
// and one with the medians.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "smeta/core/threads.hpp"
#include "smeta/core/version.hpp"

#include "sgemm_peak.hpp"
#include "stopwatch.hpp"
#include "train_problem.hpp"

namespace {

using namespace smeta;
using Clock = std::chrono::steady_clock;
constexpr double kPatience = 600;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Options {
    std::vector<std::int64_t> batches = {1024, 128};
    std::string reduction = "fast";
    int repetitions = 7;
    std::int64_t spots = 4096;
};

/// Spots a second of some steps.
double rate(bench::Problem& problem, std::int64_t spots) {
    const std::int64_t steps = std::max<std::int64_t>(2, spots / problem.size().batch);
    const auto start = Clock::now();
    for (std::int64_t i = 0; i < steps; ++i) problem.step();
    const double seconds = seconds_since(start);
    problem.check();
    return static_cast<double>(steps * problem.size().batch) / seconds;
}

void run(const Options& options) {
    core::set_threads(1);
    const comm::Comm world = comm::Comm::world();
    const comm::Comm self = comm::Comm::self();
    const bench::SgemmPeak peak;
    const auto sgemm = [&] { return peak.found() ? peak.openblas(1) : bench::SgemmPeak::ours(1); };
    // Waits without using a processor until rank 0 comes.
    const auto alone = [&](const auto& measure) {
        const double value = world.is_root() ? measure() : 0.0;
        world.max_within(0, kPatience);
        return value;
    };
    for (const std::int64_t batch : options.batches) {
        bench::ProblemSize size;
        size.batch = batch;
        bench::Problem together(world, size, options.reduction, 1);
        std::unique_ptr<bench::Problem> single;
        if (world.is_root())
            single = std::make_unique<bench::Problem>(self, size, options.reduction, 1);
        for (int i = 0; i < 5; ++i) together.step();
        alone([&] { return rate(*single, 5 * batch); });
        std::vector<double> gains, sgemm_gains, efficiencies;
        for (int repetition = 0; repetition < options.repetitions; ++repetition) {
            const double sgemm_one = alone(sgemm);
            const double one = alone([&] { return rate(*single, options.spots); });
            const double sgemm_all = world.allreduce(sgemm());
            world.barrier();
            const double all = rate(together, options.spots);
            if (!world.is_root()) continue;
            gains.push_back(all / one);
            sgemm_gains.push_back(sgemm_all / sgemm_one);
            efficiencies.push_back(gains.back() / sgemm_gains.back());
            const nlohmann::json line = {{"bench", "ranks"},
                                         {"git", core::kGitRevision},
                                         {"np", world.size()},
                                         {"threads", 1},
                                         {"reduction", options.reduction},
                                         {"batch", batch},
                                         {"rate_one", one},
                                         {"rate", all},
                                         {"sgemm_one", sgemm_one},
                                         {"sgemm_all", sgemm_all},
                                         {"efficiency", efficiencies.back()}};
            std::puts(line.dump().c_str());
            std::fflush(stdout);
        }
        if (!world.is_root()) continue;
        const nlohmann::json line = {{"bench", "ranks_median"},
                                     {"np", world.size()},
                                     {"reduction", options.reduction},
                                     {"batch", batch},
                                     {"gain", bench::median(gains)},
                                     {"sgemm_gain", bench::median(sgemm_gains)},
                                     {"efficiency", bench::median(efficiencies)}};
        std::puts(line.dump().c_str());
    }
}

}  // namespace

int main(int argc, char** argv) {
    const comm::Environment environment(argc, argv);
    Options options;
    CLI::App app("Training on several ranks of one thread against one rank");
    app.add_option("--batch", options.batches)->check(CLI::PositiveNumber)->delimiter(',');
    app.add_option("--reduction", options.reduction)->check(CLI::IsMember({"fast", "fixed_tree"}));
    app.add_option("--repetitions", options.repetitions)->check(CLI::PositiveNumber);
    app.add_option("--spots", options.spots)->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    try {
        run(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_ranks: %s\n", error.what());
        return 1;
    }
    return 0;
}

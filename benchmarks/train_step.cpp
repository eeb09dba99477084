// Spots a second of a training step (forward, losses, gradients, AdamW), and what share of the
// machine's sgemm that is, measured in the same run: every repetition measures sgemm and then every
// combination of batch, reduction and threads. One JSON object a measurement, and at the end one
// with the medians of each combination. Verifies that the loss falls and counts allocations.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "smeta/core/threads.hpp"
#include "smeta/core/version.hpp"

#include "allocation_count.hpp"
#include "sgemm_peak.hpp"
#include "stopwatch.hpp"
#include "train_problem.hpp"

namespace {

using namespace smeta;

struct Options {
    std::vector<std::int64_t> batches = {128, 1024};
    std::vector<std::string> reductions = {"fast", "fixed_tree"};
    std::vector<int> threads = {1};
    bench::ProblemSize size;
    std::string json;
    int repetitions = 7;
    std::int64_t spots = 4096;
};

double wall() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// Of all threads of this process: does not count what other programs take.
double cpu() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// One combination, and what was measured of it.
struct Case {
    std::unique_ptr<bench::Problem> problem;
    std::string reduction;
    int threads = 1;
    std::vector<double> rates, cpu_rates, shares;
    std::int64_t allocations = 0;

    nlohmann::json name() const {
        const bench::ProblemSize& size = problem->size();
        return {{"git", core::kGitRevision},
                {"np", 1},
                {"threads", threads},
                {"reduction", reduction},
                {"size",
                 {{"batch", size.batch},
                  {"genes", size.genes},
                  {"density", size.density},
                  {"metabolites", size.metabolites},
                  {"samples", size.samples},
                  {"lanes", size.lanes}}}};
    }
};

class Bench {
  public:
    explicit Bench(const Options& options) : options_(options) {
        if (!options.json.empty()) file_.open(options.json);
        for (const int threads : options.threads)
            for (const std::string& reduction : options.reductions)
                for (const std::int64_t batch : options.batches) {
                    Case& one = cases_.emplace_back();
                    bench::ProblemSize size = options.size;
                    size.batch = batch;
                    one.problem = std::make_unique<bench::Problem>(comm_, size, reduction, threads);
                    one.reduction = reduction;
                    one.threads = threads;
                }
    }

    void run() {
        for (Case& one : cases_) {
            core::set_threads(one.threads);
            for (int i = 0; i < 5; ++i) one.problem->step();
        }
        for (int repetition = 0; repetition < options_.repetitions; ++repetition)
            for (const int threads : options_.threads) {
                core::set_threads(threads);
                const double openblas = peak_.openblas(threads);
                const double ours = bench::SgemmPeak::ours(threads);
                for (Case& one : cases_)
                    if (one.threads == threads) measure(one, openblas, ours);
            }
        for (const Case& one : cases_) summarise(one);
    }

  private:
    void measure(Case& one, double openblas, double ours) {
        bench::Problem& problem = *one.problem;
        const std::int64_t batch = problem.size().batch;
        const std::int64_t steps = std::max<std::int64_t>(2, options_.spots / batch);
        const std::int64_t allocations = bench::allocations();
        const double start = wall();
        const double cpu_start = cpu();
        for (std::int64_t i = 0; i < steps; ++i) problem.step();
        const double seconds = wall() - start;
        const double cpu_seconds = cpu() - cpu_start;
        const std::int64_t allocated = bench::allocations() - allocations;
        problem.check();
        const auto spots = static_cast<double>(steps * batch);
        const double gflops = 1e-3 * problem.size().mega_flop() * spots / seconds;
        const double peak = openblas > 0 ? openblas : ours;
        one.rates.push_back(spots / seconds);
        one.cpu_rates.push_back(spots / cpu_seconds);
        one.shares.push_back(gflops / peak);
        one.allocations = allocated;
        nlohmann::json line = one.name();
        line["bench"] = "train_step";
        line["seconds"] = seconds;
        line["cpu_seconds"] = cpu_seconds;
        line["rate"] = spots / seconds;
        line["gflops"] = gflops;
        line["sgemm"] = {{"openblas_gflops", openblas},
                         {"openblas_kernels", peak_.core()},
                         {"openblas_own_choice", peak_.own_choice()},
                         {"ours_gflops", ours}};
        line["share_of_sgemm"] = gflops / peak;
        line["allocations"] = allocated;
        line["loss"] = problem.loss();
        print(line);
    }

    void summarise(const Case& one) {
        nlohmann::json line = one.name();
        line["bench"] = "train_step_median";
        line["repetitions"] = options_.repetitions;
        line["rate"] = bench::median(one.rates);
        line["rate_per_cpu_second"] = bench::median(one.cpu_rates);
        line["share_of_sgemm"] = bench::median(one.shares);
        line["allocations"] = one.allocations;
        if (one.reduction != "fast")
            for (const Case& other : cases_)
                if (other.reduction == "fast" && other.threads == one.threads &&
                    other.problem->size().batch == one.problem->size().batch) {
                    std::vector<double> costs;
                    for (std::size_t i = 0; i < one.rates.size(); ++i)
                        costs.push_back(other.rates[i] / one.rates[i]);
                    line["times_fast"] = bench::median(costs);
                }
        print(line);
    }

    void print(const nlohmann::json& line) {
        std::puts(line.dump().c_str());
        std::fflush(stdout);
        if (file_.is_open()) file_ << line.dump() << '\n';
    }

    const Options& options_;
    comm::Comm comm_ = comm::Comm::world();
    bench::SgemmPeak peak_;
    std::vector<Case> cases_;
    std::ofstream file_;
};

}  // namespace

int main(int argc, char** argv) {
    const comm::Environment environment(argc, argv);
    Options options;
    const auto processors = static_cast<int>(core::allowed_processors().size());
    if (processors > 1) options.threads.push_back(processors);
    CLI::App app("Spots a second of a training step, and its share of the machine's sgemm");
    app.add_option("--batch", options.batches)->check(CLI::PositiveNumber)->delimiter(',');
    app.add_option("--reduction", options.reductions)
        ->check(CLI::IsMember({"fast", "fixed_tree"}))
        ->delimiter(',');
    app.add_option("--threads", options.threads)->check(CLI::PositiveNumber)->delimiter(',');
    app.add_option("--json", options.json, "file for the JSON lines");
    app.add_option("--repetitions", options.repetitions)->check(CLI::PositiveNumber);
    app.add_option("--spots", options.spots, "in a measurement, at least")
        ->check(CLI::PositiveNumber);
    app.add_option("--genes", options.size.genes)->check(CLI::PositiveNumber);
    app.add_option("--metabolites", options.size.metabolites)->check(CLI::PositiveNumber);
    app.add_option("--density", options.size.density)->check(CLI::Range(0.001, 1.0));
    CLI11_PARSE(app, argc, argv);
    try {
        Bench(options).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_train_step: %s\n", error.what());
        return 1;
    }
    return 0;
}

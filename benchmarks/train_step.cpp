// Spots a second of a training step: forward, losses, gradients, AdamW. Without options: batch 128,
// 1,841 genes at 30 % density, 1,000 metabolites, multi mode (weights of the published workflow)
// with 5 samples. One JSON object a repetition.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "smeta/comm/comm.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/core/version.hpp"
#include "smeta/model/cvae.hpp"
#include "smeta/model/reducers.hpp"
#include "smeta/nn/adamw.hpp"
#include "smeta/nn/gemm.hpp"

namespace {

using namespace smeta;
using Clock = std::chrono::steady_clock;

struct Options {
    std::int64_t batch = 128;
    std::string reduction = "fast";
    std::string json;
    int threads = static_cast<int>(core::allowed_processors().size());
    int repetitions = 5;
    int steps = 40;
    std::int32_t genes = 1841;
    std::int32_t metabolites = 1000;
    std::int32_t samples = 5;
    double density = 0.3;
    int lanes = 8;
};

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

model::NetworkOptions network(const Options& options) {
    model::ModalityBlock sm{"sm", options.metabolites};
    sm.weight = sm.corr_weight = 2;
    model::ModalityBlock st{"st",
                            options.genes,
                            model::Likelihood::Zinb,
                            model::InputTransform::Log1p,
                            model::MeanHead::SoftmaxLibrary,
                            8,
                            8};
    model::NetworkOptions result;
    result.blocks = {sm, st};
    result.batch_categories = {options.samples};
    result.mmd_weight = 10;
    return result;
}

/// Rows [first, last) of a mini-batch; every value is keyed by its row, so chunks of any size hold
/// the same batch.
model::Chunk make_chunk(const Options& options, std::uint64_t batch, std::int64_t first,
                        std::int64_t last) {
    model::Chunk chunk;
    chunk.modalities = {model::ModalityRows(options.metabolites),
                        model::ModalityRows(options.genes)};
    for (std::int64_t r = first; r < last; ++r) {
        const core::RowKey key{batch, static_cast<std::uint64_t>(r)};
        const core::Philox draws(1, core::DrawPurpose::Test, 0, key);
        chunk.keys.push_back(key);
        chunk.samples.push_back(0);
        chunk.codes.push_back(static_cast<std::int32_t>(r % options.samples));
        std::vector<std::int32_t> columns;
        std::vector<float> values;
        float total = 0;
        for (std::int32_t m = 0; m < options.metabolites; ++m) {
            if (draws.uniform((2ULL << 32) + m) >= options.density) continue;
            columns.push_back(m);
            values.push_back(static_cast<float>(draws.uniform(m)));
            total += values.back();
        }
        for (float& value : values) value *= 1000 / total;
        const auto position = static_cast<std::int32_t>(r - first);
        chunk.modalities[0].add(position, columns, values);
        columns.clear();
        values.clear();
        for (std::int32_t g = 0; g < options.genes; ++g) {
            const double u = draws.uniform((1ULL << 32) + g);
            if (u >= options.density) continue;
            columns.push_back(g);
            values.push_back(
                static_cast<float>(1 + std::floor(-2 * std::log(u / options.density))));
        }
        chunk.modalities[1].add(position, columns, values);
    }
    return chunk;
}

/// Single-precision product of one thread, the shape of a head: GF/s.
double sgemm_rate() {
    const core::MatrixF a = core::MatrixF::Random(128, 128);
    const core::MatrixF b = core::MatrixF::Random(128, 1024);
    core::MatrixF c(128, 1024);
    double best = 0;
    for (int repetition = 0; repetition < 20; ++repetition) {
        constexpr int kProducts = 10;
        const auto start = Clock::now();
        for (int i = 0; i < kProducts; ++i) nn::product<float>(a, b, c);
        best = std::max(best, kProducts * 2e-9 * 128 * 128 * 1024 / seconds_since(start));
    }
    return best;
}

void run(const Options& options, std::ofstream& file) {
    core::set_threads(options.threads);
    const comm::Comm comm = comm::Comm::world();
    const bool tree = options.reduction == "fixed_tree";
    const comm::SpotPartition partition(options.lanes, 1);
    const auto reducer =
        tree ? model::fixed_tree_reducer(comm, partition) : model::fast_reducer(comm);
    const int chunks = tree ? options.lanes : options.threads;
    constexpr int kBatches = 4;
    std::vector<std::vector<model::Chunk>> batches(kBatches);
    for (int b = 0; b < kBatches; ++b)
        for (int c = 0; c < chunks; ++c)
            batches[b].push_back(make_chunk(options, static_cast<std::uint64_t>(b),
                                            options.batch * c / chunks,
                                            options.batch * (c + 1) / chunks));
    model::Cvae<float> cvae(network(options));
    cvae.initialise(1);
    nn::AdamW<float> optimiser(cvae.values().shared_layout());
    model::StepSettings settings;
    double first_loss = 0;
    double loss = 0;
    const auto step = [&] {
        loss = cvae.train_step(batches[settings.epoch % kBatches], settings, reducer).total;
        optimiser.update(cvae.values(), cvae.gradient(), {});
        if (settings.epoch++ == 0) first_loss = loss;
    };
    for (int i = 0; i < 5; ++i) step();
    const double gemm = sgemm_rate();
    for (int repetition = 0; repetition < options.repetitions; ++repetition) {
        const auto start = Clock::now();
        for (int i = 0; i < options.steps; ++i) step();
        const double seconds = seconds_since(start);
        // A rate of steps that learn nothing is none.
        if (!std::isfinite(loss) || loss >= first_loss)
            throw core::NumericError("the loss did not fall");
        const nlohmann::json line = {
            {"bench", "train_step"},
            {"git", core::kGitRevision},
            {"np", 1},
            {"threads", options.threads},
            {"reduction", options.reduction},
            {"size",
             {{"batch", options.batch},
              {"genes", options.genes},
              {"density", options.density},
              {"metabolites", options.metabolites},
              {"samples", options.samples}}},
            {"seconds", seconds},
            {"rate", static_cast<double>(options.steps * options.batch) / seconds},
            {"loss", loss},
            {"sgemm_gflops", gemm}};
        std::puts(line.dump().c_str());
        if (file.is_open()) file << line.dump() << '\n';
    }
}

}  // namespace

int main(int argc, char** argv) {
    const comm::Environment environment(argc, argv);
    Options options;
    CLI::App app("Spots a second of a training step");
    app.add_option("--batch", options.batch)->check(CLI::PositiveNumber);
    app.add_option("--reduction", options.reduction)->check(CLI::IsMember({"fast", "fixed_tree"}));
    app.add_option("--json", options.json, "file for the JSON lines");
    app.add_option("--threads", options.threads)->check(CLI::PositiveNumber);
    app.add_option("--repetitions", options.repetitions)->check(CLI::PositiveNumber);
    app.add_option("--steps", options.steps)->check(CLI::PositiveNumber);
    app.add_option("--genes", options.genes)->check(CLI::PositiveNumber);
    app.add_option("--metabolites", options.metabolites)->check(CLI::PositiveNumber);
    app.add_option("--density", options.density)->check(CLI::Range(0.001, 1.0));
    CLI11_PARSE(app, argc, argv);
    try {
        std::ofstream file;
        if (!options.json.empty()) file.open(options.json);
        run(options, file);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_train_step: %s\n", error.what());
        return 1;
    }
    return 0;
}

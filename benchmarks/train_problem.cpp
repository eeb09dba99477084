#include "train_problem.hpp"

#include <cmath>

#include "smeta/core/error.hpp"
#include "smeta/model/reducers.hpp"

namespace smeta::bench {

namespace {

constexpr std::int64_t kHidden = 128;
constexpr int kBatches = 4;

model::NetworkOptions network(const ProblemSize& size) {
    model::ModalityBlock sm{"sm", size.metabolites};
    sm.weight = sm.corr_weight = 2;
    model::ModalityBlock st{"st",
                            size.genes,
                            model::Likelihood::Zinb,
                            model::InputTransform::Log1p,
                            model::MeanHead::SoftmaxLibrary,
                            8,
                            8};
    model::NetworkOptions result;
    result.blocks = {sm, st};
    result.hidden = {kHidden};
    result.batch_categories = {size.samples};
    result.mmd_weight = 10;
    return result;
}

/// Rows [first, last) of a mini-batch; every value is keyed by its row, so chunks of any size hold
/// the same batch.
model::Chunk make_chunk(const ProblemSize& size, std::uint64_t batch, std::int64_t first,
                        std::int64_t last) {
    model::Chunk chunk;
    chunk.modalities = {model::ModalityRows(size.metabolites), model::ModalityRows(size.genes)};
    std::vector<std::int32_t> columns;
    std::vector<float> values;
    for (std::int64_t r = first; r < last; ++r) {
        const core::RowKey key{batch, static_cast<std::uint64_t>(r)};
        const core::Philox draws(1, core::DrawPurpose::Test, 0, key);
        chunk.keys.push_back(key);
        chunk.samples.push_back(0);
        chunk.codes.push_back(static_cast<std::int32_t>(r % size.samples));
        const auto position = static_cast<std::int32_t>(r - first);
        columns.clear();
        values.clear();
        float total = 0;
        for (std::int32_t m = 0; m < size.metabolites; ++m) {
            if (draws.uniform((2ULL << 32) + m) >= size.density) continue;
            columns.push_back(m);
            values.push_back(static_cast<float>(draws.uniform(m)));
            total += values.back();
        }
        for (float& value : values) value *= 1000 / total;
        chunk.modalities[0].add(position, columns, values);
        columns.clear();
        values.clear();
        for (std::int32_t g = 0; g < size.genes; ++g) {
            const double u = draws.uniform((1ULL << 32) + g);
            if (u >= size.density) continue;
            columns.push_back(g);
            values.push_back(static_cast<float>(1 + std::floor(-2 * std::log(u / size.density))));
        }
        chunk.modalities[1].add(position, columns, values);
    }
    return chunk;
}

}  // namespace

double ProblemSize::mega_flop() const {
    const double inputs = genes + metabolites;
    const double outputs = 3.0 * genes + 2.0 * metabolites;
    // Two passes through the heads, three products each; the first layers have two products.
    return 2e-6 * kHidden * (2 * inputs + 2 * 3 * outputs);
}

Problem::Problem(const comm::Comm& comm, const ProblemSize& size, const std::string& reduction,
                 int threads)
    : comm_(comm),
      size_(size),
      partition_(size.lanes, comm.size()),
      cvae_(network(size)),
      optimiser_(cvae_.values().shared_layout()) {
    const bool tree = reduction == "fixed_tree";
    reducer_ = tree ? model::fixed_tree_reducer(comm, partition_) : model::fast_reducer(comm);
    const comm::Range lanes = partition_.lanes_of(comm.rank());
    const std::int64_t first = size.batch * lanes.first / size.lanes;
    const std::int64_t rows = size.batch * lanes.last / size.lanes - first;
    const std::int64_t chunks = tree ? lanes.size() : threads;
    batches_.resize(kBatches);
    for (int b = 0; b < kBatches; ++b)
        for (std::int64_t c = 0; c < chunks; ++c)
            batches_[b].push_back(make_chunk(size, static_cast<std::uint64_t>(b),
                                             first + rows * c / chunks,
                                             first + rows * (c + 1) / chunks));
    cvae_.initialise(1);
}

void Problem::step() {
    loss_ = cvae_.train_step(batches_[settings_.epoch % kBatches], settings_, reducer_).total;
    optimiser_.update(cvae_.values(), cvae_.gradient(), {}, 1.0,
                      model::arena_share(optimiser_.layout(), comm_));
    model::gather_arena(comm_, cvae_.values());
    if (settings_.epoch++ == 0) first_loss_ = loss_;
}

void Problem::check() const {
    if (!std::isfinite(loss_) || loss_ >= first_loss_)
        throw core::NumericError("the loss did not fall");
}

}  // namespace smeta::bench

#include "smeta/model/reducers.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/threads.hpp"
#include "smeta/nn/adamw.hpp"

#include "support/support.hpp"

namespace smeta::model {
namespace {

constexpr int kLanes = 8;
constexpr std::int32_t kGenes = 40;
constexpr std::int32_t kMetabolites = 15;

NetworkOptions network() {
    NetworkOptions options;
    options.blocks = {{.name = "sm", .features = kMetabolites},
                      {.name = "st",
                       .features = kGenes,
                       .likelihood = Likelihood::Zinb,
                       .transform = InputTransform::Log1p,
                       .mean_head = MeanHead::SoftmaxLibrary}};
    options.hidden = {16};
    options.latent = 4;
    options.batch_categories = {3};
    return options;
}

// Lane 5 has no rows, lane 2 has one; some rows lack a modality or both.
Chunk lane_rows(int lane, std::uint64_t step) {
    const std::int64_t rows = lane == 5 ? 0 : lane == 2 ? 1 : 9 + lane % 3;
    Chunk chunk;
    chunk.modalities = {ModalityRows(kMetabolites), ModalityRows(kGenes)};
    for (std::int64_t row = 0; row < rows; ++row) {
        const core::RowKey key{static_cast<std::uint64_t>(lane), static_cast<std::uint64_t>(row)};
        const core::Philox draw(3, core::DrawPurpose::Test, step, key);
        chunk.keys.push_back(key);
        chunk.samples.push_back(0);
        chunk.codes.push_back(static_cast<std::int32_t>(draw.below(0, 3)));
        for (std::int32_t m = 0; m < 2; ++m) {
            if (draw.uniform(1 + m) < 0.1) continue;
            std::vector<std::int32_t> columns;
            std::vector<float> values;
            for (std::int32_t f = 0; f < (m == 0 ? kMetabolites : kGenes); ++f) {
                if (draw.uniform(10 + 100 * m + 2 * f) < 0.5) continue;
                columns.push_back(f);
                values.push_back(static_cast<float>(1 + draw.below(11 + 100 * m + 2 * f, 9)));
            }
            chunk.modalities[m].add(static_cast<std::int32_t>(row), columns, values);
        }
    }
    return chunk;
}

struct Trained {
    std::vector<float> values;
    std::vector<double> losses;
};

Trained train(const comm::Comm& comm, bool fixed_tree) {
    const comm::SpotPartition partition(kLanes, comm.size());
    const comm::Range lanes = partition.lanes_of(comm.rank());
    const StepReducer<float> reducer =
        fixed_tree ? fixed_tree_reducer(comm, partition) : fast_reducer(comm);
    Cvae<float> cvae(network());
    cvae.initialise(1);
    nn::AdamW<float> adam(cvae.values().shared_layout());
    Trained result;
    for (std::uint64_t step = 0; step < 6; ++step) {
        std::vector<Chunk> chunks;
        for (std::int64_t lane = lanes.first; lane < lanes.last; ++lane)
            chunks.push_back(lane_rows(static_cast<int>(lane), step));
        const LossTerms terms = cvae.train_step(chunks, {.seed = 1, .epoch = step}, reducer);
        adam.update(cvae.values(), cvae.gradient(), {.learning_rate = 1e-2}, 1.0,
                    arena_share(adam.layout(), comm));
        gather_arena(comm, cvae.values());
        result.losses.push_back(terms.total);
    }
    result.values.assign(cvae.values().data().begin(), cvae.values().data().end());
    result.values.insert(result.values.end(), cvae.running().data().begin(),
                         cvae.running().data().end());
    return result;
}

TEST(Reducers, FixedTreeTrainsToTheSameBitsOnAnyRanksAndThreads) {
    const comm::Comm self = comm::Comm::self();
    const Trained alone = train(self, true);
    EXPECT_TRUE(std::isfinite(alone.losses.back()));
    core::set_threads(2);
    EXPECT_TRUE(train(self, true).values == alone.values);
    core::set_threads(1);
    test::on_each_communicator([&](const comm::Comm& comm) {
        const Trained here = train(comm, true);
        EXPECT_EQ(here.losses, alone.losses);
        EXPECT_TRUE(here.values == alone.values);
    });
}

TEST(Reducers, FastAgreesToRounding) {
    const comm::Comm self = comm::Comm::self();
    const Trained alone = train(self, true);
    test::on_each_communicator([&](const comm::Comm& comm) {
        const Trained here = train(comm, false);
        for (std::size_t i = 0; i < alone.losses.size(); ++i)
            EXPECT_NEAR(here.losses[i], alone.losses[i], 1e-5 * std::abs(alone.losses[i]));
    });
}

}  // namespace
}  // namespace smeta::model

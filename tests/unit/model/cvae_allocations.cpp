#include <gtest/gtest.h>

#include "smeta/comm/comm.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/model/reducers.hpp"
#include "smeta/nn/adamw.hpp"

#include "allocation_count.hpp"
#include "cvae_problem.hpp"

namespace {

using namespace smeta;

/// Allocations of later steps on mini-batches of the same shape, with the reducers of training.
std::int64_t allocations_of_steps(const std::string& reduction, int threads) {
    core::set_threads(threads);
    const comm::Comm comm = comm::Comm::self();
    const comm::SpotPartition partition(4, 1);
    const auto reducer = reduction == "fixed_tree" ? model::fixed_tree_reducer(comm, partition)
                                                   : model::fast_reducer(comm);
    test::ProblemSpec spec;
    spec.network.blocks = {
        test::intensity_block("sm", 300, model::Likelihood::Gaussian),
        test::counts_block("st", 700, model::Likelihood::Zinb),
    };
    spec.network.batch_categories = {3};
    spec.rows = 40;
    const auto chunks = test::make_chunks(spec, 4);
    model::Cvae<float> cvae(spec.network);
    cvae.initialise(1);
    nn::AdamW<float> optimiser(cvae.values().shared_layout());
    std::int64_t before = 0;
    for (std::uint64_t step = 0; step < 8; ++step) {
        if (step == 4) before = bench::allocations();
        cvae.train_step(chunks, {.seed = 1, .epoch = step}, reducer);
        optimiser.update(cvae.values(), cvae.gradient(), {});
    }
    return bench::allocations() - before;
}

TEST(Allocations, AreCounted) {
    const std::int64_t before = bench::allocations();
    std::vector<int> numbers(1000);
    EXPECT_EQ(numbers.size(), 1000);
    EXPECT_GT(bench::allocations(), before);
}

TEST(Allocations, AStepMakesNoneOnceItsBuffersHaveGrown) {
    for (const std::string reduction : {"fast", "fixed_tree"})
        for (const int threads : {1, 2})
            EXPECT_EQ(allocations_of_steps(reduction, threads), 0) << reduction << ' ' << threads;
}

}  // namespace

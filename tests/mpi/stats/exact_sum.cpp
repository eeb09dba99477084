#include "smeta/stats/exact_sum.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"

#include "support/support.hpp"

namespace {

using namespace smeta;

TEST(ExactSumOverRanks, DoesNotDependOnRanks) {
    const core::Philox random(7, core::DrawPurpose::Test);
    std::vector<double> values;
    for (int i = 0; i < 1000; ++i)
        values.push_back(
            std::ldexp(random.normal(2 * i), static_cast<int>(random.below(2 * i + 1, 200)) - 100));
    stats::ExactSum alone;
    alone.add(values);
    test::on_each_communicator([&](const comm::Comm& comm) {
        // The last rank has nothing when there are several.
        const int owners = std::max(1, comm.size() - 1);
        const comm::Range mine = comm.rank() < owners
                                     ? comm::even_share(std::ssize(values), owners, comm.rank())
                                     : comm::Range{};
        const auto part = std::span(values).subspan(mine.first, mine.size());
        EXPECT_EQ(stats::exact_sum(comm, part), alone.value());
    });
}

}  // namespace

#include "smeta/stats/logistic.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"

#include "support/support.hpp"

namespace smeta::stats {
namespace {

constexpr std::int64_t kRows = 83;
constexpr std::int32_t kFeatures = 17;

core::MatrixF values() {
    const core::Philox random(5, core::DrawPurpose::Test);
    core::MatrixF result(kRows, kFeatures);
    for (std::int64_t r = 0; r < kRows; ++r)
        for (std::int32_t c = 0; c < kFeatures; ++c) {
            const auto draw = static_cast<std::uint64_t>(r * kFeatures + c);
            result(r, c) =
                random.uniform(draw + 100000) < 0.5
                    ? 0.0F
                    : static_cast<float>(std::abs(random.normal(draw)) + (c % 4 == r % 4));
        }
    return result;
}

TEST(LogisticMpi, AnyRankAndThreadCountGivesTheSameBits) {
    const auto all = values();
    std::vector<std::int32_t> labels;
    for (std::int64_t r = 0; r < kRows; ++r)
        labels.push_back(r % 9 == 0 ? -1 : static_cast<std::int32_t>(r % 4));
    const auto everything = core::from_dense(all);
    const comm::Comm self = comm::Comm::self();
    const LogisticRegression alone(self, kRows, everything);
    for (const auto loss : {LogisticLoss::Multinomial, LogisticLoss::OneVsRest}) {
        const auto expected = alone.fit(labels, 4, {.loss = loss});
        EXPECT_TRUE(expected.converged);
        test::on_each_communicator([&](const comm::Comm& comm) {
            const auto own = comm::even_share(kRows, comm.size(), comm.rank());
            const auto mine = core::from_dense(all.middleRows(own.first, own.size()));
            for (const int threads : {1, 3}) {
                core::set_threads(threads);
                const LogisticRegression shared(comm, kRows, mine);
                const auto found = shared.fit(labels, 4, {.loss = loss});
                EXPECT_EQ(found.loss, expected.loss);
                EXPECT_EQ(found.coefficients, expected.coefficients);
                EXPECT_EQ(found.intercepts, expected.intercepts);
                EXPECT_EQ(shared.predict(found), alone.predict(expected));
            }
            core::set_threads(1);
        });
    }
}

}  // namespace
}  // namespace smeta::stats

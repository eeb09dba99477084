#include "smeta/stats/shared_pca.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Eigenvalues>
#include <gtest/gtest.h>

#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"

#include "support/support.hpp"

namespace smeta::stats {
namespace {

constexpr std::int64_t kRows = 101;
constexpr std::int32_t kColumns = 40;

/// A few strong directions and noise; a third of the entries 0.
core::MatrixF values() {
    const core::Philox random(3, core::DrawPurpose::Test);
    core::MatrixF result(kRows, kColumns);
    for (std::int64_t r = 0; r < kRows; ++r)
        for (std::int32_t c = 0; c < kColumns; ++c) {
            const auto draw = static_cast<std::uint64_t>(r * kColumns + c);
            const double level = std::cos(0.3 * c) * (r % 5) + 0.5 * std::sin(0.7 * c) * (r % 3);
            result(r, c) = random.uniform(draw + 100000) < 0.33
                               ? 0.0F
                               : static_cast<float>(level + 0.2 * random.normal(draw));
        }
    return result;
}

PrincipalComponents shared(const comm::Comm& comm, const core::MatrixF& all,
                           std::vector<ColumnBlock> blocks, std::int32_t count) {
    const auto own = pca_rows(all.rows(), comm.size(), comm.rank());
    const auto mine = core::from_dense(all.middleRows(own.first, own.size()));
    for (auto& block : blocks)
        if (!block.present.empty())
            block.present = {block.present.begin() + own.first, block.present.begin() + own.last};
    return principal_components(comm, all.rows(), mine.view(), blocks, count, 1);
}

TEST(SharedPcaMpi, EqualsTheExactOne) {
    const auto all = values();
    core::MatrixD centred = all.cast<double>();
    centred.rowwise() -= centred.colwise().mean().eval();
    const Eigen::MatrixXd covariance = centred.transpose() * centred / double(kRows - 1);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> exact(covariance);
    test::on_each_communicator([&](const comm::Comm& comm) {
        const auto found = shared(comm, all, {{.first = 0, .last = kColumns}}, 6);
        ASSERT_EQ(found.variance.size(), 6U);
        for (int c = 0; c < 6; ++c) {
            const double expected = exact.eigenvalues()[kColumns - 1 - c];
            EXPECT_NEAR(found.variance[c], expected, 1e-6 * expected) << c;
            const Eigen::VectorXd scores = centred * exact.eigenvectors().col(kColumns - 1 - c);
            const double cosine = std::abs(scores.dot(found.scores.col(c))) /
                                  (scores.norm() * found.scores.col(c).norm());
            EXPECT_NEAR(cosine, 1, 1e-5) << c;
        }
    });
}

TEST(SharedPcaMpi, BlocksAreScaledAndMissingRowsAreAtTheMean) {
    auto all = values();
    // The last ten columns are missing in some rows; dense truth with the mean in their place.
    std::vector<std::uint8_t> present(kRows, 1);
    for (std::int64_t r = 0; r < kRows; r += 4) {
        present[r] = 0;
        all.row(r).tail(10).setZero();
    }
    core::MatrixD dense = all.cast<double>();
    const auto standardise = [&](int first, int count, const std::vector<std::uint8_t>& has) {
        const double rows = std::count(has.begin(), has.end(), 1);
        const Eigen::RowVectorXd mean = dense.middleCols(first, count).colwise().sum() / rows;
        for (std::int64_t r = 0; r < kRows; ++r)
            if (has[r] != 0) dense.row(r).segment(first, count) -= mean;
        dense.middleCols(first, count) /=
            std::sqrt(dense.middleCols(first, count).squaredNorm() / rows);
    };
    standardise(0, 30, std::vector<std::uint8_t>(kRows, 1));
    standardise(30, 10, present);
    const Eigen::MatrixXd gram = dense.transpose() * dense / double(kRows - 1);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> exact(gram);
    test::on_each_communicator([&](const comm::Comm& comm) {
        const auto found = shared(
            comm, all,
            {{.first = 0, .last = 30, .scale = BlockScale::UnitTotalVariance},
             {.first = 30, .last = 40, .scale = BlockScale::UnitTotalVariance, .present = present}},
            kColumns);
        for (int c = 0; c < kColumns; ++c)
            EXPECT_NEAR(found.variance[c], exact.eigenvalues()[kColumns - 1 - c], 1e-9) << c;
    });
}

TEST(SharedPcaMpi, TheSameBitsOnAnyRanksAndThreads) {
    const auto all = values();
    const auto expected = shared(comm::Comm::self(), all, {{.first = 0, .last = kColumns}}, 5);
    test::on_each_communicator([&](const comm::Comm& comm) {
        for (const int threads : {1, 3}) {
            core::set_threads(threads);
            const auto found = shared(comm, all, {{.first = 0, .last = kColumns}}, 5);
            EXPECT_EQ(found.variance, expected.variance);
            EXPECT_TRUE(found.scores == expected.scores);
        }
        core::set_threads(1);
    });
}

TEST(SharedPcaMpi, FewRowsOrNone) {
    test::on_each_communicator([&](const comm::Comm& comm) {
        const core::MatrixF three = values().topRows(3);
        const auto found = shared(comm, three, {{.first = 0, .last = kColumns}}, 50);
        EXPECT_EQ(found.variance.size(), 3U);
        EXPECT_NEAR(found.variance[2], 0, 1e-9) << "three points span a plane";
        const auto none = shared(comm, values().topRows(0), {{.first = 0, .last = kColumns}}, 5);
        EXPECT_EQ(none.scores.rows(), 0);
    });
}

}  // namespace
}  // namespace smeta::stats

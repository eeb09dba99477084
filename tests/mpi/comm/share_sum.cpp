#include "smeta/comm/share_sum.hpp"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"

#include "support/support.hpp"

namespace smeta::comm {
namespace {

constexpr std::int64_t kUnit = 64;
// No multiple of the unit, and more than a tile for each of four ranks.
constexpr std::int64_t kSize = 10007;

// Magnitudes over 12 decades: any other order of additions gives other bits.
std::vector<float> values_of(int buffer) {
    const core::Philox draw(9, core::DrawPurpose::Test, buffer);
    std::vector<float> values(kSize);
    for (std::int64_t i = 0; i < kSize; ++i)
        values[i] = static_cast<float>(draw.normal(2 * i) *
                                       std::pow(10.0, 12.0 * draw.uniform(2 * i + 1) - 6.0));
    return values;
}

void add(std::vector<float>& to, const std::vector<float>& from) {
    for (std::int64_t i = 0; i < kSize; ++i) to[i] += from[i];
}

std::vector<float> tree(std::int64_t first, std::int64_t lanes) {
    if (lanes == 1) return values_of(static_cast<int>(first));
    std::vector<float> left = tree(first, lanes / 2);
    add(left, tree(first + lanes / 2, lanes / 2));
    return left;
}

TEST(ShareOf, WholeUnitsThatCoverTheBufferOnce) {
    for (const std::int64_t size : {0L, 1L, 64L, 65L, 10007L})
        for (const int ranks : {1, 2, 3, 4, 7, 8}) {
            std::vector<int> covered(size, 0);
            for (int rank = 0; rank < ranks; ++rank) {
                const Range share = share_of(size, ranks, rank, kUnit);
                EXPECT_TRUE(share.first % kUnit == 0 || share.first == size);
                for (std::int64_t i = share.first; i < share.last; ++i) ++covered[i];
            }
            EXPECT_EQ(covered, std::vector<int>(size, 1));
        }
}

TEST(ShareSum, OverLanesHasTheBitsOfOneTreeOnAnyRanks) {
    for (const int lanes : {4, 8, 16}) {
        const std::vector<float> expected = tree(0, lanes);
        test::on_each_communicator([&](const Comm& comm) {
            const SpotPartition partition(lanes, comm.size());
            ShareSum<float> sum(comm, partition, kUnit);
            std::vector<float> total;
            for (int call = 0; call < 2; ++call) {  // buffers are kept between calls
                std::vector<std::vector<float>> buffers;
                for (const Range& subtree : partition.subtrees_of(comm.rank()))
                    buffers.push_back(tree(subtree.first, subtree.size()));
                const std::vector<std::span<float>> mine(buffers.begin(), buffers.end());
                sum(mine, mine[0]);
                total = buffers[0];
            }
            gather_shares<float>(comm, total, kUnit);
            EXPECT_TRUE(total == expected) << lanes << " lanes, " << comm.size() << " ranks";
        });
    }
}

TEST(ShareSum, OfRanksAddsInAFixedOrder) {
    test::on_each_communicator([&](const Comm& comm) {
        std::vector<float> expected = values_of(0);
        if (comm.size() == 4)
            expected = tree(0, 4);
        else
            for (int rank = 1; rank < comm.size(); ++rank) add(expected, values_of(rank));
        ShareSum<float> sum(comm, kUnit);
        std::vector<float> mine = values_of(comm.rank());
        std::vector<float> total(kSize);
        const std::vector<std::span<float>> buffers{mine};
        sum(buffers, total);
        gather_shares<float>(comm, total, kUnit);
        EXPECT_TRUE(total == expected) << comm.size() << " ranks";
    });
}

TEST(ShareSum, FewerUnitsThanRanks) {
    test::on_each_communicator([&](const Comm& comm) {
        ShareSum<double> sum(comm, kUnit);
        std::vector<double> mine(kUnit + 1, comm.rank() + 1.0);
        const std::vector<std::span<double>> buffers{mine};
        sum(buffers, mine);
        gather_shares<double>(comm, mine, kUnit);
        const double expected = comm.size() * (comm.size() + 1) / 2.0;
        EXPECT_EQ(mine, std::vector<double>(kUnit + 1, expected));
    });
}

TEST(ShareSum, RefusesTheWrongBuffers) {
    const Comm self = Comm::self();
    ShareSum<float> sum(self, kUnit);
    std::vector<float> long_one(8), short_one(7);
    const std::vector<std::span<float>> unequal{short_one};
    EXPECT_THROW(sum(unequal, long_one), core::InvariantError);
    const std::vector<std::span<float>> two{long_one, long_one};
    EXPECT_THROW(sum(two, long_one), core::InvariantError);
}

}  // namespace
}  // namespace smeta::comm

#include "smeta/comm/spot_partition.hpp"

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace smeta::comm {
namespace {

TEST(SpotPartition, IsTheExampleOfItsComment) {
    const SpotPartition partition(8, 3, {5, 5, 4, 4, 4, 4, 4, 0});
    EXPECT_EQ(partition.lanes_of(0), (Range{0, 3}));
    EXPECT_EQ(partition.lanes_of(1), (Range{3, 6}));
    EXPECT_EQ(partition.lanes_of(2), (Range{6, 8}));
    EXPECT_EQ(partition.rows_of(0), 14);
    EXPECT_EQ(partition.rows_of(1), 12);
    EXPECT_EQ(partition.rows_of(2), 4);
    EXPECT_EQ(partition.total_rows(), 30);
}

TEST(SpotPartition, EveryLaneHasOneOwnerThatKnowsIt) {
    for (int lanes = 1; lanes <= 32; lanes *= 2)
        for (int ranks = 1; ranks <= lanes; ++ranks) {
            const SpotPartition partition(lanes, ranks);
            std::vector<int> owned(lanes, 0);
            for (int rank = 0; rank < ranks; ++rank) {
                const Range mine = partition.lanes_of(rank);
                EXPECT_GE(mine.size(), 1);
                for (auto lane = mine.first; lane < mine.last; ++lane) {
                    ++owned[lane];
                    EXPECT_EQ(partition.owner(static_cast<int>(lane)), rank);
                }
            }
            EXPECT_EQ(owned, std::vector<int>(lanes, 1));
        }
}

TEST(SpotPartition, RefusesMoreRanksThanLanesAndOddLanes) {
    EXPECT_THROW(SpotPartition(4, 5), core::ConfigError);
    EXPECT_THROW(SpotPartition(6, 2), core::ConfigError);
    EXPECT_THROW(SpotPartition(0, 1), core::ConfigError);
}

}  // namespace
}  // namespace smeta::comm

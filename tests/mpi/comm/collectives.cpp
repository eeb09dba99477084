#include <filesystem>
#include <numeric>

#include <gtest/gtest.h>

#include "smeta/comm/comm.hpp"
#include "smeta/core/error.hpp"

#include "support/support.hpp"

namespace smeta::comm {
namespace {

TEST(CommTest, collectives_on_each_communicator) {
    test::on_each_communicator([](const Comm& comm) {
        const int n = comm.size();
        EXPECT_EQ(comm.allreduce<std::int64_t>(comm.rank() + 1), n * (n + 1) / 2);
        EXPECT_EQ(comm.allreduce<double>(comm.rank(), ReduceOp::Max), n - 1);
        EXPECT_EQ(comm.allreduce<std::int32_t>(comm.rank() == n - 1 ? 5 : 0, ReduceOp::LogicalOr),
                  1);
        std::string text = comm.rank() == n - 1 ? "from the last" : "";
        comm.broadcast(text, n - 1);
        EXPECT_EQ(text, "from the last");
        // Rank r contributes r numbers: rank 0 contributes nothing.
        std::vector<float> mine(comm.rank(), static_cast<float>(comm.rank()));
        const auto all = comm.allgather(std::span<const float>(mine));
        const auto at_root = comm.gather(std::span<const float>(mine));
        ASSERT_EQ(static_cast<int>(all.size()), n);
        for (int r = 0; r < n; ++r) EXPECT_EQ(all[r], std::vector<float>(r, static_cast<float>(r)));
        EXPECT_EQ(at_root.empty(), !comm.is_root());
        if (comm.is_root()) {
            EXPECT_EQ(at_root, all);
        }
        EXPECT_EQ(comm.allgather(std::string("r") + std::to_string(comm.rank())).back(),
                  "r" + std::to_string(n - 1));
    });
}

TEST(CommTest, alltoall_moves_each_part_to_its_rank) {
    const Comm comm = Comm::world();
    std::vector<std::vector<std::int32_t>> parts(comm.size());
    for (int r = 0; r < comm.size(); ++r) parts[r].assign(r, 10 * comm.rank() + r);
    const auto received = comm.alltoall(parts);
    for (int r = 0; r < comm.size(); ++r)
        EXPECT_EQ(received[r], std::vector<std::int32_t>(comm.rank(), 10 * r + comm.rank()));
}

TEST(CommTest, a_failure_on_one_rank_is_an_error_on_all) {
    test::on_each_communicator([](const Comm& comm) {
        const int bad = comm.size() - 1;
        try {
            comm.all_or_throw([&] {
                if (comm.rank() == bad) throw core::ConfigError("the last rank is unhappy");
            });
            ADD_FAILURE() << "rank " << comm.rank() << " did not throw";
        } catch (const core::Error& error) {
            EXPECT_STREQ(error.what(), "the last rank is unhappy");
            EXPECT_EQ(error.exit_code(), 2);
        }
        try {
            comm.all_or_throw([&] {
                if (comm.rank() == bad) std::filesystem::directory_iterator("/no/such/folder");
            });
            ADD_FAILURE() << "rank " << comm.rank() << " did not throw";
        } catch (const core::Error& error) {  // the disk's fault, not ours
            EXPECT_NE(std::string(error.what()).find("/no/such/folder"), std::string::npos);
            EXPECT_EQ(error.exit_code(), 2);
        }
        comm.all_or_throw([] {});
        EXPECT_THROW(comm.root_or_throw([] { throw std::runtime_error("x"); }), std::exception);
        comm.barrier();  // still in step
    });
}

TEST(CommTest, point_to_point_around_the_ring) {
    const Comm comm = Comm::world();
    if (comm.size() == 1) return;
    std::vector<double> token(3, comm.rank());
    const int next = (comm.rank() + 1) % comm.size();
    const int previous = (comm.rank() + comm.size() - 1) % comm.size();
    if (comm.is_root()) {
        comm.send(std::span<const double>(token), next);
        comm.receive(std::span<double>(token), previous);
        EXPECT_EQ(token[0], comm.size() - 1);
    } else {
        std::vector<double> received(3);
        comm.receive(std::span<double>(received), previous);
        EXPECT_EQ(received[0], previous);
        comm.send(std::span<const double>(token), next);
    }
}

TEST(CommTest, shares_are_contiguous_and_complete) {
    for (const std::int64_t items : {0, 1, 3, 10}) {
        std::int64_t next = 0;
        for (int r = 0; r < 4; ++r) {
            const Range share = even_share(items, 4, r);
            EXPECT_EQ(share.first, next);
            next = share.last;
        }
        EXPECT_EQ(next, items);
    }
    EXPECT_EQ(even_share(10, 4, 1), (Range{3, 6}));
}

TEST(CommTest, summary_of_names_that_some_ranks_lack) {
    const Comm comm = Comm::world();
    std::map<std::string, double, std::less<>> values = {{"everywhere", comm.rank() + 1.0}};
    if (comm.is_root()) values["root only"] = 6;
    const auto result = summarise(comm, values);
    EXPECT_EQ(result.at("everywhere").min, 1);
    EXPECT_EQ(result.at("everywhere").max, comm.size());
    EXPECT_EQ(result.at("everywhere").max_rank, comm.size() - 1);
    EXPECT_DOUBLE_EQ(result.at("root only").average, 6.0 / comm.size());
}

TEST(CommTest, ranks_in_step_agree_on_the_largest_code) {
    const Comm comm = Comm::world();
    EXPECT_EQ(comm.max_within(comm.rank() == 0 ? 2 : 0, 10), 2);
    EXPECT_GE(comm.on_node().size(), 1);
    EXPECT_LE(comm.on_node().size(), comm.size());
}

}  // namespace
}  // namespace smeta::comm

#include "smeta/atlas/ingest_session.hpp"

#include <gtest/gtest.h>

#include "support/atlas_data.hpp"
#include "support/support.hpp"

namespace smeta::atlas {
namespace {

const comm::Comm& self() {
    static const comm::Comm comm = comm::Comm::self();
    return comm;
}

TEST(IngestSession, leaves_no_atlas_without_data) {
    const test::TemporaryFolder folder;
    { IngestSession(self(), folder / "a/b/atlas"); }
    EXPECT_FALSE(std::filesystem::exists(folder / "a"));
    std::filesystem::create_directories(folder / "a" / "joint");
    { IngestSession(self(), folder / "a"); }
    EXPECT_TRUE(std::filesystem::exists(folder / "a" / "joint"));
    EXPECT_FALSE(std::filesystem::exists(folder / "a" / "raw"));
    EXPECT_FALSE(std::filesystem::exists(folder / "a" / "atlas.lock"));
}

TEST(IngestSession, keeps_data_and_what_was_there) {
    const test::TemporaryFolder folder;
    {
        IngestSession session(self(), folder / "full");
        session.atlas().commit_joint("s", "c", "0123456789abcdef", test::joint_data("s", 5));
    }
    EXPECT_EQ(ShardedAtlas::open(folder / "full").samples(), std::vector<std::string>{"s"});
    ShardedAtlas::create(folder / "empty");
    { IngestSession(self(), folder / "empty"); }
    EXPECT_NO_THROW(ShardedAtlas::open(folder / "empty"));
    {
        IngestSession session(self(), folder / "stray");
        std::filesystem::create_directories(folder / "stray" / "raw" / "mine");
    }
    EXPECT_NO_THROW(ShardedAtlas::open(folder / "stray"));
}

TEST(IngestSession, leaves_the_atlas_to_others_that_work_there) {
    const test::TemporaryFolder folder;
    auto maker = std::make_unique<IngestSession>(self(), folder / "atlas");
    {
        IngestSession other(self(), folder / "atlas");
        maker.reset();
        other.atlas().commit_joint("s", "c", "0123456789abcdef", test::joint_data("s", 5));
    }
    EXPECT_EQ(ShardedAtlas::open(folder / "atlas").samples(), std::vector<std::string>{"s"});
}

}  // namespace
}  // namespace smeta::atlas

#include "smeta/model/checkpoint.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/sealed_file.hpp"

#include "support/support.hpp"

namespace smeta::model {
namespace {

TrainState example(std::int64_t epoch, std::int64_t step = 3) {
    TrainState state;
    state.identity = {.config = "train.epochs = 64\ntrain.lanes = 8\n",
                      .seed = 7,
                      .lanes = 8,
                      .categories = {{"a", "b"}},
                      .inputs_hash = "00",
                      .features_hash = "11"};
    state.values = {1.5F, -2.0F, 0.0F};
    state.running = {0.25F};
    state.first_moment = {0.1F, 0.2F, 0.3F};
    state.second_moment = {0.4F, 0.5F, 0.6F};
    state.updates = 99;
    state.epoch = epoch;
    state.step = step;
    state.sums.total = 12.5;
    state.sums.reconstruction = {1, 2};
    state.early.best_epoch = 2;
    state.early.best_values = {9.0F};
    state.kl_warmup = 64;
    state.horizon_epochs = 64;
    state.metrics_bytes = 1234;
    return state;
}

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

TEST(Checkpoint, ReturnsEveryField) {
    const std::string bytes = encode_checkpoint(example(5));
    const TrainState back = decode_checkpoint(bytes, "x");
    EXPECT_EQ(encode_checkpoint(back), bytes);
    EXPECT_EQ(back.epoch, 5);
    EXPECT_EQ(back.step, 3);
    EXPECT_EQ(back.updates, 99);
    EXPECT_EQ(back.values, example(5).values);
    EXPECT_EQ(back.second_moment, example(5).second_moment);
    EXPECT_EQ(back.sums.reconstruction, example(5).sums.reconstruction);
    EXPECT_EQ(back.early.best_values, example(5).early.best_values);
    EXPECT_EQ(back.identity.categories, example(5).identity.categories);
    EXPECT_EQ(back.metrics_bytes, 1234);
}

TEST(Checkpoint, EveryTruncationIsNoticed) {
    const std::string bytes = encode_checkpoint(example(5));
    for (std::size_t length = 0; length < bytes.size(); ++length)
        EXPECT_THROW(decode_checkpoint(std::span(bytes).first(length), "x"), core::FormatError)
            << length;
    EXPECT_THROW(decode_checkpoint(bytes + "x", "x"), core::FormatError);
}

TEST(Checkpoint, EveryFlippedBitIsNoticed) {
    const std::string bytes = encode_checkpoint(example(5));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
        EXPECT_THROW(decode_checkpoint(damaged, "x"), core::FormatError) << at;
    }
}

/// The checksum says only that nothing changed since it was computed.
TEST(Checkpoint, SizesBeyondTheContentAreRefusedBehindAFittingChecksum) {
    constexpr std::size_t kHeader = 24;
    const std::string bytes = encode_checkpoint(example(5));
    const std::string sound(io::unsealed(bytes).value());
    int refused = 0;
    for (std::size_t at = kHeader; at + 8 <= sound.size(); ++at)
        for (const std::uint64_t size : {std::uint64_t{1} << 33, ~std::uint64_t{0}}) {
            std::string content = sound;
            std::memcpy(content.data() + at, &size, sizeof(size));
            try {
                decode_checkpoint(io::sealed(content), "x");
            } catch (const core::FormatError&) {
                ++refused;  // any other error fails the test
            }
        }
    EXPECT_GT(refused, 20);
}

TEST(CheckpointStore, KeepsTheNewestAndSkipsADamagedOne) {
    const test::TemporaryFolder folder;
    const CheckpointStore store(folder.path(), 2);
    EXPECT_TRUE(store.load_newest().empty());
    for (const std::int64_t epoch : {1, 2, 10}) store.save(example(epoch));
    store.save(example(10, 4));
    EXPECT_EQ(store.names(), (std::vector<std::string>{"epoch-000010-step-00000003.ckpt",
                                                       "epoch-000010-step-00000004.ckpt"}));
    EXPECT_EQ(decode_checkpoint(store.load_newest(), "x").step, 4);

    const auto newest = folder.path() / store.names().back();
    const std::string bytes = read(newest);
    std::vector<std::string> warnings;
    core::set_log_sink([&](core::LogLevel level, std::string_view message) {
        if (level == core::LogLevel::Warning) warnings.emplace_back(message);
    });
    write(newest, bytes.substr(0, bytes.size() / 2));
    EXPECT_EQ(decode_checkpoint(store.load_newest(), "x").step, 3);
    core::set_log_sink({});
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings[0].find(newest.filename().string()), std::string::npos);
}

TEST(CheckpointStore, ADamagedNewerOneGoesWithTheNextThatIsWritten) {
    const test::TemporaryFolder folder;
    const CheckpointStore store(folder.path(), 1);
    store.save(example(7));
    write(folder.path() / store.names().back(), "half");
    store.save(example(3));
    EXPECT_EQ(store.names(), std::vector<std::string>{"epoch-000003-step-00000003.ckpt"});
    EXPECT_EQ(decode_checkpoint(store.load_newest(), "x").epoch, 3);
}

TEST(CheckpointStore, RefusesWhenNoneCanBeRead) {
    const test::TemporaryFolder folder;
    const CheckpointStore store(folder.path(), 2);
    store.save(example(7));
    write(folder.path() / store.names().back(), "half");
    EXPECT_THROW((void)store.load_newest(), core::FormatError);
}

TEST(CheckpointStore, LeftoversOfACrashAreNoCheckpoints) {
    const test::TemporaryFolder folder;
    const CheckpointStore store(folder.path(), 2);
    store.save(example(1));
    const auto leftover = folder.path() / "epoch-000002-step-00000000.ckpt.tmp.0123456789abcdef";
    write(leftover, "half");
    EXPECT_EQ(decode_checkpoint(store.load_newest(), "x").epoch, 1);
    store.save(example(2));
    EXPECT_FALSE(std::filesystem::exists(leftover));
}

TEST(CheckpointIdentity, NamesTheKeyThatChanged) {
    const RunIdentity stored = example(1).identity;
    RunIdentity now = stored;
    EXPECT_NO_THROW(check_identity(stored, now));
    now.config = "train.epochs = 80\ntrain.lanes = 8\n";
    EXPECT_NO_THROW(check_identity(stored, now));
    now.config = "train.epochs = 32\ntrain.lanes = 8\n";
    EXPECT_THROW(check_identity(stored, now), core::ConfigError);
    now.config = "train.epochs = 64\ntrain.lanes = 4\n";
    try {
        check_identity(stored, now);
        FAIL() << "another number of lanes was accepted";
    } catch (const core::ConfigError& error) {
        EXPECT_NE(std::string(error.what()).find("train.lanes was 8"), std::string::npos);
    }
    now = stored;
    now.config += "loss.st = 3.0\n";
    EXPECT_THROW(check_identity(stored, now), core::ConfigError);
    now = stored;
    now.inputs_hash = "22";
    EXPECT_THROW(check_identity(stored, now), core::ConfigError);
    now = stored;
    now.categories = {{"a", "c"}};
    EXPECT_THROW(check_identity(stored, now), core::ConfigError);
}

}  // namespace
}  // namespace smeta::model

#include "lease.hpp"

#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smeta/core/error.hpp"

#include "support/support.hpp"

namespace smeta::atlas::detail {
namespace {

using std::chrono::milliseconds;

constexpr LeaseTiming kQuick{.renewal = milliseconds(30), .stale = milliseconds(600)};

std::unique_ptr<Lease> take(const std::filesystem::path& file, FileLock::Options options = {}) {
    return std::make_unique<Lease>(file, options, "host h pid " + std::to_string(getpid()), kQuick);
}

/// Runs `work` in a child process; its return value is the exit code.
template <class Work>
pid_t in_child(const Work& work) {
    const pid_t child = fork();
    if (child != 0) return child;
    int code = 99;
    try {
        code = work();
    } catch (const core::Error&) {
    }
    _exit(code);
}

int exit_code(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Lease, excludes_another_process_and_names_it) {
    const test::TemporaryFolder folder;
    const auto held = take(folder / "lock");
    const pid_t holder = getpid();
    const pid_t child = in_child([&] {
        try {
            take(folder / "lock");
        } catch (const core::IoError& error) {
            return std::string(error.what())
                           .ends_with("is locked by host h pid " + std::to_string(holder))
                       ? 7
                       : 8;
        }
        return 9;
    });
    EXPECT_EQ(exit_code(child), 7);
    EXPECT_FALSE(held->lost());
}

TEST(Lease, is_free_at_once_when_released) {
    const test::TemporaryFolder folder;
    for (int i = 0; i < 5; ++i) {
        const auto start = std::chrono::steady_clock::now();
        take(folder / "lock").reset();
        EXPECT_LT(std::chrono::steady_clock::now() - start, kQuick.stale);
    }
}

TEST(Lease, of_a_dead_holder_is_free_after_a_while) {
    const test::TemporaryFolder folder;
    const pid_t child = in_child([&] {
        const auto held = take(folder / "lock");
        kill(getpid(), SIGKILL);
        return 0;
    });
    EXPECT_EQ(exit_code(child), -1);
    const auto start = std::chrono::steady_clock::now();
    const auto held = take(folder / "lock");
    EXPECT_GE(std::chrono::steady_clock::now() - start, kQuick.stale);
    EXPECT_FALSE(held->lost());
}

TEST(Lease, of_a_holder_that_stood_still_is_lost) {
    const test::TemporaryFolder folder;
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = in_child([&] {
        const auto held = take(folder / "lock");
        (void)!write(ready[1], "x", 1);
        while (!held->lost()) usleep(1000);
        return 3;
    });
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    kill(child, SIGSTOP);
    const auto held = take(folder / "lock");
    kill(child, SIGCONT);
    EXPECT_EQ(exit_code(child), 3);
    EXPECT_FALSE(held->lost());
}

TEST(Lease, shared_holders_exclude_only_an_exclusive_one) {
    const test::TemporaryFolder folder;
    const FileLock::Options shared{.mode = LockMode::Shared, .byte = 1};
    auto one = take(folder / "lock", shared);
    auto two = take(folder / "lock", shared);
    EXPECT_THROW(take(folder / "lock", {.byte = 1}), core::IoError);
    EXPECT_NO_THROW(take(folder / "lock", {.byte = 0}));
    EXPECT_NO_THROW(take(folder / "lock", shared));  // also after an exclusive one gave up
    one.reset();
    two.reset();
    const auto exclusive = take(folder / "lock", {.byte = 1});
    EXPECT_THROW(take(folder / "lock", shared), core::IoError);
}

TEST(Lease, one_holder_at_a_time_among_many) {
    const test::TemporaryFolder folder;
    constexpr int kProcesses = 4;
    constexpr int kTurns = 15;
    const auto counter = folder / "counter";
    std::ofstream(counter) << 0;
    std::vector<pid_t> children;
    for (int process = 0; process < kProcesses; ++process)
        children.push_back(in_child([&] {
            for (int turn = 0; turn < kTurns; ++turn) {
                const auto held = take(folder / "lock", {.patience = std::chrono::seconds(120)});
                int count = -1;
                std::ifstream(counter) >> count;
                usleep(2000);
                std::ofstream(counter) << count + 1;
            }
            return 0;
        }));
    for (const pid_t child : children) EXPECT_EQ(exit_code(child), 0);
    int count = 0;
    std::ifstream(counter) >> count;
    EXPECT_EQ(count, kProcesses * kTurns);
}

}  // namespace
}  // namespace smeta::atlas::detail

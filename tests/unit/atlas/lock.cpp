#include "smeta/atlas/lock.hpp"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smeta/core/error.hpp"

#include "support/support.hpp"

namespace smeta::atlas {
namespace {

/// A child process that holds the lock until it is told to go on (or killed).
class Holder {
  public:
    Holder(const std::filesystem::path& file, FileLock::Options options) {
        int ready[2];
        if (pipe(ready) != 0) throw core::IoError("pipe");
        child_ = fork();
        if (child_ == 0) {
            const FileLock lock(file, options);
            (void)!write(ready[1], "x", 1);
            pause();
            _exit(0);
        }
        char byte = 0;
        (void)!read(ready[0], &byte, 1);
        close(ready[0]);
        close(ready[1]);
    }
    ~Holder() { kill_now(); }
    void kill_now() {
        if (child_ <= 0) return;
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
        child_ = -1;
    }
    pid_t pid() const { return child_; }

  private:
    pid_t child_ = -1;
};

TEST(FileLock, excludes_another_process_and_names_it) {
    const test::TemporaryFolder folder;
    Holder holder(folder / "lock", {});
    try {
        const FileLock lock(folder / "lock", {});
        FAIL() << "two processes hold the lock";
    } catch (const core::IoError& error) {
        const std::string message = error.what();
        EXPECT_NE(message.find("pid " + std::to_string(holder.pid())), std::string::npos)
            << message;
        EXPECT_NE(message.find("host "), std::string::npos);
        EXPECT_NE(message.find("test_unit_atlas_lock"), std::string::npos) << message;
    }
}

TEST(FileLock, is_free_when_its_holder_was_killed) {
    const test::TemporaryFolder folder;
    Holder holder(folder / "lock", {});
    holder.kill_now();
    EXPECT_NO_THROW(FileLock(folder / "lock", {}));
}

TEST(FileLock, waits_for_its_holder) {
    const test::TemporaryFolder folder;
    Holder holder(folder / "lock", {});
    EXPECT_THROW(FileLock(folder / "lock", {.patience = std::chrono::milliseconds(100)}),
                 core::IoError);
    const pid_t killer = fork();
    if (killer == 0) {
        usleep(200'000);
        kill(holder.pid(), SIGKILL);
        _exit(0);
    }
    EXPECT_NO_THROW(FileLock(folder / "lock", {.patience = std::chrono::seconds(30)}));
    waitpid(killer, nullptr, 0);
}

TEST(FileLock, excludes_within_a_process_too) {
    const test::TemporaryFolder folder;
    const FileLock lock(folder / "lock", {});
    EXPECT_THROW(FileLock(folder / "lock", {}), core::IoError);
    EXPECT_NO_THROW(FileLock(folder / "lock", {.byte = 1}));
}

TEST(FileLock, shared_holders_exclude_only_an_exclusive_one) {
    const test::TemporaryFolder folder;
    Holder holder(folder / "lock", {.mode = LockMode::Shared, .byte = 1});
    EXPECT_NO_THROW(FileLock(folder / "lock", {.mode = LockMode::Shared, .byte = 1}));
    EXPECT_THROW(FileLock(folder / "lock", {.byte = 1}), core::IoError);
    holder.kill_now();
    EXPECT_NO_THROW(FileLock(folder / "lock", {.byte = 1}));
}

TEST(FileLock, is_on_the_file_of_that_name) {
    const test::TemporaryFolder folder;
    Holder holder(folder / "lock", {});
    const pid_t remover = fork();
    if (remover == 0) {
        usleep(200'000);
        std::filesystem::remove(folder / "lock");
        kill(holder.pid(), SIGKILL);
        _exit(0);
    }
    const FileLock lock(folder / "lock", {.patience = std::chrono::seconds(30)});
    waitpid(remover, nullptr, 0);
    EXPECT_THROW(FileLock(folder / "lock", {}), core::IoError);
}

}  // namespace
}  // namespace smeta::atlas

#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "smeta/comm/comm.hpp"

namespace smeta::test {

/// The folder with reference data beside the source tree; absent on other machines.
std::filesystem::path shared_dir();
/// Path below it. Where it is absent the test binary skips (GTEST_SKIP in the caller): use
///     const auto file = shared_file("golden/x.h5"); if (!file) GTEST_SKIP() << kNoShared;
/// The main functions return 77 when a test was skipped, so that ctest shows the skip.
bool have_shared();
inline constexpr const char* kNoShared = "reference data (../shared) is not there";

/// A fresh folder that is removed at the end of the test program (with `comm`: the same folder on
/// all ranks; collective).
class TemporaryFolder {
  public:
    TemporaryFolder();
    explicit TemporaryFolder(const comm::Comm& comm);
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
    std::optional<comm::Comm> comm_;  ///< all ranks have left the test before the folder goes
};

/// Runs `body` on the world, on the world with ranks reversed, and on two halves of it (colour =
/// rank % 2): code that uses MPI_COMM_WORLD by mistake fails. Collective over the world.
void on_each_communicator(const std::function<void(const comm::Comm&)>& body);

}  // namespace smeta::test

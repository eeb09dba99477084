#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "smeta/atlas/atlas.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::atlas {

/// An atlas into which data come, made where there is none. What was made is removed at the end
/// when nothing came in, unless another command works there: a first ingest that fails leaves
/// nothing behind. What was there before stays.
class IngestSession {
  public:
    /// Throws ConfigError when the folder is something else. Collective.
    IngestSession(const comm::Comm& comm, const std::filesystem::path& path);
    ~IngestSession();
    IngestSession(const IngestSession&) = delete;
    IngestSession& operator=(const IngestSession&) = delete;

    ShardedAtlas& atlas() { return *atlas_; }

  private:
    std::filesystem::path path_;
    bool is_new_ = false;
    std::vector<std::filesystem::path> folders_;  ///< made here, innermost first
    std::optional<FileLock> in_use_;
    std::optional<ShardedAtlas> atlas_;
};

}  // namespace smeta::atlas

#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "smeta/atlas/row_source.hpp"

namespace smeta::atlas::detail {

/// Blocks of rows in a file without a name: the system frees it when the process ends, however it
/// ends. Local.
class ScratchRows {
  public:
    /// IoError when no file can be made in `folder`.
    explicit ScratchRows(const std::filesystem::path& folder);
    ~ScratchRows();
    ScratchRows(const ScratchRows&) = delete;
    ScratchRows& operator=(const ScratchRows&) = delete;

    /// Writes the rows as the next block. IoError, also when the disk is full.
    void append(const RowBatch& block);
    /// The blocks with these numbers, one after the other, in vectors without slack. By any thread.
    RowBatch read(std::span<const std::size_t> blocks) const;
    std::int64_t bytes() const { return end_; }

  private:
    struct Entry {
        std::int64_t offset = 0;
        std::int64_t rows = 0;
        std::int64_t codes = 0;
        std::vector<std::int64_t> values;  ///< of each modality
    };

    std::filesystem::path folder_;
    int file_ = -1;
    std::int64_t end_ = 0;
    std::vector<Entry> entries_;
    std::vector<std::int32_t> cols_;
};

}  // namespace smeta::atlas::detail

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/manifest.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::atlas {

/// Rows that one joint file holds at most; a larger section has the files .0, .1, ... cut there.
inline constexpr std::int64_t kJointFileRows = 262'144;

/// The joint rows of one sample over all its files, read on demand. Every modality has the same
/// rows. Opening checks the size of every file against its entry and the whole structure (types,
/// lengths, monotone indptr); indices and finite values are checked as rows are read. Files stay
/// open; main thread only. Local.
class JointReader {
  public:
    /// `files` relative to `root`, in row order.
    JointReader(std::filesystem::path root, std::string sample, std::vector<FileEntry> files);
    ~JointReader();
    JointReader(JointReader&&) noexcept;
    JointReader& operator=(JointReader&&) noexcept;

    const std::string& sample() const { return sample_; }
    std::int64_t rows() const;
    /// In the order of the file's mod-order.
    const std::vector<std::string>& modalities() const;
    bool has(std::string_view modality) const;
    std::int32_t features(std::string_view modality) const;
    const io::Frame& var(std::string_view modality) const;
    /// Entries of the matrix that are stored, over all files.
    std::int64_t stored_values(std::string_view modality) const;
    /// Index and columns of all rows; read at the first call.
    const io::Frame& obs() const;
    bool has_obsm(std::string_view name) const;
    /// obsm of the whole sample (e.g. "spatial") in the first modality that has it, rows by
    /// dimensions; FormatError when absent.
    core::MatrixD obsm(std::string_view name) const;
    /// Of the modality (images, unit) and of the whole file.
    io::UnsDict uns(std::string_view modality) const;
    /// Everything in memory.
    io::MuData read_all() const;

    /// Rows [first, last) of a modality's X as CSR (zeros of a dense matrix are not stored),
    /// whatever the file boundaries.
    core::CountsCsr read_rows(std::string_view modality, std::int64_t first,
                              std::int64_t last) const;

  private:
    struct State;
    std::string sample_;
    std::unique_ptr<State> state_;
};

}  // namespace smeta::atlas

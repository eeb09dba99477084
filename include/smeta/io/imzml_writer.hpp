#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "smeta/io/imzml.hpp"

namespace smeta::io {

struct ImzmlWriterOptions {
    ImzmlMode mode = ImzmlMode::Processed;
    Polarity polarity = Polarity::Unknown;
    Compression compression = Compression::None;
    double pixel_size_um = 50;
    std::uint64_t seed = 0;  ///< of the UUID: equal seeds and data give equal files
};

/// Writes imzML 1.1 with its .ibd: m/z float64, intensities float32, UUID, SHA-1 checksum, scan
/// settings. Spectra go to the .ibd as they come; positions and offsets stay in memory (80 bytes a
/// spectrum) until `finish` writes the XML. Both files are written under names ending in ".tmp" and
/// renamed by `finish`; without it nothing remains. Throws IoError. Local.
class ImzmlWriter {
  public:
    /// `imzml_path` ends in .imzML; the .ibd gets the same stem.
    ImzmlWriter(const std::string& imzml_path, const ImzmlWriterOptions& options);
    ~ImzmlWriter();
    ImzmlWriter(ImzmlWriter&&) noexcept;
    ImzmlWriter& operator=(ImzmlWriter&&) noexcept;

    /// Appends the spectrum of pixel (x, y), both from 1. `mz` ascends; in continuous mode it is
    /// the same for all spectra.
    void add(std::int32_t x, std::int32_t y, std::span<const double> mz,
             std::span<const float> intensity);
    /// Writes the XML and gives both files their names.
    void finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace smeta::io

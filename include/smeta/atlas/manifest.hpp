#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/core/hash.hpp"

namespace smeta::atlas {

/// Names of the stages as they stand in the manifest.
inline constexpr std::string_view kRaw = "raw";
inline constexpr std::string_view kQc = "qc";
inline constexpr std::string_view kAlign = "align";
inline constexpr std::string_view kJoint = "joint";
inline constexpr std::string_view kSelect = "select";

/// One file of the atlas. `extra`: fields of a newer minor version, a JSON object as text, kept as
/// they are.
struct FileEntry {
    std::string path;  ///< relative to the atlas, '/' between parts
    std::int64_t bytes = 0;
    std::int64_t rows = 0;   ///< observations; 0 where the file has none of its own
    core::Hash128 checksum;  ///< XXH3-128 of the whole file
    std::string extra;
    bool operator==(const FileEntry&) const = default;
};

/// Rows and columns of one modality that a stage kept, and the rows that it left out, by reason:
/// read = rows + dropped.
struct ModalityShape {
    std::int64_t rows = 0;
    std::int32_t features = 0;
    std::map<std::string, std::int64_t> dropped = {};
    bool operator==(const ModalityShape&) const = default;
};

/// What a stage wrote. A stage whose key equals the one computed from today's configuration and
/// inputs is current.
struct StageEntry {
    std::string key;                                  ///< 16 lower-case hex digits
    std::vector<FileEntry> files;                     ///< in row order where the stage cuts (joint)
    std::map<std::string, ModalityShape> modalities;  ///< raw, qc and joint: what they hold
    std::string extra;
    bool operator==(const StageEntry&) const = default;

    /// Sum over the files.
    std::int64_t rows() const;
    std::int64_t bytes() const;
};

struct SampleEntry {
    std::string cohort;
    std::map<std::string, StageEntry> stages;  ///< "raw", "qc", "align", "joint"
    std::string extra;
    bool operator==(const SampleEntry&) const = default;

    const StageEntry* find(std::string_view stage) const;
};

/// manifest.json (docs/atlas_format.md). Samples ascend bytewise: the canonical order everywhere.
struct Manifest {
    static constexpr int kMajor = 1;
    static constexpr int kMinor = 2;

    int minor = kMinor;  ///< of the file read; the greater of it and kMinor is written
    std::map<std::string, SampleEntry> samples;
    std::map<std::string, StageEntry> stages;  ///< atlas-wide: "select"
    std::string extra;
    bool operator==(const Manifest&) const = default;

    /// nullptr when the sample or the stage is not there. An empty sample means atlas-wide.
    const StageEntry* find(std::string_view sample, std::string_view stage) const;
};

/// Parses and checks: version, names, safe paths, hex digits, non-negative numbers, no path twice,
/// raw or joint data of every sample, the text's own checksum.
/// FormatError naming `file`; a newer major version is refused with a hint, unknown fields are
/// kept.
Manifest parse_manifest(std::string_view json, const std::string& file);
/// Deterministic text: equal manifests give equal bytes.
std::string to_json(const Manifest& manifest);

/// Key of a stage: XXH3 of its name, version number, effective configuration (canonical TOML of its
/// sections) and the keys of its inputs in the given order. 16 hex digits.
std::string stage_key(std::string_view stage, int stage_version, std::string_view canonical_config,
                      std::span<const std::string> input_keys);

}  // namespace smeta::atlas

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "smeta/core/config.hpp"

namespace smeta::simulate {

/// Same: metabolites were imaged on the section that was sequenced. Adjacent: on the next one,
/// whose anatomy is slightly displaced.
enum class Layout { Adjacent, Same };

/// imzML storage: every pixel has its own m/z list, or all share one.
enum class SpectrumMode { Processed, Continuous };

/// What `smeta simulate` makes. Everything written is a pure function of these values.
struct StudyOptions {
    std::int64_t samples = 3;
    std::int64_t cohorts = 2;
    std::int64_t spots = 1000;  ///< of a sample, unless `sizes` names it
    std::int32_t genes = 2000;
    std::int32_t metabolites = 300;
    std::int32_t domains = 6;
    Layout layout = Layout::Adjacent;
    SpectrumMode mode = SpectrumMode::Processed;
    double pixels_per_spot = 4;
    std::uint64_t seed = 1;
    /// Samples and their spots in this order, in place of `samples` times `spots`.
    std::vector<std::pair<std::string, std::int64_t>> sizes;
    std::optional<std::string>
        only;  ///< write this sample alone, with the bytes it has in the whole study
};

/// One sample of a study.
struct SampleSpec {
    std::string name;
    std::string cohort;
    std::int64_t spots = 0;
};

/// The samples: named S1, S2, ... (zero-padded to equal length) or as in `sizes`, dealt over the
/// cohorts C1, C2, ... in turn. Throws ConfigError for options that make no study (also an `only`
/// that names no sample).
std::vector<SampleSpec> plan_samples(const StudyOptions& options);

/// Parses a table of sizes: lines "sample <tab or space> spots", with or without that header, '#'
/// begins a comment line. Throws FormatError naming `file` and line.
std::vector<std::pair<std::string, std::int64_t>> parse_sizes(const std::string& text,
                                                              const std::string& file);

}  // namespace smeta::simulate

template <>
struct smeta::core::ConfigEnum<smeta::simulate::Layout> {
    static constexpr std::pair<simulate::Layout, std::string_view> kNames[] = {
        {simulate::Layout::Adjacent, "adjacent"}, {simulate::Layout::Same, "same"}};
};
template <>
struct smeta::core::ConfigEnum<smeta::simulate::SpectrumMode> {
    static constexpr std::pair<simulate::SpectrumMode, std::string_view> kNames[] = {
        {simulate::SpectrumMode::Processed, "processed"},
        {simulate::SpectrumMode::Continuous, "continuous"}};
};

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "smeta/core/config.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::io {

enum class FractionalCounts { Error, Keep, Round };
enum class NanPolicy { Error, Zero, Drop };
enum class UuidPolicy { Error, Ignore };

/// What to do with values that a count or intensity matrix should not have (configuration
/// `ingest.*`).
struct ValuePolicy {
    FractionalCounts fractional_counts = FractionalCounts::Error;
    NanPolicy nan = NanPolicy::Error;  ///< Drop: the spot or pixel is left out and counted
    UuidPolicy imzml_uuid = UuidPolicy::Error;
};

/// Registers ingest.fractional_counts, ingest.nan and ingest.imzml_uuid.
void add_value_policy_keys(core::ConfigTable& table, ValuePolicy& policy);

enum class ValueKind { Counts, Intensities };

/// Applies the policy to X (which becomes CSR without stored zeros). Counts: a negative value is
/// always an error, fractional ones follow the policy. NaN and infinities follow `nan`. FormatError
/// names `file`, row and column. Rows dropped are counted under the reason "not_finite"
/// (source_info.hpp). Local.
void apply_value_policy(AnnData& data, ValueKind kind, const ValuePolicy& policy,
                        const std::string& file);

/// Throws FormatError naming `file` and the first repeated name; `what` is "barcode", "feature id"
/// ...
void check_unique(const std::vector<std::string>& names, std::string_view what,
                  const std::string& file);

}  // namespace smeta::io

namespace smeta::core {

template <>
struct ConfigEnum<io::FractionalCounts> {
    static constexpr std::pair<io::FractionalCounts, std::string_view> kNames[] = {
        {io::FractionalCounts::Error, "error"},
        {io::FractionalCounts::Keep, "keep"},
        {io::FractionalCounts::Round, "round"}};
};
template <>
struct ConfigEnum<io::NanPolicy> {
    static constexpr std::pair<io::NanPolicy, std::string_view> kNames[] = {
        {io::NanPolicy::Error, "error"},
        {io::NanPolicy::Zero, "zero"},
        {io::NanPolicy::Drop, "drop"}};
};
template <>
struct ConfigEnum<io::UuidPolicy> {
    static constexpr std::pair<io::UuidPolicy, std::string_view> kNames[] = {
        {io::UuidPolicy::Error, "error"}, {io::UuidPolicy::Ignore, "ignore"}};
};

}  // namespace smeta::core

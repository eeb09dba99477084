#include "smeta/io/value_policy.hpp"

#include <cmath>
#include <unordered_set>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/source_info.hpp"

namespace smeta::io {

void add_value_policy_keys(core::ConfigTable& table, ValuePolicy& policy) {
    table.add("ingest.fractional_counts", policy.fractional_counts,
              "counts that are not whole numbers: refuse, keep, or round to the nearest");
    table.add("ingest.nan", policy.nan,
              "NaN and infinite values: refuse, take as zero, or drop the spot");
    table.add("ingest.imzml_uuid", policy.imzml_uuid,
              "imzML and ibd with different UUID or checksum: refuse or ignore");
}

namespace {

struct Position {
    std::int64_t row;
    std::int32_t column;
};

[[noreturn]] void refuse(const AnnData& data, Position at, float value, const std::string& file,
                         const std::string& expected, const std::string& hint) {
    throw core::FormatError(
        {file,
         fmt::format("row '{}', column '{}'", data.obs.index[at.row], data.var.index[at.column]),
         expected, fmt::format("{}", value), hint});
}

/// The value to store (0: none); NaN asks for the row to be dropped.
float checked_value(const AnnData& data, Position at, float value, ValueKind kind,
                    const ValuePolicy& policy, const std::string& file) {
    if (!std::isfinite(value)) {
        if (policy.nan == NanPolicy::Error)
            refuse(data, at, value, file, "a finite number",
                   "set ingest.nan = \"zero\" or \"drop\" if such values are expected");
        return policy.nan == NanPolicy::Zero ? 0.0F : NAN;
    }
    if (kind == ValueKind::Intensities) return value;
    if (value < 0)
        refuse(data, at, value, file, "a count of 0 or more",
               "raw counts are needed, not normalised or scaled values");
    if (value == std::floor(value) || policy.fractional_counts == FractionalCounts::Keep)
        return value;
    if (policy.fractional_counts == FractionalCounts::Error)
        refuse(
            data, at, value, file, "a whole number",
            "raw counts are needed; ingest.fractional_counts = \"keep\" or \"round\" accepts it");
    return std::nearbyint(value);
}

}  // namespace

void apply_value_policy(AnnData& data, ValueKind kind, const ValuePolicy& policy,
                        const std::string& file) {
    core::check(data.x.has_value(), "values to check");
    core::CountsCsr x = std::holds_alternative<core::CountsCsr>(*data.x)
                            ? std::get<core::CountsCsr>(std::move(*data.x))
                            : to_csr(*data.x);
    std::vector<std::int64_t> kept;
    std::size_t out = 0;
    std::int64_t entry = 0;
    for (std::int64_t r = 0; r < x.rows; ++r) {
        bool drop = false;
        for (; entry < x.indptr[r + 1]; ++entry) {
            const float value =
                checked_value(data, {r, x.indices[entry]}, x.values[entry], kind, policy, file);
            drop = drop || std::isnan(value);
            if (value == 0.0F) continue;
            x.indices[out] = x.indices[entry];
            x.values[out++] = value;
        }
        x.indptr[r + 1] = static_cast<std::int64_t>(out);
        if (!drop) kept.push_back(r);
    }
    x.indices.resize(out);
    x.values.resize(out);
    const std::int64_t rows = x.rows;
    data.x = std::move(x);
    if (static_cast<std::int64_t>(kept.size()) == rows) return;
    select_observations(data, kept);
    note_dropped(data, "not_finite", rows - static_cast<std::int64_t>(kept.size()));
}

void check_unique(const std::vector<std::string>& names, std::string_view what,
                  const std::string& file) {
    std::unordered_set<std::string_view> seen;
    seen.reserve(names.size());
    for (const std::string& name : names)
        if (!seen.insert(name).second)
            throw core::FormatError({file, fmt::format("{} '{}'", what, name),
                                     fmt::format("every {} once", what), "it occurs twice",
                                     "remove or rename one of the two"});
}

}  // namespace smeta::io

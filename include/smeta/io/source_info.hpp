#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/io/annotated.hpp"

namespace smeta::io {

/// Units of obsm["spatial"], kept in uns["smeta"]["unit"].
inline constexpr const char* kUnitPixel = "pixel";    ///< of the full-resolution image
inline constexpr const char* kUnitArray = "array";    ///< positions in the array of spots
inline constexpr const char* kUnitRaster = "raster";  ///< pixels of a mass spectrometry image
inline constexpr const char* kUnitMicron = "um";

/// Sets uns["smeta"]["unit"] and, when known, uns["smeta"]["microns_per_unit"].
void set_unit(AnnData& data, const std::string& unit, std::optional<double> microns_per_unit);
std::string unit(const AnnData& data);  ///< empty when not set
std::optional<double> microns_per_unit(const AnnData& data);

/// Adds `count` rows left out for `reason` to uns["smeta"]["dropped"]; 0 adds nothing. Reasons used
/// by the readers: zero_total, outside_tissue, no_position, duplicate_position, unmatched_position,
/// not_finite.
void note_dropped(AnnData& data, const std::string& reason, std::int64_t count);
/// Rows left out for `reason`, 0 if none.
std::int64_t dropped(const AnnData& data, std::string_view reason);
/// All of them, by reason.
std::map<std::string, std::int64_t> dropped(const AnnData& data);

/// Keeps the given rows, in that order, in obs, X, layers and obsm (obsp is not supported:
/// InvariantError).
void select_observations(AnnData& data, const std::vector<std::int64_t>& rows);
/// Drops rows whose X sums to 0, counted as "zero_total".
void drop_zero_rows(AnnData& data);

/// Makes names unique as anndata does: the second "A" becomes "A-1", the next "A-2" (a name that
/// exists is skipped).
std::vector<std::string> make_unique(std::vector<std::string> names);
/// Ensembl identifiers without their version: ENSMUSG00000064339.1 -> ENSMUSG00000064339; other
/// text unchanged.
std::string cut_version(std::string_view id);
bool is_ensembl_id(std::string_view text);

/// The var table of genes: index = symbols made unique, column gene_id = ids with their version cut
/// (left out when `ids` is empty). Without ids, names that are Ensembl identifiers become both
/// index and id. Throws FormatError naming `file` for an id that occurs twice.
Frame gene_frame(const std::vector<std::string>& symbols, const std::vector<std::string>& ids,
                 const std::string& file);

/// "mz_426.9289_pos": m/z with four decimals and the polarity ("pos", "neg" or "", then without a
/// suffix).
std::string metabolite_name(double mz, std::string_view polarity);
/// m/z in a name such as "mz-426.928", "mz_426.9289_pos", "426.928864" or "X426.928"; nullopt when
/// there is none.
std::optional<double> mz_from_name(std::string_view name);
/// Adds the columns mz and polarity to var where they are missing and at least one name holds an
/// m/z (others are NaN).
void add_mz_columns(Frame& var, std::string_view polarity);

}  // namespace smeta::io

#pragma once

#include "smeta/atlas/manifest.hpp"

#include "json_fields.hpp"

/// Parts of manifest.json that inputs.json has too.
namespace smeta::atlas::detail {

StageEntry parse_stage(const JsonObject& object);
/// The stage as JSON text, names ascending, on one line.
std::string to_json(const StageEntry& stage);

/// Throws FormatError unless `version` is "MAJOR.MINOR" with this major number; returns the minor
/// number.
int check_version(const JsonObject& root, std::string_view format, int major);
/// `text` of a manifest with the checksum of its line `xxh3` set to what it is: XXH3-128 of the
/// text with 32 zeros in its place.
std::string with_checksum(std::string text);

/// FormatError unless valid.
void check_member_name(const JsonObject& parent, const std::string& name);

}  // namespace smeta::atlas::detail

#pragma once

#include "smeta/atlas/manifest.hpp"

#include "json_fields.hpp"

/// Parts of manifest.json that inputs.json has too.
namespace smeta::atlas::detail {

FileEntry parse_file_entry(const JsonObject& object);
Json to_json_value(const FileEntry& file);
std::vector<FileEntry> parse_files(const JsonObject& parent);
Json to_json_value(const std::vector<FileEntry>& files);
std::map<std::string, ModalityShape> parse_modalities(const JsonObject& parent);
Json to_json_value(const std::map<std::string, ModalityShape>& modalities);
StageEntry parse_stage(const JsonObject& object);
Json to_json_value(const StageEntry& stage);

/// Throws FormatError unless `version` is "MAJOR.MINOR" with this major number; returns the minor
/// number.
int check_version(const JsonObject& root, std::string_view format, int major);
/// FormatError unless valid.
void check_member_name(const JsonObject& parent, const std::string& name);

}  // namespace smeta::atlas::detail

#pragma once

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "mutate.hpp"

namespace smeta::fuzz {

using Folder = std::filesystem::path;

/// What reads a stranger's files, and sound files for it.
struct Parser {
    std::string name;
    /// Each writes one sound input into an empty folder.
    std::vector<std::function<void(const Folder&)>> seeds;
    /// Reads the input; may throw ConfigError, FormatError and IoError, nothing else.
    std::function<void(const Folder&, Random&)> parse;
    /// Damages the input. Empty: one file, by the kind that its extension says (main.cpp).
    std::function<void(const Folder&, Random&)> damage = {};
};

/// What was read does what data that were read must not do.
struct Fault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::vector<Parser> source_parsers();  ///< what instruments and other tools write
std::vector<Parser> atlas_parsers();   ///< what smeta itself has written

std::string read_file(const Folder& path);
void write_file(const Folder& path, const std::string& bytes);

}  // namespace smeta::fuzz

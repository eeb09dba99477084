#pragma once

#include <filesystem>
#include <string>

namespace smeta::simulate {

/// Creates the folder and its parents; IoError where that fails.
void make_folder(const std::filesystem::path& folder);
/// Replaces the file whole (io/atomic_file.hpp), so that jobs which write the same file meet no
/// half of it. IoError.
void write_text_file(const std::filesystem::path& file, const std::string& text);

}  // namespace smeta::simulate

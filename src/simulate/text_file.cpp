#include "text_file.hpp"

#include <system_error>

#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"

namespace smeta::simulate {

void make_folder(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw core::IoError::from_errno("create", folder.string(), error.value());
}

void write_text_file(const std::filesystem::path& file, const std::string& text) {
    io::write_atomically(file.string(), text);
}

}  // namespace smeta::simulate

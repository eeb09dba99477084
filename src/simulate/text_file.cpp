#include "text_file.hpp"

#include <cerrno>
#include <fstream>

#include <fmt/format.h>
#include <unistd.h>

#include "smeta/core/error.hpp"

namespace smeta::simulate {

namespace fs = std::filesystem;

void make_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw core::IoError::from_errno("create", folder.string(), error.value());
}

void write_text_file(const fs::path& file, const std::string& text) {
    const std::string temporary = fmt::format("{}.{}.tmp", file.string(), ::getpid());
    std::ofstream stream(temporary, std::ios::binary);
    stream << text;
    stream.close();
    const int problem = errno;
    if (!stream) {
        fs::remove(temporary);
        throw core::IoError::from_errno("write", file.string(), problem);
    }
    std::error_code error;
    fs::rename(temporary, file, error);
    if (error) throw core::IoError::from_errno("rename", file.string(), error.value());
}

}  // namespace smeta::simulate

#include "smeta/atlas/writer_lock.hpp"

#include <algorithm>

#include "layout.hpp"

namespace smeta::atlas {

namespace fs = std::filesystem;

FileLock writer_lock(const fs::path& atlas) {
    constexpr std::chrono::seconds kPatience{60};
    return {atlas / detail::kLockFile,
            {.mode = LockMode::Shared, .byte = detail::kWritersByte, .patience = kPatience}};
}

std::optional<FileLock> writer_lock_for(const fs::path& atlas, const fs::path& file) {
    const fs::path root = fs::weakly_canonical(atlas);
    const fs::path target = fs::weakly_canonical(file);
    if (std::mismatch(root.begin(), root.end(), target.begin(), target.end()).first != root.end())
        return std::nullopt;
    return writer_lock(atlas);
}

}  // namespace smeta::atlas

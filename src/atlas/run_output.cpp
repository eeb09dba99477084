#include "smeta/atlas/run_output.hpp"

#include <fmt/format.h>

#include "smeta/atlas/listed_file.hpp"
#include "smeta/atlas/names.hpp"
#include "smeta/atlas/writer_lock.hpp"
#include "smeta/core/error.hpp"

namespace smeta::atlas {
namespace {

void write_below(const Run& run, const std::filesystem::path& folder, std::string_view name,
                 std::string_view extension, std::string_view content) {
    check_name("output", name);
    const auto writing = writer_lock(run.atlas_path());
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw core::IoError::from_errno("create", folder.string(), error.value());
    const auto below = folder.lexically_relative(run.folder());
    write_listed(run.folder(), (below / fmt::format("{}.{}", name, extension)).string(), content);
}

}  // namespace

void write_table(const Run& run, std::string_view name, std::string_view tsv) {
    write_below(run, run.tables(), name, "tsv", tsv);
}

void write_figure(const Run& run, std::string_view name, std::string_view svg) {
    write_below(run, run.figures(), name, "svg", svg);
}

}  // namespace smeta::atlas

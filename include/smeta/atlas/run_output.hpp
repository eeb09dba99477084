#pragma once

#include <string_view>

#include "smeta/atlas/run.hpp"

namespace smeta::atlas {

/// Creates or replaces tables/NAME.tsv and figures/NAME.svg of a run, atomically and under the
/// atlas's writer lock. ConfigError for a name that cannot be a file's; IoError. Local.
void write_table(const Run& run, std::string_view name, std::string_view tsv);
void write_figure(const Run& run, std::string_view name, std::string_view svg);

}  // namespace smeta::atlas

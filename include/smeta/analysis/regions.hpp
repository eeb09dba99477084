#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "smeta/analysis/groups.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/io/shapes.hpp"

namespace smeta::analysis {

/// What spots of a section with regions are called that lie in none of them.
inline constexpr std::string_view kOutside = "outside";

/// Gives every shape a sample of the run: its own, else `sample`, else the run's only one.
/// FormatError naming `file` where that is none. Local.
void resolve_samples(const atlas::Run& run, const std::string& file, const std::string& sample,
                     std::vector<io::Shape>& shapes);
/// The shapes' samples, each once, in the run's order. Local.
std::vector<std::string> samples_of(const atlas::Run& run, const std::vector<io::Shape>& shapes);

/// The first of `shapes` that holds each of `points` (n by x, y), -1 for none. Local, parallel over
/// points.
std::vector<std::int32_t> locate(const core::MatrixD& points, const std::vector<io::Shape>& shapes);

/// Stores in the results of every sample that has shapes the categorical obs column `column`: the
/// name of the first region, in the file's order, that holds the spot, else kOutside. Other samples
/// keep what they have. Samples are dealt over ranks; all of them are located before the first is
/// stored. FormatError naming `file` where a sample has no spot in any of its regions, ConfigError
/// for a region called kOutside or a column of something else. Collective.
void store_regions(const comm::Comm& comm, const atlas::Run& run, const std::string& file,
                   const std::vector<io::Shape>& shapes, const std::string& column);

/// Columns sample, region, spots, share (of the spots of the section that have a value), area (of
/// the shapes, in the square of the coordinates' unit; empty without `shapes`). `samples`: those
/// that `regions` was read from.
std::string regions_tsv(const atlas::Run& run, const std::vector<std::string>& samples,
                        const Groups& regions, const std::vector<io::Shape>& shapes);

/// Columns sample, region, KEY, spots, share (of the region's spots of the sample that have one).
std::string composition_tsv(const atlas::Run& run, const std::vector<std::string>& samples,
                            const Groups& regions, const Groups& parts);

}  // namespace smeta::analysis

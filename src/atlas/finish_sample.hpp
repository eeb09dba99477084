#pragma once

#include <string>
#include <vector>

#include "smeta/atlas/study.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::atlas {

io::Categorical categorical(const std::vector<std::string>& values);

/// Throws FormatError naming `file` and the row when obsm["spatial"] is there without an x and a y
/// of every row, both finite. Local.
void check_coordinates(const io::AnnData& data, const std::string& file);

/// What every sample gets, however it was read: obs columns `sample`, `cohort`, `spot` (the
/// source's name of an ST spot) and the source's levels; names of features that are unique over
/// modalities; the table of all observations. Throws FormatError when a modality has no observation
/// or no feature, or repeated names. Local.
void finish_sample(io::MuData& data, const SampleSource& source, const std::string& cohort);

}  // namespace smeta::atlas

#pragma once

#include <string>

#include "smeta/comm/comm.hpp"
#include "smeta/simulate/options.hpp"

namespace smeta::simulate {

/// Writes a study into the folder `out`, as instruments and their software write one (the model is
/// in docs/simulated_studies.md):
///   SAMPLE/visium/           Space Ranger's layout: matrix, positions, scale factors, images
///   SAMPLE/msi/pos.imzML ... positive and negative image of the same section, other pixel order, a
///   few pixels missing truth/                   genes.tsv, metabolites.tsv (markers and
///   programmes); of each sample SAMPLE.spots.tsv,
///                            SAMPLE.pixels.tsv (domains), SAMPLE.batch.tsv (batch effects),
///                            SAMPLE.json (true transform)
///   study.toml               ready for `smeta run`; always lists all samples, also with `only`
/// Samples are dealt over ranks; the bytes depend on the options alone. A folder with the
/// study.toml of another study is refused. Throws ConfigError, IoError on every rank. Collective.
void simulate_study(const comm::Comm& comm, const StudyOptions& options, const std::string& out);

/// The text of study.toml.
std::string study_toml(const StudyOptions& options);

}  // namespace smeta::simulate

#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "smeta/atlas/transform.hpp"

namespace smeta::atlas {

/// One sample, or one joint file with one or more samples, as named by a study.toml or the command
/// line. Paths are as the reader opens them (those of a study.toml are taken from its folder).
struct SampleSource {
    std::string name;    ///< empty only with `joint`: samples are told apart by ingest.sample_key
    std::string cohort;  ///< empty: "default", with `joint` ingest.cohort_key
    std::string st;      ///< transcriptomics; empty = none
    std::vector<std::string> sm;  ///< metabolomics: none, one file, or positive and negative
    /// Further modalities (name in mod/ -> table with a column spot, .h5ad or .h5mu), joined by
    /// name.
    std::map<std::string, std::string> others;
    std::string joint;   ///< SpatialMETA's joint .h5ad, in place of st and sm
    std::string labels;  ///< table of spot labels; empty = none
    std::string
        sm_columns;     ///< regular expression: feature columns of an SM table; empty = all numeric
    std::string image;  ///< of the section (PNG, JPEG, TIFF); empty = that of `st`, if it has one
    std::optional<double> image_scale;  ///< image pixels per unit of the spots' coordinates
    std::optional<double> image_microns_per_pixel;  ///< in its place
    std::map<std::string, std::string> obs;  ///< further levels of every spot (platform, species)
    std::optional<AffineTransform> transform;
    std::string origin;  ///< "study.toml:12", "command line": begins messages
};

/// A study.toml without its configuration tables (those are the configuration table's, see
/// core/config.hpp).
struct Study {
    std::string file;
    std::string atlas;  ///< path of the atlas
    std::string run;    ///< name of the run
    std::vector<SampleSource> samples;
};

/// Checks one source: a valid name and either st, sm and/or others, or joint; an image only with
/// st, and at most one scale of it, above 0. Throws ConfigError
/// beginning with its origin.
void check_source(const SampleSource& source);

/// Parses the text of a study.toml. Defaults: atlas "atlas" and run "main". `align.transform` is 3
/// x 2 numbers, the rows of A and then t, or 2 x 3, [A | t]. Throws ConfigError naming file and
/// line for TOML errors, unknown keys of a sample
/// ("did you mean"), wrong types, missing or repeated names. Other top-level tables are not looked
/// at. Local.
Study parse_study(const std::string& text, const std::string& file);

/// The study's samples of these names, in the study's order. Throws ConfigError for a name that
/// the study does not give, with those that it does. Local.
std::vector<SampleSource> select_samples(const Study& study, const std::vector<std::string>& names);

}  // namespace smeta::atlas

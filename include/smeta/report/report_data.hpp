#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "smeta/core/matrix.hpp"
#include "smeta/io/image.hpp"

namespace smeta::report {

/// One line of metrics.jsonl.
struct EpochMetrics {
    std::int64_t epoch = 0;
    std::map<std::string, double> loss;        ///< by term, "total" weighted, the others unweighted
    std::map<std::string, double> validation;  ///< the same on the validation rows; may be empty
    double seconds = 0;
    double spots_per_second = 0;
};

/// The low-resolution tissue image under a map.
struct Histology {
    io::Image image;
    double pixels_per_unit = 1;  ///< image pixels per unit of the coordinates
};

/// One feature over the spots of a sample, as measured and as the model reconstructs it, in one
/// unit.
struct FeatureMap {
    std::string name;
    std::string modality;
    std::vector<float> measured;
    std::vector<float> reconstructed;
};

/// What the spatial figures show of one sample; vectors have one entry a spot.
struct SampleMap {
    std::string name;
    std::string cohort;
    std::vector<double> x;
    std::vector<double> y;  ///< grows downwards, as in the image
    std::string unit;
    std::optional<double> microns_per_unit;
    std::vector<std::int32_t> cluster;                        ///< -1 = none; empty: not clustered
    std::map<std::string, std::vector<double>> contribution;  ///< by modality
    std::optional<Histology> histology;
    std::vector<FeatureMap> features;
    /// Of a serial section: the block that it was cut from, and x, y, z of its spots there.
    std::string block;
    core::MatrixD block_places;

    std::int64_t spots() const { return static_cast<std::int64_t>(x.size()); }
};

/// Rows of one modality of a sample on their way into the run.
struct ModalitySummary {
    std::string name;
    std::optional<std::int64_t> read;  ///< rows in the raw file
    std::optional<std::int64_t> kept;  ///< rows after QC
    std::int64_t features = 0;         ///< measured features of the joint file
    std::int64_t selected = 0;         ///< of the run's features, those that this sample measured
    /// Of the rows kept, those that joint rows average; absent where joint rows are the
    /// modality's own.
    std::optional<std::int64_t> averaged = {};
    std::optional<double> averaged_share = {};  ///< of the sum of all values that QC kept
};

struct SampleSummary {
    std::string name;
    std::string cohort;
    std::int64_t spots = 0;  ///< joint rows
    std::vector<ModalitySummary> modalities;
    std::vector<std::string> files;      ///< joint files, relative to the atlas
    std::vector<std::string> checksums;  ///< XXH3-128 of each
    std::string alignment_file;          ///< in stages/align; empty where there is none
};

/// How well samples are mixed in one embedding; each number from 0 (apart) to 1 (mixed), absent
/// where undefined.
struct MixingScores {
    std::optional<double> ilisi;
    std::optional<double> batch_asw;
    std::optional<double> neighbor_mixing;
};

struct BatchMixing {
    MixingScores before;     ///< principal components of the log-normalised selected features
    MixingScores after;      ///< the latent
    std::int64_t spots = 0;  ///< drawn for the scores
};

/// Seconds of one timed region of one command, over its ranks.
struct TimingRow {
    std::string command;
    std::string region;
    double min = 0;
    double average = 0;
    double max = 0;
};

/// One finished command of the run's history.
struct CommandRecord {
    std::string command;  ///< as typed
    std::string finished;
    std::int64_t ranks = 1;
    std::int64_t threads = 1;
    double seconds = 0;
    std::string version;
};

struct ModalityFeatureCount {
    std::string name;
    std::int64_t features = 0;
};

/// Everything that the report shows, gathered from files (gather.hpp) or made up in a test.
struct ReportData {
    std::string run;
    std::string atlas;
    std::string created;
    std::string version;
    std::string revision;
    std::string inputs_checksum;
    std::string config;  ///< effective, TOML
    std::vector<ModalityFeatureCount> features;
    std::vector<SampleSummary> samples;
    std::vector<EpochMetrics> metrics;
    std::vector<SampleMap> maps;  ///< order of `samples`
    std::optional<BatchMixing> mixing;
    std::vector<CommandRecord> commands;
    std::vector<TimingRow> timings;
    std::vector<std::string> notes;  ///< what is left out of the report and why

    std::int64_t spots() const {
        std::int64_t sum = 0;
        for (const auto& sample : samples) sum += sample.spots;
        return sum;
    }
    /// Largest cluster label + 1.
    std::int32_t clusters() const;
};

}  // namespace smeta::report

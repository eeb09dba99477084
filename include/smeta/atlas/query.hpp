#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "smeta/atlas/atlas.hpp"
#include "smeta/atlas/ingest_config.hpp"
#include "smeta/atlas/lock.hpp"
#include "smeta/atlas/row_source.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::atlas {

/// How many of a run's features a query sample measured, and how they were found.
struct Coverage {
    std::int64_t features = 0;  ///< of the run
    std::int64_t by_name = 0;
    std::int64_t by_id = 0;    ///< gene_id
    std::int64_t by_mass = 0;  ///< m/z
    std::int64_t measured() const { return by_name + by_id + by_mass; }
    double share() const {
        return features == 0 ? 0.0
                             : static_cast<double>(measured()) / static_cast<double>(features);
    }
};

/// Samples that a model is to be applied to without training.
struct QueryInputs {
    RowInputs rows;
    /// [sample][modality of the run]; without an entry where the sample lacks the modality.
    std::vector<std::map<std::string, Coverage>> coverage;
};

/// A name below runs/RUN/map/ for a folder that is made piece by piece, and removed at the end
/// unless it was renamed. What a killed process leaves is a leftover that verify reports; no repair
/// removes it while the process lives.
class MapScratch {
  public:
    /// "NAME.tmp.<16 hex digits>", one on all ranks; the folder itself is not made. Collective.
    MapScratch(const comm::Comm& comm, const Run& run, const std::string& name);
    ~MapScratch();
    MapScratch(const MapScratch&) = delete;
    MapScratch& operator=(const MapScratch&) = delete;

    std::string name() const { return folder_.filename().string(); }
    const std::filesystem::path& folder() const { return folder_; }

  private:
    std::filesystem::path folder_;
    std::optional<FileLock> writing_;  ///< on the rank that removes it
};

/// Where the samples of a query are: an atlas, or a joint file (.h5ad or .h5mu), which is read with
/// the checks of ingest into a scratch atlas that is removed at the end.
class QueryFile {
  public:
    struct Options {
        std::string path;
        std::vector<std::string> samples;  ///< empty: all; of the run's own atlas those that the
                                           ///< run was not trained on
        std::string cohort;                ///< of a joint file's rows, in place of its column
    };
    /// ConfigError when the path is neither, or a sample is not there. Collective.
    QueryFile(const comm::Comm& comm, const Run& run, const Options& options,
              const IngestConfig& config);
    QueryFile(const QueryFile&) = delete;
    QueryFile& operator=(const QueryFile&) = delete;

    const std::vector<std::string>& samples() const { return samples_; }
    /// The samples' joint files with the columns that are features of the run (`match_features`).
    /// ConfigError for a sample that has none of the run's features. Local.
    QueryInputs inputs(const FeatureSet& features, double ppm) const;

  private:
    void read_file(const comm::Comm& comm, const Run& run, const Options& options,
                   const IngestConfig& config);
    std::optional<MapScratch> scratch_;  ///< of a joint file
    std::optional<ShardedAtlas> atlas_;
    std::vector<std::string> samples_;
};

}  // namespace smeta::atlas

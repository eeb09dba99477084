#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/atlas.hpp"

#include "command.hpp"

namespace smeta::drivers {

/// Options of the stages that work sample by sample.
struct StageOptions {
    std::string atlas;
    std::vector<std::string> samples;  ///< empty: all
};

/// Adds --atlas and --sample.
void add_stage_options(CLI::App& command, StageOptions& options);

/// Opens the atlas. Collective.
atlas::ShardedAtlas open_atlas(const Context& context, const StageOptions& options);

/// What a stage takes of every sample, for its plan.
struct StageCost {
    std::string_view reads;       ///< stage whose files it reads (raw, joint)
    std::string_view needs = {};  ///< stage that has to come before it, if another one
    double copies = 1;            ///< of the sample's counts and intensities in memory at a time
    double table_bytes = 256;     ///< in memory for each name read, with its columns
    double result_bytes = 0;      ///< in memory for each row that the stage makes
    double written = 0;           ///< bytes written for each byte read from disk
    double bytes_per_name = 0;    ///< bytes written for each spot and feature
    /// Samples with more rows are made by all ranks: each holds all names and a share of the rest.
    std::int64_t shared_above = std::numeric_limits<std::int64_t>::max();
};

/// --dry-run: prints rows, features, memory, disk and rank of every sample, and the sums. Rank 0
/// reads the files' headers. ConfigError, on every rank, where the stage could not work: a sample
/// that lacks the stage before, a rank above --mem, more bytes than the disk has left. Collective.
void print_stage_plan(const Context& context, const atlas::ShardedAtlas& atlas,
                      const StageOptions& options, const StageCost& cost);

/// Memory of one sample at a time on each rank, and the disk, for the end of a plan; ConfigError as
/// above. Local.
class PlanSums {
  public:
    PlanSums(const Context& context, std::filesystem::path folder);
    /// Adds a sample of the next rank in turn; returns that rank.
    int add(double memory, double disk);
    /// Adds a sample of all ranks: the memory of each.
    void add_shared(const std::vector<double>& memory, double disk);
    /// Lines rank, samples, MiB, and the disk's.
    std::string text() const;

  private:
    struct Rank {
        std::int64_t samples = 0;
        double memory = 0;
    };
    const Context& context_;
    std::filesystem::path folder_;
    std::vector<Rank> ranks_;
    std::size_t dealt_ = 0;
    double disk_ = 0;
};
double mebibytes(double bytes);

}  // namespace smeta::drivers

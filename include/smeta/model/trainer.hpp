#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "smeta/atlas/batch_plan.hpp"
#include "smeta/atlas/batch_stream.hpp"
#include "smeta/atlas/row_source.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/comm/spot_partition.hpp"
#include "smeta/core/timing.hpp"
#include "smeta/model/checkpoint.hpp"
#include "smeta/model/cvae.hpp"
#include "smeta/model/run_model.hpp"
#include "smeta/model/train_config.hpp"
#include "smeta/nn/adamw.hpp"

namespace smeta::model {

struct TrainerOptions {
    ModelConfig model;
    LossConfig loss;
    TrainConfig train;
    std::uint64_t seed = 1;
    /// "key = value" lines of `identity_sections()`: compared with the checkpoint's.
    std::string identity;
    /// Effective configuration for the run's config.toml, written once the checkpoint is seen to go
    /// on with it; looked at on rank 0.
    std::string config_toml;
    /// Asked once a step on every rank; true on any rank stops all of them at a checkpoint after
    /// that step.
    std::function<bool()> stop_requested;
    /// Where the rows lie during training; the same on every rank. No bit depends on it.
    atlas::RowPlace rows = atlas::RowPlace::Memory;
};

enum class TrainOutcome { Finished, StoppedAtCheckpoint, NothingToDo };

/// Trains the model of one run on all ranks of a communicator (docs/mpi_semantics.md). Constructor
/// and functions are collective; errors are thrown on every rank. The run's folder gets
/// config.toml, metrics.jsonl, checkpoints/ and, at the end, model.h5, all written by rank 0.
class Trainer {
  public:
    /// Reads what is equal on all ranks, not the rows. Throws ConfigError when the settings do not
    /// fit the run: more ranks than lanes, fewer than two training rows, patience without
    /// validation, an unknown batch key.
    Trainer(const comm::Comm& comm, const atlas::Run& run, TrainerOptions options,
            core::Timings& timings);
    ~Trainer();
    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    /// Goes on from the newest sound checkpoint if there is one; else starts from random weights,
    /// or from those of the run that Run::warm_start names (grow.hpp), with the KL weight at its
    /// target from the first epoch on. NothingToDo, without reading the rows, when that is the end
    /// and its model is written. Throws ConfigError when it is of other settings (see
    /// `check_identity`), NumericError on every rank when the loss or the gradient is not finite.
    TrainOutcome train();

    std::int64_t training_rows() const { return training_rows_.rows(); }
    std::int64_t validation_rows() const { return validation_rows_.rows(); }
    const NetworkOptions& network() const { return cvae_->options(); }
    /// Training rows that have no selected value of each modality; known after `train`.
    const std::vector<std::int64_t>& rows_without() const { return rows_without_; }
    /// What is wrong with the model that `train` ended with, for people; empty when nothing is.
    const std::string& warning() const { return warning_; }

  private:
    /// Rows, plan and stream of the training or of the validation rows.
    struct Feed {
        std::unique_ptr<atlas::BatchPlan> plan;
        std::unique_ptr<comm::SpotPartition> partition;
        std::unique_ptr<atlas::BatchStream> stream;
        StepReducer<float> reducer;
    };

    void make_feed(Feed& feed, const atlas::RowSet& rows, atlas::NextEpoch next);
    void load_rows();
    void count_absent_modalities();
    RunIdentity identity() const;
    void resume();
    void start_fresh();
    void start_from_run(const atlas::Run::WarmStart& start);
    void restore(TrainState state);
    /// Collective.
    void capture();
    bool is_finished() const;
    bool model_is_written() const;
    TrainOutcome run_epochs();
    void train_step(std::int64_t step);
    /// Of the step's gradient, whose shares the ranks hold. Collective.
    double gradient_norm();
    std::vector<Chunk> chunks(const Feed& feed, std::int64_t step) const;
    EpochSums validate();
    void finish_epoch();
    void append_metrics(const EpochSums* validation);
    /// Seconds of training steps, averages over the ranks: computing; in messages, waiting for
    /// slower ranks included; getting the rows; writing checkpoints.
    struct EpochTiming {
        double compute = 0;
        double wait = 0;
        double load = 0;
        double io = 0;
    };
    /// Since the last call. Collective.
    EpochTiming epoch_timing();
    void look_for_collapse(double kl);
    void update_early_stopping(const EpochSums& validation);
    void save_checkpoint();
    /// Whether to stop and whether a checkpoint is due, agreed by all ranks.
    struct StepVote {
        bool stop = false;
        bool checkpoint = false;
    };
    StepVote vote();
    [[noreturn]] void stop_on_numbers(const std::vector<Chunk>& rows, std::int64_t step,
                                      double loss, double norm) const;
    void write_model();

    const comm::Comm& comm_;
    const atlas::Run& run_;
    TrainerOptions options_;
    core::Timings& timings_;
    LossWeights weights_;
    std::unique_ptr<atlas::RowSource> source_;
    atlas::RowSet training_rows_;
    atlas::RowSet validation_rows_;
    Feed training_;
    Feed validation_;
    std::vector<std::vector<float>> mean_inputs_;
    std::unique_ptr<Cvae<float>> cvae_;
    nn::AdamW<float> adam_;  ///< of this rank's share of the arena alone (arena_share)
    std::vector<double> norm_sums_;
    std::optional<CheckpointStore> checkpoints_;
    TrainState state_;
    std::vector<std::int64_t> rows_without_;
    std::string warning_;
    double learning_rate_ = 0;
    std::map<std::string, double> reported_;  ///< seconds of regions in earlier metrics lines
    double seconds_before_ = 0;               ///< of the epoch, in earlier starts
    std::chrono::steady_clock::time_point epoch_start_;
    std::chrono::steady_clock::time_point last_checkpoint_;
};

}  // namespace smeta::model

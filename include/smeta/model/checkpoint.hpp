#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace smeta::model {

/// Sums of an epoch, in the order of its steps: term times rows of each mini-batch.
struct EpochSums {
    double rows = 0;
    double total = 0;
    double kl = 0;
    double mmd = 0;
    std::vector<double> reconstruction;  ///< a modality
    std::vector<double> corr;            ///< a modality
    double grad_norm = 0;                ///< sum over steps, before clipping
    std::int64_t steps = 0;
    double seconds = 0;  ///< wall clock, over all starts of the epoch

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
        archive& rows& total& kl& mmd& reconstruction& corr& grad_norm& steps& seconds;
    }
};

/// Best weights so far on the validation rows.
struct EarlyStopping {
    double best_loss = 0;
    std::int64_t best_epoch = 0;  ///< 0: none yet
    bool stopped = false;         ///< patience ran out: the run is finished
    std::vector<float> best_values;
    std::vector<float> best_running;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
        archive& best_loss& best_epoch& stopped& best_values& best_running;
    }
};

/// What must be equal for a run to go on from a checkpoint.
struct RunIdentity {
    std::string config;  ///< one line "key = value" a key of `identity_sections()`
    std::uint64_t seed = 0;
    std::int64_t lanes = 0;
    std::vector<std::vector<std::string>> categories;  ///< of each batch level, in order
    std::string inputs_hash;                           ///< XXH3-128 of inputs.json, hex
    std::string features_hash;                         ///< XXH3-128 of features.h5, hex

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
        archive& config& seed& lanes& categories& inputs_hash& features_hash;
    }
};

/// Everything that training needs to go on as if it had never stopped, on any number of ranks.
struct TrainState {
    RunIdentity identity;
    std::vector<float> values;        ///< parameter arena, padding included
    std::vector<float> running;       ///< BatchNorm running statistics
    std::vector<float> first_moment;  ///< AdamW
    std::vector<float> second_moment;
    std::int64_t updates = 0;  ///< AdamW steps done
    std::int64_t epoch = 1;    ///< the epoch that is being trained, 1, 2, ...
    std::int64_t step = 0;     ///< the next step in it
    EpochSums sums;            ///< of the epoch so far
    EarlyStopping early;
    std::int64_t kl_warmup = 0;       ///< of the run's first start
    std::int64_t horizon_epochs = 0;  ///< of the learning-rate schedule, of the run's first start
    std::int64_t metrics_bytes = 0;   ///< length of metrics.jsonl
    std::int64_t last_metrics_epoch = 0;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
        archive& identity& values& running& first_moment& second_moment& updates& epoch& step& sums&
            early& kl_warmup& horizon_epochs& metrics_bytes& last_metrics_epoch;
    }
};

/// Container: "SMETACKP", format version (u32), 4 zero bytes, payload length (u64), XXH3-128 of the
/// payload (16 bytes), payload (Boost.Serialization binary archive; of this version and word size).
/// Little-endian. Local.
std::string encode_checkpoint(const TrainState& state);
/// Throws FormatError naming `file` when anything does not fit: magic, version, length, checksum,
/// archive.
TrainState decode_checkpoint(std::span<const char> bytes, const std::string& file);

/// Throws ConfigError naming the first key that differs, unless it may: train.epochs upwards,
/// train.checkpoint_minutes, train.checkpoints_kept. Then inputs, features, categories, lanes.
void check_identity(const RunIdentity& stored, const RunIdentity& now);

/// The checkpoints of one run: files epoch-EEEEEE-step-SSSSSSSS.ckpt in a folder, newest last by
/// name. Local: one rank writes and reads, the others get the bytes by broadcast.
class CheckpointStore {
  public:
    CheckpointStore(std::filesystem::path folder, std::int64_t kept);

    /// Writes atomically (tmp, fsync, checked, rename, fsync of the folder), then removes all but
    /// the `kept` newest.
    void save(const TrainState& state) const;
    /// Bytes of the newest sound checkpoint; damaged ones are skipped with a warning each. Empty:
    /// there is none.
    std::string load_newest() const;
    /// Names of the files, oldest first.
    std::vector<std::string> names() const;

  private:
    std::filesystem::path folder_;
    std::int64_t kept_;
};

}  // namespace smeta::model

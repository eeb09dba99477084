#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "smeta/core/config.hpp"
#include "smeta/model/network.hpp"

namespace smeta::model {

/// Which published set of loss weights a run uses (SpatialMETA, spec of the paper's tutorials).
enum class TrainMode { Auto, Single, Multi, Custom };
/// How partial results of lanes are combined: see docs/mpi_semantics.md.
enum class Reduction { Fast, FixedTree };
/// The loss of a modality's reconstruction, as it is named in the configuration.
enum class ReconstructionLoss { Auto, Zinb, Gaussian, ZeroInflatedGaussian, Mse };
enum class Schedule { Constant, Cosine };
/// How the learning rate follows train.batch_size from the batch it is meant for (128 rows).
enum class BatchScaling { None, Sqrt, Linear };

struct ModelConfig {
    std::vector<std::string> modalities;  ///< empty: all that the run's samples have
    std::int64_t latent = 10;
    std::vector<std::int64_t> hidden = {128};
    double dropout = 0.1;
    std::vector<std::string> batch_keys = {"auto"};  ///< obs columns; "auto": see the key's meaning
    BatchEncoding batch_embedding = BatchEncoding::Embedding;
    std::int64_t embedding_size = 8;
    double sm_target = 1e3;  ///< 0: intensities as they are
    ReconstructionLoss st_likelihood = ReconstructionLoss::Auto;
    ReconstructionLoss sm_likelihood = ReconstructionLoss::Auto;
    std::vector<std::string> likelihoods;  ///< "MODALITY=LIKELIHOOD" of other modalities
};

struct LossConfig {
    /// "st", "sm", "<mod>", "st_corr", ...: weights that replace those of train.mode.
    std::map<std::string, double> modality;
    std::optional<double> kl;
    std::optional<double> mmd;
    std::int64_t kl_warmup = 400;
};

struct TrainConfig {
    TrainMode mode = TrainMode::Auto;
    std::int64_t epochs = 64;
    std::int64_t batch_size = 128;
    double learning_rate = 1e-3;
    double weight_decay = 1e-6;
    Schedule schedule = Schedule::Constant;
    double learning_rate_min = 0;
    BatchScaling batch_scaling = BatchScaling::None;
    double learning_rate_warmup = 0;  ///< epochs
    double gradient_clip = 0;
    double validation = 0;
    std::int64_t patience = 0;
    std::int64_t lanes = 8;
    Reduction reduction = Reduction::Fast;
    double checkpoint_minutes = 10;
    std::int64_t checkpoints_kept = 2;
    std::string scratch;  ///< folder of scratch files; empty: the run's
};

/// Adds the keys model.*, loss.*, train.* to the table. The structs must outlive it.
void bind(core::ConfigTable& table, ModelConfig& config);
void bind(core::ConfigTable& table, LossConfig& config);
void bind(core::ConfigTable& table, TrainConfig& config);

/// Sections whose values are part of a run's identity (see `Checkpoint`).
std::vector<std::string> identity_sections();

/// Loss weights of one modality.
struct ModalityWeight {
    double reconstruction = 1;  ///< of the decoder on the latent z
    double correlation = 1;     ///< "<mod>_corr": of the decoder on the modality's own mean
};

/// Every weight of a run after train.mode and loss.* have been resolved.
struct LossWeights {
    std::vector<ModalityWeight> modality;  ///< in the run's modality order
    double kl = 1;                         ///< target of the warm-up
    double mmd = 1;
    std::int64_t kl_warmup = 400;  ///< epochs; at most 1: no warm-up
};

/// Weights of the spec's table A8 (single: st 5, sm 1, kl .5, mmd 1; multi: st 8, sm 2, kl 1, mmd
/// 10; custom: all 1); modalities other than st weigh as sm; one modality alone: 1, kl 15 without
/// warm-up, mmd 1; then loss.* replaces what it names. `samples` decides train.mode "auto" (multi
/// when there are two or more). Throws ConfigError for a weight of a modality that the run lacks.
/// Local, pure.
LossWeights resolve_weights(const TrainConfig& train, const LossConfig& loss,
                            const std::vector<std::string>& modalities, std::int64_t samples);

/// The batch keys after "auto" has been resolved: none for a single sample, "sample" for several.
std::vector<std::string> resolve_batch_keys(const ModelConfig& model, const TrainConfig& train,
                                            std::int64_t samples);

/// KL weight of epoch 1, 2, ...: kl min(1, (epoch - 1) / (warmup - 1)), kl when warmup <= 1.
/// `warmup` is min(epochs, loss.kl_warmup) of the run's first start.
double kl_weight(double kl, std::int64_t warmup, std::int64_t epoch);

/// Updates of a run as its first start planned them.
struct Horizon {
    std::int64_t epochs = 1;
    std::int64_t steps = 1;  ///< of an epoch
};

/// Learning rate of update `step` = 0, 1, ...: train.learning_rate times what train.batch_scaling
/// makes of batch_size / 128, along train.schedule, times min(1, (step + 1) / W) with W the updates
/// of train.learning_rate_warmup epochs.
double scheduled_rate(const TrainConfig& train, std::int64_t step, const Horizon& horizon);

}  // namespace smeta::model

namespace smeta::core {

template <>
struct ConfigEnum<model::TrainMode> {
    static constexpr std::pair<model::TrainMode, std::string_view> kNames[] = {
        {model::TrainMode::Auto, "auto"},
        {model::TrainMode::Single, "single"},
        {model::TrainMode::Multi, "multi"},
        {model::TrainMode::Custom, "custom"}};
};
template <>
struct ConfigEnum<model::BatchScaling> {
    static constexpr std::pair<model::BatchScaling, std::string_view> kNames[] = {
        {model::BatchScaling::None, "none"},
        {model::BatchScaling::Sqrt, "sqrt"},
        {model::BatchScaling::Linear, "linear"}};
};
template <>
struct ConfigEnum<model::Reduction> {
    static constexpr std::pair<model::Reduction, std::string_view> kNames[] = {
        {model::Reduction::Fast, "fast"}, {model::Reduction::FixedTree, "fixed_tree"}};
};
template <>
struct ConfigEnum<model::BatchEncoding> {
    static constexpr std::pair<model::BatchEncoding, std::string_view> kNames[] = {
        {model::BatchEncoding::OneHot, "onehot"}, {model::BatchEncoding::Embedding, "embedding"}};
};
template <>
struct ConfigEnum<model::ReconstructionLoss> {
    static constexpr std::pair<model::ReconstructionLoss, std::string_view> kNames[] = {
        {model::ReconstructionLoss::Auto, "auto"},
        {model::ReconstructionLoss::Zinb, "zinb"},
        {model::ReconstructionLoss::Gaussian, "g"},
        {model::ReconstructionLoss::ZeroInflatedGaussian, "zg"},
        {model::ReconstructionLoss::Mse, "mse"}};
};
template <>
struct ConfigEnum<model::Schedule> {
    static constexpr std::pair<model::Schedule, std::string_view> kNames[] = {
        {model::Schedule::Constant, "constant"}, {model::Schedule::Cosine, "cosine"}};
};

}  // namespace smeta::core

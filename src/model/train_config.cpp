#include "smeta/model/train_config.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::model {

namespace {

constexpr std::string_view kCorrelation = "_corr";

TrainMode resolve_mode(const TrainConfig& train, std::int64_t samples) {
    if (train.mode != TrainMode::Auto) return train.mode;
    return samples >= 2 ? TrainMode::Multi : TrainMode::Single;
}

// The published defaults: one row of the spec's table A8 (custom: its row "none").
LossWeights published_weights(TrainMode mode, const std::vector<std::string>& modalities) {
    LossWeights weights;
    for (const auto& name : modalities) {
        double weight = 1;
        if (mode == TrainMode::Single) weight = name == "st" ? 5 : 1;
        if (mode == TrainMode::Multi) weight = name == "st" ? 8 : 2;
        weights.modality.push_back({weight, weight});
    }
    weights.kl = mode == TrainMode::Single ? 0.5 : 1;
    weights.mmd = mode == TrainMode::Multi ? 10 : 1;
    return weights;
}

double batch_factor(const TrainConfig& train) {
    constexpr double kPublishedBatch = 128;
    const double times = static_cast<double>(train.batch_size) / kPublishedBatch;
    if (train.batch_scaling == BatchScaling::Sqrt) return std::sqrt(times);
    return train.batch_scaling == BatchScaling::Linear ? times : 1.0;
}

}  // namespace

void bind(core::ConfigTable& table, ModelConfig& config) {
    table.add("model.modalities", config.modalities,
              "modalities to train on, by their names in joint files; empty: all that the run's "
              "samples have");
    table.add("model.latent", config.latent, "dimensions of the latent space", {1, 4096});
    table.add("model.hidden", config.hidden, "units of each hidden layer of an encoder",
              {1, 65536});
    table.add("model.dropout", config.dropout, "dropout of the encoders", {0, 0.99});
    table.add("model.batch_keys", config.batch_keys,
              "obs columns whose categories are batches to integrate over; [\"auto\"]: none for "
              "one sample, [\"sample\"] for several");
    table.add("model.batch_embedding", config.batch_embedding,
              "how decoders see a batch: a learned vector or its indicator");
    table.add("model.embedding_size", config.embedding_size, "length of a batch's learned vector",
              {1, 4096});
    table.add("model.sm_target", config.sm_target,
              "sum to which a spot's selected intensities are scaled; 0 leaves them as they are",
              {0, 1e30});
    table.add("model.st_likelihood", config.st_likelihood,
              "reconstruction loss of counts: auto is zinb");
    table.add("model.sm_likelihood", config.sm_likelihood,
              "reconstruction loss of intensities: auto is g");
    table.add(
        "model.likelihoods", config.likelihoods,
        "reconstruction loss of modalities other than st and sm, [\"protein=nb\"]: gaussian, "
        "zig, mse (of values divided by the root mean square of their feature), zinb or nb (of "
        "counts, with library size); gaussian where none is given");
}

void bind(core::ConfigTable& table, LossConfig& config) {
    table.add("loss.kl", config.kl, "weight of the KL term after its warm-up; unset: of train.mode",
              {0, 1e30});
    table.add("loss.mmd", config.mmd, "weight of the MMD term; unset: of train.mode", {0, 1e30});
    table.add("loss.kl_warmup", config.kl_warmup,
              "epochs over which the KL weight grows linearly to its target (at most train.epochs)",
              {0, 1e9});
    table.add_open("loss", config.modality,
                   "weight of a modality's reconstruction (loss.st, loss.sm) or of that from its "
                   "own mean (loss.st_corr, loss.sm_corr); unset: of train.mode",
                   {0, 1e30});
}

void bind(core::ConfigTable& table, TrainConfig& config) {
    table.add("train.mode", config.mode,
              "set of loss weights; auto: multi when there are two samples or more");
    table.add("train.epochs", config.epochs, "passes over the training rows", {1, 1e9});
    table.add("train.batch_size", config.batch_size, "rows of a mini-batch over all ranks",
              {8, 1e9});
    table.add("train.learning_rate", config.learning_rate, "AdamW's learning rate", {0, 10});
    table.add("train.weight_decay", config.weight_decay, "AdamW's decoupled weight decay", {0, 10});
    table.add("train.schedule", config.schedule,
              "learning rate over the run: constant, or cosine down to train.learning_rate_min");
    table.add("train.learning_rate_min", config.learning_rate_min,
              "learning rate at the end of a cosine schedule", {0, 10});
    table.add("train.batch_scaling", config.batch_scaling,
              "factor of the learning rate for mini-batches of other than 128 rows: none, "
              "sqrt: (batch_size / 128)^(1/2), linear: batch_size / 128");
    table.add("train.learning_rate_warmup", config.learning_rate_warmup,
              "epochs, or a part of one, over which the learning rate grows linearly from nothing",
              {0, 1e9});
    table.add("train.gradient_clip", config.gradient_clip,
              "largest norm of the gradient of the whole model; 0: no clipping", {0, 1e30});
    table.add("train.validation", config.validation,
              "share of the rows kept out of training to measure the loss on", {0, 0.9});
    table.add("train.patience", config.patience,
              "epochs without a better validation loss after which training stops with the best "
              "weights; 0: never (needs train.validation)",
              {0, 1e9});
    table.add("train.lanes", config.lanes,
              "units of ownership and reduction: a power of two, at least the ranks, at most "
              "train.batch_size / 8",
              {1, 65536});
    table.add("train.reduction", config.reduction,
              "fixed_tree: the same bits on any number of ranks and threads; fast: the same to "
              "rounding");
    table.add("train.checkpoint_minutes", config.checkpoint_minutes,
              "minutes between checkpoints inside long epochs; 0: one at the end of every epoch",
              {0, 1e9});
    table.add("train.checkpoints_kept", config.checkpoints_kept, "checkpoints kept on disk",
              {1, 1000});
    table.add("train.scratch", config.scratch,
              "folder of the scratch files of rows that do not fit the memory, on a disk near the "
              "rank; empty: the run's folder");
}

std::vector<std::string> identity_sections() {
    return {"seed", "model.", "loss.", "train."};
}

LossWeights resolve_weights(const TrainConfig& train, const LossConfig& loss,
                            const std::vector<std::string>& modalities, std::int64_t samples) {
    LossWeights weights = published_weights(resolve_mode(train, samples), modalities);
    weights.kl_warmup = std::min(train.epochs, loss.kl_warmup);
    if (modalities.size() == 1) {
        weights.modality = {{1, 0}};
        weights.kl = 15;
        weights.mmd = 1;
        weights.kl_warmup = 0;
    }
    for (const auto& [key, value] : loss.modality) {
        const bool correlation = key.ends_with(kCorrelation);
        const std::string name =
            correlation ? key.substr(0, key.size() - kCorrelation.size()) : key;
        const auto at = std::find(modalities.begin(), modalities.end(), name);
        if (at == modalities.end())
            throw core::ConfigError(
                fmt::format("loss.{}: the run has no modality '{}'", key, name));
        auto& weight = weights.modality[at - modalities.begin()];
        (correlation ? weight.correlation : weight.reconstruction) = value;
    }
    if (loss.kl) weights.kl = *loss.kl;
    if (loss.mmd) weights.mmd = *loss.mmd;
    return weights;
}

std::vector<std::string> resolve_batch_keys(const ModelConfig& model, const TrainConfig& train,
                                            std::int64_t samples) {
    if (model.batch_keys != std::vector<std::string>{"auto"}) return model.batch_keys;
    if (samples < 2 || resolve_mode(train, samples) == TrainMode::Single) return {};
    return {"sample"};
}

double kl_weight(double kl, std::int64_t warmup, std::int64_t epoch) {
    if (warmup <= 1) return kl;
    return kl * std::min(1.0, static_cast<double>(epoch - 1) / static_cast<double>(warmup - 1));
}

double scheduled_rate(const TrainConfig& train, std::int64_t step, const Horizon& horizon) {
    const double rate = train.learning_rate * batch_factor(train);
    const double warmup = train.learning_rate_warmup * static_cast<double>(horizon.steps);
    const double rise = std::min(1.0, static_cast<double>(step + 1) / std::max(1.0, warmup));
    const std::int64_t steps = horizon.epochs * horizon.steps;
    if (train.schedule == Schedule::Constant || steps <= 1) return rise * rate;
    const double done = std::min(1.0, static_cast<double>(step) / static_cast<double>(steps - 1));
    return rise * (train.learning_rate_min + 0.5 * (rate - train.learning_rate_min) *
                                                 (1 + std::cos(std::numbers::pi * done)));
}

}  // namespace smeta::model

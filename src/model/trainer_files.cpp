// The trainer's dealings with files: checkpoints and metrics.
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/memory.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/model/grow.hpp"
#include "smeta/model/model_file.hpp"
#include "smeta/model/trainer.hpp"

namespace smeta::model {

namespace {

nlohmann::ordered_json loss_json(const EpochSums& sums, const NetworkOptions& network) {
    nlohmann::ordered_json loss;
    loss["total"] = sums.total / sums.rows;
    loss["kl"] = sums.kl / sums.rows;
    loss["mmd"] = sums.mmd / sums.rows;
    for (std::size_t m = 0; m < network.blocks.size(); ++m) {
        loss[network.blocks[m].name] = sums.reconstruction[m] / sums.rows;
        if (network.blocks.size() > 1)
            loss[network.blocks[m].name + "_corr"] = sums.corr[m] / sums.rows;
    }
    return loss;
}

}  // namespace

Trainer::EpochTiming Trainer::epoch_timing() {
    core::Timings since;
    for (const char* region : {"train/step", "train/wait", "train/read", "train/checkpoint"}) {
        const auto found = timings_.seconds().find(region);
        const double seconds = found == timings_.seconds().end() ? 0 : found->second;
        since.add(region, seconds - reported_[region]);
        reported_[region] = seconds;
    }
    const auto over_ranks = comm::summarise(comm_, since.seconds());
    const auto average = [&](const char* region) { return over_ranks.at(region).average; };
    return {.compute = average("train/step") - average("train/wait"),
            .wait = average("train/wait"),
            .load = average("train/read"),
            .io = average("train/checkpoint")};
}

void Trainer::append_metrics(const EpochSums* validation) {
    const EpochSums& sums = state_.sums;
    nlohmann::ordered_json line;
    line["epoch"] = state_.epoch;
    line["loss"] = loss_json(sums, cvae_->options());
    if (validation != nullptr) line["validation"] = loss_json(*validation, cvae_->options());
    line["spots_per_second"] = sums.rows / sums.seconds;
    line["seconds"] = sums.seconds;
    line["learning_rate"] = learning_rate_;
    line["grad_norm"] = sums.grad_norm / static_cast<double>(sums.steps);
    const EpochTiming timing = epoch_timing();
    line["timing"] = {{"compute", timing.compute},
                      {"wait", timing.wait},
                      {"load", timing.load},
                      {"io", timing.io}};
    const std::int64_t peak = comm_.allreduce(core::peak_memory(), comm::ReduceOp::Max);
    line["peak_memory_bytes"] = peak;
    std::string text = line.dump() + "\n";
    core::log_info("epoch {} of {}: loss {:.4f}{}, {:.0f} spots/s", state_.epoch,
                   options_.train.epochs, sums.total / sums.rows,
                   validation == nullptr
                       ? std::string()
                       : fmt::format(", validation {:.4f}", validation->total / validation->rows),
                   sums.rows / sums.seconds);
    // Rank 0's text is the one on disk; every rank needs its length for the checkpoint.
    comm_.root_or_throw([&] {
        std::ofstream file(run_.metrics_file(), std::ios::binary | std::ios::app);
        file << text << std::flush;
        if (!file) throw core::IoError::from_errno("write", run_.metrics_file().string(), errno);
    });
    comm_.broadcast(text);
    state_.metrics_bytes += static_cast<std::int64_t>(text.size());
}

void Trainer::save_checkpoint() {
    const core::Timings::Scope scope(timings_, "train/checkpoint");
    capture();
    comm_.root_or_throw([&] {
        // The checkpoint counts on these lines: they must not be lost with the node.
        if (state_.metrics_bytes > 0) io::sync_file(run_.metrics_file().string());
        checkpoints_->save(state_);
    });
    last_checkpoint_ = std::chrono::steady_clock::now();
    core::log_debug("checkpoint at epoch {}, step {}", state_.epoch, state_.step);
}

void Trainer::start_fresh() {
    cvae_->initialise(options_.seed);
    adam_ = nn::AdamW<float>(cvae_->values().shared_layout());
    state_ = TrainState{};
    state_.identity = identity();
    state_.kl_warmup = weights_.kl_warmup;
    state_.horizon_epochs = options_.train.epochs;
    const auto start = run_.warm_start();
    if (!start) return;
    comm_.all_or_throw([&] { start_from_run(*start); });
    // The latent that the other run found is not to fade while the weight grows again.
    state_.kl_warmup = 1;
    core::log_info("run '{}' starts from the model of run '{}'", run_.name(), start->run);
}

void Trainer::start_from_run(const atlas::Run::WarmStart& start) {
    const LoadedModel model = read_model(start.model);
    const auto names_of = [](const NetworkOptions& network, const atlas::FeatureSet& features) {
        NetworkNames names;
        for (const auto& block : network.blocks)
            names.features.push_back(features.find(block.name)->names());
        return names;
    };
    NetworkNames from = names_of(model.cvae.options(), atlas::read_feature_set(start.features));
    from.batch_keys = model.context.batch_keys;
    from.categories = model.context.categories;
    NetworkNames to = names_of(cvae_->options(), run_.features());
    to.batch_keys = source_->config().batch_keys;
    to.categories = source_->categories();
    model::start_from(model.cvae, from, *cvae_, to);
}

void Trainer::resume() {
    std::string bytes;
    comm_.root_or_throw([&] { bytes = checkpoints_->load_newest(); });
    comm_.broadcast(bytes);
    if (bytes.empty()) {
        start_fresh();
    } else {
        TrainState state = decode_checkpoint(bytes, run_.checkpoints().string());
        check_identity(state.identity, identity());
        state.identity = identity();
        restore(std::move(state));
        core::log_info("going on from the checkpoint at epoch {}, step {}", state_.epoch,
                       state_.step);
    }
    comm_.root_or_throw([&] {
        if (options_.config_toml != run_.config_toml()) run_.write_config(options_.config_toml);
    });
    // Lines of epochs after the checkpoint are trained, and written, again.
    comm_.root_or_throw([&] {
        const auto path = run_.metrics_file();
        const bool exists = std::filesystem::exists(path);
        const std::int64_t found =
            exists ? static_cast<std::int64_t>(std::filesystem::file_size(path)) : 0;
        if (found < state_.metrics_bytes)
            throw core::FormatError(
                {.file = path.string(),
                 .object = "",
                 .expected = fmt::format("at least {} bytes, as when the checkpoint was written",
                                         state_.metrics_bytes),
                 .found = fmt::format("{} bytes", found),
                 .hint = "restore the file, or start anew with --fresh"});
        if (exists) std::filesystem::resize_file(path, state_.metrics_bytes);
    });
}

}  // namespace smeta::model

#include "smeta/model/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "smeta/comm/share_sum.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/progress.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/model/model_file.hpp"
#include "smeta/model/reducers.hpp"

namespace smeta::model {

namespace {

using Clock = std::chrono::steady_clock;
// With checkpoint_minutes > 0 a checkpoint ends an epoch when this long has passed.
constexpr double kEpochCheckpointSeconds = 30;
// Nats over all latents. A latent that separates even two equally large groups of spots has
// about log 2.
constexpr double kCollapsedKl = 0.05;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

void add_terms(EpochSums& sums, const LossTerms& terms) {
    sums.rows += terms.rows;
    sums.total += terms.total * terms.rows;
    sums.kl += terms.kl * terms.rows;
    sums.mmd += terms.mmd * terms.rows;
    sums.reconstruction.resize(terms.reconstruction.size());
    sums.corr.resize(terms.corr.size());
    for (std::size_t m = 0; m < terms.reconstruction.size(); ++m)
        sums.reconstruction[m] += terms.reconstruction[m] * terms.rows;
    for (std::size_t m = 0; m < terms.corr.size(); ++m) sums.corr[m] += terms.corr[m] * terms.rows;
    ++sums.steps;
}

template <class Arena>
std::vector<float> copy_of(const Arena& arena) {
    return {arena.data().begin(), arena.data().end()};
}

void copy_into(nn::ParameterArena<float>& arena, const std::vector<float>& values) {
    core::check(values.size() == arena.data().size(), "a checkpoint holds this model's arena");
    std::copy(values.begin(), values.end(), arena.data().begin());
}

}  // namespace

Trainer::Trainer(const comm::Comm& comm, const atlas::Run& run, TrainerOptions options,
                 core::Timings& timings)
    : comm_(comm), run_(run), options_(std::move(options)), timings_(timings) {
    const TrainConfig& train = options_.train;
    if (train.patience > 0 && train.validation == 0)
        throw core::ConfigError("train.patience needs train.validation above 0");
    // Refuses what the ranks cannot do before any file is read.
    const comm::SpotPartition refuse_more_ranks_than_lanes(static_cast<int>(train.lanes),
                                                           comm_.size());
    const auto samples = static_cast<std::int64_t>(run_.inputs().samples.size());
    atlas::RowSourceConfig rows;
    comm_.all_or_throw(
        [&] { rows.modalities = resolve_modalities(options_.model, run_.features()); });
    rows.batch_keys = resolve_batch_keys(options_.model, train, samples);
    rows.sm_target = options_.model.sm_target;
    source_ = std::make_unique<atlas::RowSource>(comm_, run_, rows);
    weights_ = resolve_weights(train, options_.loss, rows.modalities, samples);
    cvae_ = std::make_unique<Cvae<float>>(make_network(options_.model, weights_, rows.modalities,
                                                       source_->features(), source_->categories()));
    training_rows_ = atlas::RowSet::draw(*source_, options_.seed, train.validation, 1);
    validation_rows_ = train.validation > 0
                           ? atlas::RowSet::draw(*source_, options_.seed, 0, train.validation)
                           : atlas::RowSet{};
    make_feed(training_, training_rows_, atlas::NextEpoch::Follows);
    training_.reducer = timed(std::move(training_.reducer), timings_);
    if (validation_rows_.rows() > 0)
        make_feed(validation_, validation_rows_, atlas::NextEpoch::Unknown);
    if (training_rows_.rows() < 2)
        throw core::ConfigError(
            fmt::format("run '{}' has {} training row{}: batch normalisation needs at least 2",
                        run_.name(), training_rows_.rows(), training_rows_.rows() == 1 ? "" : "s"));
    checkpoints_.emplace(run_.checkpoints(), train.checkpoints_kept);
}

Trainer::~Trainer() = default;

void Trainer::make_feed(Feed& feed, const atlas::RowSet& rows, atlas::NextEpoch next) {
    feed.plan = std::make_unique<atlas::BatchPlan>(
        atlas::BatchPlanConfig{options_.seed, static_cast<int>(options_.train.lanes),
                               options_.train.batch_size},
        rows.shard_rows());
    feed.partition = std::make_unique<comm::SpotPartition>(feed.plan->config().lanes, comm_.size(),
                                                           feed.plan->lane_rows());
    std::filesystem::path scratch = options_.train.scratch;
    if (scratch.empty()) scratch = run_.folder();
    feed.stream = std::make_unique<atlas::BatchStream>(
        *source_, rows, *feed.plan, feed.partition->lanes_of(comm_.rank()),
        atlas::BatchStreamOptions{.place = options_.rows, .scratch = scratch, .next = next});
    feed.reducer = options_.train.reduction == Reduction::FixedTree
                       ? fixed_tree_reducer(comm_, *feed.partition)
                       : fast_reducer(comm_);
}

void Trainer::load_rows() {
    const core::Timings::Scope scope(timings_, "train/load");
    comm_.all_or_throw([&] {
        training_.stream->load();
        if (validation_.stream) validation_.stream->load();
    });
    std::vector<bool> log1p;
    for (const auto& block : cvae_->options().blocks)
        log1p.push_back(block.transform == InputTransform::Log1p);
    mean_inputs_ = atlas::mean_inputs(comm_, *source_, *training_.stream, *training_.plan, log1p);
    cvae_->set_unmeasured(unmeasured_features(*source_, mean_inputs_));
    count_absent_modalities();
}

void Trainer::count_absent_modalities() {
    for (std::size_t m = 0; m < source_->features().size(); ++m) {
        rows_without_.push_back(comm_.allreduce(training_.stream->rows_without(m)));
        if (rows_without_[m] > 0)
            core::log_info("{} of {} training rows have no selected values of {}", rows_without_[m],
                           training_rows_.rows(), source_->config().modalities[m]);
    }
}

TrainOutcome Trainer::train() {
    resume();
    if (is_finished() && model_is_written()) return TrainOutcome::NothingToDo;
    load_rows();
    const TrainOutcome outcome = run_epochs();
    if (outcome == TrainOutcome::Finished) write_model();
    return outcome;
}

bool Trainer::is_finished() const {
    return state_.epoch > options_.train.epochs || state_.early.stopped;
}

bool Trainer::model_is_written() const {
    std::int32_t written = 0;
    comm_.root_or_throw([&] {
        if (!std::filesystem::exists(run_.model_file())) return;
        try {
            const LoadedModel model = read_model(run_.model_file());
            const bool best = state_.early.best_epoch > 0;
            written =
                copy_of(model.cvae.values()) == (best ? state_.early.best_values : state_.values) &&
                copy_of(model.cvae.running()) ==
                    (best ? state_.early.best_running : state_.running);
        } catch (const core::Error& error) {
            core::log_warning("the model is written again: {}", error.what());
        }
    });
    comm_.broadcast(written);
    return written != 0;
}

TrainOutcome Trainer::run_epochs() {
    const std::int64_t steps = training_.plan->steps();
    const std::int64_t epochs = options_.train.epochs;
    core::Progress progress("train", epochs * steps);
    progress.advance(std::min(epochs * steps, (state_.epoch - 1) * steps + state_.step));
    last_checkpoint_ = Clock::now();
    bool saved = true;  // nothing happened since the checkpoint that was read
    while (!is_finished()) {
        training_.stream->begin_epoch(state_.epoch, state_.step);
        epoch_start_ = Clock::now();
        seconds_before_ = state_.sums.seconds;
        while (state_.step < steps) {
            train_step(state_.step);
            ++state_.step;
            saved = false;
            progress.advance(1, fmt::format("epoch {} of {}, loss {:.2f}", state_.epoch, epochs,
                                            state_.sums.total / std::max(1.0, state_.sums.rows)));
            if (state_.step == steps) break;
            const StepVote agreed = vote();
            if (agreed.stop || agreed.checkpoint) save_checkpoint();
            if (agreed.stop) return TrainOutcome::StoppedAtCheckpoint;
        }
        finish_epoch();
        const StepVote agreed = vote();
        saved = agreed.stop || agreed.checkpoint;
        if (saved) save_checkpoint();
        if (agreed.stop && state_.epoch <= epochs) return TrainOutcome::StoppedAtCheckpoint;
    }
    if (!saved) save_checkpoint();
    return TrainOutcome::Finished;
}

Trainer::StepVote Trainer::vote() {
    const bool epoch_end = state_.step == 0;
    const double elapsed = seconds_since(last_checkpoint_);
    const double minutes = options_.train.checkpoint_minutes;
    const bool due = epoch_end ? minutes == 0 || elapsed >= kEpochCheckpointSeconds
                               : minutes > 0 && elapsed >= 60 * minutes;
    // Rank 0's clock decides; a signal that reached any rank stops all.
    std::int32_t votes[2] = {options_.stop_requested && options_.stop_requested() ? 1 : 0,
                             comm_.is_root() && due ? 1 : 0};
    comm_.allreduce(std::span<std::int32_t>(votes), comm::ReduceOp::Max);
    return {votes[0] != 0, votes[1] != 0};
}

std::vector<Chunk> Trainer::chunks(const Feed& feed, std::int64_t step) const {
    const comm::Range lanes = feed.partition->lanes_of(comm_.rank());
    if (feed.stream->needs_fetch(step)) comm_.all_or_throw([&] { feed.stream->fetch(step); });
    std::vector<Chunk> result;
    if (options_.train.reduction == Reduction::FixedTree) {
        result.resize(lanes.size());
#pragma omp parallel for schedule(dynamic) num_threads(core::threads())
        for (std::int64_t lane = lanes.first; lane < lanes.last; ++lane) {
            const auto batch = feed.stream->batch(static_cast<int>(lane), step);
            result[lane - lanes.first] = to_chunk(batch, 0, batch.rows());
        }
        return result;
    }
    atlas::RowBatch merged = feed.stream->batch(static_cast<int>(lanes.first), step);
    for (std::int64_t lane = lanes.first + 1; lane < lanes.last; ++lane) {
        const auto batch = feed.stream->batch(static_cast<int>(lane), step);
        for (std::int64_t row = 0; row < batch.rows(); ++row) merged.append(batch, row);
    }
    const int slices =
        static_cast<int>(std::clamp<std::int64_t>(merged.rows(), 1, core::threads()));
    result.resize(slices);
#pragma omp parallel for schedule(static) num_threads(core::threads())
    for (int slice = 0; slice < slices; ++slice) {
        const comm::Range part = comm::even_share(merged.rows(), slices, slice);
        result[slice] = to_chunk(merged, part.first, part.last);
    }
    return result;
}

void Trainer::train_step(std::int64_t step) {
    std::vector<Chunk> rows;
    {
        const core::Timings::Scope scope(timings_, "train/read");
        rows = chunks(training_, step);
    }
    const core::Timings::Scope scope(timings_, "train/step");
    const StepSettings settings{
        .seed = options_.seed,
        .epoch = static_cast<std::uint64_t>(state_.epoch),
        .kl_weight = kl_weight(weights_.kl, state_.kl_warmup, state_.epoch)};
    const LossTerms& terms = cvae_->train_step(rows, settings, training_.reducer);
    const double norm = gradient_norm();
    if (!std::isfinite(terms.total) || !std::isfinite(norm))
        stop_on_numbers(rows, step, terms.total, norm);
    const double clip = options_.train.gradient_clip;
    const double clipped = clip > 0 && norm > clip ? clip / norm : 1.0;
    learning_rate_ = scheduled_rate(options_.train, adam_.steps(),
                                    {state_.horizon_epochs, training_.plan->steps()});
    // The published optimiser sees the loss divided once more by the mini-batch's rows, which its
    // epsilon feels.
    adam_.update(cvae_->values(), cvae_->gradient(),
                 {.learning_rate = learning_rate_, .weight_decay = options_.train.weight_decay},
                 clipped / static_cast<double>(options_.train.batch_size),
                 arena_share(adam_.layout(), comm_));
    {
        const core::Timings::Scope wait(timings_, "train/wait");
        gather_arena(comm_, cvae_->values());
    }
    add_terms(state_.sums, terms);
    state_.sums.grad_norm += norm;
}

double Trainer::gradient_norm() {
    norm_sums_.resize(nn::norm_blocks(adam_.layout()));
    nn::gradient_squares(cvae_->gradient(), arena_share(adam_.layout(), comm_), norm_sums_);
    const core::Timings::Scope wait(timings_, "train/wait");
    comm::gather_shares<double>(comm_, norm_sums_, 1);
    return nn::gradient_norm(norm_sums_);
}

void Trainer::stop_on_numbers(const std::vector<Chunk>& rows, std::int64_t step, double loss,
                              double norm) const {
    // Every rank is here: the loss and the gradient are sums over all of them.
    std::string culprit;
    std::string present;
    for (const Chunk& chunk : rows) {
        const Encoded<float> encoded = cvae_->encode(chunk);
        for (std::int64_t row = 0; row < chunk.rows(); ++row) {
            const std::string& name = source_->samples()[chunk.samples[row]];
            if (present.find(name) == std::string::npos) present += " " + name;
            if (culprit.empty() && !encoded.latent.row(row).allFinite())
                culprit = fmt::format("sample '{}' row {}", name, chunk.keys[row].row);
        }
    }
    std::string named;
    for (const auto& text : comm_.allgather(culprit))
        if (named.empty()) named = text;
    std::string samples;
    for (const auto& text : comm_.allgather(present)) samples += text;
    throw core::NumericError(fmt::format(
        "training stopped in epoch {}, step {}: loss {}, gradient norm {}; {}. A lower "
        "train.learning_rate or train.gradient_clip may help; the last checkpoint is kept",
        state_.epoch, step + 1, loss, norm,
        named.empty() ? "no single row, the mini-batch held rows of samples" + samples
                      : "first seen in " + named));
}

EpochSums Trainer::validate() {
    const core::Timings::Scope scope(timings_, "train/validation");
    EpochSums sums;
    // The order of epoch 1 and the KL weight at its target: losses of all epochs can be compared.
    const StepSettings settings{.seed = options_.seed, .epoch = 1, .kl_weight = weights_.kl};
    validation_.stream->begin_epoch(1);
    for (std::int64_t step = 0; step < validation_.plan->steps(); ++step)
        add_terms(sums, cvae_->evaluate(chunks(validation_, step), settings, validation_.reducer));
    if (!std::isfinite(sums.total))
        throw core::NumericError(
            fmt::format("the validation loss after epoch {} is {}; a lower train.learning_rate or "
                        "train.gradient_clip may help; the last checkpoint is kept",
                        state_.epoch, sums.total));
    return sums;
}

void Trainer::finish_epoch() {
    state_.sums.seconds = seconds_before_ + seconds_since(epoch_start_);
    if (validation_.stream) {
        const EpochSums validation = validate();
        append_metrics(&validation);
        if (options_.train.patience > 0) update_early_stopping(validation);
    } else {
        append_metrics(nullptr);
    }
    look_for_collapse(state_.sums.kl / state_.sums.rows);
    ++state_.epoch;
    state_.step = 0;
    state_.sums = EpochSums{};
}

// At the end of training, and in the middle of it (after the warm-up), when there is time to save.
void Trainer::look_for_collapse(double kl) {
    const std::int64_t epochs = options_.train.epochs;
    const bool last = state_.epoch == epochs || state_.early.stopped;
    const bool middle = state_.epoch == std::max(state_.kl_warmup, (epochs + 1) / 2);
    if ((!last && !middle) || kl >= kCollapsedKl) return;
    warning_ = fmt::format(
        "KL term of {:.2g} nats a spot in epoch {}: the latent tells next to nothing about the "
        "spots (posterior collapse). Train with a lower loss.kl (it is {}), such as --set "
        "loss.kl={} --fresh",
        kl, state_.epoch, weights_.kl, weights_.kl / 10);
    core::log_warning("{}", warning_);
}

void Trainer::update_early_stopping(const EpochSums& validation) {
    EarlyStopping& early = state_.early;
    const double loss = validation.total / validation.rows;
    if (early.best_epoch == 0 || loss < early.best_loss) {
        early.best_loss = loss;
        early.best_epoch = state_.epoch;
        early.best_values = copy_of(cvae_->values());
        early.best_running = copy_of(cvae_->running());
    }
    early.stopped = state_.epoch - early.best_epoch >= options_.train.patience;
    if (early.stopped)
        core::log_info("no better validation loss since epoch {}: training ends with its weights",
                       early.best_epoch);
}

void Trainer::write_model() {
    const core::Timings::Scope scope(timings_, "train/write_model");
    if (state_.early.best_epoch > 0) {
        copy_into(cvae_->values(), state_.early.best_values);
        copy_into(cvae_->running(), state_.early.best_running);
    }
    comm_.root_or_throw([&] {
        model::write_model(run_.model_file(), *cvae_,
                           {.batch_keys = source_->config().batch_keys,
                            .categories = source_->categories(),
                            .sm_target = source_->config().sm_target,
                            .mean_inputs = mean_inputs_});
    });
}

RunIdentity Trainer::identity() const {
    return {.config = options_.identity,
            .seed = options_.seed,
            .lanes = options_.train.lanes,
            .categories = source_->categories(),
            .inputs_hash = core::to_hex(run_.inputs_checksum()),
            .features_hash = core::to_hex(run_.inputs().features)};
}

void Trainer::restore(TrainState state) {
    state_ = std::move(state);
    copy_into(cvae_->values(), state_.values);
    copy_into(cvae_->running(), state_.running);
    adam_ = nn::AdamW<float>(cvae_->values().shared_layout());
    copy_into(adam_.first_moment(), state_.first_moment);
    copy_into(adam_.second_moment(), state_.second_moment);
    adam_.set_steps(state_.updates);
}

void Trainer::capture() {
    state_.values = copy_of(cvae_->values());
    state_.running = copy_of(cvae_->running());
    gather_arena(comm_, adam_.first_moment());
    gather_arena(comm_, adam_.second_moment());
    state_.first_moment = copy_of(adam_.first_moment());
    state_.second_moment = copy_of(adam_.second_moment());
    state_.updates = adam_.steps();
    if (state_.step > 0) state_.sums.seconds = seconds_before_ + seconds_since(epoch_start_);
}

}  // namespace smeta::model

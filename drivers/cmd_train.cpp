#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/atlas/selection.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/model/run_model.hpp"
#include "smeta/model/train_plan.hpp"
#include "smeta/model/trainer.hpp"

#include "command.hpp"
#include "run_commands.hpp"
#include "stop_signal.hpp"

namespace smeta::drivers {

namespace {

// The selected features of the modalities that model.modalities wants.
atlas::FeatureSet wanted_features(const atlas::ShardedAtlas& atlas,
                                  const model::ModelConfig& config) {
    atlas::FeatureSet features = atlas::read_selection(atlas);
    const auto names = model::resolve_modalities(config, features);
    std::erase_if(features.modalities, [&](const auto& modality) {
        return std::find(names.begin(), names.end(), modality.name) == names.end();
    });
    return features;
}

// A run that exists is made of what was given, if anything was.
void check_made_of(const atlas::ShardedAtlas& atlas, const atlas::Run& run, const NewRun& made_of) {
    const char* hint = "give another --run, or --fresh to start it anew";
    if (!made_of.samples.empty() && atlas.samples(made_of.samples) != run.samples())
        throw core::ConfigError(fmt::format("run '{}' exists and has other samples ({}): {}",
                                            run.name(), fmt::join(run.samples(), ", "), hint));
    const auto start = run.warm_start();
    if (!made_of.from.empty() && (!start || start->run != made_of.from))
        throw core::ConfigError(
            fmt::format("run '{}' exists and started from {}, not from run '{}': {}", run.name(),
                        start ? "run '" + start->run + "'" : "random weights", made_of.from, hint));
}

// What training would hold: of the run, or without one of the atlas of the day. Local.
model::TrainSize measure(const atlas::ShardedAtlas& atlas, const std::optional<atlas::Run>& run,
                         const NewRun& made_of, const Settings& settings) {
    const bool exists = run.has_value();
    const auto samples = exists ? run->samples() : atlas.samples(made_of.samples);
    const auto features = exists ? run->features() : wanted_features(atlas, settings.model);
    model::TrainSize size;
    double values = 0;
    double rows = 0;
    for (const auto& sample : samples) {
        const auto joint = exists ? run->open_joint(sample) : atlas.open_joint(sample);
        rows += static_cast<double>(joint.rows());
        for (const auto& modality : features.modalities)
            if (joint.has(modality.name))
                values += std::min(static_cast<double>(joint.stored_values(modality.name)),
                                   static_cast<double>(joint.rows()) *
                                       static_cast<double>(modality.names().size()));
        for (std::int64_t first = 0; first < joint.rows(); first += atlas::kJointFileRows)
            size.shard_rows.push_back(std::min(atlas::kJointFileRows, joint.rows() - first));
    }
    size.values_per_row = rows > 0 ? values / rows : 0;
    const auto count = static_cast<std::int64_t>(samples.size());
    std::vector<std::string> modalities;
    std::vector<std::int32_t> widths;
    for (const auto& modality : features.modalities) {
        size.features += static_cast<std::int64_t>(modality.names().size());
        modalities.push_back(modality.name);
        widths.push_back(static_cast<std::int32_t>(modality.names().size()));
    }
    const auto keys = model::resolve_batch_keys(settings.model, settings.train, count);
    const std::vector<std::vector<std::string>> categories(keys.size(), samples);
    const model::Cvae<float> network(model::make_network(
        settings.model, model::resolve_weights(settings.train, settings.loss, modalities, count),
        modalities, widths, categories));
    size.parameters = network.values().layout().size();
    return size;
}

// Whether the run goes on, where there is one, or starts anew.
enum class Start { GoOn, Fresh };

// Refuses what cannot work: more ranks than lanes, too little memory. The same on every rank.
// Collective.
model::TrainPlan plan(const Context& context, const atlas::ShardedAtlas& atlas,
                      const std::string& run_name, Start start, const NewRun& made_of) {
    const Settings& settings = context.settings;
    const std::int64_t budget = memory_budget(context);
    model::TrainPlan result;
    context.comm.root_or_throw([&] {
        std::optional<atlas::Run> run;
        if (start == Start::GoOn && atlas::Run::exists(atlas, run_name))
            run = atlas::Run::open(atlas, run_name);
        if (run)
            check_made_of(atlas, *run, made_of);
        else if (!made_of.from.empty() && made_of.from != run_name)
            (void)atlas::Run::open(atlas, made_of.from);
        result = model::plan_training(settings.train, settings.seed,
                                      measure(atlas, run, made_of, settings), context.comm.size(),
                                      core::threads(), budget);
    });
    context.comm.broadcast(result.place);
    return result;
}

// What the run was made with, and what it trains with now. Local.
std::string effective_config(const atlas::Run& run, const Settings& now) {
    const auto settings = settings_of(run);
    settings->seed = now.seed;
    settings->model = now.model;
    settings->loss = now.loss;
    settings->train = now.train;
    return settings->table.dump_toml();
}

int run_train(Context& context, const RunOptions& options, const NewRun& made_of, Start start) {
    if (made_of.from == options.run)
        throw core::ConfigError(
            "--from: a run cannot start from itself; give the new one another "
            "name with --run");
    const comm::Comm& comm = context.comm;
    const auto atlas = atlas::ShardedAtlas::open(comm, options.atlas);
    if (context.options.dry_run) {
        const model::TrainPlan planned = plan(context, atlas, options.run, start, made_of);
        print(context, comm.is_root() ? to_text(planned) : std::string());
        return 0;
    }
    if (start == Start::Fresh) {
        // What cannot start leaves the old run where it is.
        (void)plan(context, atlas, options.run, start, made_of);
        comm.root_or_throw([&] {
            if (const auto old = atlas::Run::move_aside(atlas, options.run))
                core::log_info("the run's folder is now {}", *old);
        });
    }
    return train_run(context, atlas, options.run, made_of);
}

}  // namespace

int train_run(Context& context, const atlas::ShardedAtlas& atlas, const std::string& name,
              const NewRun& made_of) {
    const comm::Comm& comm = context.comm;
    Settings& settings = context.settings;
    // Before the run is made: it keeps the configuration it was made with.
    const model::TrainPlan planned = plan(context, atlas, name, Start::GoOn, made_of);
    if (comm.is_root()) core::log_info("{}", summary(planned));
    comm.root_or_throw([&] {
        if (atlas::Run::exists(atlas, name)) return;
        const atlas::FeatureSet features = wanted_features(atlas, settings.model);
        atlas::Run::create(atlas, name,
                           {.samples = made_of.samples,
                            .config_toml = settings.table.dump_toml(),
                            .features = features,
                            .scaled = model::scaled_modalities(settings.model, features),
                            .from = made_of.from});
    });
    const atlas::Run run = atlas::Run::open(comm, atlas, name);
    std::optional<atlas::FileLock> lock;
    comm.root_or_throw([&] { lock = run.lock(); });
    run.check_inputs(comm, atlas::InputCheck::Sizes);
    std::string config;
    comm.root_or_throw([&] { config = effective_config(run, settings); });
    const DeferredStop stop;
    model::TrainerOptions trainer_options{
        .model = settings.model,
        .loss = settings.loss,
        .train = settings.train,
        .seed = settings.seed,
        .identity = settings.table.canonical(model::identity_sections()),
        .config_toml = std::move(config),
        .stop_requested = [&stop] { return stop.requested(); },
        .rows = planned.place};
    model::Trainer trainer(comm, run, std::move(trainer_options), context.timings);
    core::log_info("run '{}': {} training rows on {} rank{}", name, trainer.training_rows(),
                   comm.size(), comm.size() == 1 ? "" : "s");
    const auto outcome = trainer.train();
    if (outcome == model::TrainOutcome::NothingToDo) {
        core::log_info("run '{}' is trained: nothing to do", name);
        return 0;
    }
    nlohmann::ordered_json details;
    details["training_rows"] = trainer.training_rows();
    details["validation_rows"] = trainer.validation_rows();
    const auto& blocks = trainer.network().blocks;
    for (std::size_t m = 0; m < trainer.rows_without().size(); ++m)
        details["rows_without"][blocks[m].name] = trainer.rows_without()[m];
    if (!trainer.warning().empty()) details["warning"] = trainer.warning();
    if (const auto start = run.warm_start()) details["started_from"] = start->run;
    record_history(context, run, "train", details);
    if (outcome == model::TrainOutcome::Finished) return 0;
    core::log_warning("stopped at a checkpoint; the same command goes on from there");
    return core::kExitStoppedAtCheckpoint;
}

void add_train(CommandLine& line) {
    auto options = std::make_shared<RunOptions>();
    auto fresh = std::make_shared<bool>(false);
    auto made_of = std::make_shared<NewRun>();
    CLI::App& app = line.add(
        "train", "train a run's model, going on from its checkpoint if there is one",
        [options, fresh, made_of](Context& context) {
            return run_train(context, *options, *made_of, *fresh ? Start::Fresh : Start::GoOn);
        });
    add_run_options(app, *options);
    app.add_option("--sample", made_of->samples,
                   "train a new run on this sample (repeatable; default: all of the atlas)");
    app.add_option("--from", made_of->from,
                   "start a new run from the model of this one, trained on the atlas as it was");
    app.add_flag("--fresh", *fresh, "move the run's folder to RUN.old-N and start anew");
}

}  // namespace smeta::drivers

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <limits>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "smeta/comm/comm.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/core/version.hpp"
#include "smeta/io/h5.hpp"

#include "analysis_commands.hpp"
#include "command.hpp"
#include "stop_signal.hpp"
#include "terminal.hpp"

namespace smeta::drivers {

namespace {

void install_signal_handlers() {
    handle_stop_signals();
    // A write beyond RLIMIT_FSIZE then fails with EFBIG, which is reported, instead of killing the
    // process.
    std::signal(SIGXFSZ, SIG_IGN);
}

void add_commands(CommandLine& line) {
    add_run(line);
    add_simulate(line);
    add_ingest(line);
    add_qc(line);
    add_align(line);
    add_stack(line);
    add_reassign(line);
    add_select(line);
    add_train(line);
    add_embed(line);
    add_map(line);
    add_neighbors(line);
    add_cluster(line);
    add_markers(line);
    add_correlate(line);
    add_annotate(line);
    add_enrich(line);
    add_region(line);
    add_trajectory(line);
    add_communicate(line);
    add_umap(line);
    add_score(line);
    add_network(line);
    add_report(line);
    add_export(line);
    add_atlas(line);
    add_config(line);
}

/// The command as typed ("smeta atlas list"). CLI11 reports a misspelt one as "extra argument": say
/// what was probably meant.
std::string chosen_command(const CLI::App& app, int argc, char** argv) {
    std::string command = "smeta";
    const CLI::App* level = &app;
    for (int i = 1; i < argc && argv[i][0] != '-'; ++i) {
        const auto subs = level->get_subcommands([](const CLI::App*) { return true; });
        if (subs.empty()) break;
        const auto found = std::find_if(
            subs.begin(), subs.end(), [&](const auto* sub) { return sub->get_name() == argv[i]; });
        if (found == subs.end()) {
            std::vector<std::string> names;
            for (const auto* sub : subs) names.push_back(sub->get_name());
            const auto close = core::did_you_mean(argv[i], names);
            throw core::ConfigError(fmt::format("unknown command '{}'; {}", argv[i],
                                                close ? fmt::format("did you mean '{}'?", *close)
                                                      : fmt::format("see {} --help", command)));
        }
        level = *found;
        command += " " + level->get_name();
    }
    return command;
}

/// Parses on every rank alike. Returns the exit code when the command line itself answers (help,
/// version, usage error).
std::optional<int> parse(CommandLine& line, int argc, char** argv, bool printing) {
    line.app().set_version_flag("--version",
                                fmt::format("smeta {} ({})", core::kVersion, core::kGitRevision));
    const std::string command = chosen_command(line.app(), argc, argv);
    try {
        line.app().parse(argc, argv);
    } catch (const CLI::Success& answer) {  // --help, --version
        if (printing) line.app().exit(answer);
        return 0;
    } catch (const CLI::ParseError& error) {
        throw core::ConfigError(fmt::format("{} (see {} --help)", error.what(), command));
    }
    return std::nullopt;
}

void apply_threads(const comm::Comm& comm, const CommonOptions& options) {
    // Ranks pinned to processors of their own use all of them; those that share divide them.
    const auto mine = core::allowed_processors();
    int sharing = 0;
    for (const auto& theirs : comm.on_node().allgather(std::span<const std::int32_t>(mine))) {
        std::vector<std::int32_t> common;
        std::set_intersection(mine.begin(), mine.end(), theirs.begin(), theirs.end(),
                              std::back_inserter(common));
        if (!common.empty()) ++sharing;
    }
    const auto allowed = static_cast<int>(mine.size());
    int threads = std::max(1, allowed / sharing);
    if (const char* text = std::getenv("OMP_NUM_THREADS"); text != nullptr)
        threads = std::max(1, std::atoi(text));
    if (options.threads) threads = *options.threads;
    core::set_threads(threads);
    if (threads > allowed)
        core::log_warning(
            "{} threads on {} allowed processor{}: run mpirun with --bind-to none or "
            "--map-by slot:PE={}",
            threads, allowed, allowed == 1 ? "" : "s", threads);
}

int run(const comm::Comm& comm, int argc, char** argv) {
    CommandLine line;
    add_commands(line);
    if (const auto answered = parse(line, argc, argv, comm.is_root())) return *answered;
    install_terminal(comm, line.options());
    Settings settings;
    apply_options(comm, line.options(), settings);
    apply_threads(comm, line.options());
    std::string command_line = "smeta";
    for (int i = 1; i < argc; ++i) command_line += std::string(" ") + argv[i];
    Context context{.comm = comm,
                    .settings = settings,
                    .options = line.options(),
                    .timings = {},
                    .memory = std::nullopt,
                    .command_line = command_line};
    if (!line.options().memory.empty()) context.memory = core::parse_size(line.options().memory);
    const CommandBody* body = line.chosen();
    core::check(body != nullptr, "a parsed command has a body");
    const int exit_code = (*body)(context);
    print_warnings_of_others(comm);
    return exit_code;
}

struct Outcome {
    int exit_code = 0;
    std::string message;
    bool in_step = true;  ///< with the other ranks, as far as this one knows
};

// The only catch of the executable.
Outcome run_and_catch(const comm::Comm& comm, int argc, char** argv) {
    try {
        return {run(comm, argc, argv), ""};
    } catch (const comm::OutOfStepError& error) {
        return {error.exit_code(), error.what(), false};
    } catch (const core::Error& error) {
        return {error.exit_code(), error.what()};
    } catch (const std::filesystem::filesystem_error& error) {
        return {core::kExitUserInput, error.what()};
    } catch (const std::bad_alloc&) {
        return {core::kExitInternal, "out of memory"};
    } catch (const std::exception& error) {
        return {core::kExitInternal, fmt::format("internal error: {}", error.what())};
    }
}

}  // namespace

}  // namespace smeta::drivers

int main(int argc, char** argv) {
    using namespace smeta;
    drivers::install_signal_handlers();
    // A rank that ends inside MPI_Init may crash others there.
    std::optional<drivers::DeferredStop> starting(std::in_place);
    const comm::Environment environment(argc, argv);
    const comm::Comm comm = comm::Comm::world();
    if (starting->requested_anywhere(comm)) return core::kExitStoppedAtCheckpoint;
    if (comm.is_root()) drivers::say_when_stopped();
    starting.reset();
    drivers::stop_if_requested();
    const drivers::Outcome outcome = drivers::run_and_catch(comm, argc, argv);
    if (comm.is_root() && outcome.exit_code != 0 && !outcome.message.empty())
        fmt::print(stderr, "smeta: error: {}\n", outcome.message);
    // Errors are voted, so every rank arrives here with the same code; one that was not leaves
    // peers in a collective. A rank that succeeded waits for the others as long as they work; one
    // that failed gives them some seconds.
    constexpr double kPatienceSeconds = 20;
    const double patience =
        outcome.exit_code == 0 ? std::numeric_limits<double>::infinity() : kPatienceSeconds;
    const auto agreed =
        outcome.in_step ? comm.max_within(outcome.exit_code, patience) : std::nullopt;
    if (!agreed) {
        if (!comm.is_root())
            fmt::print(stderr, "smeta: error on rank {}: {}\n", comm.rank(), outcome.message);
        comm.abort(outcome.exit_code);
    }
    // The ranks came together once more, so that rank 0's message is out before the job ends.
    if (io::h5_is_broken()) comm.abort(*agreed);
    return *agreed;
}

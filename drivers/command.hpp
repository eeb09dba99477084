#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "smeta/comm/comm.hpp"
#include "smeta/core/timing.hpp"

#include "settings.hpp"

namespace smeta::drivers {

/// Options that every command has (interfaces: "Every command").
struct CommonOptions {
    std::vector<std::string> config_files;
    std::vector<std::string> assignments;  ///< --set key=value, in order
    std::optional<int> threads;
    std::optional<std::uint64_t> seed;
    std::string memory;  ///< --mem, bytes per rank as text; empty: see memory_budget
    bool dry_run = false;
    std::string log_level = "info";
    bool no_progress = false;
};

/// What a command runs with. The same on every rank, except `comm.rank()`.
struct Context {
    const comm::Comm& comm;
    Settings& settings;
    const CommonOptions& options;
    core::Timings timings;
    /// Bytes that one rank may use, if --mem was given (see memory_budget).
    std::optional<std::int64_t> memory;
    /// The command line as typed, for provenance.
    std::string command_line;
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

    /// Wall-clock seconds since the command began.
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
};

/// The body of a command: collective over context.comm; its result is the exit code (0 or 75).
/// Errors are thrown, on every rank (voted); `main` prints and turns them into exit codes.
using CommandBody = std::function<int(Context&)>;

/// The command line: each cmd_*.cpp adds its command(s) with a function `void
/// add_NAME(CommandLine&)` named below.
class CommandLine {
  public:
    CommandLine();
    /// Adds `smeta NAME` (with the common options) and says what runs it. `parent` makes it `smeta
    /// PARENT NAME`.
    CLI::App& add(const std::string& name, const std::string& summary, CommandBody body,
                  CLI::App* parent = nullptr);
    /// A command that only groups others (`smeta atlas`).
    CLI::App& add_group(const std::string& name, const std::string& summary);

    CLI::App& app() { return app_; }
    CommonOptions& options() { return options_; }
    /// After parsing: the chosen command's body, nullptr if none.
    const CommandBody* chosen() const;

  private:
    struct Entry {
        CLI::App* app;
        CommandBody body;
    };
    CLI::App app_;
    CommonOptions options_;
    std::vector<std::unique_ptr<Entry>> entries_;
};

/// Bytes that a rank may use: --mem, else four fifths of what is available on its node over the
/// ranks there, the least of all ranks. Collective.
std::int64_t memory_budget(const Context& context);

/// Standard output of a command's result (tables, JSON): printed by rank 0 only.
void print(const Context& context, const std::string& text);

/// Reads a file on rank 0 and broadcasts its text; IoError on every rank if it cannot be read.
/// Collective.
std::string read_shared_text(const comm::Comm& comm, const std::string& path);

/// Entries of a study.toml that are no configuration.
inline const std::vector<std::string> kStudyEntries = {"atlas", "run", "sample"};

/// Applies --config files, --set and --seed, in this order. Collective.
void apply_options(const comm::Comm& comm, const CommonOptions& options, Settings& settings);

/// Applies the configuration tables of a study.toml; what the command line says still wins.
/// Collective.
void apply_study(Context& context, const std::string& text, const std::string& file);

void add_run(CommandLine& line);
void add_atlas(CommandLine& line);
void add_export(CommandLine& line);
void add_simulate(CommandLine& line);
void add_ingest(CommandLine& line);
void add_qc(CommandLine& line);
void add_align(CommandLine& line);
void add_stack(CommandLine& line);
void add_reassign(CommandLine& line);
void add_select(CommandLine& line);
void add_train(CommandLine& line);
void add_embed(CommandLine& line);
void add_map(CommandLine& line);
void add_neighbors(CommandLine& line);
void add_cluster(CommandLine& line);
void add_umap(CommandLine& line);
void add_score(CommandLine& line);
void add_network(CommandLine& line);
void add_report(CommandLine& line);
void add_config(CommandLine& line);

}  // namespace smeta::drivers

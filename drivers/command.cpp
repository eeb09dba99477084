#include "command.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>

#include "smeta/core/error.hpp"
#include "smeta/core/memory.hpp"
#include "smeta/io/atomic_file.hpp"

namespace smeta::drivers {

namespace {

constexpr int kMostThreads = 65536;

// CLI11 would take the two's complement of a negative number; TOML's integers end at 2^63 - 1.
std::string whole_number(const std::string& text) {
    std::int64_t value = -1;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && rest == end && value >= 0) return "";
    return "expected a whole number from 0 to 9223372036854775807, found " + text;
}

}  // namespace

CommandLine::CommandLine()
    : app_("smeta: integration of spatial transcriptomics and spatial metabolomics", "smeta") {
    app_.require_subcommand(1);
    app_.set_help_all_flag("--help-all", "help of every command");
}

CLI::App& CommandLine::add_group(const std::string& name, const std::string& summary) {
    CLI::App& group = *app_.add_subcommand(name, summary);
    group.require_subcommand(1);
    return group;
}

CLI::App& CommandLine::add(const std::string& name, const std::string& summary, CommandBody body,
                           CLI::App* parent) {
    CLI::App& sub = *(parent != nullptr ? parent : &app_)->add_subcommand(name, summary);
    const auto group = [](CLI::Option* option) { return option->group("Common options"); };
    group(sub.add_option("--config", options_.config_files, "configuration file (TOML)"));
    group(sub.add_option("--set", options_.assignments, "set a configuration key: key=value"))
        ->take_all();
    group(sub.add_option("--threads", options_.threads,
                         "threads of each rank (default OMP_NUM_THREADS, else its processors)"))
        ->check(CLI::Range(1, kMostThreads));
    group(sub.add_option("--seed", options_.seed, "seed of every random draw"))
        ->check(whole_number);
    group(
        sub.add_option("--mem", options_.memory,
                       "memory of each rank, e.g. 4G (default: four fifths of what is available)"));
    group(sub.add_flag("--dry-run", options_.dry_run, "print the plan and do nothing"));
    group(sub.add_option("--log-level", options_.log_level, "debug, info, warning, error, off"))
        ->check(CLI::IsMember({"debug", "info", "warning", "error", "off"}));
    group(sub.add_flag("--no-progress", options_.no_progress, "no progress bars or lines"));
    entries_.push_back(std::make_unique<Entry>(Entry{&sub, std::move(body)}));
    return sub;
}

const CommandBody* CommandLine::chosen() const {
    for (const auto& entry : entries_)
        if (entry->app->parsed()) return &entry->body;
    return nullptr;
}

std::int64_t memory_budget(const Context& context) {
    if (context.memory) return *context.memory;
    const std::int64_t share =
        core::available_memory() / 5 * 4 / std::max(1, context.comm.on_node().size());
    return context.comm.allreduce(share, comm::ReduceOp::Min);
}

void print(const Context& context, const std::string& text) {
    if (!context.comm.is_root()) return;
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

void apply_options(const comm::Comm& comm, const CommonOptions& options, Settings& settings) {
    for (const auto& file : options.config_files)
        settings.table.parse_toml(read_shared_text(comm, file), file, kStudyEntries);
    for (const auto& assignment : options.assignments)
        settings.table.set_from_text(assignment, "--set");
    if (options.seed) settings.seed = *options.seed;
}

void apply_study(Context& context, const std::string& text, const std::string& file) {
    context.settings.table.parse_toml(text, file, kStudyEntries);
    apply_options(context.comm, context.options, context.settings);
}

std::string read_shared_text(const comm::Comm& comm, const std::string& path) {
    std::string text;
    comm.root_or_throw([&] { text = io::read_text_file(path); });
    comm.broadcast(text);
    return text;
}

}  // namespace smeta::drivers

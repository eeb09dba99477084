#include "terminal.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "smeta/core/log.hpp"
#include "smeta/core/progress.hpp"

namespace smeta::drivers {

namespace {

constexpr double kSecondsBetweenLines = 10;
constexpr int kBarWidth = 30;

core::LogLevel level_of(const std::string& name) {
    if (name == "debug") return core::LogLevel::Debug;
    if (name == "warning") return core::LogLevel::Warning;
    if (name == "error") return core::LogLevel::Error;
    if (name == "off") return core::LogLevel::Off;
    return core::LogLevel::Info;
}

std::string remaining(const core::ProgressState& state) {
    if (state.done <= 0 || state.total <= state.done) return "";
    const auto seconds = static_cast<std::int64_t>(state.seconds / static_cast<double>(state.done) *
                                                   static_cast<double>(state.total - state.done));
    return fmt::format(" {}:{:02}:{:02} left", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string describe(const core::ProgressState& state) {
    std::string text = state.total > 0
                           ? fmt::format("{} {}/{}", state.title, state.done, state.total)
                           : fmt::format("{} {}", state.title, state.done);
    if (!state.note.empty()) text += fmt::format("  {}", state.note);
    return text;
}

void draw_bar(const core::ProgressState& state) {
    const double share =
        state.total > 0
            ? std::clamp(static_cast<double>(state.done) / static_cast<double>(state.total), 0.0,
                         1.0)
            : 0;
    const int filled = static_cast<int>(share * kBarWidth);
    fmt::print(stderr, "\r\033[K[{}{}] {}{}", std::string(filled, '#'),
               std::string(kBarWidth - filled, '.'), describe(state), remaining(state));
    if (state.finished) fmt::print(stderr, "\n");
    std::fflush(stderr);
}

void print_line(std::string_view mark, std::string_view message) {
    const char* clear = isatty(STDERR_FILENO) != 0 ? "\r\033[K" : "";
    fmt::print(stderr, "{}{:%H:%M:%S} {}{}\n", clear, fmt::localtime(std::time(nullptr)), mark,
               message);
    std::fflush(stderr);
}

std::vector<std::string>& warnings_of_this_rank() {
    static std::vector<std::string> warnings;
    return warnings;
}

}  // namespace

void install_terminal(const comm::Comm& comm, const CommonOptions& options) {
    core::set_log_sink(
        [prints = comm.is_root()](core::LogLevel level, std::string_view message) {
            const bool warning = level >= core::LogLevel::Warning;
            if (warning) warnings_of_this_rank().emplace_back(message);
            if (prints) print_line(warning ? "warning: " : "", message);
        },
        comm.is_root() ? level_of(options.log_level)
                       : std::max(level_of(options.log_level), core::LogLevel::Warning));
    if (!comm.is_root() || options.no_progress) return;
    const bool terminal = isatty(STDERR_FILENO) != 0;
    if (terminal) {
        core::set_progress_sink(draw_bar);
        return;
    }
    core::set_progress_sink([last = std::map<std::string, double, std::less<>>()](
                                const core::ProgressState& state) mutable {
        // Short work needs no lines.
        auto& shown = last[std::string(state.title)];
        if (state.finished) {
            if (state.seconds > kSecondsBetweenLines)
                core::log_info("{} (done in {:.1f} s)", describe(state), state.seconds);
            last.erase(std::string(state.title));
        } else if (state.seconds - shown > kSecondsBetweenLines) {
            shown = state.seconds;
            core::log_info("{}{}", describe(state), remaining(state));
        }
    });
}

void print_warnings_of_others(const comm::Comm& comm) {
    std::string mine;  // each message ends with a zero byte
    for (const auto& message : warnings_of_this_rank()) mine += message + '\0';
    const auto all = comm.allgather(mine);
    if (!comm.is_root()) return;
    std::set<std::string, std::less<>> printed(warnings_of_this_rank().begin(),
                                               warnings_of_this_rank().end());
    for (const auto& messages : all)
        for (std::size_t at = 0; at < messages.size();) {
            const std::string message = messages.c_str() + at;
            at += message.size() + 1;
            if (printed.insert(message).second) print_line("warning: ", message);
        }
}

}  // namespace smeta::drivers

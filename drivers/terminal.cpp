#include "terminal.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>

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

}  // namespace

void install_terminal(const comm::Comm& comm, const CommonOptions& options) {
    if (!comm.is_root()) return;
    const bool terminal = isatty(STDERR_FILENO) != 0;
    core::set_log_sink(
        [terminal](core::LogLevel level, std::string_view message) {
            const char* mark = level >= core::LogLevel::Warning ? "warning: " : "";
            fmt::print(stderr, "{}{:%H:%M:%S} {}{}\n", terminal ? "\r\033[K" : "",
                       fmt::localtime(std::time(nullptr)), mark, message);
            std::fflush(stderr);
        },
        level_of(options.log_level));
    if (options.no_progress) return;
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

}  // namespace smeta::drivers

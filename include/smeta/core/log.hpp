#pragma once

#include <functional>
#include <string_view>

#include <fmt/format.h>

namespace smeta::core {

enum class LogLevel { Debug, Info, Warning, Error, Off };

/// Receives finished messages. The library never prints: without a sink messages vanish.
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Installs the sink (an executable does this once, on the rank that prints) and the lowest level
/// passed to it.
void set_log_sink(LogSink sink, LogLevel lowest = LogLevel::Info);
bool log_enabled(LogLevel level);
void log_message(LogLevel level, std::string_view message);

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
    if (log_enabled(LogLevel::Debug))
        log_message(LogLevel::Debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
    if (log_enabled(LogLevel::Info))
        log_message(LogLevel::Info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
    if (log_enabled(LogLevel::Warning))
        log_message(LogLevel::Warning, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace smeta::core

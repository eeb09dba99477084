#include "smeta/core/log.hpp"

#include <mutex>
#include <utility>

namespace smeta::core {

namespace {

struct LogState {
    std::mutex mutex;
    LogSink sink;
    LogLevel lowest = LogLevel::Info;
};

LogState& log_state() {
    static LogState state;
    return state;
}

}  // namespace

void set_log_sink(LogSink sink, LogLevel lowest) {
    const std::scoped_lock lock(log_state().mutex);
    log_state().sink = std::move(sink);
    log_state().lowest = lowest;
}

bool log_enabled(LogLevel level) {
    const std::scoped_lock lock(log_state().mutex);
    return log_state().sink && level >= log_state().lowest;
}

void log_message(LogLevel level, std::string_view message) {
    const std::scoped_lock lock(log_state().mutex);
    if (log_state().sink && level >= log_state().lowest) log_state().sink(level, message);
}

}  // namespace smeta::core

#include "smeta/core/progress.hpp"

#include <utility>

namespace smeta::core {

namespace {

ProgressSink& progress_sink() {
    static ProgressSink sink;
    return sink;
}

}  // namespace

void set_progress_sink(ProgressSink sink) {
    progress_sink() = std::move(sink);
}

Progress::Progress(std::string title, std::int64_t total)
    : title_(std::move(title)), total_(total) {}

Progress::~Progress() {
    report(true);
}

void Progress::advance(std::int64_t amount, std::string_view note) {
    done_ += amount;
    if (!note.empty()) note_ = note;
    const auto now = Clock::now();
    if (now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    report(false);
}

void Progress::report(bool finished) {
    if (!progress_sink()) return;
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    progress_sink()({title_, done_, total_, seconds, note_, finished});
}

}  // namespace smeta::core

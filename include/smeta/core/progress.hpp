#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace smeta::core {

/// State of one piece of long work as shown to the user.
struct ProgressState {
    std::string_view title;
    std::int64_t done = 0;
    std::int64_t total = 0;  ///< 0 = unknown
    double seconds = 0;      ///< since the work began
    std::string_view note;   ///< e.g. "loss 412.3"
    bool finished = false;
};
using ProgressSink = std::function<void(const ProgressState&)>;

/// Installs the sink that draws bars or writes lines; without one progress is silent.
void set_progress_sink(ProgressSink sink);

/// Reports progress of one piece of work, at most every 0.1 s, and once at the end. Only from the
/// main thread.
class Progress {
  public:
    Progress(std::string title, std::int64_t total);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    void advance(std::int64_t amount = 1, std::string_view note = {});

  private:
    using Clock = std::chrono::steady_clock;
    void report(bool finished);
    std::string title_;
    std::string note_;
    std::int64_t done_ = 0;
    std::int64_t total_;
    Clock::time_point start_ = Clock::now();
    Clock::time_point last_ = start_;
};

}  // namespace smeta::core

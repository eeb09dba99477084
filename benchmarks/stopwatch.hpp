#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

namespace smeta::bench {

/// Wall clock and processor time of this process; the latter does not count what other programs
/// take from the machine.
struct Seconds {
    double wall = 0;
    double processor = 0;
};

class Stopwatch {
  public:
    Seconds read() const {
        return {std::chrono::duration<double>(Clock::now() - start_).count(),
                processor() - processor_};
    }

  private:
    using Clock = std::chrono::steady_clock;
    static double processor() {
        timespec now{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
    }
    Clock::time_point start_ = Clock::now();
    double processor_ = processor();
};

template <class Work>
Seconds timed(const Work& work) {
    const Stopwatch watch;
    work();
    return watch.read();
}

/// 0 of nothing.
inline double median(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t n = values.size();
    return n == 0 ? 0 : (values[(n - 1) / 2] + values[n / 2]) / 2;
}

}  // namespace smeta::bench

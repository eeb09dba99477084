#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

namespace smeta::core {

/// Wall-clock seconds by region name on this rank ("train/forward"). Only from the main thread;
/// `comm::summarise` reduces them to min/avg/max over ranks for the report.
class Timings {
  public:
    void add(std::string_view region, double seconds);
    const std::map<std::string, double, std::less<>>& seconds() const { return seconds_; }

    /// Adds the time from its construction to its destruction to `region`.
    class Scope {
      public:
        Scope(Timings& timings, std::string_view region) : timings_(timings), region_(region) {}
        ~Scope() {
            timings_.add(
                region_,
                std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
        }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

      private:
        Timings& timings_;
        std::string_view region_;
        std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    };

  private:
    std::map<std::string, double, std::less<>> seconds_;
};

}  // namespace smeta::core

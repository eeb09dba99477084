#pragma once

#include <complex>
#include <cstdint>
#include <memory>
#include <vector>

namespace smeta::align::detail {

enum class Direction { Forward, Inverse };

/// Two-dimensional Fourier transform of n by n values, single precision (Eigen's FFT). Not shared
/// by threads.
class Fourier {
  public:
    explicit Fourier(std::int64_t n);
    ~Fourier();
    std::int64_t n() const { return n_; }
    /// In place; the inverse divides by n^2.
    void run(std::vector<std::complex<float>>& values, Direction direction);

  private:
    struct Plan;
    std::int64_t n_;
    std::unique_ptr<Plan> plan_;
};

}  // namespace smeta::align::detail

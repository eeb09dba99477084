#include "fourier.hpp"

#include <unsupported/Eigen/FFT>

namespace smeta::align::detail {

struct Fourier::Plan {
    Eigen::FFT<float> fft;
    std::vector<std::complex<float>> in;
    std::vector<std::complex<float>> out;
};

Fourier::Fourier(std::int64_t n) : n_(n), plan_(std::make_unique<Plan>()) {
    plan_->in.resize(n);
    plan_->out.resize(n);
}

Fourier::~Fourier() = default;

void Fourier::run(std::vector<std::complex<float>>& values, Direction direction) {
    Plan& plan = *plan_;
    const auto line = [&](std::int64_t start, std::int64_t stride) {
        for (std::int64_t k = 0; k < n_; ++k) plan.in[k] = values[start + k * stride];
        if (direction == Direction::Forward)
            plan.fft.fwd(plan.out.data(), plan.in.data(), static_cast<int>(n_));
        else
            plan.fft.inv(plan.out.data(), plan.in.data(), static_cast<int>(n_));
        for (std::int64_t k = 0; k < n_; ++k) values[start + k * stride] = plan.out[k];
    };
    for (std::int64_t r = 0; r < n_; ++r) line(r * n_, 1);
    for (std::int64_t c = 0; c < n_; ++c) line(c, n_);
}

}  // namespace smeta::align::detail

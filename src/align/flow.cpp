#include "flow.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace smeta::align::detail {

namespace {

struct Corner {
    std::int64_t at[4];  ///< offsets of the velocities
    double a = 0;
    double b = 0;
    bool inside_x = true;
    bool inside_y = true;
};

/// Outside the grid the border's velocity goes on.
Corner corner(const VelocityFlow& flow, double x, double y) {
    const double most = static_cast<double>(flow.n - 1) - 1e-9;
    const double u = (x - flow.x0) / flow.cell;
    const double v = (y - flow.y0) / flow.cell;
    Corner c;
    c.inside_x = u > 0 && u < most;
    c.inside_y = v > 0 && v < most;
    const double cu = std::isfinite(u) ? std::clamp(u, 0.0, most) : 0.0;
    const double cv = std::isfinite(v) ? std::clamp(v, 0.0, most) : 0.0;
    const auto i = static_cast<std::int64_t>(cu);
    const auto j = static_cast<std::int64_t>(cv);
    c.a = cu - static_cast<double>(i);
    c.b = cv - static_cast<double>(j);
    c.at[0] = 2 * (j * flow.n + i);
    c.at[1] = c.at[0] + 2;
    c.at[2] = c.at[0] + 2 * flow.n;
    c.at[3] = c.at[2] + 2;
    return c;
}

}  // namespace

std::vector<Points> VelocityFlow::trace(const Points& points) const {
    std::vector<Points> places{points};
    for (std::int64_t t = 0; t < steps; ++t) {
        Points next = places.back();
        const double* field = velocity.data() + t * n * n * 2;
        for (Eigen::Index r = 0; r < next.rows(); ++r) {
            const Corner c = corner(*this, next(r, 0), next(r, 1));
            for (int d = 0; d < 2; ++d)
                next(r, d) +=
                    ((1 - c.b) * ((1 - c.a) * field[c.at[0] + d] + c.a * field[c.at[1] + d]) +
                     c.b * ((1 - c.a) * field[c.at[2] + d] + c.a * field[c.at[3] + d])) /
                    static_cast<double>(steps);
        }
        places.push_back(std::move(next));
    }
    return places;
}

Points VelocityFlow::operator()(const Points& points) const {
    return trace(points).back();
}

void VelocityFlow::pull_back(const std::vector<Points>& trace, Points gradient,
                             std::vector<double>& velocity_gradient) const {
    const double share = 1.0 / static_cast<double>(steps);
    for (std::int64_t t = steps; t-- > 0;) {
        const double* field = velocity.data() + t * n * n * 2;
        double* out = velocity_gradient.data() + t * n * n * 2;
        const Points& at = trace[t];
        for (Eigen::Index r = 0; r < at.rows(); ++r) {
            const double g[2] = {gradient(r, 0) * share, gradient(r, 1) * share};
            if (g[0] == 0 && g[1] == 0) continue;
            const Corner c = corner(*this, at(r, 0), at(r, 1));
            double gx = 0;
            double gy = 0;
            for (int d = 0; d < 2; ++d) {
                out[c.at[0] + d] += g[d] * (1 - c.a) * (1 - c.b);
                out[c.at[1] + d] += g[d] * c.a * (1 - c.b);
                out[c.at[2] + d] += g[d] * (1 - c.a) * c.b;
                out[c.at[3] + d] += g[d] * c.a * c.b;
                gx += g[d] * ((1 - c.b) * (field[c.at[1] + d] - field[c.at[0] + d]) +
                              c.b * (field[c.at[3] + d] - field[c.at[2] + d]));
                gy += g[d] * ((1 - c.a) * (field[c.at[2] + d] - field[c.at[0] + d]) +
                              c.a * (field[c.at[3] + d] - field[c.at[1] + d]));
            }
            if (c.inside_x) gradient(r, 0) += gx / cell;
            if (c.inside_y) gradient(r, 1) += gy / cell;
        }
    }
}

Smoother::Smoother(std::int64_t n, double cell, double width)
    : fourier_(n), factor_(n * n), work_(n * n) {
    const double strength = 2 * width * width / (cell * cell);
    const auto wave = [&](std::int64_t k) {
        return 1 - std::cos(2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n));
    };
    for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t i = 0; i < n; ++i)
            factor_[j * n + i] =
                static_cast<float>(std::pow(1 + strength * (wave(i) + wave(j)), -2.0));
}

void Smoother::apply(const double* from, double* to, std::int64_t steps) {
    const auto cells = static_cast<std::int64_t>(factor_.size());
    for (std::int64_t t = 0; t < steps; ++t) {
        // Both components in one complex transform: the filter is real and even.
        const double* in = from + t * cells * 2;
        double* out = to + t * cells * 2;
        for (std::int64_t c = 0; c < cells; ++c)
            work_[c] = {static_cast<float>(in[2 * c]), static_cast<float>(in[2 * c + 1])};
        fourier_.run(work_, Direction::Forward);
        for (std::int64_t c = 0; c < cells; ++c) work_[c] *= factor_[c];
        fourier_.run(work_, Direction::Inverse);
        for (std::int64_t c = 0; c < cells; ++c) {
            out[2 * c] = work_[c].real();
            out[2 * c + 1] = work_[c].imag();
        }
    }
}

}  // namespace smeta::align::detail

#pragma once

#include <cstdint>
#include <vector>

#include "fourier.hpp"
#include "match.hpp"

namespace smeta::align::detail {

/// A diffeomorphism as the flow of `steps` velocity fields on a periodic n by n grid, one after
/// another: p <- p + v_t(p) / steps, bilinear (SpatialMETA's phi, STalign's LDDMM with Euler
/// steps). Velocities: index ((t * n + j) * n + i) * 2 + component. No fields: the identity.
struct VelocityFlow {
    std::int64_t steps = 0;
    std::int64_t n = 0;
    double x0 = 0;
    double y0 = 0;
    double cell = 1;
    std::vector<double> velocity;

    /// Positions after every step, first the points themselves: steps + 1 entries.
    std::vector<Points> trace(const Points& points) const;
    Points operator()(const Points& points) const;
    /// Gradient of a function of the end points with respect to the velocities, given that with
    /// respect to the end points; exact for the discrete flow. Cells that are added to: velocity's
    /// layout.
    void pull_back(const std::vector<Points>& trace, Points gradient,
                   std::vector<double>& velocity_gradient) const;
};

/// The smooth velocities v = K^(1/2) u of white fields u: K = (1 + 2 a^2 sum (1 - cos) / h^2)^(-2p)
/// with p = 2 (spec A4.3), applied by FFT. Self-adjoint.
class Smoother {
  public:
    /// `width`: a, in the unit of `cell`.
    Smoother(std::int64_t n, double cell, double width);
    /// From `from` to `to`, fields in VelocityFlow's layout.
    void apply(const double* from, double* to, std::int64_t steps);

  private:
    Fourier fourier_;
    std::vector<float> factor_;
    std::vector<std::complex<float>> work_;
};

}  // namespace smeta::align::detail

#pragma once

#include <vector>

#include "stream.hpp"

namespace smeta::simulate {

struct Point {
    double x = 0;
    double y = 0;
};

/// A smooth random function of the plane with mean 0 and variance 1: cosines of random direction
/// and phase whose wavelengths lie between 2/3 and 2 times the given one (a stationary Gaussian
/// field, nearly).
class SmoothField {
  public:
    SmoothField(Stream& stream, double wavelength);
    double operator()(Point p) const;

  private:
    struct Wave {
        double kx, ky, phase;
    };
    std::vector<Wave> waves_;
};

}  // namespace smeta::simulate

#include "smeta/spatial/polygon.hpp"

#include <cmath>

namespace smeta::spatial {
namespace {

double ring_area(const core::MatrixD& ring) {
    double twice = 0;
    // From the first vertex: image coordinates are large beside a small region.
    for (Eigen::Index i = 1; i + 1 < ring.rows(); ++i) {
        const auto a = ring.row(i) - ring.row(0);
        const auto b = ring.row(i + 1) - ring.row(0);
        twice += a(0) * b(1) - a(1) * b(0);
    }
    return std::abs(twice) / 2;
}

}  // namespace

bool is_inside(const std::vector<core::MatrixD>& rings, double x, double y) {
    bool inside = false;
    for (const auto& ring : rings)
        for (Eigen::Index i = 0, j = ring.rows() - 1; i < ring.rows(); j = i++) {
            if ((ring(i, 1) > y) == (ring(j, 1) > y)) continue;
            // From the lower end upwards whatever the ring's direction, so that neighbours agree.
            const auto low = ring(i, 1) < ring(j, 1) ? ring.row(i) : ring.row(j);
            const auto high = ring(i, 1) < ring(j, 1) ? ring.row(j) : ring.row(i);
            const double side =
                (high(0) - low(0)) * (y - low(1)) - (x - low(0)) * (high(1) - low(1));
            if (side > 0) inside = !inside;
        }
    return inside;
}

double polygon_area(const std::vector<core::MatrixD>& rings) {
    double area = 0;
    for (std::size_t r = 0; r < rings.size(); ++r) area += (r == 0 ? 1 : -1) * ring_area(rings[r]);
    return area;
}

}  // namespace smeta::spatial

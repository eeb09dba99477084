#include "smeta/spatial/hex_grid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace smeta::spatial {

namespace {

struct Interval {
    double low = std::numeric_limits<double>::infinity();
    double high = -std::numeric_limits<double>::infinity();

    void add(double value) {
        low = std::min(low, value);
        high = std::max(high, value);
    }
};

/// x of a convex polygon at `y`; empty beyond it.
Interval width_at(const Polygon& area, double y) {
    Interval width;
    for (std::size_t i = 0; i < area.size(); ++i) {
        const Corner& a = area[i];
        const Corner& b = area[(i + 1) % area.size()];
        if (a[1] == y) width.add(a[0]);
        if ((a[1] < y && b[1] > y) || (a[1] > y && b[1] < y))
            width.add(a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]));
    }
    return width;
}

/// First of as many steps as fit, in the middle.
double start(const Interval& extent, double step) {
    const double steps = std::floor((extent.high - extent.low) / step);
    return extent.low + 0.5 * (extent.high - extent.low - steps * step);
}

}  // namespace

HexGrid hex_grid(const Polygon& area, double pitch) {
    Interval x;
    Interval y;
    for (const Corner& corner : area) {
        x.add(corner[0]);
        y.add(corner[1]);
    }
    const double height = pitch * std::numbers::sqrt3 / 2;
    const double x0 = start(x, pitch);
    const double y0 = start(y, height);
    HexGrid grid;
    std::vector<double> places;
    for (std::int64_t row = 0; y0 + static_cast<double>(row) * height <= y.high; ++row) {
        const double at = y0 + static_cast<double>(row) * height;
        const double first = x0 + (row % 2 == 0 ? 0.0 : 0.5 * pitch);
        const Interval width = width_at(area, at);
        if (width.low > width.high) continue;
        const auto last = static_cast<std::int64_t>(std::floor((width.high - first) / pitch));
        for (auto c = static_cast<std::int64_t>(std::ceil((width.low - first) / pitch)); c <= last;
             ++c) {
            places.insert(places.end(), {first + static_cast<double>(c) * pitch, at});
            grid.array.row.push_back(row);
            // From -1 on shifted rows: a whole pitch more keeps columns at or above 0.
            grid.array.column.push_back(2 * (c + 1) + row % 2);
        }
    }
    grid.points = Eigen::Map<const core::MatrixD>(places.data(),
                                                  static_cast<Eigen::Index>(places.size() / 2), 2);
    return grid;
}

Polygon hex_cell(double pitch) {
    Polygon cell;
    for (int k = 0; k < 6; ++k) {
        const double angle = (2 * k + 1) * std::numbers::pi / 6;
        cell.push_back({pitch / std::numbers::sqrt3 * std::cos(angle),
                        pitch / std::numbers::sqrt3 * std::sin(angle)});
    }
    return cell;
}

}  // namespace smeta::spatial

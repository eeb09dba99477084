#include "smeta/align/section_raster.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Eigenvalues>
#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/spatial/knn.hpp"

#include "alpha_shape.hpp"
#include "distance_transform.hpp"

namespace smeta::align {

namespace {

constexpr std::int64_t kFewestPoints = 20;
constexpr double kSmallestPiece = 0.02;  // of the largest piece's area
constexpr double kMargin = 0.15;         // of the longer side, on every side

struct Spacing {
    double pitch = 0;
    double closing = 0;  ///< radius of the discs
};

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// On a lattice the nearest neighbour is a pitch away; scattered cells have gaps.
Spacing spacing(const core::MatrixD& points) {
    constexpr std::int64_t kSample = 20000;
    const spatial::PointIndex index(points);
    const std::int64_t step = std::max<std::int64_t>(1, points.rows() / kSample);
    std::vector<double> first;
    std::vector<double> sixth;
    for (std::int64_t r = 0; r < points.rows(); r += step) {
        const auto near = index.nearest({points.row(r).data(), 2}, 7, r);
        first.push_back(near.front().distance);
        sixth.push_back(near[std::min<std::size_t>(5, near.size() - 1)].distance);
    }
    const double nearest = median(first);
    const double pitch = std::max(nearest, median(sixth) / std::sqrt(2.0));
    const bool lattice = nearest > 0.8 * pitch;
    return {pitch, (lattice ? 0.8 : 1.5) * pitch};
}

void refuse_line(const core::MatrixD& points, const std::string& what) {
    const core::MatrixD centred = points.rowwise() - points.colwise().mean();
    const Eigen::Matrix2d moments = centred.transpose() * centred;
    const Eigen::SelfAdjointEigenSolver<Eigen::Matrix2d> axes(moments);
    if (!(axes.eigenvalues()[0] > 1e-4 * axes.eigenvalues()[1]))
        throw core::ConfigError(fmt::format(
            "{}: its {} points lie on one line or on one place: a section to be aligned must cover "
            "an area; check that x and y are both coordinates",
            what, points.rows()));
}

RasterGrid grid_around(const core::MatrixD& points, std::int64_t cells) {
    const Eigen::RowVector2d low = points.colwise().minCoeff();
    const Eigen::RowVector2d high = points.colwise().maxCoeff();
    const double side = (high - low).maxCoeff();
    RasterGrid grid;
    grid.cell = side / static_cast<double>(cells);
    const double margin = kMargin * side;
    grid.x0 = low[0] - margin;
    grid.y0 = low[1] - margin;
    grid.nx = static_cast<std::int64_t>(std::ceil((high[0] - low[0] + 2 * margin) / grid.cell)) + 1;
    grid.ny = static_cast<std::int64_t>(std::ceil((high[1] - low[1] + 2 * margin) / grid.cell)) + 1;
    return grid;
}

/// Connected pieces (4 neighbours) of the cells that have a value.
struct Pieces {
    std::vector<std::int32_t> number;  ///< of each cell, -1 for those with another value
    std::vector<std::int64_t> sizes;

    std::int64_t size_at(std::int64_t cell) const { return sizes[number[cell]]; }
};

Pieces connected_pieces(const std::vector<std::uint8_t>& set, std::uint8_t value,
                        const RasterGrid& grid) {
    Pieces pieces{std::vector<std::int32_t>(set.size(), -1), {}};
    std::vector<std::int64_t> stack;
    for (std::int64_t start = 0; start < grid.size(); ++start) {
        if (set[start] != value || pieces.number[start] >= 0) continue;
        const auto number = static_cast<std::int32_t>(pieces.sizes.size());
        pieces.sizes.push_back(0);
        stack.assign(1, start);
        pieces.number[start] = number;
        while (!stack.empty()) {
            const std::int64_t cell = stack.back();
            stack.pop_back();
            ++pieces.sizes.back();
            const auto visit = [&](std::int64_t next) {
                if (set[next] != value || pieces.number[next] >= 0) return;
                pieces.number[next] = number;
                stack.push_back(next);
            };
            const std::int64_t i = cell % grid.nx;
            if (i > 0) visit(cell - 1);
            if (i + 1 < grid.nx) visit(cell + 1);
            if (cell >= grid.nx) visit(cell - grid.nx);
            if (cell + grid.nx < grid.size()) visit(cell + grid.nx);
        }
    }
    return pieces;
}

/// Clears pieces that are small beside the largest and fills gaps that a few missing points leave:
/// `gap` cells at most.
void clean(std::vector<std::uint8_t>& set, const RasterGrid& grid, double gap) {
    const Pieces tissue = connected_pieces(set, 1, grid);
    if (tissue.sizes.empty()) return;
    const auto largest =
        static_cast<double>(*std::max_element(tissue.sizes.begin(), tissue.sizes.end()));
    for (std::int64_t c = 0; c < grid.size(); ++c)
        if (set[c] && static_cast<double>(tissue.size_at(c)) < kSmallestPiece * largest) set[c] = 0;
    const Pieces gaps = connected_pieces(set, 0, grid);
    for (std::int64_t c = 0; c < grid.size(); ++c)
        if (!set[c] && static_cast<double>(gaps.size_at(c)) <= gap) set[c] = 1;
}

/// Cells within `radius` of a point, by the exact distance.
std::vector<std::uint8_t> discs(const core::MatrixD& points, const RasterGrid& grid,
                                double radius) {
    std::vector<std::uint8_t> set(grid.size(), 0);
    const auto reach = static_cast<std::int64_t>(std::ceil(radius / grid.cell));
    for (std::int64_t r = 0; r < points.rows(); ++r) {
        const auto i = static_cast<std::int64_t>(std::lround((points(r, 0) - grid.x0) / grid.cell));
        const auto j = static_cast<std::int64_t>(std::lround((points(r, 1) - grid.y0) / grid.cell));
        set[j * grid.nx + i] = 1;
        for (std::int64_t b = std::max<std::int64_t>(0, j - reach);
             b <= std::min(grid.ny - 1, j + reach); ++b)
            for (std::int64_t a = std::max<std::int64_t>(0, i - reach);
                 a <= std::min(grid.nx - 1, i + reach); ++a)
                if (std::hypot(grid.x(a) - points(r, 0), grid.y(b) - points(r, 1)) <= radius)
                    set[b * grid.nx + a] = 1;
    }
    return set;
}

void find_tissue(SectionRaster& raster, const core::MatrixD& points, double closing) {
    const RasterGrid& grid = raster.grid;
    std::vector<std::uint8_t> set = discs(points, grid, closing);
    // What the discs leave open of one missing point, or of two or three beside each other.
    clean(set, grid, raster.pitch * raster.pitch / (grid.cell * grid.cell));
    std::vector<std::uint8_t> outside(set.size());
    for (std::size_t c = 0; c < set.size(); ++c) outside[c] = set[c] == 0;
    const std::vector<float> in = detail::distance_to(outside, grid.nx, grid.ny);
    const std::vector<float> out = detail::distance_to(set, grid.nx, grid.ny);
    const double shrink = closing - 0.5 * raster.pitch;
    raster.distance.resize(set.size());
    double cells = 0;
    for (std::int64_t c = 0; c < grid.size(); ++c) {
        // Between the centres of a cell inside and one outside lies the outline.
        const double signed_cells = set[c] ? in[c] - 0.5 : 0.5 - out[c];
        const double distance = signed_cells * grid.cell - shrink;
        raster.distance[c] = static_cast<float>(distance);
        if (distance <= 0) continue;
        ++cells;
        raster.centre[0] += grid.x(c % grid.nx);
        raster.centre[1] += grid.y(c / grid.nx);
    }
    raster.centre[0] /= std::max(cells, 1.0);
    raster.centre[1] /= std::max(cells, 1.0);
    raster.area = cells * grid.cell * grid.cell;
    raster.length = std::sqrt(raster.area);
}

/// Alpha as in SpatialMETA, in hundredths of the extent along x: 1, 2, ... until the shape is not
/// empty. But no less than a pitch and a bit: else every point that a lattice lacks leaves a hole,
/// and of a coarse one nothing but such holes.
core::MatrixD border(const core::MatrixD& points, double pitch) {
    constexpr double kLeastAlpha = 1.2;  // pitches
    const double unit = (points.col(0).maxCoeff() - points.col(0).minCoeff()) / 100;
    const double first = unit * std::max(1.0, std::ceil(kLeastAlpha * pitch / unit));
    return detail::border_points(points, detail::alpha_shape(points, first, unit));
}

}  // namespace

SectionRaster rasterise(const core::MatrixD& points, const RasterOptions& options,
                        const std::string& what) {
    core::check(points.cols() == 2, "points have x and y");
    if (!points.allFinite())
        throw core::ConfigError(fmt::format("{}: a coordinate is not a finite number", what));
    if (points.rows() < kFewestPoints)
        throw core::ConfigError(fmt::format(
            "{}: {} points are too few to find how sections lie on each other (at least {}); give "
            "the transform (align.method = given) or use identity",
            what, points.rows(), kFewestPoints));
    refuse_line(points, what);
    const Spacing space = spacing(points);
    if (!(space.pitch > 0))
        throw core::ConfigError(fmt::format(
            "{}: most points lie on top of each other: coordinates repeat; check the columns",
            what));
    SectionRaster raster;
    raster.points = points.rows();
    raster.pitch = space.pitch;
    raster.grid = grid_around(points, options.cells);
    find_tissue(raster, points, space.closing);
    if (options.outline == Outline::AlphaShape) raster.border = border(points, space.pitch);
    if (!(raster.area > 0))
        throw core::ConfigError(
            fmt::format("{}: its points leave no connected tissue; they are scattered", what));
    return raster;
}

core::MatrixD outline(const SectionRaster& raster) {
    const RasterGrid& grid = raster.grid;
    std::vector<double> segments;
    for (std::int64_t j = 0; j + 1 < grid.ny; ++j)
        for (std::int64_t i = 0; i + 1 < grid.nx; ++i) {
            // Around the square; the outline crosses an even number of its sides.
            const std::array<std::array<std::int64_t, 2>, 5> corner{
                {{i, j}, {i + 1, j}, {i + 1, j + 1}, {i, j + 1}, {i, j}}};
            std::vector<double> crossings;
            for (int k = 0; k < 4; ++k) {
                const double a = raster.distance[corner[k][1] * grid.nx + corner[k][0]];
                const double b = raster.distance[corner[k + 1][1] * grid.nx + corner[k + 1][0]];
                if ((a > 0) == (b > 0)) continue;
                const double share = a / (a - b);
                const auto between = [&](double from, double to) {
                    return from + share * (to - from);
                };
                crossings.push_back(between(grid.x(corner[k][0]), grid.x(corner[k + 1][0])));
                crossings.push_back(between(grid.y(corner[k][1]), grid.y(corner[k + 1][1])));
            }
            segments.insert(segments.end(), crossings.begin(), crossings.end());
        }
    return Eigen::Map<core::MatrixD>(segments.data(),
                                     static_cast<Eigen::Index>(segments.size() / 4), 4);
}

}  // namespace smeta::align

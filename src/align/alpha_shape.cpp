#include "alpha_shape.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <boost/polygon/voronoi.hpp>

#include "smeta/core/error.hpp"

namespace smeta::align::detail {

namespace {

using Site = boost::polygon::point_data<std::int32_t>;
using Diagram = boost::polygon::voronoi_diagram<double>;

constexpr double kSteps = 1 << 30;  // of the longer side: the diagram is exact on integers

/// Points on a lattice so fine that no distance changes visibly.
struct Sites {
    std::vector<Site> places;        ///< no two alike
    std::vector<std::int64_t> rows;  ///< that they come from
    double unit = 1;                 ///< length of a step
};

Sites sites_of(const core::MatrixD& points) {
    const Eigen::RowVector2d low = points.colwise().minCoeff();
    Sites sites;
    sites.unit = (points.rowwise() - low).maxCoeff() / kSteps;
    core::check(sites.unit > 0, "points span an area");
    std::vector<Site> all(points.rows());
    for (Eigen::Index r = 0; r < points.rows(); ++r)
        all[r] = Site(static_cast<std::int32_t>(std::lround((points(r, 0) - low[0]) / sites.unit)),
                      static_cast<std::int32_t>(std::lround((points(r, 1) - low[1]) / sites.unit)));
    std::vector<std::int64_t> order(all.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return all[a] < all[b]; });
    for (const std::int64_t row : order) {
        if (!sites.places.empty() && sites.places.back() == all[row]) continue;
        sites.places.push_back(all[row]);
        sites.rows.push_back(row);
    }
    return sites;
}

/// A Delaunay edge, and the circumradii of the triangles on its sides (infinite where none is).
struct Edge {
    std::array<std::int64_t, 2> rows;
    std::array<double, 2> radius;
};

/// The dual of the Voronoi diagram: sites whose cells share an edge are joined, and each end of
/// that edge is the circumcentre of the triangle (or polygon, of points on one circle) there.
std::vector<Edge> delaunay_edges(const Sites& sites) {
    Diagram diagram;
    boost::polygon::construct_voronoi(sites.places.begin(), sites.places.end(), &diagram);
    std::vector<Edge> edges;
    for (const Diagram::edge_type& edge : diagram.edges()) {
        const std::size_t a = edge.cell()->source_index();
        const std::size_t b = edge.twin()->cell()->source_index();
        if (a > b) continue;
        const auto radius = [&](const Diagram::vertex_type* centre) {
            if (centre == nullptr) return std::numeric_limits<double>::infinity();
            return sites.unit *
                   std::hypot(centre->x() - sites.places[a].x(), centre->y() - sites.places[a].y());
        };
        edges.push_back(
            {{std::min(sites.rows[a], sites.rows[b]), std::max(sites.rows[a], sites.rows[b])},
             {radius(edge.vertex0()), radius(edge.vertex1())}});
    }
    std::sort(edges.begin(), edges.end(),
              [](const Edge& a, const Edge& b) { return a.rows < b.rows; });
    return edges;
}

}  // namespace

AlphaShape alpha_shape(const core::MatrixD& points, double first, double step) {
    core::check(first > 0 && step > 0, "alpha and its step are above 0");
    const std::vector<Edge> edges = delaunay_edges(sites_of(points));
    double least = std::numeric_limits<double>::infinity();
    for (const Edge& edge : edges) least = std::min({least, edge.radius[0], edge.radius[1]});
    core::check(std::isfinite(least), "points are not on a line");
    AlphaShape shape;
    shape.alpha = first;
    while (shape.alpha <= least) shape.alpha += step;
    for (const Edge& edge : edges)
        if ((edge.radius[0] < shape.alpha) != (edge.radius[1] < shape.alpha))
            shape.edges.push_back(edge.rows);
    return shape;
}

core::MatrixD border_points(const core::MatrixD& points, const AlphaShape& shape) {
    std::vector<std::int64_t> rows;
    for (const auto& edge : shape.edges) rows.insert(rows.end(), edge.begin(), edge.end());
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    core::MatrixD found(static_cast<Eigen::Index>(rows.size()), 2);
    for (std::size_t r = 0; r < rows.size(); ++r)
        found.row(static_cast<Eigen::Index>(r)) = points.row(rows[r]);
    return found;
}

}  // namespace smeta::align::detail

#include "smeta/spatial/polygon_overlap.hpp"

#include <algorithm>
#include <cmath>

namespace smeta::spatial {

namespace {

double cross(const Corner& a, const Corner& b) {
    return a[0] * b[1] - a[1] * b[0];
}

double dot(const Corner& a, const Corner& b) {
    return a[0] * b[0] + a[1] * b[1];
}

Corner minus(const Corner& a, const Corner& b) {
    return {a[0] - b[0], a[1] - b[1]};
}

/// a + t (b - a).
Corner between(const Corner& a, const Corner& b, double t) {
    return {a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])};
}

/// Above 0 to the left of the way from a to b.
double side(const Corner& a, const Corner& b, const Corner& p) {
    return cross(minus(b, a), minus(p, a));
}

double sector(const Corner& a, const Corner& b, double radius) {
    return 0.5 * radius * radius * std::atan2(cross(a, b), dot(a, b));
}

/// Of the triangle from the centre (the origin) over the edge a to b: what lies in the disc.
double edge_part(const Corner& a, const Corner& b, double radius) {
    const Corner d = minus(b, a);
    const double length2 = dot(d, d);
    if (!(length2 > 0)) return 0;
    const double along = dot(a, d);
    const double root2 = along * along - length2 * (dot(a, a) - radius * radius);
    if (!(root2 > 0)) return sector(a, b, radius);
    const double root = std::sqrt(root2);
    const double enters = (-along - root) / length2;
    const double leaves = (-along + root) / length2;
    if (leaves <= 0 || enters >= 1) return sector(a, b, radius);
    const Corner p = enters > 0 ? between(a, b, enters) : a;
    const Corner q = leaves < 1 ? between(a, b, leaves) : b;
    double area = 0.5 * cross(p, q);
    if (enters > 0) area += sector(a, p, radius);
    if (leaves < 1) area += sector(q, b, radius);
    return area;
}

}  // namespace

double signed_area(std::span<const Corner> polygon) {
    double twice = 0;
    // From the first corner: coordinates of images are large beside a small polygon.
    for (std::size_t i = 1; i + 1 < polygon.size(); ++i)
        twice += side(polygon[0], polygon[i], polygon[i + 1]);
    return twice / 2;
}

Polygon convex_hull(const Eigen::Ref<const core::MatrixD>& points) {
    Polygon sorted;
    for (Eigen::Index i = 0; i < points.rows(); ++i) sorted.push_back({points(i, 0), points(i, 1)});
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    if (sorted.size() < 3) return sorted;
    // Andrew's monotone chain: the lower side to the right, then the upper one back.
    Polygon hull;
    const auto add = [&hull](const Corner& p, std::size_t fixed) {
        while (hull.size() > fixed && side(hull[hull.size() - 2], hull.back(), p) <= 0)
            hull.pop_back();
        hull.push_back(p);
    };
    for (const Corner& p : sorted) add(p, 1);
    const std::size_t lower = hull.size();
    for (auto p = sorted.rbegin() + 1; p != sorted.rend(); ++p) add(*p, lower);
    hull.pop_back();
    return hull;
}

Polygon clip(std::span<const Corner> polygon, std::span<const Corner> window) {
    Polygon left(polygon.begin(), polygon.end());
    for (std::size_t w = 0; w < window.size(); ++w) {
        const Corner& from = window[w];
        const Corner& to = window[(w + 1) % window.size()];
        Polygon next;
        for (std::size_t i = 0; i < left.size(); ++i) {
            const Corner& a = left[i];
            const Corner& b = left[(i + 1) % left.size()];
            const double here = side(from, to, a);
            const double there = side(from, to, b);
            if (here >= 0) next.push_back(a);
            if ((here > 0 && there < 0) || (here < 0 && there > 0))
                next.push_back(between(a, b, here / (here - there)));
        }
        left = std::move(next);
    }
    return left;
}

double disc_overlap(std::span<const Corner> polygon, const Corner& centre, double radius) {
    double area = 0;
    for (std::size_t i = 0; i < polygon.size(); ++i)
        area += edge_part(minus(polygon[i], centre),
                          minus(polygon[(i + 1) % polygon.size()], centre), radius);
    return area;
}

}  // namespace smeta::spatial

#include "smeta/report/network_figures.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "colour.hpp"
#include "svg.hpp"

namespace smeta::report {
namespace {

constexpr double kTop = 46;
constexpr double kCharacter = 6.1;  // width of one at size 11
constexpr double kSmallestEdge = 0.1;
constexpr std::size_t kEdges = 5;

double label_width(const std::vector<std::string>& names) {
    std::size_t longest = 0;
    for (const auto& name : names) longest = std::max(longest, name.size());
    return kCharacter * static_cast<double>(longest) + 14;
}

void add_title(Svg& svg, const std::string& title) {
    svg.text(8, 18, title, {.size = 13, .weight = Weight::Bold});
}

/// Colours from -extent to extent beside a heat map.
void add_scale(Svg& svg, Point corner, double extent) {
    constexpr int kSteps = 60;
    constexpr double kHeight = 150;
    for (int i = 0; i < kSteps; ++i)
        svg.rectangle(corner.x, corner.y + kHeight * i / kSteps, 12, kHeight / kSteps + 0.5,
                      to_hex(diverging(1 - (i + 0.5) / kSteps)));
    svg.text(corner.x + 18, corner.y + 8, fmt::format("{:.3g}", extent));
    svg.text(corner.x + 18, corner.y + kHeight / 2 + 4, "0");
    svg.text(corner.x + 18, corner.y + kHeight, fmt::format("{:.3g}", -extent));
    svg.text(corner.x, corner.y + kHeight + 20, "z", {.colour = "muted"});
}

/// Pairs that network_svg joins.
std::set<std::pair<std::size_t, std::size_t>> edges_of(const ClusterMatrix& proximity) {
    std::set<std::pair<std::size_t, std::size_t>> edges;
    const std::size_t count = proximity.clusters.size();
    for (std::size_t a = 0; a < count; ++a) {
        std::vector<std::pair<double, std::size_t>> others;
        for (std::size_t b = 0; b < count; ++b)
            if (b != a && proximity.at(a, b) >= kSmallestEdge)
                others.emplace_back(-proximity.at(a, b), b);
        std::sort(others.begin(), others.end());
        for (std::size_t e = 0; e < std::min(others.size(), kEdges); ++e)
            edges.emplace(std::min(a, others[e].second), std::max(a, others[e].second));
    }
    return edges;
}

}  // namespace

std::string enrichment_svg(const std::string& id, const std::string& title,
                           const ClusterMatrix& z) {
    const std::size_t count = z.clusters.size();
    const double cell =
        std::clamp(420.0 / static_cast<double>(std::max<std::size_t>(count, 1)), 16.0, 46.0);
    double extent = 0;
    for (const double value : z.values)
        if (std::isfinite(value)) extent = std::max(extent, std::abs(value));
    const double left = label_width(z.clusters);
    const double side = cell * static_cast<double>(count);
    Svg svg(id, std::max(left + side + 90, 16 + 8.0 * static_cast<double>(title.size())),
            kTop + std::max(side, 190.0) + left, title,
            fmt::format("z-scores of edges between {} clusters against shuffled labels.", count));
    add_title(svg, title);
    for (std::size_t a = 0; a < count; ++a) {
        const double middle = cell * (static_cast<double>(a) + 0.5);
        svg.text(left - 6, kTop + middle + 4, z.clusters[a], {.anchor = Anchor::End});
        svg.text(left + middle + 4, kTop + side + 10, z.clusters[a],
                 {.anchor = Anchor::End, .rotate = -60});
        for (std::size_t b = 0; b < count; ++b) {
            const double value = z.at(a, b);
            const bool is_known = std::isfinite(value);
            const auto colour = is_known && extent > 0 ? diverging(0.5 + value / extent / 2)
                                                       : Colour{224, 224, 224};
            const double x = left + cell * static_cast<double>(b);
            const double y = kTop + cell * static_cast<double>(a);
            svg.rectangle(
                x, y, cell - 1, cell - 1, to_hex(colour),
                fmt::format("{} next to {}: z {:.2f}", z.clusters[a], z.clusters[b], value));
            if (is_known && cell >= 30)
                svg.text(
                    x + cell / 2, y + cell / 2 + 4, fmt::format("{:.0f}", std::round(value) + 0.0),
                    {.size = 10, .anchor = Anchor::Middle, .colour = to_hex(label_on(colour))});
        }
    }
    add_scale(svg, {left + side + 20, kTop}, extent);
    return svg.file();
}

std::string network_svg(const std::string& id, const std::string& title,
                        const ClusterMatrix& proximity, const std::vector<std::int64_t>& spots) {
    constexpr double kSize = 520;
    constexpr double kCircle = 180;
    const std::size_t count = proximity.clusters.size();
    Svg svg(id, kSize, kSize + kTop, title,
            fmt::format("{} clusters on a circle, joined to their nearest in space.", count));
    add_title(svg, title);
    const auto place = [&](std::size_t c, double radius) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(c) /
                                 static_cast<double>(std::max<std::size_t>(count, 1)) -
                             std::numbers::pi / 2;
        return Point{kSize / 2 + radius * std::cos(angle),
                     kTop + kSize / 2 + radius * std::sin(angle)};
    };
    for (const auto& [a, b] : edges_of(proximity))
        svg.line(place(a, kCircle), place(b, kCircle), "#9aa0a6", 0.5 + 7 * proximity.at(a, b));
    double most = 1;
    for (const auto s : spots) most = std::max(most, static_cast<double>(s));
    for (std::size_t c = 0; c < count; ++c) {
        if (spots[c] == 0) continue;
        const double radius = 6 + 20 * std::sqrt(static_cast<double>(spots[c]) / most);
        svg.circle(place(c, kCircle), radius, to_hex(cluster_colour(static_cast<int>(c))));
        const auto label = place(c, kCircle + radius + 14);
        svg.text(label.x, label.y + 4, proximity.clusters[c],
                 {.size = 12, .anchor = Anchor::Middle, .weight = Weight::Bold});
    }
    svg.text(8, kTop + kSize - 8,
             "Area: spots. Lines: the five nearest clusters, the wider the nearer.",
             {.colour = "muted"});
    return svg.file();
}

std::string contribution_svg(const std::string& id, const std::string& title,
                             const ContributionBars& bars) {
    constexpr double kRow = 20;
    constexpr double kPanel = 260;
    std::set<std::string> modalities;
    double low = INFINITY;
    double high = -INFINITY;
    for (const auto& box : bars.boxes) {
        modalities.insert(box.modality);
        low = std::min(low, box.lower);
        high = std::max(high, box.upper);
    }
    if (!(high > low)) {
        low -= 0.5;
        high += 0.5;
    }
    const double left = label_width(bars.clusters);
    const double height = kRow * static_cast<double>(bars.clusters.size());
    Svg svg(id,
            std::max(left + (kPanel + 24) * static_cast<double>(modalities.size()),
                     16 + 8.0 * static_cast<double>(title.size())),
            kTop + height + 58, title,
            fmt::format("Median and quartiles of the contribution of {} modalities in {} clusters.",
                        modalities.size(), bars.clusters.size()));
    add_title(svg, title);
    for (std::size_t c = 0; c < bars.clusters.size(); ++c)
        svg.text(left - 6, kTop + kRow * (static_cast<double>(c) + 0.5) + 14, bars.clusters[c],
                 {.anchor = Anchor::End});
    double start = left;
    for (const auto& modality : modalities) {
        const auto at = [&](double value) { return start + kPanel * (value - low) / (high - low); };
        svg.text(start + kPanel / 2, kTop, modality,
                 {.size = 12, .anchor = Anchor::Middle, .weight = Weight::Bold});
        for (const double tick : ticks(low, high, 4)) {
            if (tick < low || tick > high) continue;
            svg.line({at(tick), kTop + 8}, {at(tick), kTop + 12 + height});
            svg.text(at(tick), kTop + height + 28, fmt::format("{:g}", tick),
                     {.anchor = Anchor::Middle, .colour = "muted"});
        }
        for (const auto& box : bars.boxes) {
            if (box.modality != modality) continue;
            const double y = kTop + 10 + kRow * (box.cluster + 0.5);
            svg.rectangle(at(box.lower), y - 6, std::max(at(box.upper) - at(box.lower), 1.0), 12,
                          to_hex(cluster_colour(box.cluster)),
                          fmt::format("{}: {:.3f} ({:.3f} to {:.3f})", bars.clusters[box.cluster],
                                      box.median, box.lower, box.upper));
            svg.line({at(box.median), y - 6}, {at(box.median), y + 6}, "ink", 1.6);
        }
        start += kPanel + 24;
    }
    svg.text(left, kTop + height + 48, "Bar: quartiles; line: median.", {.colour = "muted"});
    return svg.file();
}

}  // namespace smeta::report

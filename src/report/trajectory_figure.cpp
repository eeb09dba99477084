#include "smeta/report/trajectory_figure.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "colour.hpp"
#include "map_painter.hpp"
#include "svg.hpp"

namespace smeta::report {
namespace {

constexpr double kTop = 46;
constexpr double kMap = 380;
constexpr double kRow = 15;
constexpr double kHeatWidth = 320;
constexpr double kCharacter = 6.1;  // width of one at size 11
constexpr std::string_view kBand = "#cfe3f2";
constexpr std::string_view kCurve = "#0072b2";

struct Extent {
    double low;
    double high;
    double share(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

Extent extent_of(const std::vector<double>& values) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return {*low, *high};
}

/// Curves by the place of their peak.
std::vector<const PathCurve*> by_peak(const PathPanel& panel) {
    std::vector<const PathCurve*> curves;
    for (const auto& curve : panel.curves) curves.push_back(&curve);
    const auto peak = [](const PathCurve* curve) {
        return std::max_element(curve->value.begin(), curve->value.end()) - curve->value.begin();
    };
    std::stable_sort(curves.begin(), curves.end(),
                     [&](const auto* a, const auto* b) { return peak(a) < peak(b); });
    return curves;
}

double label_width(const PathFigure& figure) {
    std::size_t longest = 0;
    for (const auto& panel : figure.panels)
        for (const auto& curve : panel.curves) longest = std::max(longest, curve.name.size());
    return kCharacter * static_cast<double>(longest) + 10;
}

void draw_row(Svg& svg, const PathCurve& curve, Point corner) {
    const auto extent = extent_of(curve.value);
    io::Image strip{1, static_cast<std::int64_t>(curve.value.size()), 3, {}};
    for (const double value : curve.value) {
        const Colour c = viridis(extent.share(value));
        strip.values.insert(strip.values.end(), {c.red, c.green, c.blue});
    }
    svg.image(corner.x, corner.y, kHeatWidth, kRow - 1, strip);
    svg.text(corner.x + kHeatWidth + 6, corner.y + kRow - 4, curve.name);
}

/// Ticks of positions below a chart.
void draw_axis(Svg& svg, const PathFigure& figure, Point corner, double width, int count) {
    const auto marks = ticks(figure.first, figure.last, count);
    const double step = marks.size() > 1 ? marks[1] - marks[0] : 1;
    const Extent extent{figure.first, figure.last};
    for (const double mark : marks) {
        const double x = corner.x + extent.share(mark) * width;
        svg.line({x, corner.y}, {x, corner.y + 4}, "muted");
        svg.text(x, corner.y + 15, tick_label(mark, step),
                 {.size = 10, .anchor = Anchor::Middle, .colour = "muted"});
    }
}

std::string axis_label(const PathFigure& figure) {
    return fmt::format("position along the path ({})", figure.unit);
}

void draw_section(Svg& svg, const PathFigure& figure, const Box& box) {
    const MapPainter painter(figure.map);
    const Extent extent{figure.first, figure.last};
    painter.draw(
        svg, box,
        [&](std::int64_t spot) {
            const double along = figure.along[spot];
            return std::isnan(along) ? Colour{0xE4, 0xE4, 0xE4} : viridis(extent.share(along));
        },
        ScaleBar::Drawn);
    std::vector<Point> points;
    for (Eigen::Index v = 0; v < figure.line.rows(); ++v)
        points.push_back(painter.at(box, figure.line(v, 0), figure.line(v, 1)));
    svg.polyline(points, "#ffffff", 5);
    svg.polyline(points, "#d55e00", 2.5);
    svg.circle(points.front(), 5, "#d55e00");
    svg.circle(points.front(), 2.5, "#ffffff");
}

/// Colours of positions below the section.
void draw_position_bar(Svg& svg, const PathFigure& figure, Point corner) {
    io::Image strip{1, 128, 3, {}};
    for (int i = 0; i < 128; ++i) {
        const Colour c = viridis(i / 127.0);
        strip.values.insert(strip.values.end(), {c.red, c.green, c.blue});
    }
    constexpr double kWidth = 220;
    svg.image(corner.x, corner.y, kWidth, 9, strip);
    draw_axis(svg, figure, {corner.x, corner.y + 9}, kWidth, 3);
    svg.text(corner.x, corner.y + 38, axis_label(figure) + ", from the ring",
             {.size = 10, .colour = "muted"});
}

void draw_chart(Svg& svg, const PathFigure& figure, const PathCurve& curve, const Box& box) {
    std::vector<double> ends;
    for (std::size_t p = 0; p < curve.value.size(); ++p) {
        ends.push_back(curve.value[p] - curve.half_width[p]);
        ends.push_back(curve.value[p] + curve.half_width[p]);
    }
    const auto extent = extent_of(ends);
    const auto at = [&](std::size_t p, double value) {
        return Point{box.x + box.width * static_cast<double>(p) /
                                 static_cast<double>(curve.value.size() - 1),
                     box.y + box.height * (1 - extent.share(value))};
    };
    std::vector<Point> band;
    std::vector<Point> line;
    for (std::size_t p = 0; p < curve.value.size(); ++p) {
        band.push_back(at(p, curve.value[p] + curve.half_width[p]));
        line.push_back(at(p, curve.value[p]));
    }
    for (std::size_t p = curve.value.size(); p-- > 0;)
        band.push_back(at(p, curve.value[p] - curve.half_width[p]));
    svg.polygon(band, kBand);
    svg.polyline(line, kCurve, 1.8);
    svg.line({box.x, box.y + box.height}, {box.x + box.width, box.y + box.height}, "muted", 0.8);
    svg.line({box.x, box.y}, {box.x, box.y + box.height}, "muted", 0.8);
    svg.text(box.x + box.width / 2, box.y - 6, curve.name,
             {.anchor = Anchor::Middle, .weight = Weight::Bold});
    const auto marks = ticks(extent.low, extent.high, 3);
    const double step = marks.size() > 1 ? marks[1] - marks[0] : 1;
    for (const double mark : marks) {
        if (mark < extent.low || mark > extent.high) continue;
        const double y = box.y + box.height * (1 - extent.share(mark));
        svg.line({box.x - 3, y}, {box.x, y}, "muted", 0.8);
        svg.text(box.x - 6, y + 3.5, tick_label(mark, step),
                 {.size = 10, .anchor = Anchor::End, .colour = "muted"});
    }
    draw_axis(svg, figure, {box.x, box.y + box.height}, box.width, 3);
}

}  // namespace

std::string path_heat_svg(const PathFigure& figure) {
    const double left = kMap + 60;
    double height = kTop;
    for (const auto& panel : figure.panels)
        if (!panel.curves.empty()) height += 26 + kRow * static_cast<double>(panel.curves.size());
    const double map_height = kMap * std::min(MapPainter(figure.map).aspect(), 1.25);
    Svg svg(figure.id, left + kHeatWidth + label_width(figure) + 16,
            std::max(height + 64, kTop + map_height + kScaleBarHeight + 66), figure.title,
            "A section with a path, its spots coloured by position, and features along it.");
    svg.text(8, 18, figure.title, {.size = 13, .weight = Weight::Bold});
    draw_section(svg, figure, {8, kTop, kMap, map_height});
    draw_position_bar(svg, figure, {8, kTop + map_height + kScaleBarHeight + 12});
    double y = kTop;
    for (const auto& panel : figure.panels) {
        if (panel.curves.empty()) continue;
        svg.text(left, y, panel.title, {.size = 12, .weight = Weight::Bold});
        y += 8;
        for (const auto* curve : by_peak(panel)) {
            draw_row(svg, *curve, {left, y});
            y += kRow;
        }
        y += 18;
    }
    draw_axis(svg, figure, {left, y - 16}, kHeatWidth, 5);
    svg.text(left + kHeatWidth / 2, y + 16, axis_label(figure),
             {.anchor = Anchor::Middle, .colour = "muted"});
    svg.text(left + kHeatWidth / 2, y + 32, "colour: each row from its lowest to its highest value",
             {.size = 10, .anchor = Anchor::Middle, .colour = "muted"});
    return svg.file();
}

std::string path_curves_svg(const PathFigure& figure, std::size_t most) {
    constexpr double kChart = 190;
    constexpr double kHigh = 110;
    constexpr double kGapX = 62;
    constexpr double kGapY = 58;
    constexpr std::size_t kColumns = 4;
    double y = kTop;
    Svg svg(figure.id + "_curves", 8 + (kChart + kGapX) * kColumns, kTop, figure.title,
            "Smoothed values of features along a path with confidence bands.");
    svg.text(8, 18, figure.title, {.size = 13, .weight = Weight::Bold});
    for (const auto& panel : figure.panels) {
        const auto count = std::min(most, panel.curves.size());
        if (count == 0) continue;
        svg.text(8, y, panel.title, {.size = 12, .weight = Weight::Bold});
        for (std::size_t c = 0; c < count; ++c)
            draw_chart(
                svg, figure, panel.curves[c],
                {kGapX - 10 + (kChart + kGapX) * static_cast<double>(c % kColumns),
                 y + 30 + (kHigh + kGapY) * static_cast<double>(c / kColumns), kChart, kHigh});
        y += 30 + (kHigh + kGapY) * static_cast<double>((count + kColumns - 1) / kColumns);
    }
    svg.text(8, y, axis_label(figure) + "; band: 95 % confidence of the curve, place by place",
             {.colour = "muted"});
    svg.set_height(y + 16);
    return svg.file();
}

}  // namespace smeta::report

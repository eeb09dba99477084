#include "smeta/report/dot_plot.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "colour.hpp"
#include "svg.hpp"

namespace smeta::report {
namespace {

constexpr double kRow = 17;
constexpr double kColumn = 22;
constexpr double kRadius = 7.6;
constexpr double kCharacter = 6.1;  // width of one at size 11
constexpr double kGap = 28;
constexpr double kLegend = 150;
constexpr double kTitle = 44;

template <class Items, class Text>
std::size_t longest(const Items& items, const Text& text) {
    std::size_t length = 0;
    for (const auto& item : items) length = std::max(length, text(item).size());
    return length;
}

double label_width(const DotPlotPanel& panel) {
    return 22 + kCharacter * static_cast<double>(
                                 longest(panel.features, [](const auto& f) { return f.name; }));
}

double panel_width(const DotPlot& plot, const DotPlotPanel& panel) {
    return label_width(panel) + kColumn * static_cast<double>(plot.groups.size());
}

/// The values between which colours run; the figure's largest, or the feature's range.
struct Limits {
    double low = INFINITY;
    double high = -INFINITY;
    void add(const std::vector<double>& values) {
        for (const double value : values) {
            if (std::isnan(value)) continue;
            low = std::min(low, value);
            high = std::max(high, value);
        }
    }
    double share(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

Limits limits_of(const DotPlot& plot, const DotPlotFeature& feature) {
    if (plot.scale == ColourScale::Signed) return {-1, 1};
    Limits limits;
    if (plot.scale == ColourScale::Feature) {
        limits.add(feature.colour);
        return limits;
    }
    for (const auto& panel : plot.panels)
        for (const auto& other : panel.features) limits.add(other.colour);
    limits.low = 0;
    return limits;
}

Colour colour_at(const DotPlot& plot, double t) {
    return plot.scale == ColourScale::Signed ? diverging(t) : viridis(t);
}

void draw_feature(Svg& svg, const DotPlot& plot, const DotPlotFeature& feature, Point origin) {
    svg.text(origin.x - 14, origin.y + 4, feature.name, {.anchor = Anchor::End});
    svg.rectangle(origin.x - 10, origin.y - kRow / 2, 4, kRow,
                  to_hex(cluster_colour(plot.colours[feature.marks])),
                  fmt::format("marks {}", plot.groups[feature.marks]));
    const auto limits = limits_of(plot, feature);
    for (std::size_t g = 0; g < plot.groups.size(); ++g)
        if (!std::isnan(feature.colour[g]) && feature.size[g] > 0)
            svg.circle({origin.x + kColumn * (static_cast<double>(g) + 0.5), origin.y},
                       kRadius * std::sqrt(std::min(feature.size[g], 1.0)),
                       to_hex(colour_at(plot, limits.share(feature.colour[g]))));
}

void draw_panel(Svg& svg, const DotPlot& plot, const DotPlotPanel& panel, Point corner) {
    const double left = corner.x + label_width(panel);
    const double width = kColumn * static_cast<double>(plot.groups.size());
    svg.text(left + width / 2, 36, panel.title,
             {.size = 12, .anchor = Anchor::Middle, .weight = Weight::Bold});
    for (std::size_t g = 0; g < plot.groups.size(); ++g)
        svg.text(left + kColumn * (static_cast<double>(g) + 0.5) + 4, corner.y - 8, plot.groups[g],
                 {.rotate = -50});
    for (std::size_t f = 0; f < panel.features.size(); ++f) {
        const double y = corner.y + kRow * (static_cast<double>(f) + 0.5);
        if (f == 0 || panel.features[f].marks != panel.features[f - 1].marks)
            svg.line({left, y - kRow / 2}, {left + width, y - kRow / 2}, "line", 0.7);
        draw_feature(svg, plot, panel.features[f], {left, y});
    }
    const double bottom = corner.y + kRow * static_cast<double>(panel.features.size());
    svg.line({left, bottom}, {left + width, bottom}, "line", 0.7);
}

void draw_legend(Svg& svg, const DotPlot& plot, Point corner) {
    svg.text(corner.x, corner.y, plot.size_label, {.colour = "muted"});
    double y = corner.y + 18;
    for (const int percent : {25, 50, 75, 100}) {
        svg.circle({corner.x + 10, y}, kRadius * std::sqrt(percent / 100.0), "#5f6368");
        svg.text(corner.x + 26, y + 4, fmt::format("{} %", percent));
        y += kRow;
    }
    y += 16;
    Limits limits;
    for (const auto& panel : plot.panels)
        for (const auto& feature : panel.features) limits.add(feature.colour);
    const bool is_shared = plot.scale == ColourScale::Figure;
    const bool is_signed = plot.scale == ColourScale::Signed;
    svg.text(corner.x, y, plot.colour_label, {.colour = "muted"});
    constexpr int kSteps = 40;
    for (int i = 0; i < kSteps; ++i)
        svg.rectangle(corner.x + 3.0 * i, y + 8, 3.2, 10,
                      to_hex(colour_at(plot, (i + 0.5) / static_cast<double>(kSteps))));
    svg.text(corner.x, y + 31, is_signed ? "-1" : is_shared ? "0" : "lowest", {.size = 10});
    svg.text(corner.x + 3.0 * kSteps, y + 31,
             is_signed   ? std::string("1")
             : is_shared ? fmt::format("{:.3g}", limits.high)
                         : std::string("highest"),
             {.size = 10, .anchor = Anchor::End});
}

}  // namespace

std::string dot_plot_svg(const DotPlot& plot) {
    std::vector<const DotPlotPanel*> panels;
    for (const auto& panel : plot.panels)
        if (!panel.features.empty()) panels.push_back(&panel);
    double width = 16 + kLegend;
    std::size_t rows = 10;  // what the legend needs
    for (const auto* panel : panels) {
        width += panel_width(plot, *panel) + kGap;
        rows = std::max(rows, panel->features.size());
    }
    // Names lie above their columns at 50 degrees.
    const double reach = kCharacter * static_cast<double>(longest(
                                          plot.groups, [](const auto& name) { return name; }));
    const double top = kTitle + 14 + reach * 0.77;
    width += std::max(0.0, reach * 0.65 - kLegend);
    Svg svg(plot.id, std::max(width, 16 + 8.0 * static_cast<double>(plot.title.size())),
            top + kRow * static_cast<double>(rows) + 14, plot.title,
            fmt::format("Dots for the best of each of {} groups; size: {}, colour: {}.",
                        plot.groups.size(), plot.size_label, plot.colour_label));
    svg.text(8, 16, plot.title, {.size = 13, .weight = Weight::Bold});
    if (panels.empty())
        svg.text(8, 36, "Nothing is significant in any group.", {.colour = "muted"});
    double x = 8;
    for (const auto* panel : panels) {
        draw_panel(svg, plot, *panel, {x, top});
        x += panel_width(plot, *panel) + kGap;
    }
    if (!panels.empty()) draw_legend(svg, plot, {x + 4, top + 8});
    return svg.file();
}

}  // namespace smeta::report

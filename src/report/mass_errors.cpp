#include "smeta/report/mass_errors.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "svg.hpp"

namespace smeta::report {
namespace {

constexpr int kBins = 30;
constexpr double kLeft = 56;
constexpr double kTop = 52;
constexpr double kWidth = 420;
constexpr double kHeight = 220;
constexpr double kBarLeft = 660;
constexpr double kBarWidth = 220;
constexpr double kBarRow = 20;
constexpr std::string_view kBlue = "#0072b2";
constexpr std::string_view kOrange = "#d55e00";

std::vector<double> histogram(const std::vector<double>& errors, double ppm, double weight) {
    std::vector<double> counts(kBins, 0.0);
    for (const double error : errors) {
        const double place = (error + ppm) / (2 * ppm) * kBins;
        counts[std::clamp(static_cast<int>(place), 0, kBins - 1)] += weight;
    }
    return counts;
}

void draw_histogram(Svg& svg, const MassErrors& data) {
    const auto targets = histogram(data.candidates, data.ppm, 1);
    const auto decoys = histogram(data.decoys, data.ppm, 1 / data.draws);
    double high = 1;
    for (int b = 0; b < kBins; ++b) high = std::max({high, targets[b], decoys[b]});
    const double bottom = kTop + kHeight;
    const auto marks = ticks(0, high, 4);
    const double step = marks.size() > 1 ? marks[1] - marks[0] : 1;
    for (const double mark : marks) {
        const double y = bottom - mark / high * kHeight;
        svg.line({kLeft, y}, {kLeft + kWidth, y}, "line", 0.5);
        svg.text(kLeft - 6, y + 3.5, tick_label(mark, step), {.size = 10, .anchor = Anchor::End});
    }
    const double bin = kWidth / kBins;
    std::vector<Point> outline;
    for (int b = 0; b < kBins; ++b) {
        const double x = kLeft + b * bin;
        const double height = targets[b] / high * kHeight;
        svg.rectangle(x + 0.5, bottom - height, bin - 1, height, kBlue,
                      fmt::format("{:g} candidates, {:.2f} decoys", targets[b], decoys[b]));
        outline.push_back({x, bottom - decoys[b] / high * kHeight});
        outline.push_back({x + bin, outline.back().y});
    }
    svg.polyline(outline, kOrange, 1.8);
    svg.line({kLeft, bottom}, {kLeft + kWidth, bottom}, "muted");
    for (const double mark : ticks(-data.ppm, data.ppm, 5)) {
        const double x = kLeft + (mark + data.ppm) / (2 * data.ppm) * kWidth;
        svg.line({x, bottom}, {x, bottom + 4}, "muted");
        svg.text(x, bottom + 16, fmt::format("{:g}", mark), {.size = 10, .anchor = Anchor::Middle});
    }
    svg.text(kLeft + kWidth / 2, bottom + 33, "mass error, ppm",
             {.anchor = Anchor::Middle, .colour = "muted"});
    svg.rectangle(kLeft + 4, kTop - 20, 11, 11, kBlue);
    svg.text(kLeft + 20, kTop - 10, "candidates");
    svg.polyline({{kLeft + 110, kTop - 14}, {kLeft + 130, kTop - 14}}, kOrange, 1.8);
    svg.text(kLeft + 136, kTop - 10, "decoys, mean of the draws");
}

void draw_adducts(Svg& svg, const MassErrors& data) {
    std::int64_t high = 1;
    for (const auto& bar : data.adducts) high = std::max(high, bar.features);
    svg.text(kBarLeft, kTop - 10, "m/z with a candidate, and FDR of the candidates");
    for (std::size_t a = 0; a < data.adducts.size(); ++a) {
        const auto& bar = data.adducts[a];
        const double y = kTop + kBarRow * static_cast<double>(a);
        const double width =
            static_cast<double>(bar.features) / static_cast<double>(high) * kBarWidth;
        svg.text(kBarLeft - 8, y + 14, bar.name, {.anchor = Anchor::End});
        svg.rectangle(kBarLeft, y + 3, width, kBarRow - 6, kBlue);
        svg.text(kBarLeft + width + 6, y + 14,
                 bar.features == 0 ? std::string("none")
                                   : fmt::format("{}, {:.0f} %", bar.features, 100 * bar.fdr),
                 {.size = 10.5});
    }
}

}  // namespace

std::string mass_errors_svg(const MassErrors& data) {
    const double rows = kTop + kBarRow * static_cast<double>(data.adducts.size()) + 16;
    Svg svg(data.id, kBarLeft + kBarWidth + 100, std::max(kTop + kHeight + 48, rows), data.title,
            fmt::format("Histogram of the mass errors of {} candidates beside those of decoys, and "
                        "a bar for each of {} adducts.",
                        data.candidates.size(), data.adducts.size()));
    svg.text(8, 18, data.title, {.size = 13, .weight = Weight::Bold});
    draw_histogram(svg, data);
    draw_adducts(svg, data);
    return svg.file();
}

}  // namespace smeta::report

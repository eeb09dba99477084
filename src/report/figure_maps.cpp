#include <algorithm>
#include <cmath>
#include <memory>

#include <fmt/format.h>

#include "smeta/report/section_figure.hpp"

#include "figures.hpp"
#include "map_painter.hpp"

namespace smeta::report {
namespace {

constexpr double kPageWidth = 1000;
constexpr double kGap = 18;
constexpr double kTitleHeight = 22;
constexpr double kLegendRow = 20;

/// Equal cells for the sections of one figure.
struct Grid {
    std::size_t columns = 1;
    double cell_width = 0;
    double map_height = 0;
    double cell_height = 0;  ///< title, map, scale bar and gap
    std::size_t rows = 1;

    Box map_box(std::size_t index) const {
        return {static_cast<double>(index % columns) * (cell_width + kGap),
                static_cast<double>(index / columns) * cell_height + kTitleHeight, cell_width,
                map_height};
    }
    double height() const { return static_cast<double>(rows) * cell_height; }
};

Grid grid_for(const std::vector<std::unique_ptr<MapPainter>>& painters) {
    Grid grid;
    const std::size_t count = painters.size();
    grid.columns = std::min<std::size_t>(count, count == 3 ? 3 : count > 4 ? 4 : 2);
    grid.rows = (count + grid.columns - 1) / grid.columns;
    const double full = (kPageWidth - kGap * static_cast<double>(grid.columns - 1)) /
                        static_cast<double>(grid.columns);
    grid.cell_width = std::min(full, 460.0);
    double aspect = 0.3;
    for (const auto& painter : painters) aspect = std::max(aspect, painter->aspect());
    grid.map_height = grid.cell_width * std::min(aspect, 1.25);
    grid.cell_height = kTitleHeight + grid.map_height + kScaleBarHeight + kGap;
    return grid;
}

double log_value(float value) {
    return std::log1p(std::max(0.0, double{value}));
}

struct MapFigure {
    std::string id;
    std::string title;
    std::string description;
    std::function<Colour(const SampleMap&, std::int64_t)> colour;
    /// Draws over the section of one position in the list of samples; may be empty.
    std::function<void(Svg&, std::size_t, const MapPainter&, const Box&)> overlay = {};
};

/// Draws the maps of `samples` and leaves `legend_height` below them.
Svg draw_maps(const MapFigure& figure, const std::vector<const SampleMap*>& samples,
              double legend_height) {
    std::vector<std::unique_ptr<MapPainter>> painters;
    for (const auto* sample : samples) painters.push_back(std::make_unique<MapPainter>(*sample));
    const Grid grid = grid_for(painters);
    Svg svg(figure.id, kPageWidth, grid.height() + legend_height, figure.title, figure.description);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const Box box = grid.map_box(i);
        svg.text(box.x, box.y - 8, samples[i]->name, {.size = 12, .weight = Weight::Bold});
        svg.text(box.x + box.width, box.y - 8,
                 fmt::format("{} \u00b7 {} spots", samples[i]->cohort, samples[i]->spots()),
                 {.size = 10, .anchor = Anchor::End, .colour = "muted"});
        painters[i]->draw(
            svg, box, [&](std::int64_t spot) { return figure.colour(*samples[i], spot); },
            ScaleBar::Drawn);
        if (figure.overlay) figure.overlay(svg, i, *painters[i], box);
    }
    return svg;
}

/// The samples that satisfy `shown`, cut into figures.
std::vector<std::vector<const SampleMap*>> pages(
    const ReportData& data, const std::function<bool(const SampleMap&)>& shown) {
    std::vector<std::vector<const SampleMap*>> result;
    for (const auto& map : data.maps) {
        if (!shown(map) || map.spots() == 0) continue;
        if (result.empty() || result.back().size() == kMapsPerFigure) result.emplace_back();
        result.back().push_back(&map);
    }
    return result;
}

std::string numbered(const std::string& name, std::size_t page, std::size_t pages_in_all) {
    return pages_in_all == 1 ? name : fmt::format("{}_{}", name, page + 1);
}

double cluster_legend(Svg* svg, double y, std::int32_t clusters) {
    constexpr double kEntry = 44;
    constexpr double kLabel = 60;
    const auto per_row = static_cast<std::int32_t>((kPageWidth - kLabel) / kEntry);
    for (std::int32_t c = 0; c < clusters && svg != nullptr; ++c) {
        const double x = kLabel + kEntry * (c % per_row);
        const double top = y + kLegendRow * (c / per_row);
        svg->rectangle(x, top, 12, 12, to_hex(cluster_colour(c)));
        svg->text(x + 17, top + 10, std::to_string(c));
    }
    if (svg != nullptr) svg->text(0, y + 10, "Cluster", {.weight = Weight::Bold});
    return kLegendRow * ((clusters + per_row - 1) / per_row);
}

/// Names in rows of the page's width; the height. Draws nothing without `svg`.
double names_legend(Svg* svg, double top, const std::vector<LegendEntry>& entries) {
    constexpr double kCharacter = 6.4;
    double x = 0;
    double y = top;
    for (const auto& entry : entries) {
        const double width = 34 + kCharacter * static_cast<double>(entry.name.size());
        if (x > 0 && x + width > kPageWidth) {
            x = 0;
            y += kLegendRow;
        }
        if (svg != nullptr) {
            svg->rectangle(x, y, 12, 12, to_hex(cluster_colour(entry.colour)));
            svg->text(x + 17, y + 10, entry.name);
        }
        x += width;
    }
    return y - top + kLegendRow;
}

/// A horizontal colour bar with ticks; `colour` maps 0 ... 1.
void colour_bar(Svg& svg, const Box& box, double low, double high,
                const std::function<Colour(double)>& colour) {
    io::Image strip{1, 128, 3, {}};
    for (int i = 0; i < 128; ++i) {
        const Colour c = colour(i / 127.0);
        strip.values.insert(strip.values.end(), {c.red, c.green, c.blue});
    }
    svg.image(box.x, box.y, box.width, box.height, strip);
    const auto marks = ticks(low, high, 4);
    const double step = marks.size() > 1 ? marks[1] - marks[0] : 1;
    for (const double mark : marks) {
        const double x = box.x + (mark - low) / (high - low) * box.width;
        svg.line({x, box.y + box.height}, {x, box.y + box.height + 4}, "muted");
        svg.text(x, box.y + box.height + 14, tick_label(mark, step),
                 {.size = 10, .anchor = Anchor::Middle});
    }
}

/// The modality whose contribution is shown, and what stands against it.
struct ContributionAxis {
    std::string shown;
    std::string other;  ///< empty with more than two modalities
};

ContributionAxis contribution_axis(const ReportData& data) {
    for (const auto& map : data.maps) {
        if (map.contribution.size() < 2) continue;
        if (map.contribution.size() > 2) return {map.contribution.begin()->first, ""};
        if (map.contribution.count("st") != 0 && map.contribution.count("sm") != 0)
            return {"st", "sm"};
        return {map.contribution.begin()->first, map.contribution.rbegin()->first};
    }
    return {};
}

/// Half width of the colour range about `centre`: 99 % of the spots lie inside.
double contribution_range(const ReportData& data, const std::string& modality, double centre) {
    std::vector<double> distance;
    for (const auto& map : data.maps)
        if (const auto found = map.contribution.find(modality); found != map.contribution.end())
            for (const double value : found->second)
                if (!std::isnan(value)) distance.push_back(std::abs(value - centre));
    if (distance.empty()) return 0.1;
    const auto at = distance.begin() +
                    static_cast<std::ptrdiff_t>(0.99 * static_cast<double>(distance.size() - 1));
    std::nth_element(distance.begin(), at, distance.end());
    return std::max(*at, 0.02);
}

}  // namespace

std::vector<Figure> cluster_figures(const ReportData& data) {
    const auto clusters = data.clusters();
    const auto all = pages(data, [](const SampleMap& map) { return !map.cluster.empty(); });
    std::vector<Figure> result;
    for (std::size_t p = 0; p < all.size(); ++p) {
        const double legend = cluster_legend(nullptr, 0, clusters);
        MapFigure figure{
            numbered("spatial_clusters", p, all.size()), "Clusters in space",
            fmt::format("{} tissue sections, every spot in the colour of its cluster; {} clusters.",
                        all[p].size(), clusters),
            [](const SampleMap& map, std::int64_t i) { return cluster_colour(map.cluster[i]); }};
        Svg svg = draw_maps(figure, all[p], legend);
        cluster_legend(&svg, svg.height() - legend, clusters);
        result.push_back({std::move(svg),
                          "Spots in tissue coordinates, coloured by Leiden cluster of the "
                          "integrated latent space. Clusters are shared by all samples and "
                          "numbered by size, 0 the largest."});
    }
    return result;
}

std::vector<Figure> contribution_figures(const ReportData& data) {
    const auto axis = contribution_axis(data);
    if (axis.shown.empty()) return {};
    const bool is_balance = !axis.other.empty();
    const double centre = is_balance ? 0.5 : 1.0 / 3;
    const double range = contribution_range(data, axis.shown, centre);
    const auto all =
        pages(data, [&](const SampleMap& map) { return map.contribution.count(axis.shown) != 0; });
    std::vector<Figure> result;
    for (std::size_t p = 0; p < all.size(); ++p) {
        MapFigure figure{numbered("spatial_contribution", p, all.size()),
                         "Modality contribution in space",
                         fmt::format("{} tissue sections, every spot coloured by the contribution "
                                     "of {} to its latent position.",
                                     all[p].size(), modality_label(axis.shown)),
                         [&](const SampleMap& map, std::int64_t i) {
                             const double value = map.contribution.at(axis.shown)[i];
                             return diverging((value - centre) / range / 2 + 0.5);
                         }};
        constexpr double kLegend = 40;
        Svg svg = draw_maps(figure, all[p], kLegend);
        const double y = svg.height() - kLegend;
        svg.text(0, y + 9, fmt::format("Contribution of {}", modality_label(axis.shown)),
                 {.weight = Weight::Bold});
        const Box bar{300, y, 300, 10};
        colour_bar(svg, bar, centre - range, centre + range, diverging);
        if (is_balance) {
            svg.text(bar.x - 10, y + 9, "more " + modality_label(axis.other),
                     {.size = 10, .anchor = Anchor::End, .colour = "muted"});
            svg.text(bar.x + bar.width + 10, y + 9, "more " + modality_label(axis.shown),
                     {.size = 10, .colour = "muted"});
        }
        result.push_back({std::move(svg),
                          "How close the joint latent position of a spot lies to that of one "
                          "modality alone, by angle; at the neutral colour all modalities weigh "
                          "the same. The range covers 99 % of the spots."});
    }
    return result;
}

std::string section_figure_svg(const SectionFigure& figure) {
    std::vector<const SampleMap*> samples;
    for (const auto& panel : figure.panels) samples.push_back(&panel.map);
    const auto overlay = [&](Svg& svg, std::size_t index, const MapPainter& painter,
                             const Box& box) {
        for (const auto& line : figure.panels[index].lines) {
            std::vector<Point> points;
            for (Eigen::Index v = 0; v < line.rows(); ++v)
                points.push_back(painter.at(box, line(v, 0), line(v, 1)));
            svg.polyline(points, "#ffffff", 4);
            svg.polyline(points, "ink", 1.6);
        }
    };
    const MapFigure maps{
        figure.id, figure.title,
        fmt::format("{} tissue sections, every spot in the colour of its group.", samples.size()),
        [](const SampleMap& map, std::int64_t i) { return cluster_colour(map.cluster[i]); },
        overlay};
    const double legend = names_legend(nullptr, 0, figure.legend);
    Svg svg = draw_maps(maps, samples, legend);
    names_legend(&svg, svg.height() - legend, figure.legend);
    return svg.file();
}

std::vector<Figure> feature_figures(const ReportData& data) {
    std::vector<Figure> result;
    for (const auto& map : data.maps) {
        if (map.features.empty() || map.spots() == 0) continue;
        const MapPainter painter(map);
        constexpr double kLabel = 26;
        constexpr double kHead = 38;
        constexpr double kInnerGap = 10;
        const auto columns = map.features.size();
        const double width =
            std::min((kPageWidth - kLabel - kInnerGap * static_cast<double>(columns - 1)) /
                         static_cast<double>(columns),
                     240.0);
        const double height = width * std::clamp(painter.aspect(), 0.3, 1.4);
        Svg svg("reconstruction_" + map.name, kPageWidth, kHead + 2 * height + 58,
                fmt::format("Measured and reconstructed features of {}", map.name),
                "Two rows of maps: measured values above, the model's reconstruction below, one "
                "column a feature.");
        for (int row = 0; row < 2; ++row)
            svg.text(12, kHead + (height + 6) * row + height / 2,
                     row == 0 ? "Measured" : "Reconstructed",
                     {.anchor = Anchor::Middle, .weight = Weight::Bold, .rotate = -90});
        for (std::size_t c = 0; c < columns; ++c) {
            const auto& feature = map.features[c];
            const double x = kLabel + static_cast<double>(c) * (width + kInnerGap);
            auto sorted = feature.measured;
            std::sort(sorted.begin(), sorted.end());
            const double top = log_value(
                sorted[static_cast<std::size_t>(0.99 * static_cast<double>(sorted.size() - 1))]);
            const double limit = top > 0 ? top : std::max(log_value(sorted.back()), 1e-6);
            svg.text(x, 12, feature.name, {.size = 11, .weight = Weight::Bold});
            const auto r = correlation(feature.measured, feature.reconstructed);
            svg.text(x, 27,
                     modality_label(feature.modality) +
                         (r ? fmt::format(" \u00b7 r = {:.2f}", *r) : std::string()),
                     {.size = 10, .colour = "muted"});
            for (int row = 0; row < 2; ++row) {
                const auto& values = row == 0 ? feature.measured : feature.reconstructed;
                painter.draw(
                    svg, {x, kHead + (height + 6) * row, width, height},
                    [&](std::int64_t i) { return viridis(log_value(values[i]) / limit); },
                    row == 1 && c == 0 ? ScaleBar::Drawn : ScaleBar::Omitted);
            }
            colour_bar(svg, {x, kHead + 2 * height + 28, width * 0.8, 7}, 0, limit, viridis);
        }
        result.push_back(
            {std::move(svg),
             fmt::format("{}: the selected features that vary most in space, log(1 + value) with "
                         "values below 0 as 0, both rows of a column on one scale that ends at the "
                         "99th percentile of the measured values. r: Pearson correlation over "
                         "spots.",
                         map.name)});
    }
    return result;
}

}  // namespace smeta::report

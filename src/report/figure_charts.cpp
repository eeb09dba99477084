#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "colour.hpp"
#include "figures.hpp"

namespace smeta::report {
namespace {

constexpr double kPageWidth = 1000;
constexpr std::string_view kBlue = "#0072b2";
constexpr std::string_view kOrange = "#e69f00";

struct LossTerm {
    std::string key;
    std::string label;
};

/// Terms in reading order: total, reconstruction, reconstruction from one modality alone, KL, MMD.
std::vector<LossTerm> loss_terms(const std::vector<EpochMetrics>& metrics) {
    std::vector<LossTerm> first;
    std::vector<LossTerm> alone;
    std::vector<LossTerm> last;
    for (const auto& [key, value] : metrics.back().loss) {
        if (key == "total" || key == "kl" || key == "mmd") continue;
        const auto cut = key.rfind("_corr");
        if (cut != std::string::npos && cut + 5 == key.size())
            alone.push_back({key, "From one modality: " + modality_label(key.substr(0, cut))});
        else
            first.push_back({key, "Reconstruction: " + modality_label(key)});
    }
    std::vector<LossTerm> result{{"total", "Total (weighted)"}};
    result.insert(result.end(), first.begin(), first.end());
    result.insert(result.end(), alone.begin(), alone.end());
    if (metrics.back().loss.count("kl") != 0) result.push_back({"kl", "KL divergence"});
    if (metrics.back().loss.count("mmd") != 0) result.push_back({"mmd", "Batch distance (MMD)"});
    return result;
}

struct Curve {
    std::vector<double> epoch;
    std::vector<double> value;
};

Curve curve_of(const std::vector<EpochMetrics>& metrics, const std::string& key,
               std::map<std::string, double> EpochMetrics::*source) {
    Curve curve;
    for (const auto& row : metrics)
        if (const auto found = (row.*source).find(key);
            found != (row.*source).end() && std::isfinite(found->second)) {
            curve.epoch.push_back(static_cast<double>(row.epoch));
            curve.value.push_back(found->second);
        }
    return curve;
}

struct Axes {
    double left, top, width, height;
    double x_low, x_high, y_low, y_high;
    Point at(double x, double y) const {
        return {left + (x - x_low) / (x_high - x_low) * width,
                top + height - (y - y_low) / (y_high - y_low) * height};
    }
};

void draw_axes(Svg& svg, const Axes& axes, bool has_x_label) {
    const auto y_marks = ticks(axes.y_low, axes.y_high, 4);
    const double y_step = y_marks.size() > 1 ? y_marks[1] - y_marks[0] : 1;
    for (const double mark : y_marks) {
        const Point p = axes.at(axes.x_low, mark);
        svg.line(p, {p.x + axes.width, p.y}, "line", 0.5);
        svg.text(p.x - 6, p.y + 3.5, tick_label(mark, y_step), {.size = 10, .anchor = Anchor::End});
    }
    svg.line({axes.left, axes.top + axes.height}, {axes.left + axes.width, axes.top + axes.height},
             "muted");
    const auto x_marks = ticks(axes.x_low, axes.x_high, 4);
    const double x_step = x_marks.size() > 1 ? x_marks[1] - x_marks[0] : 1;
    for (const double mark : x_marks) {
        const Point p = axes.at(mark, axes.y_low);
        svg.line(p, {p.x, p.y + 4}, "muted");
        svg.text(p.x, p.y + 15, tick_label(mark, x_step), {.size = 10, .anchor = Anchor::Middle});
    }
    if (has_x_label)
        svg.text(axes.left + axes.width / 2, axes.top + axes.height + 30, "Epoch",
                 {.size = 10, .anchor = Anchor::Middle, .colour = "muted"});
}

void draw_curve(Svg& svg, const Axes& axes, const Curve& curve, std::string_view colour,
                std::string_view dash) {
    std::vector<Point> points;
    for (std::size_t i = 0; i < curve.value.size(); ++i)
        points.push_back(axes.at(curve.epoch[i], curve.value[i]));
    if (points.size() == 1)
        svg.circle(points[0], 2.5, colour);
    else
        svg.polyline(points, colour, 1.8, dash);
}

std::vector<std::int64_t> cluster_sizes(const SampleMap& map, std::int32_t clusters) {
    std::vector<std::int64_t> sizes(clusters, 0);
    for (const auto c : map.cluster)
        if (c >= 0) ++sizes[c];
    return sizes;
}

}  // namespace

std::string modality_label(const std::string& name) {
    if (name == "sm") return "metabolites";
    if (name == "st") return "genes";
    return name;
}

std::optional<double> correlation(const std::vector<float>& a, const std::vector<float>& b) {
    const auto n = static_cast<double>(a.size());
    double sum_a = 0, sum_b = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum_a += a[i];
        sum_b += b[i];
    }
    double aa = 0, bb = 0, ab = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double da = a[i] - sum_a / n;
        const double db = b[i] - sum_b / n;
        aa += da * da;
        bb += db * db;
        ab += da * db;
    }
    if (!(aa > 0) || !(bb > 0)) return std::nullopt;
    return ab / std::sqrt(aa * bb);
}

std::optional<Figure> loss_figure(const ReportData& data) {
    if (data.metrics.empty()) return std::nullopt;
    const auto terms = loss_terms(data.metrics);
    constexpr std::size_t kColumns = 4;
    constexpr double kCellWidth = kPageWidth / kColumns;
    constexpr double kCellHeight = 196;
    constexpr double kLeft = 50;
    const auto rows = (terms.size() + kColumns - 1) / kColumns;
    const bool has_validation = std::any_of(data.metrics.begin(), data.metrics.end(),
                                            [](const auto& m) { return !m.validation.empty(); });
    const double legend = has_validation ? 24 : 0;
    Svg svg("loss_curves", kPageWidth, static_cast<double>(rows) * kCellHeight + legend,
            "Loss over the epochs",
            fmt::format("{} small charts of the loss and its terms over {} epochs; the total falls "
                        "from {:.4g} to {:.4g}.",
                        terms.size(), data.metrics.size(), data.metrics.front().loss.at("total"),
                        data.metrics.back().loss.at("total")));
    for (std::size_t t = 0; t < terms.size(); ++t) {
        const auto train = curve_of(data.metrics, terms[t].key, &EpochMetrics::loss);
        const auto validation = curve_of(data.metrics, terms[t].key, &EpochMetrics::validation);
        if (train.value.empty()) continue;
        auto all = train.value;
        all.insert(all.end(), validation.value.begin(), validation.value.end());
        const auto [low, high] = std::minmax_element(all.begin(), all.end());
        const double pad = std::max((*high - *low) * 0.06, std::abs(*high) * 1e-3 + 1e-9);
        const double x = static_cast<double>(t % kColumns) * kCellWidth;
        const double y = static_cast<double>(t / kColumns) * kCellHeight;
        const Axes axes{x + kLeft,
                        y + 26,
                        kCellWidth - kLeft - 12,
                        kCellHeight - 26 - 44,
                        train.epoch.front() - (train.epoch.size() == 1 ? 0.5 : 0),
                        train.epoch.back() + (train.epoch.size() == 1 ? 0.5 : 0),
                        *low - pad,
                        *high + pad};
        svg.text(x + kLeft, y + 14, terms[t].label, {.size = 11.5, .weight = Weight::Bold});
        draw_axes(svg, axes, t + kColumns >= terms.size());
        draw_curve(svg, axes, train, kBlue, "");
        if (!validation.value.empty()) draw_curve(svg, axes, validation, kOrange, "5 3");
    }
    if (has_validation) {
        const double y = svg.height() - 8;
        svg.polyline({{kLeft, y}, {kLeft + 26, y}}, kBlue, 1.8);
        svg.text(kLeft + 32, y + 4, "training rows");
        svg.polyline({{kLeft + 130, y}, {kLeft + 156, y}}, kOrange, 1.8, "5 3");
        svg.text(kLeft + 162, y + 4, "validation rows");
    }
    return Figure{std::move(svg),
                  "Mean over the spots of each epoch. The total is weighted as trained; the other "
                  "terms are shown without their weights."};
}

std::optional<Figure> mixing_figure(const ReportData& data) {
    if (!data.mixing) return std::nullopt;
    struct Row {
        std::string label;
        std::string meaning;
        std::optional<double> before;
        std::optional<double> after;
    };
    const auto& mixing = *data.mixing;
    const std::vector<Row> rows{
        {"iLISI", "samples among the nearest 90 spots", mixing.before.ilisi, mixing.after.ilisi},
        {"Batch silhouette", "samples inseparable within clusters", mixing.before.batch_asw,
         mixing.after.batch_asw},
        {"Neighbour mixing", "other samples among the nearest 15", mixing.before.neighbor_mixing,
         mixing.after.neighbor_mixing}};
    constexpr double kLeft = 250;
    constexpr double kWidth = 560;
    constexpr double kRow = 62;
    Svg svg("batch_mixing", kPageWidth, 40 + kRow * static_cast<double>(rows.size()) + 36,
            "Batch mixing before and after integration",
            "Bars of three scores from 0 (samples apart) to 1 (samples mixed), before and after "
            "integration.");
    svg.rectangle(kLeft, 4, 12, 12, "#9aa0a6");
    svg.text(kLeft + 18, 14, "before (principal components)");
    svg.rectangle(kLeft + 210, 4, 12, 12, kBlue);
    svg.text(kLeft + 228, 14, "after (integrated latent)");
    const double bottom = 36 + kRow * static_cast<double>(rows.size());
    for (const double mark : ticks(0, 1, 5)) {
        const double x = kLeft + mark * kWidth;
        svg.line({x, 32}, {x, bottom}, "line", 0.5);
        svg.text(x, bottom + 15, tick_label(mark, 0.2), {.size = 10, .anchor = Anchor::Middle});
    }
    svg.text(kLeft, bottom + 31, "samples apart", {.size = 10, .colour = "muted"});
    svg.text(kLeft + kWidth, bottom + 31, "fully mixed",
             {.size = 10, .anchor = Anchor::End, .colour = "muted"});
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const double y = 40 + kRow * static_cast<double>(r);
        svg.text(kLeft - 14, y + 18, rows[r].label,
                 {.size = 12, .anchor = Anchor::End, .weight = Weight::Bold});
        svg.text(kLeft - 14, y + 33, rows[r].meaning,
                 {.size = 10, .anchor = Anchor::End, .colour = "muted"});
        const auto bar = [&](double top, const std::optional<double>& value,
                             std::string_view colour) {
            const bool is_defined = value && !std::isnan(*value);
            const double shown = is_defined ? std::clamp(*value, 0.0, 1.0) : 0;
            svg.rectangle(kLeft, top, shown * kWidth, 18, colour);
            svg.text(kLeft + shown * kWidth + 7, top + 13,
                     is_defined ? fmt::format("{:.2f}", *value) : std::string("not defined"));
        };
        bar(y + 3, rows[r].before, "#9aa0a6");
        bar(y + 25, rows[r].after, kBlue);
    }
    return Figure{
        std::move(svg),
        fmt::format("Scores of how well samples mix, 0 to 1, on {} spots: in the leading "
                    "principal components of the log-normalised selected features (every "
                    "modality scaled to the same variance), and in the integrated latent. "
                    "Tissue that only one sample has cannot mix, so 1 is not the aim for "
                    "every study.",
                    mixing.spots)};
}

std::optional<Figure> composition_figure(const ReportData& data) {
    const auto clusters = data.clusters();
    std::vector<const SampleMap*> samples;
    for (const auto& map : data.maps)
        if (!map.cluster.empty()) samples.push_back(&map);
    if (samples.empty() || clusters == 0) return std::nullopt;
    std::size_t longest = 0;
    for (const auto* map : samples) longest = std::max(longest, map->name.size());
    const double left = std::clamp(14 + 6.6 * static_cast<double>(longest), 70.0, 260.0);
    const double width = kPageWidth - left - 70;
    const double row = samples.size() > 40 ? 14 : 24;
    Svg svg("cluster_composition", kPageWidth, row * static_cast<double>(samples.size()) + 30,
            "Cluster composition of the samples",
            fmt::format("Stacked bars: the share of each of {} clusters in each of {} samples.",
                        clusters, samples.size()));
    for (std::size_t s = 0; s < samples.size(); ++s) {
        const double y = row * static_cast<double>(s);
        const auto sizes = cluster_sizes(*samples[s], clusters);
        std::int64_t total = 0;
        for (const auto size : sizes) total += size;
        svg.text(left - 10, y + row / 2 + 3, samples[s]->name, {.anchor = Anchor::End});
        double x = left;
        for (std::int32_t c = 0; c < clusters && total > 0; ++c) {
            const double share = static_cast<double>(sizes[c]) / static_cast<double>(total);
            const double part = share * width;
            if (sizes[c] == 0) continue;
            const Colour colour = cluster_colour(c);
            svg.rectangle(x, y + 2, std::max(part - 1, 0.4), row - 5, to_hex(colour),
                          fmt::format("{}, cluster {}: {} spots, {:.1f} %", samples[s]->name, c,
                                      sizes[c], 100 * share));
            if (part > 20 && row > 20)
                svg.text(x + (part - 1) / 2, y + row / 2 + 3, std::to_string(c),
                         {.size = 10,
                          .anchor = Anchor::Middle,
                          .colour = label_on(colour).red > 128 ? "#ffffff" : "#1a1a1a"});
            x += part;
        }
        svg.text(left + width + 8, y + row / 2 + 3, std::to_string(total),
                 {.size = 10, .colour = "muted"});
    }
    const double bottom = row * static_cast<double>(samples.size());
    for (const double mark : ticks(0, 1, 4)) {
        const double x = left + mark * width;
        svg.line({x, bottom}, {x, bottom + 4}, "muted");
        svg.text(x, bottom + 16, fmt::format("{:.0f} %", 100 * mark),
                 {.size = 10, .anchor = Anchor::Middle});
    }
    svg.text(left + width + 26, bottom + 16, "spots", {.size = 10, .colour = "muted"});
    return Figure{std::move(svg),
                  "Share of each cluster in each sample; numbers in the bars are the clusters."};
}

}  // namespace smeta::report

#include "smeta/report/score_figure.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "colour.hpp"
#include "svg.hpp"

namespace smeta::report {
namespace {

constexpr double kTop = 60;
constexpr double kRow = 26;
constexpr double kColumn = 46;
constexpr double kGroupGap = 12;
constexpr double kNames = 150;      // height of the rotated names below
constexpr double kCharacter = 6.6;  // width of one at size 12

}  // namespace

std::string score_svg(const ScoreFigure& figure) {
    std::size_t longest = 0;
    for (const auto& name : figure.embeddings) longest = std::max(longest, name.size());
    const double left = kCharacter * static_cast<double>(longest) + 20;
    const double height = kRow * static_cast<double>(figure.embeddings.size());
    std::vector<double> start;
    double x = left;
    for (std::size_t c = 0; c < figure.columns.size(); ++c) {
        if (c > 0 && figure.columns[c].group != figure.columns[c - 1].group) x += kGroupGap;
        start.push_back(x);
        x += kColumn;
    }
    Svg svg(figure.id, std::max(x + 20, 16 + 8.0 * static_cast<double>(figure.title.size())),
            kTop + height + kNames + 24, figure.title,
            fmt::format("{} scores of {} embeddings.", figure.columns.size(),
                        figure.embeddings.size()));
    svg.text(8, 18, figure.title, {.size = 13, .weight = Weight::Bold});
    for (std::size_t e = 0; e < figure.embeddings.size(); ++e)
        svg.text(left - 8, kTop + kRow * (static_cast<double>(e) + 0.5) + 4, figure.embeddings[e],
                 {.size = 12, .anchor = Anchor::End});
    for (std::size_t c = 0; c < figure.columns.size(); ++c) {
        const auto& column = figure.columns[c];
        if (c == 0 || column.group != figure.columns[c - 1].group)
            svg.text(start[c], kTop - 10, column.group, {.size = 12, .weight = Weight::Bold});
        svg.text(start[c] + kColumn / 2 + 4, kTop + height + 12,
                 column.name + (column.low_is_good ? " (low is good)" : ""),
                 {.anchor = Anchor::End, .rotate = -55});
        for (std::size_t e = 0; e < figure.embeddings.size(); ++e) {
            const double value = column.values[e];
            const double y = kTop + kRow * static_cast<double>(e);
            const bool is_known = std::isfinite(value);
            const auto colour =
                is_known ? viridis(column.low_is_good ? 1 - value : value) : Colour{230, 230, 230};
            svg.rectangle(
                start[c], y, kColumn - 2, kRow - 2, to_hex(colour),
                fmt::format("{} of {}: {:.4f}", column.name, figure.embeddings[e], value));
            const auto ink = to_hex(label_on(colour));
            svg.text(start[c] + kColumn / 2 - 1, y + kRow / 2 + 3,
                     is_known ? fmt::format("{:.2f}", value) : "\u2013",
                     {.anchor = Anchor::Middle, .colour = ink});
        }
    }
    svg.text(8, kTop + height + kNames + 16,
             "Raw values; colour from 0 (dark) to 1 (bright), 1 being good.", {.colour = "muted"});
    return svg.file();
}

}  // namespace smeta::report

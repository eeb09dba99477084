#include "smeta/report/communication_figure.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "colour.hpp"
#include "svg.hpp"

namespace smeta::report {
namespace {

constexpr double kSize = 430;
constexpr double kTop = 64;
constexpr double kRadius = 130;
constexpr double kNode = 15;
constexpr double kWidest = 9;
constexpr double kSmallest = 0.2;  // share of the strongest that is still drawn
constexpr int kSteps = 24;         // of a curve

/// One circle of groups within a square of the figure.
class CirclePainter {
  public:
    CirclePainter(Svg& svg, const SignalCircle& circle, double left, double most)
        : svg_(svg), circle_(circle), centre_{left + kSize / 2, kTop + kSize / 2}, most_(most) {}

    void draw() {
        const auto count = circle_.strength.clusters.size();
        svg_.text(centre_.x, kTop - 18, circle_.title,
                  {.size = 12, .anchor = Anchor::Middle, .weight = Weight::Bold});
        for (std::size_t a = 0; a < count; ++a)
            for (std::size_t b = 0; b < count; ++b)
                if (const double strength = circle_.strength.at(a, b);
                    strength >= kSmallest * most_) {
                    const double width = std::max(0.7, kWidest * strength / most_);
                    if (a == b)
                        draw_loop(a, width);
                    else
                        draw_arrow(a, b, width);
                }
        for (std::size_t g = 0; g < count; ++g) draw_node(g);
    }

  private:
    double angle(std::size_t group) const {
        return 2 * std::numbers::pi * static_cast<double>(group) /
                   static_cast<double>(circle_.strength.clusters.size()) -
               std::numbers::pi / 2;
    }
    Point place(std::size_t group, double radius) const {
        return {centre_.x + radius * std::cos(angle(group)),
                centre_.y + radius * std::sin(angle(group))};
    }
    static std::string colour(std::size_t group) {
        return to_hex(cluster_colour(static_cast<std::int32_t>(group)));
    }
    void draw_node(std::size_t group) {
        const auto colour = cluster_colour(static_cast<std::int32_t>(group));
        const auto at = place(group, kRadius);
        svg_.circle(at, kNode, to_hex(colour));
        const auto& name = circle_.strength.clusters[group];
        if (name.size() <= 2) {
            svg_.text(at.x, at.y + 4, name,
                      {.size = 12,
                       .anchor = Anchor::Middle,
                       .weight = Weight::Bold,
                       .colour = to_hex(label_on(colour))});
            return;
        }
        const auto label = place(group, kRadius + 44);
        const double side = std::cos(angle(group));
        svg_.text(label.x, label.y + 4, name,
                  {.anchor = side > 0.3    ? Anchor::Start
                             : side < -0.3 ? Anchor::End
                                           : Anchor::Middle});
    }
    /// A triangle that ends at `tip`, coming from `from`.
    void draw_head(Point tip, Point from, double width, std::size_t sender) {
        const double length = std::hypot(tip.x - from.x, tip.y - from.y);
        const double x = (tip.x - from.x) / length;
        const double y = (tip.y - from.y) / length;
        const double size = 5 + width;
        svg_.polygon({{tip.x, tip.y},
                      {tip.x - size * x - size / 2 * y, tip.y - size * y + size / 2 * x},
                      {tip.x - size * x + size / 2 * y, tip.y - size * y - size / 2 * x}},
                     colour(sender));
    }
    /// A bend to the left of the way, so that both directions are seen.
    void draw_arrow(std::size_t from, std::size_t to, double width) {
        const auto start = place(from, kRadius);
        const auto end = place(to, kRadius);
        const double bend = 0.16;
        const Point middle{(start.x + end.x) / 2 + bend * (end.y - start.y),
                           (start.y + end.y) / 2 - bend * (end.x - start.x)};
        const auto at = [&](double t) {
            const double s = 1 - t;
            return Point{s * s * start.x + 2 * s * t * middle.x + t * t * end.x,
                         s * s * start.y + 2 * s * t * middle.y + t * t * end.y};
        };
        const double way = std::hypot(end.x - start.x, end.y - start.y);
        const double last = 1 - (kNode + 1) / way;
        const double body = last - (4 + width) / way;
        std::vector<Point> points;
        for (int i = 0; i <= kSteps; ++i) points.push_back(at(body * i / kSteps));
        svg_.polyline(points, colour(from), width);
        draw_head(at(last), at(body), width, from);
    }
    void draw_loop(std::size_t group, double width) {
        constexpr double kLoop = 13;
        const auto centre = place(group, kRadius + kNode + kLoop - 4);
        std::vector<Point> points;
        for (int i = 0; i <= kSteps; ++i) {
            const double turn = 2 * std::numbers::pi * i / kSteps;
            points.push_back(
                {centre.x + kLoop * std::cos(turn), centre.y + kLoop * std::sin(turn)});
        }
        svg_.polyline(points, colour(group), std::min(width, 5.0));
    }

    Svg& svg_;
    const SignalCircle& circle_;
    Point centre_;
    double most_;
};

}  // namespace

std::string communication_svg(const std::string& id, const std::string& title,
                              const std::vector<SignalCircle>& circles, const std::string& unit) {
    const auto count = std::max<std::size_t>(circles.size(), 1);
    const std::string legend = fmt::format(
        "Arrows: {}, from a fifth of the widest on, in the sender's colour; loops: inside a group.",
        unit);
    Svg svg(
        id,
        std::max({kSize * static_cast<double>(count), 16 + 8.0 * static_cast<double>(title.size()),
                  16 + 6.0 * static_cast<double>(legend.size())}),
        kTop + kSize + 24, title,
        fmt::format("{} circles of groups with arrows from senders to receivers.", count));
    svg.text(8, 18, title, {.size = 13, .weight = Weight::Bold});
    double left = 0;
    for (const auto& circle : circles) {
        const auto& values = circle.strength.values;
        const double most = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
        CirclePainter(svg, circle, left, std::max(most, 1.0)).draw();
        svg.text(left + kSize / 2, kTop + kSize - 6, fmt::format("widest: {:g} {}", most, unit),
                 {.anchor = Anchor::Middle, .colour = "muted"});
        left += kSize;
    }
    svg.text(8, kTop + kSize + 16, legend, {.colour = "muted"});
    return svg.file();
}

}  // namespace smeta::report

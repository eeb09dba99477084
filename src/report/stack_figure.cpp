#include "smeta/report/stack_figure.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "smeta/io/atomic_file.hpp"

#include "colour.hpp"
#include "svg.hpp"

namespace smeta::report {

namespace {

constexpr double kPanel = 320;
constexpr double kGap = 20;
constexpr double kTop = 52;
constexpr double kRow = 18;     // of the legend
constexpr double kFlat = 0.4;   // height over width of a section that is seen from the side
constexpr double kStep = 0.45;  // of a section's flat height, from one to the next at least

struct Box {
    double left = std::numeric_limits<double>::infinity();
    double top = std::numeric_limits<double>::infinity();
    double side = 0;
};

Box box_of(const StackOutlines& stack) {
    Box box;
    double right = -box.left;
    double bottom = -box.top;
    for (const auto& section : stack.sections) {
        if (section.outline.rows() == 0) continue;
        for (const Eigen::Index end : {0, 2}) {
            box.left = std::min(box.left, section.outline.col(end).minCoeff());
            right = std::max(right, section.outline.col(end).maxCoeff());
            box.top = std::min(box.top, section.outline.col(end + 1).minCoeff());
            bottom = std::max(bottom, section.outline.col(end + 1).maxCoeff());
        }
    }
    box.side = std::max({right - box.left, bottom - box.top, 1e-300});
    return box;
}

/// Colour of a section: along z.
std::string colour_of(const StackOutlines& stack, std::size_t section) {
    const double last = static_cast<double>(std::max<std::size_t>(1, stack.sections.size() - 1));
    return to_hex(viridis(0.9 * static_cast<double>(section) / last));
}

/// Draws a section; `place` brings shares of the box (0 to 1) to the figure.
template <class Place>
void draw(Svg& svg, const core::MatrixD& outline, const Box& box, const std::string& colour,
          const Place& place) {
    std::vector<Point> ends;
    for (Eigen::Index r = 0; r < outline.rows(); ++r)
        for (const Eigen::Index end : {0, 2})
            ends.push_back(place((outline(r, end) - box.left) / box.side,
                                 (outline(r, end + 1) - box.top) / box.side));
    svg.segments(ends, colour, 1.3);
}

}  // namespace

void write_stack_figure(const StackOutlines& stack, const std::filesystem::path& out) {
    const auto& sections = stack.sections;
    const Box box = box_of(stack);
    const double flat = kFlat * kPanel;
    const double z0 = sections.empty() ? 0 : sections.front().z;
    const double rise = sections.empty() ? 0 : sections.back().z - z0;
    const double tall =
        kStep * flat * static_cast<double>(std::max<std::size_t>(1, sections.size()) - 1);
    const double height =
        kTop + std::max(kPanel, flat + tall) + kGap + kRow * static_cast<double>(sections.size());
    Svg svg("stack_" + stack.block, 3 * kGap + 2.1 * kPanel, height + kGap, "Block " + stack.block,
            "Outlines of serial sections in the frame of their block");
    svg.text(kGap, 20, "Block " + stack.block, {.size = 14});
    svg.text(kGap, 40, "from above", {.colour = "muted"});
    const double right = 2 * kGap + kPanel;
    svg.text(right, 40, "from the side, z not to scale", {.colour = "muted"});
    for (std::size_t s = 0; s < sections.size(); ++s) {
        const std::string colour = colour_of(stack, s);
        const double share = rise > 0 ? (sections[s].z - z0) / rise : 0;
        draw(svg, sections[s].outline, box, colour, [&](double x, double y) {
            return Point{kGap + kPanel * x, kTop + kPanel * y};
        });
        // A parallel projection: y goes back and to the right.
        draw(svg, sections[s].outline, box, colour, [&](double x, double y) {
            return Point{right + 0.85 * kPanel * x + 0.25 * kPanel * (1 - y),
                         kTop + tall * (1 - share) + flat * y};
        });
        const double row = height - kRow * static_cast<double>(s);
        svg.line({kGap, row - 4}, {kGap + 22, row - 4}, colour, 3);
        svg.text(kGap + 30, row,
                 fmt::format("{}, z = {:.6g} um", sections[s].sample, sections[s].z));
    }
    if (!stack.unit.empty())
        svg.text(right, height, fmt::format("the frame is {:.4g} {} wide", box.side, stack.unit),
                 {.colour = "muted"});
    io::write_atomically(out.string(), svg.file());
}

}  // namespace smeta::report

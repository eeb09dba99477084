#include "smeta/report/stack_figure.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "smeta/io/atomic_file.hpp"

#include "colour.hpp"
#include "figures.hpp"
#include "svg.hpp"

namespace smeta::report {

namespace {

constexpr double kPanel = 320;
constexpr double kGap = 20;
constexpr double kTop = 52;
constexpr double kRow = 18;    // of the legend
constexpr double kFlat = 0.4;  // height over width of a section that is seen from the side
constexpr Eigen::Index kMostSpots = 3000;  // of a section that are drawn
constexpr double kOutlineStep = 0.45;      // of a section's flat height, from one to the next
constexpr double kSpotStep = 0.9;          // likewise: spots hide what is below them

/// What all sections cover.
struct Box {
    double left = std::numeric_limits<double>::infinity();
    double top = std::numeric_limits<double>::infinity();
    double right = -left;
    double bottom = -top;

    template <class Column>
    void add(const Column& x, const Column& y) {
        if (x.size() == 0) return;
        left = std::min(left, x.minCoeff());
        right = std::max(right, x.maxCoeff());
        top = std::min(top, y.minCoeff());
        bottom = std::max(bottom, y.maxCoeff());
    }
    double side() const { return std::max({right - left, bottom - top, 1e-300}); }
    /// As shares of the box (0 to 1).
    Point share(double x, double y) const { return {(x - left) / side(), (y - top) / side()}; }
};

/// Where sections lie when the block is seen from the side, in a parallel projection: y goes back
/// and to the right, z up.
struct SideView {
    double left = 0;
    double flat = kFlat * kPanel;  ///< height of a section
    double tall = 0;               ///< of the highest section above the lowest
    double z0 = 0;
    double rise = 0;

    SideView(double left_edge, double step, std::size_t sections, double low, double high)
        : left(left_edge),
          tall(step * flat * static_cast<double>(std::max<std::size_t>(1, sections) - 1)),
          z0(low),
          rise(high - low) {}
    /// `at`: shares of the box.
    Point operator()(Point at, double z) const {
        const double share = rise > 0 ? (z - z0) / rise : 0;
        return {left + 0.85 * kPanel * at.x + 0.25 * kPanel * (1 - at.y),
                kTop + tall * (1 - share) + flat * at.y};
    }
};

/// Colour of a section: along z.
std::string colour_of(const StackOutlines& stack, std::size_t section) {
    const double last = static_cast<double>(std::max<std::size_t>(1, stack.sections.size() - 1));
    return to_hex(viridis(0.9 * static_cast<double>(section) / last));
}

/// Draws a section; `place` brings shares of the box to the figure.
template <class Place>
void draw(Svg& svg, const core::MatrixD& outline, const Box& box, const std::string& colour,
          const Place& place) {
    std::vector<Point> ends;
    for (Eigen::Index r = 0; r < outline.rows(); ++r)
        for (const Eigen::Index end : {0, 2})
            ends.push_back(place(box.share(outline(r, end), outline(r, end + 1))));
    svg.segments(ends, colour, 1.3);
}

/// Sections of one block, coloured by cluster.
Figure block_figure(const std::string& block, std::vector<const SampleMap*> sections) {
    const auto height_of = [](const SampleMap* map) { return map->block_places(0, 2); };
    std::sort(sections.begin(), sections.end(),
              [&](const SampleMap* a, const SampleMap* b) { return height_of(a) < height_of(b); });
    Box box;
    for (const SampleMap* map : sections)
        box.add(map->block_places.col(0), map->block_places.col(1));
    const SideView side(kGap, kSpotStep, sections.size(), height_of(sections.front()),
                        height_of(sections.back()));
    Svg svg("stack_" + block, 2 * kGap + 1.6 * kPanel, kTop + side.flat + side.tall + kGap,
            "Clusters in block " + block, "Serial sections of one block, coloured by cluster");
    svg.text(kGap, 20, "Block " + block + ", z not to scale", {.size = 14});
    for (const SampleMap* map : sections) {  // the lower ones first
        const auto spots = map->block_places.rows();
        const Eigen::Index step = spots / kMostSpots + 1;
        const double radius =
            std::clamp(0.35 * kPanel / std::sqrt(static_cast<double>(spots)), 0.8, 3.5);
        for (Eigen::Index r = 0; r < spots; r += step)
            svg.circle(side(box.share(map->block_places(r, 0), map->block_places(r, 1)),
                            map->block_places(r, 2)),
                       radius, to_hex(cluster_colour(map->cluster[r])));
        svg.text(kGap + 1.12 * kPanel, side({0, 0.5}, height_of(map)).y,
                 fmt::format("{}, z = {:.6g} um", map->name, height_of(map)));
    }
    return {std::move(svg),
            fmt::format("Serial sections of block {} in one frame, coloured by cluster as above.",
                        block)};
}

}  // namespace

void write_stack_figure(const StackOutlines& stack, const std::filesystem::path& out) {
    const auto& sections = stack.sections;
    Box box;
    for (const auto& section : sections)
        for (const Eigen::Index end : {0, 2})
            box.add(section.outline.col(end), section.outline.col(end + 1));
    const double right = 2 * kGap + kPanel;
    const SideView side(right, kOutlineStep, sections.size(),
                        sections.empty() ? 0 : sections.front().z,
                        sections.empty() ? 0 : sections.back().z);
    const double height = kTop + std::max(kPanel, side.flat + side.tall) + kGap +
                          kRow * static_cast<double>(sections.size());
    Svg svg("stack_" + stack.block, 3 * kGap + 2.1 * kPanel, height + kGap, "Block " + stack.block,
            "Outlines of serial sections in the frame of their block");
    svg.text(kGap, 20, "Block " + stack.block, {.size = 14});
    svg.text(kGap, 40, "from above", {.colour = "muted"});
    svg.text(right, 40, "from the side, z not to scale", {.colour = "muted"});
    for (std::size_t s = 0; s < sections.size(); ++s) {
        const std::string colour = colour_of(stack, s);
        draw(svg, sections[s].outline, box, colour, [](Point at) {
            return Point{kGap + kPanel * at.x, kTop + kPanel * at.y};
        });
        draw(svg, sections[s].outline, box, colour,
             [&](Point at) { return side(at, sections[s].z); });
        const double row = height - kRow * static_cast<double>(s);
        svg.line({kGap, row - 4}, {kGap + 22, row - 4}, colour, 3);
        svg.text(kGap + 30, row,
                 fmt::format("{}, z = {:.6g} um", sections[s].sample, sections[s].z));
    }
    if (!stack.unit.empty())
        svg.text(right, height, fmt::format("the frame is {:.4g} {} wide", box.side(), stack.unit),
                 {.colour = "muted"});
    io::write_atomically(out.string(), svg.file());
}

std::vector<Figure> stack_figures(const ReportData& data) {
    std::map<std::string, std::vector<const SampleMap*>> blocks;
    for (const SampleMap& map : data.maps)
        if (map.block_places.cols() == 3 && map.block_places.rows() > 0 && !map.cluster.empty())
            blocks[map.block].push_back(&map);
    std::vector<Figure> figures;
    for (auto& [block, sections] : blocks)
        if (sections.size() > 1) figures.push_back(block_figure(block, sections));
    return figures;
}

}  // namespace smeta::report

#pragma once

#include <cstdint>
#include <functional>

#include "smeta/report/report_data.hpp"

#include "raster.hpp"
#include "svg.hpp"

namespace smeta::report {

struct Box {
    double x = 0;
    double y = 0;
    double width = 0;
    double height = 0;
};

enum class ScaleBar { Drawn, Omitted };

/// Draws one section: tissue image (faint, grey) where there is one, spots as one picture layer,
/// scale bar. Equal aspect, y downwards.
class MapPainter {
  public:
    explicit MapPainter(const SampleMap& map);
    /// Height over width of the section.
    double aspect() const;
    /// `colour` is asked for every spot. The section is centred in the box; the scale bar lies
    /// below it.
    void draw(Svg& svg, const Box& box, const std::function<Colour(std::int64_t)>& colour,
              ScaleBar scale_bar) const;

    /// Where `draw` puts a place of the section, coordinate units.
    Point at(const Box& box, double x, double y) const;

  private:
    /// Where the section lies in the box.
    Box placed_in(const Box& box) const;
    void draw_histology(Svg& svg, const Box& place) const;
    void draw_scale_bar(Svg& svg, const Box& place) const;

    const SampleMap& map_;
    SpotShape shape_;
    double left_ = 0;
    double top_ = 0;
    double width_ = 1;  ///< of the section, coordinate units
    double height_ = 1;
};

/// Room that a scale bar needs below the box.
inline constexpr double kScaleBarHeight = 20;

}  // namespace smeta::report

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/io/image.hpp"

namespace smeta::report {

struct Point {
    double x = 0;
    double y = 0;
};

/// Text for XML and HTML: & < > " ' replaced, control characters and broken UTF-8 made '?'.
std::string escape(std::string_view text);
std::string base64(std::span<const std::uint8_t> bytes);
/// "data:image/png;base64,...".
std::string png_data_uri(const io::Image& image);

enum class Anchor { Start, Middle, End };
enum class Weight { Normal, Bold };

struct TextStyle {
    double size = 11;
    Anchor anchor = Anchor::Start;
    Weight weight = Weight::Normal;
    std::string_view colour = "ink";  ///< "ink", "muted" or "#rrggbb"
    double rotate = 0;                ///< degrees, about the anchor
};

/// A figure: shapes are appended in drawing order. The colours "ink", "muted" and "line" also
/// become class names, so that a page can restyle them for a dark background; alone the file is
/// dark on white.
class Svg {
  public:
    /// `id` is unique on the page; `title` and `description` are read by screen readers.
    Svg(std::string id, double width, double height, std::string title, std::string description);

    void text(double x, double y, std::string_view text, const TextStyle& style = {});
    void line(Point from, Point to, std::string_view colour = "line", double width = 1);
    void rectangle(double x, double y, double width, double height, std::string_view fill,
                   std::string_view tooltip = {});
    void polyline(const std::vector<Point>& points, std::string_view colour, double width = 1.5,
                  std::string_view dash = {});
    /// Lines of one colour, from each even point to the one after it, as one element.
    void segments(const std::vector<Point>& ends, std::string_view colour, double width);
    void polygon(const std::vector<Point>& points, std::string_view fill);
    void circle(Point centre, double radius, std::string_view fill);
    void image(double x, double y, double width, double height, const io::Image& pixels,
               double opacity = 1, std::string_view rendering = {});

    double width() const { return width_; }
    double height() const { return height_; }
    void set_height(double height) { height_ = height; }
    const std::string& id() const { return id_; }
    const std::string& title() const { return title_; }

    /// The <svg> element for a page.
    std::string element() const;
    /// A whole file with a white background.
    std::string file() const;

  private:
    std::string open_tag() const;
    std::string id_;
    double width_;
    double height_;
    std::string title_;
    std::string description_;
    std::string body_;
};

/// Round tick values covering [low, high], about `count` of them.
std::vector<double> ticks(double low, double high, int count);
/// Shortest text of a tick of a scale with that step.
std::string tick_label(double value, double step);

}  // namespace smeta::report

#include "svg.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace smeta::report {
namespace {

constexpr std::string_view kFont = "Helvetica Neue,Helvetica,Arial,sans-serif";

std::string_view plain_colour(std::string_view name) {
    if (name == "ink") return "#1a1a1a";
    if (name == "muted") return "#5f6368";
    if (name == "line") return "#c9ccd1";
    return name;
}

bool is_themed(std::string_view name) {
    return name == "ink" || name == "muted" || name == "line";
}

/// fill="..." or stroke="..." and the class that lets a page change it.
std::string paint(std::string_view attribute, std::string_view colour) {
    const std::string value = fmt::format(" {}=\"{}\"", attribute, plain_colour(colour));
    return is_themed(colour) ? fmt::format("{} class=\"{}-{}\"", value, attribute, colour) : value;
}

std::string point_list(const std::vector<Point>& points) {
    std::string list;
    for (const auto& p : points) list += fmt::format("{:.2f},{:.2f} ", p.x, p.y);
    if (!list.empty()) list.pop_back();
    return list;
}

/// Length of the UTF-8 sequence at `at`, or 0 when it is broken.
std::size_t utf8_length(std::string_view text, std::size_t at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xC2 && lead < 0xE0 ? 2
                               : lead >= 0xE0 && lead < 0xF0 ? 3
                               : lead >= 0xF0 && lead < 0xF5 ? 4
                                                             : 0;
    if (at + length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) return 0;
    return length;
}

}  // namespace

std::string escape(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = utf8_length(text, i);
        const char c = text[i];
        const bool is_control = static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
        if (length == 0 || is_control) {
            result += '?';
        } else if (c == '&') {
            result += "&amp;";
        } else if (c == '<') {
            result += "&lt;";
        } else if (c == '>') {
            result += "&gt;";
        } else if (c == '"') {
            result += "&quot;";
        } else if (c == '\'') {
            result += "&#39;";
        } else {
            result += text.substr(i, length);
        }
        i += std::max<std::size_t>(length, 1);
    }
    return result;
}

std::string base64(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    result.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < left ? bytes[i + k] : 0U);
        for (std::size_t k = 0; k < 4; ++k)
            result += k <= left ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
    return result;
}

std::string png_data_uri(const io::Image& image) {
    return "data:image/png;base64," + base64(io::encode_png(image));
}

Svg::Svg(std::string id, double width, double height, std::string title, std::string description)
    : id_(std::move(id)),
      width_(width),
      height_(height),
      title_(std::move(title)),
      description_(std::move(description)) {}

void Svg::text(double x, double y, std::string_view text, const TextStyle& style) {
    constexpr std::string_view kAnchors[] = {"start", "middle", "end"};
    std::string extra;
    if (style.anchor != Anchor::Start)
        extra += fmt::format(" text-anchor=\"{}\"", kAnchors[static_cast<int>(style.anchor)]);
    if (style.weight == Weight::Bold) extra += " font-weight=\"600\"";
    if (style.rotate != 0)
        extra += fmt::format(" transform=\"rotate({:g} {:.2f} {:.2f})\"", style.rotate, x, y);
    body_ += fmt::format("<text x=\"{:.2f}\" y=\"{:.2f}\" font-size=\"{:g}\"{}{}>{}</text>\n", x, y,
                         style.size, extra, paint("fill", style.colour), escape(text));
}

void Svg::line(Point from, Point to, std::string_view colour, double width) {
    body_ += fmt::format(
        "<line x1=\"{:.2f}\" y1=\"{:.2f}\" x2=\"{:.2f}\" y2=\"{:.2f}\" stroke-width=\"{:g}\"{}/>\n",
        from.x, from.y, to.x, to.y, width, paint("stroke", colour));
}

void Svg::segments(const std::vector<Point>& ends, std::string_view colour, double width) {
    body_ += fmt::format("<path stroke-width=\"{:g}\"{} d=\"", width, paint("stroke", colour));
    for (std::size_t i = 0; i + 1 < ends.size(); i += 2)
        body_ += fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}", ends[i].x, ends[i].y, ends[i + 1].x,
                             ends[i + 1].y);
    body_ += "\"/>\n";
}

void Svg::rectangle(double x, double y, double width, double height, std::string_view fill,
                    std::string_view tooltip) {
    const std::string shape =
        fmt::format("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\"{}", x, y,
                    width, height, paint("fill", fill));
    body_ += tooltip.empty() ? shape + "/>\n"
                             : fmt::format("{}><title>{}</title></rect>\n", shape, escape(tooltip));
}

void Svg::polyline(const std::vector<Point>& points, std::string_view colour, double width,
                   std::string_view dash) {
    const std::string dashes =
        dash.empty() ? std::string() : fmt::format(" stroke-dasharray=\"{}\"", dash);
    body_ += fmt::format(
        "<polyline points=\"{}\" fill=\"none\" stroke-width=\"{:g}\" "
        "stroke-linejoin=\"round\"{}{}/>\n",
        point_list(points), width, dashes, paint("stroke", colour));
}

void Svg::polygon(const std::vector<Point>& points, std::string_view fill) {
    body_ += fmt::format("<polygon points=\"{}\"{}/>\n", point_list(points), paint("fill", fill));
}

void Svg::circle(Point centre, double radius, std::string_view fill) {
    body_ += fmt::format("<circle cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"{:g}\"{}/>\n", centre.x, centre.y,
                         radius, paint("fill", fill));
}

void Svg::image(double x, double y, double width, double height, const io::Image& pixels,
                double opacity, std::string_view rendering) {
    std::string extra;
    if (opacity < 1) extra += fmt::format(" opacity=\"{:g}\"", opacity);
    if (!rendering.empty()) extra += fmt::format(" style=\"image-rendering:{}\"", rendering);
    body_ += fmt::format(
        "<image x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" "
        "preserveAspectRatio=\"none\"{} href=\"{}\"/>\n",
        x, y, width, height, extra, png_data_uri(pixels));
}

std::string Svg::open_tag() const {
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"{0}\" role=\"img\" "
        "aria-labelledby=\"{0}-title {0}-desc\" viewBox=\"0 0 {1:g} {2:g}\" width=\"{1:g}\" "
        "height=\"{2:g}\" font-family=\"{3}\">\n<title id=\"{0}-title\">{4}</title>\n"
        "<desc id=\"{0}-desc\">{5}</desc>\n",
        escape(id_), std::ceil(width_), std::ceil(height_), kFont, escape(title_),
        escape(description_));
}

std::string Svg::element() const {
    return open_tag() + body_ + "</svg>\n";
}

std::string Svg::file() const {
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + open_tag() +
           "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" + body_ + "</svg>\n";
}

std::vector<double> ticks(double low, double high, int count) {
    if (!(high > low)) return {low};
    const double raw = (high - low) / std::max(count, 1);
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    const double share = raw / power;
    const double step = power * (share < 1.5 ? 1 : share < 3.5 ? 2 : share < 7.5 ? 5 : 10);
    std::vector<double> result;
    for (auto k = static_cast<std::int64_t>(std::ceil(low / step - 1e-9));
         static_cast<double>(k) * step <= high + 1e-9 * step; ++k)
        result.push_back(static_cast<double>(k) * step);
    return result;
}

std::string tick_label(double value, double step) {
    const int decimals =
        std::clamp(static_cast<int>(std::ceil(-std::log10(std::abs(step)) - 1e-9)), 0, 6);
    return std::abs(value) >= 1e6 || (value != 0 && std::abs(value) < 1e-4)
               ? fmt::format("{:.3g}", value)
               : fmt::format("{:.{}f}", value, decimals);
}

}  // namespace smeta::report

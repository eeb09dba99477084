#include "attach_image.hpp"

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/image_file.hpp"
#include "smeta/io/section_image.hpp"
#include "smeta/io/source_info.hpp"

namespace smeta::atlas {

namespace {

constexpr std::int64_t kLongestSide = 2000;
constexpr double kSmallExtent = 0.02;  // share of the image that the spots span

/// Pixels of the image's file per unit of the coordinates.
double scale_of(const io::AnnData& st, const SampleSource& source) {
    if (source.image_scale) return *source.image_scale;
    const std::string unit = io::unit(st);
    if (source.image_microns_per_pixel) {
        const auto microns = io::microns_per_unit(st);
        if (microns) return *microns / *source.image_microns_per_pixel;
        throw core::ConfigError(fmt::format(
            "{}: image_microns_per_pixel of sample '{}': its spots' coordinates (unit '{}') are "
            "not "
            "known in micrometres; give image_scale instead, image pixels per unit of the "
            "coordinates",
            source.origin, source.name, unit));
    }
    if (unit == io::kUnitPixel) return 1;
    throw core::ConfigError(fmt::format(
        "{}: image of sample '{}': its spots' coordinates (unit '{}') are no pixels of an image; "
        "say how the image lies under them with image_scale, image pixels per unit of the "
        "coordinates, or image_microns_per_pixel",
        source.origin, source.name, unit));
}

std::string outside_text(const io::ImageCover& cover) {
    return fmt::format("{}: {:.0f} % of the spots ({}) lie off it", cover.image_span,
                       100 * cover.outside, cover.spots_span);
}

void warn_of_corner(const io::ImageCover& cover, const std::string& image, double scale) {
    if (cover.outside <= io::kMostOutside && cover.extent < kSmallExtent)
        core::log_warning(
            "{}: the spots span only {:.2g} % of the image, which covers {}: is its scale ({:.6g} "
            "image pixels per unit of the coordinates) right?",
            image, 100 * cover.extent, cover.image_span, scale);
}

}  // namespace

void attach_image(io::AnnData& st, const SampleSource& source) {
    const auto places = st.obsm.find("spatial");
    if (places == st.obsm.end())
        throw core::ConfigError(
            fmt::format("{}: image of sample '{}': its spots have no coordinates, so that the "
                        "image cannot be laid under them",
                        source.origin, source.name));
    const double scale = scale_of(st, source);
    const io::ReducedImage read = io::read_image(source.image, kLongestSide);
    const double reduced = scale / static_cast<double>(read.factor);
    const io::ImageCover cover = io::image_cover(read.image, reduced, places->second);
    if (cover.outside > io::kMostOutside) {
        std::string hint = "is it this section's image, and unturned?";
        if (cover.smallest_factor > 1)
            hint = fmt::format(
                "image_scale is in image pixels per unit of the coordinates and was {:.6g}: {:.6g} "
                "or less would hold all spots",
                scale, scale / cover.smallest_factor);
        throw core::FormatError(
            {source.image, fmt::format("image of sample '{}'", source.name),
             fmt::format("an image that covers the spots ({})", cover.spots_span),
             outside_text(cover), hint});
    }
    warn_of_corner(cover, source.image, scale);
    io::set_section_image(st, source.name, read.image, reduced);
}

void check_image(const io::AnnData& st, const SampleSource& source) {
    const auto places = st.obsm.find("spatial");
    if (places == st.obsm.end()) return;
    const auto image = io::section_image(st.uns, source.st, io::ImageSize::Low);
    if (!image) return;
    const io::ImageCover cover = io::image_cover(image->image, image->scale, places->second);
    if (cover.outside > io::kMostOutside)
        core::log_warning("{}: {} covers {}; are the scale factors those of this section?",
                          source.st, image->name, outside_text(cover));
    warn_of_corner(cover, source.st + ", " + image->name, image->scale);
}

}  // namespace smeta::atlas

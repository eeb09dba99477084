#include "histology_stage.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::align::detail {

namespace {

constexpr double kLeastOnTissue = 0.5;
constexpr double kLeastCoverage = 0.05;
constexpr double kPictureRoom = 1.25;       // of the longer side of the section
constexpr std::int64_t kPictureSide = 240;  // pixels

double share_on_tissue(const core::MatrixD& points, const RasterGrid& grid,
                       const std::vector<float>& tissue) {
    std::int64_t on = 0;
    for (Eigen::Index r = 0; r < points.rows(); ++r) {
        const auto i = std::lround((points(r, 0) - grid.x0) / grid.cell);
        const auto j = std::lround((points(r, 1) - grid.y0) / grid.cell);
        on += tissue[j * grid.nx + i] >= 0.5F ? 1 : 0;
    }
    return static_cast<double>(on) / static_cast<double>(points.rows());
}

/// Area of the tissue in the unit of the coordinates.
double tissue_area(const SectionHistology& histology) {
    const auto& tissue = histology.mask.tissue;
    return static_cast<double>(std::count(tissue.begin(), tissue.end(), 1)) /
           (histology.image.scale * histology.image.scale);
}

/// Why the image cannot be that of the spots; empty when it can. Sets the shares.
std::string objection(SectionHistology& histology, const core::MatrixD& points,
                      const SectionRaster& spots) {
    const io::SectionImage& image = histology.image;
    HistologyFit& fit = histology.fit;
    const io::ImageCover cover = io::image_cover(image.image, image.scale, points);
    fit.outside = cover.outside;
    if (fit.outside > io::kMostOutside)
        return fmt::format("{:.0f} % of the spots ({}) lie off the image, which covers {}",
                           100 * fit.outside, cover.spots_span, cover.image_span);
    if (!histology.mask.found())
        return fmt::format(
            "it shows no stained tissue on bright glass (optical densities differ by {:.2f}; mean "
            "grey of the lighter part {:.0f})",
            histology.mask.contrast, histology.mask.glass);
    const ImageLayers layers = rasterise_image(image, histology.mask, spots.grid);
    fit.on_tissue = share_on_tissue(points, spots.grid, layers.tissue);
    fit.coverage = std::min(1.0, fit.on_tissue * spots.area / tissue_area(histology));
    if (fit.on_tissue < kLeastOnTissue)
        return fmt::format("only {:.0f} % of the spots lie on the tissue that it shows",
                           100 * fit.on_tissue);
    if (fit.coverage < kLeastCoverage)
        return fmt::format(
            "the spots take only {:.1f} % of the tissue that it shows, in a part of {:.2g} % of it",
            100 * fit.coverage, 100 * cover.extent);
    return "";
}

/// A square part, reduced; what lies off the image is left out. Sets origin and pixel of `fit`.
io::Image cut_out(const io::SectionImage& image, std::array<double, 2> corner, double side,
                  HistologyFit& fit) {
    const auto span = [&](double from, std::int64_t pixels) {
        const auto at = [&](double x) {
            return std::clamp<std::int64_t>(std::llround(x * image.scale), 0, pixels);
        };
        return std::array<std::int64_t, 2>{at(from), at(from + side)};
    };
    const auto x = span(corner[0], image.image.width);
    const auto y = span(corner[1], image.image.height);
    const std::int64_t channels = image.image.channels == 1 ? 1 : 3;
    io::Image part{y[1] - y[0], x[1] - x[0], channels, {}};
    if (part.height < 1 || part.width < 1) return {};
    for (std::int64_t row = y[0]; row < y[1]; ++row)
        for (std::int64_t column = x[0]; column < x[1]; ++column) {
            const std::uint8_t* v = image.image.values.data() +
                                    (row * image.image.width + column) * image.image.channels;
            part.values.insert(part.values.end(), v, v + channels);
        }
    const std::int64_t factor =
        (std::max(part.height, part.width) + kPictureSide - 1) / kPictureSide;
    fit.picture_origin = {static_cast<double>(x[0]) / image.scale,
                          static_cast<double>(y[0]) / image.scale};
    fit.picture_pixel = static_cast<double>(factor) / image.scale;
    return io::downsample(part, factor);
}

[[noreturn]] void refuse_outline(const std::string& sample, const std::string& why) {
    throw core::ConfigError(fmt::format(
        "align.sm_spots_to = histology: sample '{}': {}; ingest it with its own image (image and "
        "image_scale in study.toml), or use align.sm_spots_to = st",
        sample, why));
}

}  // namespace

std::optional<SectionHistology> look_at_image(const std::string& sample, const io::AnnData& st,
                                              const core::MatrixD& points,
                                              const SectionRaster& spots,
                                              const AlignConfig& config) {
    const std::string what = fmt::format("align: sample '{}', modality st", sample);
    auto image = io::section_image(st.uns, what, io::ImageSize::High);
    const bool outline = config.sm_spots_to == SpotsTo::Histology;
    if (!image) {
        if (outline) refuse_outline(sample, "its spots have no image");
        return std::nullopt;
    }
    SectionHistology histology{std::move(*image), {}, {}, {}};
    HistologyFit& fit = histology.fit;
    fit.image = histology.image.name;
    histology.mask = find_tissue(histology.image.image);
    fit.objection = objection(histology, points, spots);
    if (!fit.disagrees()) {
        try {
            RasterOptions raster;
            raster.outline = config.outline;
            histology.tissue = image_section(spots, histology.image, histology.mask, raster, what);
        } catch (const core::ConfigError& error) {
            fit.objection = fmt::format("its tissue makes no section ({})", error.what());
        }
    }
    if (outline && fit.disagrees())
        refuse_outline(sample, fmt::format("image and coordinates disagree ({}): {}", fit.image,
                                           fit.objection));
    fit.gave_outline = outline;
    // Stains are compared with the other section's features: without them with nothing.
    const bool compared = !fit.disagrees() && config.weight_features > 0;
    fit.weight = compared ? config.weight_histology : 0;
    return histology;
}

HistologyFit finish_histology(SectionHistology histology, const SpatialTransform& transform,
                              const SectionRaster& sm, const Fit& fit) {
    HistologyFit result = std::move(histology.fit);
    if (!result.disagrees()) {
        result.overlap = tissue_overlap(transform, sm, histology.tissue);
        result.outline = outline(histology.tissue);
    }
    if (fit.outline_st.rows() == 0) return result;
    const Eigen::RowVectorXd low = fit.outline_st.colwise().minCoeff();
    const Eigen::RowVectorXd high = fit.outline_st.colwise().maxCoeff();
    const double side = kPictureRoom * std::max(high[0] - low[0], high[1] - low[1]);
    result.picture =
        cut_out(histology.image, {0.5 * (low[0] + high[0] - side), 0.5 * (low[1] + high[1] - side)},
                side, result);
    return result;
}

io::UnsDict to_uns(const HistologyFit& fit) {
    io::UnsDict dict;
    dict["image"].value = fit.image;
    dict["objection"].value = fit.objection;
    dict["disagrees"].value = fit.disagrees();
    dict["outside"].value = fit.outside;
    dict["on_tissue"].value = fit.on_tissue;
    dict["coverage"].value = fit.coverage;
    dict["weight"].value = fit.weight;
    dict["gave_outline"].value = fit.gave_outline;
    dict["overlap"].value = fit.overlap;
    dict["outline"].value = to_numbers(fit.outline, 4);
    if (fit.picture.values.empty()) return dict;
    dict["picture"].value = io::to_array(fit.picture);
    dict["picture_origin"].value = Numbers{{2}, {fit.picture_origin[0], fit.picture_origin[1]}};
    dict["picture_pixel"].value = fit.picture_pixel;
    return dict;
}

HistologyFit histology_from_uns(const UnsReader& reader, const io::UnsDict& dict) {
    HistologyFit fit;
    fit.image = reader.at<std::string>(dict, "image", "a text");
    fit.objection = reader.at<std::string>(dict, "objection", "a text");
    fit.outside = reader.at<double>(dict, "outside", "a number");
    fit.on_tissue = reader.at<double>(dict, "on_tissue", "a number");
    fit.coverage = reader.at<double>(dict, "coverage", "a number");
    fit.weight = reader.at<double>(dict, "weight", "a number");
    fit.gave_outline = reader.at<bool>(dict, "gave_outline", "true or false");
    fit.overlap = reader.at<double>(dict, "overlap", "a number");
    fit.outline = to_matrix(reader.numbers(dict, "outline", {-1, 4}));
    const auto* picture = reader.find<io::NdArray<std::uint8_t>>(dict, "picture");
    if (picture == nullptr) return fit;
    fit.picture = io::to_image(*picture);
    const Numbers& origin = reader.numbers(dict, "picture_origin", {2});
    fit.picture_origin = {origin.values[0], origin.values[1]};
    fit.picture_pixel = reader.at<double>(dict, "picture_pixel", "a number");
    return fit;
}

}  // namespace smeta::align::detail

#include "smeta/io/section_image.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::io {

namespace {

constexpr std::int64_t kLowres = 600;  // pixels, as Space Ranger's

const UnsDict* dict_in(const UnsDict& parent, const std::string& key) {
    const auto found = parent.find(key);
    return found == parent.end() ? nullptr : std::get_if<UnsDict>(&found->second.value);
}

std::optional<double> number_in(const UnsDict& parent, const std::string& key) {
    const auto found = parent.find(key);
    if (found == parent.end()) return std::nullopt;
    if (const auto* whole = std::get_if<std::int64_t>(&found->second.value))
        return static_cast<double>(*whole);
    const auto* number = std::get_if<double>(&found->second.value);
    return number == nullptr ? std::nullopt : std::optional<double>(*number);
}

/// matplotlib, with which scanpy reads PNG files, makes 0 to 1 of bytes.
template <class T>
NdArray<std::uint8_t> to_bytes(const NdArray<T>& array) {
    NdArray<std::uint8_t> bytes{array.shape, {}};
    bytes.values.reserve(array.values.size());
    for (const T v : array.values)
        bytes.values.push_back(static_cast<std::uint8_t>(
            std::isnan(v) ? 255.0 : std::lround(255.0 * std::clamp<double>(v, 0, 1))));
    return bytes;
}

std::optional<NdArray<std::uint8_t>> bytes_in(const UnsDict& images, const std::string& key) {
    const auto found = images.find(key);
    if (found == images.end()) return std::nullopt;
    const auto& value = found->second.value;
    if (const auto* bytes = std::get_if<NdArray<std::uint8_t>>(&value)) return *bytes;
    if (const auto* floats = std::get_if<NdArray<float>>(&value)) return to_bytes(*floats);
    if (const auto* doubles = std::get_if<NdArray<double>>(&value)) return to_bytes(*doubles);
    return std::nullopt;
}

Image checked_image(const NdArray<std::uint8_t>& array, const std::string& file,
                    const std::string& name) {
    const auto& shape = array.shape;
    const std::int64_t channels = shape.size() == 2 ? 1 : shape.size() == 3 ? shape[2] : 0;
    if ((channels != 1 && channels != 3 && channels != 4) || array.values.empty())
        throw core::FormatError({file, name, "height x width x 1, 3 or 4",
                                 fmt::format("{}", fmt::join(shape, " x ")), ""});
    return to_image(array);
}

Image to_rgb(const Image& image) {
    if (image.channels != 1) return image;
    Image rgb{image.height, image.width, 3, {}};
    rgb.values.reserve(3 * image.values.size());
    for (const std::uint8_t v : image.values) rgb.values.insert(rgb.values.end(), 3, v);
    return rgb;
}

/// The scale factors of the only library that is there.
UnsDict known_factors(const UnsDict& uns) {
    const UnsDict* spatial = dict_in(uns, "spatial");
    if (spatial == nullptr || spatial->size() != 1) return {};
    const auto* library = std::get_if<UnsDict>(&spatial->begin()->second.value);
    const UnsDict* factors = library == nullptr ? nullptr : dict_in(*library, "scalefactors");
    return factors == nullptr ? UnsDict{} : *factors;
}

}  // namespace

std::optional<SectionImage> section_image(const UnsDict& uns, const std::string& file,
                                          ImageSize preferred) {
    const UnsDict* spatial = dict_in(uns, "spatial");
    if (spatial == nullptr) return std::nullopt;
    std::array<std::string, 2> sizes{"hires", "lowres"};
    if (preferred == ImageSize::Low) std::swap(sizes[0], sizes[1]);
    for (const std::string& size : sizes)
        for (const auto& [library, value] : *spatial) {
            const auto* section = std::get_if<UnsDict>(&value.value);
            const UnsDict* images = section == nullptr ? nullptr : dict_in(*section, "images");
            const UnsDict* factors =
                section == nullptr ? nullptr : dict_in(*section, "scalefactors");
            if (images == nullptr || factors == nullptr) continue;
            const auto scale = number_in(*factors, "tissue_" + size + "_scalef");
            const auto array = bytes_in(*images, size);
            if (!scale || !array) continue;
            const std::string name = fmt::format("uns/spatial/{}/images/{}", library, size);
            if (!(*scale > 0) || !std::isfinite(*scale))
                throw core::FormatError(
                    {file,
                     fmt::format("uns/spatial/{}/scalefactors/tissue_{}_scalef", library, size),
                     "image pixels per pixel of the full resolution, above 0",
                     fmt::format("{}", *scale), ""});
            return SectionImage{checked_image(*array, file, name), *scale, name};
        }
    return std::nullopt;
}

void set_section_image(AnnData& data, const std::string& library, const Image& image,
                       double scale) {
    const Image hires = to_rgb(image);
    const std::int64_t side = std::max(hires.height, hires.width);
    const std::int64_t factor = (side + kLowres - 1) / kLowres;
    UnsDict images;
    images["hires"].value = to_array(hires);
    images["lowres"].value = to_array(downsample(hires, factor));
    UnsDict factors = known_factors(data.uns);
    factors["tissue_hires_scalef"].value = scale;
    factors["tissue_lowres_scalef"].value = scale / static_cast<double>(factor);
    UnsDict section;
    section["images"].value = std::move(images);
    section["scalefactors"].value = std::move(factors);
    UnsDict spatial;
    spatial[library].value = std::move(section);
    data.uns["spatial"].value = std::move(spatial);
}

ImageCover image_cover(const Image& image, double scale, const core::MatrixD& places) {
    ImageCover cover;
    const double width = static_cast<double>(image.width) / scale;
    const double height = static_cast<double>(image.height) / scale;
    cover.image_span = fmt::format("x 0 to {:.6g}, y 0 to {:.6g}", width, height);
    if (places.rows() == 0) return cover;
    std::int64_t outside = 0;
    for (Eigen::Index r = 0; r < places.rows(); ++r)
        if (!(places(r, 0) >= 0 && places(r, 0) <= width && places(r, 1) >= 0 &&
              places(r, 1) <= height))
            ++outside;
    const Eigen::RowVectorXd low = places.colwise().minCoeff();
    const Eigen::RowVectorXd high = places.colwise().maxCoeff();
    cover.outside = static_cast<double>(outside) / static_cast<double>(places.rows());
    cover.extent = (high[0] - low[0]) * (high[1] - low[1]) / (width * height);
    cover.spots_span =
        fmt::format("x {:.6g} to {:.6g}, y {:.6g} to {:.6g}", low[0], high[0], low[1], high[1]);
    cover.smallest_factor = low.minCoeff() < 0 ? 0 : std::max(high[0] / width, high[1] / height);
    return cover;
}

}  // namespace smeta::io

#include "sample_files.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "smeta/io/imzml_writer.hpp"
#include "smeta/io/visium.hpp"

#include "picture.hpp"
#include "text_file.hpp"
#include "truth.hpp"

namespace smeta::simulate {

namespace fs = std::filesystem;

namespace {

constexpr double kFiducialDiameter = 89;  // microns
constexpr double kMissingPixels = 0.005;  // of each image, at random

constexpr std::int64_t kHiresPixels = 1200;  // longer side
constexpr std::int64_t kLowresFactor = 2;

void write_visium_folder(const fs::path& folder, const StudyOptions& options,
                         const SampleSpec& sample, const SectionModel& section,
                         const Catalogue& catalogue) {
    io::AnnData data;
    for (const auto& spot : section.spots()) data.obs.index.push_back(barcode(spot));
    std::vector<std::string> ids;
    for (const auto& gene : catalogue.genes) {
        data.var.index.push_back(gene.name);
        ids.push_back(gene.id);
    }
    data.var.set("gene_id", ids);
    data.x = section.counts();

    const auto& anatomy = section.anatomy();
    io::VisiumSection out;
    out.sample = sample.name;
    out.data = &data;
    for (const auto& spot : anatomy.array()) {
        const Point p = Anatomy::position(spot);
        out.positions.push_back({.barcode = barcode(spot),
                                 .in_tissue = spot.in_tissue,
                                 .array_row = spot.row,
                                 .array_col = spot.col,
                                 .pixel_row = p.y / kMicronsPerPixel,
                                 .pixel_col = p.x / kMicronsPerPixel});
    }
    out.hires = draw_tissue(anatomy, options.seed, sample.name, kHiresPixels);
    out.lowres = io::downsample(out.hires, kLowresFactor);
    const double full_width = anatomy.width() / kMicronsPerPixel;
    out.scale = {.hires = static_cast<double>(out.hires.width) / full_width,
                 .lowres = static_cast<double>(out.lowres.width) / full_width,
                 .spot_diameter = kSpotDiameter / kMicronsPerPixel,
                 .fiducial_diameter = kFiducialDiameter / kMicronsPerPixel};
    io::write_visium(folder.string(), out);
}

/// Pixels of one image in the order of its acquisition: line by line, for the negative image forth
/// and back.
std::vector<std::int64_t> acquisition_order(const StudyOptions& options, const SampleSpec& sample,
                                            const SectionModel& section, Polarity polarity) {
    const auto& pixels = section.pixels();
    Stream stream(options.seed, StreamUse::Spectra,
                  (polarity == Polarity::Positive ? "missing+ " : "missing- ") + sample.name);
    std::vector<std::int64_t> order;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(pixels.size()); ++i)
        if (i == 0 || stream.uniform() >= kMissingPixels) order.push_back(i);
    if (polarity == Polarity::Negative)
        std::stable_sort(order.begin(), order.end(), [&pixels](std::int64_t a, std::int64_t b) {
            if (pixels[a].y != pixels[b].y) return pixels[a].y < pixels[b].y;
            return pixels[a].y % 2 == 0 ? pixels[a].x > pixels[b].x : pixels[a].x < pixels[b].x;
        });
    return order;
}

/// The metabolites [first, last) that one image sees.
struct ImagePart {
    Polarity polarity;
    std::size_t first;
    std::size_t last;
    const char* name;
};

std::vector<ImagePart> image_parts(const std::vector<Feature>& metabolites) {
    const auto negative =
        std::find_if(metabolites.begin(), metabolites.end(),
                     [](const Feature& m) { return m.polarity == Polarity::Negative; });
    const auto cut = static_cast<std::size_t>(negative - metabolites.begin());
    std::vector<ImagePart> parts{{Polarity::Positive, 0, cut, "pos"}};
    if (cut < metabolites.size())
        parts.push_back({Polarity::Negative, cut, metabolites.size(), "neg"});
    return parts;
}

void write_image(const fs::path& file, const StudyOptions& options, const SampleSpec& sample,
                 const SectionModel& section, const Catalogue& catalogue, const ImagePart& part) {
    const bool continuous = options.mode == SpectrumMode::Continuous;
    io::ImzmlWriter writer(
        file.string(),
        {.mode = continuous ? io::ImzmlMode::Continuous : io::ImzmlMode::Processed,
         .polarity =
             part.polarity == Polarity::Positive ? io::Polarity::Positive : io::Polarity::Negative,
         .pixel_size_um = section.anatomy().pixel_size(),
         .seed = Stream(options.seed, StreamUse::Spectra, part.name + (" id " + sample.name))
                     .below(~std::uint64_t{0})});
    const double shift = 1 + section.batch().mass_shift_ppm * 1e-6;
    std::vector<double> axis;
    for (std::size_t m = part.first; m < part.last; ++m)
        axis.push_back(catalogue.metabolites[m].mz * shift);
    std::vector<double> mz;
    std::vector<float> intensity;
    for (const auto i : acquisition_order(options, sample, section, part.polarity)) {
        const auto& pixel = section.pixels()[i];
        const auto values = section.intensities(i);
        if (continuous) {
            writer.add(pixel.x, pixel.y, axis,
                       std::span(values).subspan(part.first, part.last - part.first));
            continue;
        }
        const auto errors = section.mass_errors_ppm(i);
        mz.clear();
        intensity.clear();
        for (std::size_t m = part.first; m < part.last; ++m) {
            if (values[m] == 0) continue;
            mz.push_back(axis[m - part.first] * (1 + errors[m] * 1e-6));
            intensity.push_back(values[m]);
        }
        writer.add(pixel.x, pixel.y, mz, intensity);
    }
    writer.finish();
}

}  // namespace

std::string imzml_paths(const StudyOptions& options, const std::string& sample) {
    std::string text = fmt::format("\"{}/msi/pos.imzML\"", sample);
    if (negative_metabolites(options) > 0) text += fmt::format(", \"{}/msi/neg.imzML\"", sample);
    return text;
}

void write_sample_files(const fs::path& folder, const StudyOptions& options,
                        const SampleSpec& sample, const SectionModel& section,
                        const Catalogue& catalogue) {
    write_visium_folder(folder / "visium", options, sample, section, catalogue);
    make_folder(folder / "msi");
    for (const auto& part : image_parts(catalogue.metabolites))
        write_image(folder / "msi" / (std::string(part.name) + ".imzML"), options, sample, section,
                    catalogue, part);
}

}  // namespace smeta::simulate

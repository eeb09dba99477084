#include "truth.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "text_file.hpp"

namespace smeta::simulate {

namespace {

std::string relations(const Feature& feature) {
    return fmt::format(
        "{}\t{}\t{}\t{}\n", feature.marker_of < 0 ? "" : fmt::format("D{}", feature.marker_of + 1),
        feature.log_fold, feature.program < 0 ? "" : fmt::format("P{}", feature.program + 1),
        feature.loading);
}

constexpr const char* kRelations = "domain\tlog_fold_change\tprogram\tloading\n";

std::string_view polarity_text(const Feature& metabolite) {
    return metabolite.polarity == Polarity::Positive ? "pos" : "neg";
}

std::string spots_table(const SectionModel& section) {
    std::string text = "spot\tdomain\n";
    for (const auto& spot : section.spots()) {
        const auto shares =
            section.anatomy().domain_shares(Anatomy::position(spot), Section::Transcriptome);
        fmt::format_to(std::back_inserter(text), "{}\t{}\n", barcode(spot), domain_name(shares));
    }
    return text;
}

std::string pixels_table(const SectionModel& section) {
    std::string text = "x\ty\tdomain\tst_x\tst_y\n";
    for (const auto& pixel : section.pixels()) {
        const auto shares = section.anatomy().domain_shares(pixel.position, Section::Metabolome);
        fmt::format_to(std::back_inserter(text), "{}\t{}\t{}\t{:.3f}\t{:.3f}\n", pixel.x, pixel.y,
                       domain_name(shares), pixel.position.x / kMicronsPerPixel,
                       pixel.position.y / kMicronsPerPixel);
    }
    return text;
}

std::string batch_table(const BatchEffect& batch, const Catalogue& catalogue) {
    std::string text = "feature\ttype\tmz\tpolarity\tlog_effect\n";
    for (std::size_t g = 0; g < catalogue.genes.size(); ++g)
        fmt::format_to(std::back_inserter(text), "{}\tST\t\t\t{}\n", catalogue.genes[g].name,
                       batch.genes[g]);
    for (std::size_t m = 0; m < catalogue.metabolites.size(); ++m)
        fmt::format_to(std::back_inserter(text), "M{}\tSM\t{}\t{}\t{}\n", m + 1,
                       catalogue.metabolites[m].mz, polarity_text(catalogue.metabolites[m]),
                       batch.metabolites[m]);
    return text;
}

}  // namespace

std::string domain_name(const std::vector<double>& shares) {
    const auto largest = std::max_element(shares.begin(), shares.end());
    return fmt::format("D{}", largest - shares.begin() + 1);
}

std::string barcode(const ArraySpot& spot) {
    // An odd multiplier permutes the 32-bit numbers: 16 bases, no two positions alike.
    auto code = static_cast<std::uint32_t>(spot.row * 65536 + spot.col) * 2654435761U + 0x5EED5EEDU;
    std::string text(16, 'A');
    for (auto& base : text) {
        base = "ACGT"[code & 3U];
        code >>= 2U;
    }
    return text + "-1";
}

void write_catalogue_truth(const std::filesystem::path& folder, const Catalogue& catalogue) {
    std::string genes = std::string("gene\tgene_id\t") + kRelations;
    for (const auto& gene : catalogue.genes)
        genes += fmt::format("{}\t{}\t{}", gene.name, gene.id, relations(gene));
    write_text_file(folder / "genes.tsv", genes);
    std::string metabolites = std::string("metabolite\tmz\tpolarity\t") + kRelations;
    for (std::size_t m = 0; m < catalogue.metabolites.size(); ++m) {
        const auto& metabolite = catalogue.metabolites[m];
        metabolites += fmt::format("M{}\t{}\t{}\t{}", m + 1, metabolite.mz,
                                   polarity_text(metabolite), relations(metabolite));
    }
    write_text_file(folder / "metabolites.tsv", metabolites);
}

void write_sample_truth(const std::filesystem::path& folder, const SampleSpec& sample,
                        const SectionModel& section, const Catalogue& catalogue) {
    write_text_file(folder / (sample.name + ".spots.tsv"), spots_table(section));
    write_text_file(folder / (sample.name + ".pixels.tsv"), pixels_table(section));
    write_text_file(folder / (sample.name + ".batch.tsv"), batch_table(section.batch(), catalogue));
    const auto& map = section.anatomy().transform();
    const nlohmann::ordered_json json = {{"sample", sample.name},
                                         {"cohort", sample.cohort},
                                         {"spots", section.spots().size()},
                                         {"pixels", section.pixels().size()},
                                         {"pixel_size_um", section.anatomy().pixel_size()},
                                         {"microns_per_image_pixel", kMicronsPerPixel},
                                         {"transform",
                                          {{"from", "imaging coordinates (x, y), from 1"},
                                           {"to", "full-resolution image pixels (x, y)"},
                                           {"a", {{map.a11, map.a12}, {map.a21, map.a22}}},
                                           {"t", {map.tx, map.ty}}}},
                                         {"batch",
                                          {{"log_depth", section.batch().log_depth},
                                           {"log_intensity", section.batch().log_intensity},
                                           {"mass_shift_ppm", section.batch().mass_shift_ppm}}}};
    write_text_file(folder / (sample.name + ".json"), json.dump(2) + "\n");
}

}  // namespace smeta::simulate

#pragma once

#include <filesystem>

#include "section.hpp"

namespace smeta::simulate {

/// genes.tsv and metabolites.tsv: what each feature marks and follows.
void write_catalogue_truth(const std::filesystem::path& folder, const Catalogue& catalogue);

/// SAMPLE.spots.tsv, SAMPLE.pixels.tsv, SAMPLE.batch.tsv and SAMPLE.json.
void write_sample_truth(const std::filesystem::path& folder, const SampleSpec& sample,
                        const SectionModel& section, const Catalogue& catalogue);

/// "D1" and so on: the domain with the largest share.
std::string domain_name(const std::vector<double>& shares);

/// The barcode at an array position: 16 bases and "-1", unique on any array and equal on all
/// slides, as 10x's are.
std::string barcode(const ArraySpot& spot);

}  // namespace smeta::simulate

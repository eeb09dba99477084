#pragma once

#include <cstdint>
#include <vector>

#include "smeta/core/matrix.hpp"

#include "anatomy.hpp"
#include "catalogue.hpp"

namespace smeta::simulate {

/// A pixel of the imaged section.
struct Pixel {
    std::int32_t x = 1;
    std::int32_t y = 1;
    Point position;  ///< microns in the capture area
    bool operator==(const Pixel& other) const { return x == other.x && y == other.y; }
};

/// What the instruments see of one sample. Rows can be made in any order and on any thread: each
/// has draws of its own.
class SectionModel {
  public:
    SectionModel(const StudyOptions& options, const SampleSpec& sample, const Catalogue& catalogue);

    const Anatomy& anatomy() const { return anatomy_; }
    const BatchEffect& batch() const { return batch_; }
    /// Spots in the tissue in array order, pixels in the tissue by y then x (at least one).
    const std::vector<ArraySpot>& spots() const { return spots_; }
    const std::vector<Pixel>& pixels() const { return pixels_; }

    /// UMI counts of all spots: zero-inflated negative binomial. Spots by genes.
    core::CountsCsr counts() const;
    /// Intensities of one pixel, one a metabolite; 0 where below the detection limit.
    std::vector<float> intensities(std::int64_t pixel) const;
    /// Errors of the peaks' m/z in this pixel in ppm, without the sample's shift: at most 1.5
    /// either way.
    std::vector<double> mass_errors_ppm(std::int64_t pixel) const;

  private:
    std::vector<double> expected(const core::MatrixD& profile, const std::vector<Feature>& features,
                                 Point p, Section section) const;
    std::vector<float> count_row(std::int64_t spot) const;
    void find_pixels();

    const StudyOptions& options_;
    const SampleSpec& sample_;
    const Catalogue& catalogue_;
    Anatomy anatomy_;
    BatchEffect batch_;
    std::vector<ArraySpot> spots_;
    std::vector<Pixel> pixels_;
    core::MatrixD gene_profile_;  ///< domains by genes: share of a domain's RNA in this sample
    core::MatrixD metabolite_profile_;  ///< domains by metabolites: intensity in this sample
};

}  // namespace smeta::simulate

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/simulate/options.hpp"

#include "field.hpp"

namespace smeta::simulate {

/// Which section of the tissue block a point lies in: the sequenced one or the imaged one (the same
/// section with Layout::Same).
enum class Section { Transcriptome, Metabolome };

/// Microns of one full-resolution image pixel, and the distance of neighbouring Visium spots.
inline constexpr double kMicronsPerPixel = 0.5;
inline constexpr double kSpotPitch = 100;
inline constexpr double kSpotDiameter = 55;

/// A position of the Visium array: rows and columns have equal parity (hexagonal grid).
struct ArraySpot {
    std::int32_t row = 0;
    std::int32_t col = 0;
    bool in_tissue = false;
};

/// An affine map of the plane, p -> A p + t.
struct Affine {
    double a11 = 1, a12 = 0, a21 = 0, a22 = 1;
    double tx = 0, ty = 0;
    Point operator()(Point p) const {
        return {a11 * p.x + a12 * p.y + tx, a21 * p.x + a22 * p.y + ty};
    }
};

/// The geometry of one sample: capture area, tissue, domains, the frame of the imaged section. A
/// pure function of (options, sample). Positions are microns in the capture area, x to the right
/// and y down.
class Anatomy {
  public:
    Anatomy(const StudyOptions& options, const SampleSpec& sample);

    int array_rows() const { return array_rows_; }
    int array_cols() const { return array_cols_; }
    double width() const { return width_; }  ///< microns of the capture area with its margin
    double height() const { return height_; }
    /// All positions of the array, row by row; exactly `spots` of them are in the tissue.
    const std::vector<ArraySpot>& array() const { return array_; }
    static Point position(const ArraySpot& spot);

    bool in_tissue(Point p, Section section) const;
    /// Share of each domain at a point: sums to 1, blurred at borders over about one spot.
    std::vector<double> domain_shares(Point p, Section section) const;
    /// Values of the programmes: smooth, independent of the domains, shared by genes and
    /// metabolites.
    std::vector<double> programs(Point p, Section section) const;

    /// True map of imaging coordinates (x, y from 1) to full-resolution image pixels.
    const Affine& transform() const { return transform_; }
    /// The imaging grid: coordinates run from 1 to grid_size on both axes, `pixel_size` microns
    /// apart.
    int grid_size() const { return grid_size_; }
    double pixel_size() const { return pixel_size_; }

  private:
    Point tissue_coordinates(Point p, Section section) const;
    double score(Point u) const;
    void lay_out_array(std::int64_t spots);
    void place_domains(Stream& stream, int domains);
    void place_grid(Stream& stream, double pixels_per_spot);

    int array_rows_ = 78;
    int array_cols_ = 128;
    double width_ = 0;
    double height_ = 0;
    double radius_ = 0;     ///< of a disc with the tissue's area
    double threshold_ = 0;  ///< tissue is where score < threshold
    bool adjacent_ = false;
    std::vector<ArraySpot> array_;
    std::vector<Point> seeds_;  ///< seed i belongs to domain i % domains
    int domains_ = 0;
    double blur_ = 0;
    std::vector<SmoothField> outline_, warp_, shift_, programs_;
    Affine transform_;
    int grid_size_ = 0;
    double pixel_size_ = 0;
};

inline constexpr int kPrograms = 4;

}  // namespace smeta::simulate

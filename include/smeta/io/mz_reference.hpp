#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace smeta::io {

/// The m/z bins of an image (spec A2), ascending and disjoint: bin b takes center - half_width <=
/// m/z < center + half_width.
struct MzBins {
    std::vector<double> center;
    std::vector<double> half_width;

    std::int32_t size() const { return static_cast<std::int32_t>(center.size()); }
    bool contains(std::int32_t bin, double mz) const {
        return center[bin] - half_width[bin] <= mz && mz < center[bin] + half_width[bin];
    }
    /// The bin of `mz` or -1. `hint` is tried first, then its successor: cheap for ascending m/z.
    std::int32_t find(double mz, std::int32_t hint = 0) const;
};

/// Builds the bins of spec A2 (get_mz_reference): every m/z u opens [u - u ppm/1e6, u + u ppm/1e6];
/// intervals that touch or overlap become one bin with centre (lo + hi) / 2. The result does not
/// depend on the order of the values. Memory: O(bins). Local.
class MzCollector {
  public:
    /// `max_bin_ppm`: a wider bin is cut at the m/z 50 (1 + max_bin_ppm 1e-6)^k, k = 0, 1, ...,
    /// which depend on no data: two images are cut at the same places. Throws ConfigError unless
    /// ppm > 0 and the cap, when given, is at least 2 ppm.
    MzCollector(double ppm, std::optional<double> max_bin_ppm);

    /// Adds the m/z of one spectrum, finite and above 0.
    void add(std::span<const double> mz);
    /// Adds the intervals of bins, in any order, overlapping or not: the bins of several images
    /// unite to the same bits in any order, and to the same bins, but for rounding, in any grouping
    /// (bins of bins). Widths as they are, whatever `ppm`.
    void add(const MzBins& bins);
    MzBins finish();

  private:
    struct Interval {
        double lower;
        double upper;
        bool operator<(const Interval& other) const { return lower < other.lower; }
    };
    void compact();
    /// Both parts, cut at `known`, ascend.
    void unite(std::ptrdiff_t known);
    double ppm_;
    std::optional<double> max_bin_ppm_;
    std::vector<double> pending_;
    std::vector<Interval> intervals_;  ///< disjoint
};

}  // namespace smeta::io

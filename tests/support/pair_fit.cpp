#include "support/pair_fit.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

#include <Eigen/LU>
#include <fmt/format.h>

#include "smeta/align/fit.hpp"
#include "smeta/align/histology.hpp"

namespace smeta::test {

namespace {

double median_error(const SimulatedPair& pair, const align::SpatialTransform& transform) {
    const core::MatrixD moved = align::apply(transform, pair.sm.points);
    std::vector<double> errors;
    for (Eigen::Index r = 0; r < moved.rows(); ++r)
        if (pair.shared[r]) errors.push_back((moved.row(r) - pair.truth.row(r)).norm());
    std::nth_element(errors.begin(),
                     errors.begin() + static_cast<std::ptrdiff_t>(errors.size() / 2), errors.end());
    return errors[errors.size() / 2] / pair.coarser_pitch;
}

double turn(const std::array<double, 4>& a, const std::array<double, 4>& b) {
    Eigen::Matrix2d x;
    Eigen::Matrix2d y;
    x << a[0], a[1], a[2], a[3];
    y << b[0], b[1], b[2], b[3];
    if ((x.determinant() < 0) != (y.determinant() < 0)) return 180;
    const Eigen::Matrix2d r = x * y.inverse();
    return std::abs(std::atan2(r(1, 0) - r(0, 1), r(0, 0) + r(1, 1))) * 180 / std::numbers::pi;
}

void add_image(align::SectionRaster& st, std::uint64_t seed, PairImage kind, double weight) {
    if (kind == PairImage::None) return;
    const io::SectionImage image = simulate_image(seed, kind);
    align::RasterGrid grid = st.grid;
    grid.x0 += kImageShift;
    grid.y0 += kImageShift;
    align::join_stains(st, align::rasterise_image(image, align::find_tissue(image.image), grid),
                       weight);
}

}  // namespace

align::SectionRaster raster_of(const SimulatedSection& section,
                               const align::RasterOptions& options) {
    align::SectionRaster found = align::rasterise(section.points, options, "simulated section");
    align::SectionContent content(found, section.points, section.values.cols, options);
    content.measure(section.values.view());
    content.add(0, section.values.view());
    content.finish();
    return found;
}

PairOutcome fit_pair(std::uint64_t seed, const align::RasterOptions& raster,
                     const align::FitOptions& options, const ChannelSetter& channels,
                     const ImageOfPair& image) {
    const SimulatedPair pair = simulate_pair(seed);
    const auto start = std::chrono::steady_clock::now();
    align::SectionRaster sm = raster_of(pair.sm, raster);
    align::SectionRaster st = raster_of(pair.st, raster);
    if (channels) channels(pair, sm, st);
    add_image(st, seed, image.kind, image.weight);
    const align::Fit fit = align::fit_sections(sm, st, options);
    PairOutcome outcome;
    outcome.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    outcome.symmetric = pair.symmetric;
    outcome.missing = pair.missing;
    outcome.distortion = pair.distortion;
    outcome.ambiguous = fit.ambiguous;
    outcome.turn = turn(fit.transform.affine.a, pair.linear);
    outcome.right = outcome.turn < 20;
    align::SpatialTransform affine;
    affine.affine = fit.candidates.front().affine;
    outcome.error = median_error(pair, fit.transform);
    outcome.affine_error = median_error(pair, affine);
    outcome.ratio =
        pair.sm.pitch *
        std::sqrt(std::abs(pair.linear[0] * pair.linear[3] - pair.linear[1] * pair.linear[2])) /
        pair.st.pitch;
    outcome.note = fmt::format("iou {:.3f} det {:.2f} it {}", fit.overlap, fit.smallest_determinant,
                               fit.iterations);
    for (std::size_t k = 0; k < std::min<std::size_t>(3, fit.candidates.size()); ++k)
        outcome.note +=
            fmt::format("; {:.2f} iou {:.2f} inf {:.2f} t {:.0f}", fit.candidates[k].score,
                        fit.candidates[k].overlap, fit.candidates[k].information,
                        turn(fit.candidates[k].affine.a, pair.linear));
    return outcome;
}

}  // namespace smeta::test

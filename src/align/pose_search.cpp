#include "pose_search.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <Eigen/LU>
#include <Eigen/SVD>

#include "smeta/core/threads.hpp"

#include "fourier.hpp"

namespace smeta::align::detail {

namespace {

constexpr double kCell = 1.0 / 26;
constexpr int kAngles = 72;
constexpr std::array<double, 3> kScales{0.89, 1.0, 1.12};
constexpr double kNearBest = 0.93;  // of the best overlap of an orientation
constexpr std::size_t kMostShifts = 9;
constexpr std::int64_t kShiftStep = 2;
constexpr std::int64_t kSearchPlaces = 800;

std::int64_t good_length(std::int64_t n) {
    for (;; ++n) {
        std::int64_t rest = n;
        for (const std::int64_t p : {2, 3, 5})
            while (rest % p == 0) rest /= p;
        if (rest == 1) return n;
    }
}

double reach(const SectionRaster& section) {
    double furthest = 0;
    for (std::int64_t c = 0; c < section.grid.size(); ++c)
        if (section.inside(c))
            furthest = std::max(
                furthest, std::hypot(section.grid.x(c % section.grid.nx) - section.centre[0],
                                     section.grid.y(c / section.grid.nx) - section.centre[1]));
    return furthest / section.length;
}

/// 1 where the section, in its normalised frame, has tissue.
bool tissue_at(const SectionRaster& section, double x, double y) {
    const double u = (x * section.length + section.centre[0] - section.grid.x0) / section.grid.cell;
    const double v = (y * section.length + section.centre[1] - section.grid.y0) / section.grid.cell;
    const auto i = std::lround(u);
    const auto j = std::lround(v);
    return i >= 0 && j >= 0 && i < section.grid.nx && j < section.grid.ny &&
           section.inside(j * section.grid.nx + i);
}

/// The correlation of the two tissues over all shifts, one pose's linear part at a time.
class ShiftSearch {
  public:
    explicit ShiftSearch(const Match& match)
        : match_(match),
          n_(good_length(static_cast<std::int64_t>(
              std::ceil(2 * (reach(match.st()) + 1.15 * reach(match.sm())) / kCell) + 4))),
          fourier_(n_),
          fixed_(transform(match.st(), Eigen::Matrix2d::Identity())) {
        stride_ = std::max<std::int64_t>(1, match.places().rows() / kSearchPlaces);
        few_ = match.places(stride_);
    }

    ScoredPose best(const Eigen::Matrix2d& linear) {
        std::vector<std::complex<float>> product = transform(match_.sm(), linear.inverse());
        for (std::size_t k = 0; k < product.size(); ++k)
            product[k] = fixed_[k] * std::conj(product[k]);
        fourier_.run(product, Direction::Inverse);
        const auto at = [&](std::int64_t c) { return product[c].real(); };
        const double moving = moving_;
        std::int64_t top = 0;
        for (std::int64_t c = 1; c < n_ * n_; ++c)
            if (at(c) > at(top)) top = c;
        const auto overlap = [&](std::int64_t c) {
            return at(c) / (moving + fixed_cells_ - at(c));
        };
        const double least = kNearBest * overlap(top);
        std::vector<std::int64_t> shifts{top};
        for (std::int64_t c = 0; c < n_ * n_; ++c) {
            const std::int64_t di = (c % n_ - top % n_ + n_) % kShiftStep;
            const std::int64_t dj = (c / n_ - top / n_ + n_) % kShiftStep;
            if (c != top && di == 0 && dj == 0 && overlap(c) >= least) shifts.push_back(c);
        }
        std::stable_sort(shifts.begin() + 1, shifts.end(),
                         [&](std::int64_t a, std::int64_t b) { return at(a) > at(b); });
        if (shifts.size() > kMostShifts) shifts.resize(kMostShifts);
        if (!match_.has_content()) shifts.resize(1);
        ScoredPose found;
        found.score = -1e30;
        for (const std::int64_t c : shifts) {
            ScoredPose trial;
            trial.pose.linear = linear;
            trial.pose.shift << signed_shift(c % n_) * kCell, signed_shift(c / n_) * kCell;
            trial.match = match_.score(trial.pose(few_), linear.determinant(), stride_);
            trial.match.overlap = overlap(c);
            trial.score = pose_score(trial.match, match_.weights);
            if (trial.score > found.score) found = trial;
        }
        return found;
    }

  private:
    double signed_shift(std::int64_t k) const {
        return static_cast<double>(k <= n_ / 2 ? k : k - n_);
    }

    std::vector<std::complex<float>> transform(const SectionRaster& section,
                                               const Eigen::Matrix2d& back) {
        std::vector<std::complex<float>> mask(n_ * n_);
        double cells = 0;
        for (std::int64_t j = 0; j < n_; ++j)
            for (std::int64_t i = 0; i < n_; ++i) {
                const Eigen::Vector2d place =
                    back * Eigen::Vector2d(signed_shift(i) * kCell, signed_shift(j) * kCell);
                if (!tissue_at(section, place[0], place[1])) continue;
                mask[j * n_ + i] = 1;
                ++cells;
            }
        (&section == &match_.st() ? fixed_cells_ : moving_) = cells;
        fourier_.run(mask, Direction::Forward);
        return mask;
    }

    const Match& match_;
    std::int64_t n_;
    Fourier fourier_;
    double fixed_cells_ = 0;
    double moving_ = 0;
    std::vector<std::complex<float>> fixed_;
    std::int64_t stride_ = 1;
    Points few_;  ///< places that content is compared at
};

Eigen::Matrix2d orientation(double degrees, Mirror mirror) {
    const double angle = degrees * std::numbers::pi / 180;
    Eigen::Matrix2d linear;
    linear << std::cos(angle), -std::sin(angle), std::sin(angle), std::cos(angle);
    if (mirror == Mirror::Yes) linear.col(0) *= -1;
    return linear;
}

std::vector<Eigen::Matrix2d> orientations(const Match& match, const FitOptions& options) {
    if (options.deformation == Deformation::Shift)  // lengths of both frames are the same
        return {match.sm().length / match.st().length *
                orientation(options.rotation.value_or(0), options.mirror)};
    constexpr double kNearRotation = 15;  // degrees about a given one
    std::vector<Eigen::Matrix2d> trials;
    for (const Mirror mirror : {Mirror::No, Mirror::Yes}) {
        if (options.mirror != Mirror::Search && options.mirror != mirror) continue;
        for (int k = 0; k < kAngles; ++k) {
            const double degrees = 360.0 * k / kAngles;
            if (options.rotation &&
                std::abs(std::remainder(degrees - *options.rotation, 360.0)) > kNearRotation)
                continue;
            const Eigen::Matrix2d linear = orientation(degrees, mirror);
            for (const double scale : kScales) trials.push_back(scale * linear);
        }
    }
    return trials;
}

}  // namespace

double pose_score(const MatchScore& match, const MatchWeights& weights) {
    return weights.content * match.information * match.coverage +
           weights.outline * 3 * std::log(std::max(1e-3, match.overlap));
}

double pose_difference(const Pose& a, const Pose& b) {
    if ((a.linear.determinant() < 0) != (b.linear.determinant() < 0)) return 180;
    const Eigen::Matrix2d turn = a.linear * b.linear.inverse();
    return std::abs(std::atan2(turn(1, 0) - turn(0, 1), turn(0, 0) + turn(1, 1))) * 180 /
           std::numbers::pi;
}

std::vector<ScoredPose> search_poses(const Match& match, const FitOptions& options) {
    const std::vector<Eigen::Matrix2d> trials = orientations(match, options);
    std::vector<ScoredPose> found(trials.size());
#pragma omp parallel num_threads(core::threads())
    {
        ShiftSearch search(match);
#pragma omp for schedule(dynamic, 4)
        for (std::size_t t = 0; t < trials.size(); ++t) found[t] = search.best(trials[t]);
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const ScoredPose& a, const ScoredPose& b) { return a.score > b.score; });
    constexpr double kSame = 14;  // degrees
    std::vector<ScoredPose> chosen;
    for (const ScoredPose& pose : found) {
        if (static_cast<std::int64_t>(chosen.size()) == options.candidates) break;
        if (std::none_of(chosen.begin(), chosen.end(), [&](const ScoredPose& other) {
                return pose_difference(pose.pose, other.pose) < kSame;
            }))
            chosen.push_back(pose);
    }
    return chosen;
}

}  // namespace smeta::align::detail

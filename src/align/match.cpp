#include "match.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "smeta/core/error.hpp"

namespace smeta::align::detail {

namespace {

constexpr double kBand = 0.1;  // distances are compared up to here
constexpr std::int64_t kMostPlaces = 6000;
constexpr double kBorderEvidence = 1;    // of a border that is off by the tolerance everywhere
constexpr double kBorderRounding = 0.2;  // of the tolerance
constexpr double kMostChannel = 3;       // canonical values count up to here

double clip(double value) {
    return std::clamp(value, -kBand, kBand);
}

/// 1 inside, 0 outside, linear over a few cells.
double soft(double distance, double width) {
    return std::clamp(0.5 + distance / width, 0.0, 1.0);
}

}  // namespace

Match::Match(const SectionRaster& sm, const SectionRaster& st) : sm_(sm), st_(st) {
    const RasterGrid& grid = sm.grid;
    std::vector<std::int64_t> cells;
    std::int64_t stride = 1;
    const auto near = [&](std::int64_t c) { return sm.distance[c] > -kBand * sm.length; };
    std::int64_t all = 0;
    for (std::int64_t c = 0; c < grid.size(); ++c) all += near(c) ? 1 : 0;
    while (all > kMostPlaces * stride * stride) ++stride;
    for (std::int64_t j = 0; j < grid.ny; j += stride)
        for (std::int64_t i = 0; i < grid.nx; i += stride)
            if (near(j * grid.nx + i)) cells.push_back(j * grid.nx + i);
    const auto n = static_cast<std::int64_t>(cells.size());
    places_.resize(n, 2);
    sm_channels_ = core::MatrixF::Zero(n, sm.channels.cols());
    for (std::int64_t r = 0; r < n; ++r) {
        const std::int64_t c = cells[r];
        places_.row(r) << (grid.x(c % grid.nx) - sm.centre[0]) / sm.length,
            (grid.y(c / grid.nx) - sm.centre[1]) / sm.length;
        const double distance = sm.distance[c] / sm.length;
        sm_distance_.push_back(static_cast<float>(distance));
        sm_weight_.push_back(static_cast<float>(soft(distance, 2 * grid.cell / sm.length)));
        if (sm.channels.cols() > 0) sm_channels_.row(r) = sm.channels.row(c);
        if (distance > 0) ++inside_;
        if (std::abs(distance) < kBand) ++band_;
    }
    evidence_ = 0.5 * static_cast<double>(std::min(sm.points, st.points));
    evidence_ = std::min(evidence_, 2000.0);
    outline_evidence_ = 0.5 * 4 / std::max(sm.pitch / sm.length, st.pitch / st.length);
    x0_ = (st.grid.x0 - st.centre[0]) / st.length;
    y0_ = (st.grid.y0 - st.centre[1]) / st.length;
    cell_ = st.grid.cell / st.length;
    layers_ = core::MatrixF::Zero(st.grid.size(), 2);
    for (std::int64_t c = 0; c < st.grid.size(); ++c) {
        const double distance = st.distance[c] / st.length;
        layers_(c, 0) = static_cast<float>(clip(distance));
        layers_(c, 1) = static_cast<float>(soft(distance, 2 * cell_));
    }
}

Points Match::to_sm(const core::MatrixD& points) const {
    return (points.rowwise() - Eigen::RowVector2d(sm_.centre[0], sm_.centre[1])) / sm_.length;
}

Points Match::to_st(const core::MatrixD& points) const {
    return (points.rowwise() - Eigen::RowVector2d(st_.centre[0], st_.centre[1])) / st_.length;
}

std::optional<Match::Cell> Match::find(double x, double y) const {
    const double u = (x - x0_) / cell_;
    const double v = (y - y0_) / cell_;
    if (!(u >= 0 && v >= 0 && u < static_cast<double>(st_.grid.nx - 1) &&
          v < static_cast<double>(st_.grid.ny - 1)))
        return std::nullopt;
    const auto i = static_cast<std::int64_t>(u);
    const auto j = static_cast<std::int64_t>(v);
    return Cell{j * st_.grid.nx + i, u - static_cast<double>(i), v - static_cast<double>(j)};
}

double Match::layer(const Cell& cell, Eigen::Index k) const {
    const auto [corner, a, b] = cell;
    return (1 - b) * ((1 - a) * layers_(corner, k) + a * layers_(corner + 1, k)) +
           b * ((1 - a) * layers_(corner + st_.grid.nx, k) +
                a * layers_(corner + st_.grid.nx + 1, k));
}

MatchedMoments Match::moments(const Points& moved, std::int64_t stride, double& overlap) const {
    MatchedMoments sums(sm_channels_.cols(), st_.channels.cols());
    overlap = 0;
    double inside = 0;
    for (Eigen::Index m = 0; m < moved.rows(); ++m) {
        const Eigen::Index r = m * stride;
        if (sm_distance_[r] <= 0) continue;
        ++inside;
        const auto found = find(moved(m, 0), moved(m, 1));
        if (!found) continue;
        const std::int64_t c =
            found->corner + (found->a >= 0.5 ? 1 : 0) + (found->b >= 0.5 ? st_.grid.nx : 0);
        if (st_.distance[c] <= 0) continue;
        overlap += 1;
        if (has_content()) sums.add(sm_channels_.row(r).data(), st_.channels.row(c).data(), 1.0);
    }
    overlap /= std::max(1.0, inside);
    return sums;
}

void Match::pair_content(const Points& moved) {
    correlation_.resize(0);
    if (!has_content()) return;
    double overlap = 0;
    const CanonicalPairs pairs = canonical_pairs(moments(moved, 1, overlap));
    const Eigen::Index count = pairs.correlation.size();
    correlation_ = pairs.correlation;
    if (count == 0) return;
    const Eigen::MatrixXf x_map = pairs.x_map.leftCols(count).cast<float>();
    const Eigen::MatrixXf y_map = pairs.y_map.leftCols(count).cast<float>();
    const auto limited = [](const core::MatrixF& values) {
        return values.cwiseMax(-static_cast<float>(kMostChannel))
            .cwiseMin(static_cast<float>(kMostChannel));
    };
    const core::MatrixF x =
        (sm_channels_.rowwise() - pairs.x_mean.transpose().cast<float>()) * x_map;
    const core::MatrixF y =
        (st_.channels.rowwise() - pairs.y_mean.transpose().cast<float>()) * y_map;
    sm_pairs_ = limited(x);
    layers_.conservativeResize(Eigen::NoChange, 2 + count);
    layers_.rightCols(count) = limited(y);
}

double Match::value(const Points& moved, double scale, Points& gradient) const {
    const Eigen::Index pairs = correlation_.size();
    const double outline = point_term_ ? 0.0
                                       : weights.outline * outline_evidence_ /
                                             static_cast<double>(std::max<std::int64_t>(1, band_));
    const double content =
        weights.content * evidence_ / static_cast<double>(std::max<std::int64_t>(1, inside_));
    const double c2 = weights.outline_width * weights.outline_width;
    double constant = 0;
    for (const double r : correlation_) constant -= 0.5 * std::log1p(-r * r);
    double sum = 0;
    gradient.setZero(moved.rows(), 2);
    for (Eigen::Index r = 0; r < moved.rows(); ++r) {
        const double expected = clip(scale * sm_distance_[r]);
        const auto found = find(moved(r, 0), moved(r, 1));
        if (!found) {
            const double d = -kBand - expected;
            sum += outline * 4 * d * d / (d * d + c2);
            continue;
        }
        const auto [corner, a, b] = *found;
        const float* v00 = layers_.row(corner).data();
        const float* v10 = layers_.row(corner + 1).data();
        const float* v01 = layers_.row(corner + st_.grid.nx).data();
        const float* v11 = layers_.row(corner + st_.grid.nx + 1).data();
        const auto at = [&](Eigen::Index k) {
            return (1 - b) * ((1 - a) * v00[k] + a * v10[k]) + b * ((1 - a) * v01[k] + a * v11[k]);
        };
        const auto dx = [&](Eigen::Index k) {
            return ((1 - b) * (v10[k] - v00[k]) + b * (v11[k] - v01[k])) / cell_;
        };
        const auto dy = [&](Eigen::Index k) {
            return ((1 - a) * (v01[k] - v00[k]) + a * (v11[k] - v10[k])) / cell_;
        };
        const double d = at(0) - expected;
        sum += outline * 4 * d * d / (d * d + c2);
        const double slope = outline * 8 * d * c2 / ((d * d + c2) * (d * d + c2));
        double gx = slope * dx(0);
        double gy = slope * dy(0);
        if (pairs > 0 && sm_weight_[r] > 0) {
            const double here = at(1);
            double ratio = constant;
            double rx = 0;
            double ry = 0;
            const float* expected_pairs = sm_pairs_.row(r).data();
            for (Eigen::Index k = 0; k < pairs; ++k) {
                const double rho = correlation_[k];
                const double rest = 1 - rho * rho;
                const double y = at(2 + k);
                const double miss = y - rho * expected_pairs[k];
                ratio += 0.5 * (y * y - miss * miss / rest);
                const double change = y - miss / rest;
                rx += change * dx(2 + k);
                ry += change * dy(2 + k);
            }
            const double weight = content * sm_weight_[r];
            sum -= weight * here * ratio;
            gx -= weight * (here * rx + ratio * dx(1));
            gy -= weight * (here * ry + ratio * dy(1));
        }
        gradient(r, 0) = gx;
        gradient(r, 1) = gy;
    }
    return sum;
}

std::vector<double> Match::agreement(const Points& moved) const {
    std::vector<double> result(moved.rows(), std::numeric_limits<double>::quiet_NaN());
    for (Eigen::Index r = 0; r < moved.rows(); ++r) {
        const auto found = find(moved(r, 0), moved(r, 1));
        if (correlation_.size() == 0 || sm_distance_[r] <= 0 || !found || layer(*found, 1) < 0.5)
            continue;
        result[r] = 0;
        for (Eigen::Index k = 0; k < correlation_.size(); ++k) {
            const double rest = 1 - correlation_[k] * correlation_[k];
            const double y = layer(*found, 2 + k);
            const double miss = y - correlation_[k] * sm_pairs_(r, k);
            result[r] += 0.5 * (y * y - miss * miss / rest - std::log(rest));
        }
    }
    return result;
}

Points Match::tracked() const {
    Points all(places_.rows() + landmarks_.sm.rows() + border_.rows(), 2);
    all << places_, landmarks_.sm, border_;
    return all;
}

double Match::objective(const Points& moved, double scale, Points& gradient) const {
    const Eigen::Index places = places_.rows();
    const Eigen::Index landmarks = landmarks_.sm.rows();
    double sum = value(moved.topRows(places), scale, gradient);
    gradient.conservativeResize(moved.rows(), Eigen::NoChange);
    Points part;
    if (landmarks > 0) {
        sum += landmark_value(moved.middleRows(places, landmarks), part);
        gradient.middleRows(places, landmarks) = part;
    }
    if (point_term_) {
        sum += border_value(moved.bottomRows(border_.rows()), part);
        gradient.bottomRows(border_.rows()) = part;
    }
    return sum;
}

void Match::compare_borders(PointNorm norm) {
    if (sm_.border.rows() == 0 || st_.border.rows() == 0) return;
    border_ = to_sm(sm_.border);
    point_term_ = std::make_shared<const PointTerm>(to_st(st_.border), norm);
}

double Match::border_value(const Points& moved, Points& gradient) const {
    const double weight =
        weights.outline * kBorderEvidence * outline_evidence_ / weights.outline_width;
    const double value =
        point_term_->value(moved, kBorderRounding * weights.outline_width, gradient);
    gradient *= weight;
    return weight * value;
}

double Match::landmark_value(const Points& moved, Points& gradient) const {
    gradient = weights.landmarks * (moved - landmarks_.st);
    return 0.5 * weights.landmarks * (moved - landmarks_.st).squaredNorm();
}

Points Match::places(std::int64_t stride) const {
    Points few((places_.rows() + stride - 1) / stride, 2);
    for (Eigen::Index r = 0; r < few.rows(); ++r) few.row(r) = places_.row(r * stride);
    return few;
}

MatchScore Match::score(const Points& moved, double determinant, std::int64_t stride) const {
    MatchScore score;
    double overlap = 0;
    const MatchedMoments sums = moments(moved, stride, overlap);
    // Both tissues have area 1 in their own frames.
    const double area = std::abs(determinant);
    const double both = area * overlap;
    score.overlap = std::clamp(both / std::max(1e-9, 1 + area - both), 0.0, 1.0);
    score.coverage = std::min(1.0, both / std::min(1.0, area));
    if (has_content()) score.information = canonical_pairs(sums).information();
    return score;
}

}  // namespace smeta::align::detail

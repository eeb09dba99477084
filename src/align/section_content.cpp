#include <algorithm>
#include <cmath>
#include <numeric>

#include "smeta/align/section_raster.hpp"
#include "smeta/core/error.hpp"
#include "smeta/stats/pca.hpp"

#include "blur.hpp"

namespace smeta::align {

namespace {

constexpr double kLeastVariance = 0.01;  // of the first channel's
constexpr std::uint64_t kPcaSeed = 1;

}  // namespace

SectionContent::SectionContent(SectionRaster& raster, const core::MatrixD& points,
                               std::int32_t features, const RasterOptions& options)
    : raster_(raster), points_(points), options_(options), sum_(features), square_(features) {}

void SectionContent::measure(const core::CsrView& rows) {
    for (std::int64_t r = 0; r < rows.rows; ++r) {
        const auto indices = rows.row_indices(r);
        const auto values = rows.row_values(r);
        const double total = std::accumulate(values.begin(), values.end(), 0.0);
        if (!(total > 0)) continue;
        ++rows_;
        totals_ += total;
        for (std::size_t k = 0; k < indices.size(); ++k) {
            // Shares of a row: the scale of totals is known only at the end.
            const double root = std::sqrt(std::max(0.0, values[k] / total));
            sum_[indices[k]] += root;
            square_[indices[k]] += root * root;
        }
    }
}

void SectionContent::choose() {
    target_ = rows_ > 0 ? totals_ / static_cast<double>(rows_) : 1.0;
    const auto n = std::max<double>(1.0, static_cast<double>(rows_));
    std::vector<std::int32_t> order(sum_.size());
    std::iota(order.begin(), order.end(), 0);
    const auto variance = [&](std::int32_t f) {
        return square_[f] / n - (sum_[f] / n) * (sum_[f] / n);
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int32_t a, std::int32_t b) { return variance(a) > variance(b); });
    chosen_ = static_cast<std::int32_t>(
        std::min<std::int64_t>(options_.most_features, static_cast<std::int64_t>(order.size())));
    column_.assign(sum_.size(), -1);
    std::sort(order.begin(), order.begin() + chosen_);
    for (std::int32_t c = 0; c < chosen_; ++c) column_[order[c]] = c;
    values_ = core::MatrixF::Zero(raster_.grid.size(), chosen_ + 1);
    weights_ = core::MatrixF::Zero(raster_.grid.size(), 1);
}

SectionContent::Corners SectionContent::corners(std::int64_t row) const {
    const RasterGrid& grid = raster_.grid;
    const double u = (points_(row, 0) - grid.x0) / grid.cell;
    const double v = (points_(row, 1) - grid.y0) / grid.cell;
    const auto i = static_cast<std::int64_t>(std::floor(u));
    const auto j = static_cast<std::int64_t>(std::floor(v));
    const double a = u - static_cast<double>(i);
    const double b = v - static_cast<double>(j);
    return {
        {j * grid.nx + i, j * grid.nx + i + 1, (j + 1) * grid.nx + i, (j + 1) * grid.nx + i + 1},
        {(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b}};
}

void SectionContent::add_values(const core::MatrixF& rows) {
    values_ = core::MatrixF::Zero(raster_.grid.size(), rows.cols());
    weights_ = core::MatrixF::Zero(raster_.grid.size(), 1);
    for (Eigen::Index r = 0; r < rows.rows(); ++r) {
        const auto [cell, share] = corners(r);
        for (int corner = 0; corner < 4; ++corner) {
            const auto weight = static_cast<float>(share[corner]);
            weights_(cell[corner], 0) += weight;
            values_.row(cell[corner]) += weight * rows.row(r);
        }
    }
}

void SectionContent::add(std::int64_t first, const core::CsrView& rows) {
    if (column_.empty()) choose();
    for (std::int64_t r = 0; r < rows.rows; ++r) {
        const auto indices = rows.row_indices(r);
        const auto values = rows.row_values(r);
        const double total = std::accumulate(values.begin(), values.end(), 0.0);
        const double scale = total > 0 ? target_ / total : 0.0;
        const auto [cell, share] = corners(first + r);
        for (int corner = 0; corner < 4; ++corner) {
            const auto weight = static_cast<float>(share[corner]);
            weights_(cell[corner], 0) += weight;
            auto row = values_.row(cell[corner]);
            row[chosen_] += weight * static_cast<float>(std::log1p(std::max(0.0, total)));
            for (std::size_t k = 0; k < indices.size(); ++k)
                if (column_[indices[k]] >= 0)
                    row[column_[indices[k]]] +=
                        weight * static_cast<float>(std::log1p(std::max(0.0, values[k] * scale)));
        }
    }
}

void SectionContent::finish() {
    if (values_.size() == 0) choose();
    const RasterGrid& grid = raster_.grid;
    const double sigma = detail::content_blur(raster_);
    const core::MatrixF weights = detail::blur(weights_, grid, sigma);
    core::MatrixF values = detail::blur(values_, grid, sigma);
    values_.resize(0, 0);
    std::vector<std::int64_t> cells;
    std::vector<std::int64_t> known;
    const float least = 1e-4F * weights.maxCoeff();
    for (std::int64_t c = 0; c < grid.size(); ++c) {
        if (!(weights(c, 0) > least)) continue;
        values.row(c) /= weights(c, 0);
        known.push_back(c);
        if (raster_.inside(c)) cells.push_back(c);
    }
    if (cells.size() < 10) return;
    core::MatrixF data(cells.size(), values.cols());
    for (std::size_t r = 0; r < cells.size(); ++r) data.row(r) = values.row(cells[r]);
    const Eigen::RowVectorXf mean = data.colwise().mean();
    core::MatrixF centred = data.rowwise() - mean;
    const auto found = stats::principal_components(data, options_.channels, kPcaSeed);
    std::int64_t count = 0;
    while (count < static_cast<std::int64_t>(found.variance.size()) && found.variance[0] > 1e-12 &&
           found.variance[count] > kLeastVariance * found.variance[0])
        ++count;
    raster_.channels = core::MatrixF::Zero(grid.size(), count);
    if (count == 0) return;
    // Loadings from scores, to go on outside the tissue.
    const core::MatrixF scores = found.scores.leftCols(count).cast<float>();
    core::MatrixF loadings = centred.transpose() * scores;
    const double unit = std::sqrt(found.variance[0]);
    for (std::int64_t k = 0; k < count; ++k)
        loadings.col(k) /=
            static_cast<float>(found.variance[k] * static_cast<double>(cells.size() - 1) * unit);
    for (const std::int64_t c : known) raster_.channels.row(c) = (values.row(c) - mean) * loadings;
}

}  // namespace smeta::align

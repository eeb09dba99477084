#include "smeta/stats/shared_pca.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include <Eigen/Eigenvalues>
#include <Eigen/QR>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"

namespace smeta::stats {
namespace {

constexpr Eigen::Index kSpareDirections = 10;
constexpr int kMostBlocks = 16;
constexpr int kFewestBlocks = 3;
constexpr double kConverged = 1e-10;          ///< change of an eigenvalue, of itself
constexpr double kSmallestDirection = 1e-10;  ///< of the block that it is left over from
using core::MatrixD;

/// The lanes of this rank and their rows.
struct Lanes {
    std::vector<comm::Range> rows;  ///< relative to the rank's first row

    Lanes(const comm::Comm& comm, std::int64_t all) {
        const auto own = comm::even_share(kPcaLanes, comm.size(), comm.rank());
        const auto first = pca_rows(all, comm.size(), comm.rank()).first;
        for (auto lane = own.first; lane < own.last; ++lane) {
            const auto range = comm::even_share(all, kPcaLanes, static_cast<int>(lane));
            rows.push_back({range.first - first, range.last - first});
        }
    }
};

/// Sum of `rows x cols` matrices, one a lane, in the order of the lanes, on every rank.
/// `fill(lane, matrix)` adds one lane's part; lanes are shared by threads.
template <class Fill>
MatrixD lane_sum(const comm::Comm& comm, const Lanes& lanes, Eigen::Index rows, Eigen::Index cols,
                 Fill fill) {
    const auto size = static_cast<std::size_t>(rows * cols);
    std::vector<double> parts(lanes.rows.size() * size, 0.0);
#pragma omp parallel for schedule(dynamic, 1) num_threads(core::threads())
    for (std::size_t l = 0; l < lanes.rows.size(); ++l) {
        Eigen::Map<MatrixD> part(parts.data() + l * size, rows, cols);
        fill(lanes.rows[l], part);
    }
    MatrixD sum = MatrixD::Zero(rows, cols);
    for (const auto& own : comm.allgather(std::span<const double>(parts)))
        for (std::size_t at = 0; at < own.size(); at += size)
            sum += Eigen::Map<const MatrixD>(own.data() + at, rows, cols);
    return sum;
}

/// The centred and scaled matrix A as an operator on this rank's rows.
class CentredRows {
  public:
    CentredRows(const comm::Comm& comm, const core::CsrView& values,
                const std::vector<ColumnBlock>& blocks, const Lanes& lanes)
        : comm_(comm), values_(values), blocks_(blocks), lanes_(lanes) {
        find_means();
    }
    std::int32_t columns() const { return values_.cols; }

    /// A x right for this rank's rows (right: columns x width).
    MatrixD times(const MatrixD& right) const {
        const MatrixD scaled = scale_.asDiagonal() * right;
        MatrixD shift(static_cast<Eigen::Index>(blocks_.size()), right.cols());
        for (std::size_t b = 0; b < blocks_.size(); ++b) {
            const auto first = blocks_[b].first;
            const auto count = blocks_[b].last - first;
            shift.row(static_cast<Eigen::Index>(b)) =
                mean_.segment(first, count).transpose() * scaled.middleRows(first, count);
        }
        MatrixD result(values_.rows, right.cols());
#pragma omp parallel for schedule(static) num_threads(core::threads())
        for (std::int64_t r = 0; r < values_.rows; ++r) {
            auto row = result.row(r);
            row.setZero();
            const auto columns = values_.row_indices(r);
            const auto entries = values_.row_values(r);
            for (std::size_t e = 0; e < columns.size(); ++e)
                row += static_cast<double>(entries[e]) * scaled.row(columns[e]);
            for (std::size_t b = 0; b < blocks_.size(); ++b)
                if (has(b, r)) row -= shift.row(static_cast<Eigen::Index>(b));
        }
        return result;
    }

    /// transpose(A) x left over the rows of all ranks (left: this rank's rows x width). Collective.
    MatrixD transposed_times(const MatrixD& left) const {
        const Eigen::Index width = left.cols();
        const Eigen::Index extra = static_cast<Eigen::Index>(blocks_.size());
        // The last rows: sums of `left` over the rows that have each block.
        const MatrixD sums =
            lane_sum(comm_, lanes_, columns() + extra, width, [&](comm::Range rows, auto& part) {
                for (auto r = rows.first; r < rows.last; ++r) {
                    const auto indices = values_.row_indices(r);
                    const auto entries = values_.row_values(r);
                    for (std::size_t e = 0; e < indices.size(); ++e)
                        part.row(indices[e]) += static_cast<double>(entries[e]) * left.row(r);
                    for (std::size_t b = 0; b < blocks_.size(); ++b)
                        if (has(b, r))
                            part.row(columns() + static_cast<Eigen::Index>(b)) += left.row(r);
                }
            });
        MatrixD result = sums.topRows(columns());
        for (std::size_t b = 0; b < blocks_.size(); ++b)
            for (auto c = blocks_[b].first; c < blocks_[b].last; ++c)
                result.row(c) =
                    scale_[c] *
                    (result.row(c) - mean_[c] * sums.row(columns() + static_cast<Eigen::Index>(b)));
        return result;
    }

  private:
    bool has(std::size_t block, std::int64_t row) const {
        return blocks_[block].present.empty() || blocks_[block].present[row] != 0;
    }
    void find_means() {
        const auto blocks = static_cast<Eigen::Index>(blocks_.size());
        // Columns: sum and sum of squares; last rows: rows that have each block.
        const MatrixD sums =
            lane_sum(comm_, lanes_, columns() + blocks, 2, [&](comm::Range rows, auto& part) {
                for (auto r = rows.first; r < rows.last; ++r) {
                    const auto indices = values_.row_indices(r);
                    const auto entries = values_.row_values(r);
                    for (std::size_t e = 0; e < indices.size(); ++e) {
                        const double x = entries[e];
                        part(indices[e], 0) += x;
                        part(indices[e], 1) += x * x;
                    }
                    for (std::size_t b = 0; b < blocks_.size(); ++b)
                        if (has(b, r)) part(columns() + static_cast<Eigen::Index>(b), 0) += 1;
                }
            });
        mean_ = Eigen::VectorXd::Zero(columns());
        scale_ = Eigen::VectorXd::Ones(columns());
        for (std::size_t b = 0; b < blocks_.size(); ++b) {
            const double count = sums(columns() + static_cast<Eigen::Index>(b), 0);
            double squares = 0;
            for (auto c = blocks_[b].first; c < blocks_[b].last && count > 0; ++c) {
                mean_[c] = sums(c, 0) / count;
                squares += std::max(sums(c, 1) - count * mean_[c] * mean_[c], 0.0);
            }
            if (blocks_[b].scale == BlockScale::UnitTotalVariance && squares > 0)
                scale_.segment(blocks_[b].first, blocks_[b].last - blocks_[b].first)
                    .setConstant(1 / std::sqrt(squares / count));
        }
    }

    const comm::Comm& comm_;
    core::CsrView values_;
    const std::vector<ColumnBlock>& blocks_;
    const Lanes& lanes_;
    Eigen::VectorXd mean_;
    Eigen::VectorXd scale_;
};

MatrixD random_directions(Eigen::Index rows, Eigen::Index cols, std::uint64_t seed) {
    const core::Philox random(seed, core::DrawPurpose::Cluster);
    MatrixD result(rows, cols);
    for (Eigen::Index i = 0; i < result.size(); ++i)
        result.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    return result;
}

MatrixD orthonormal(const MatrixD& small) {
    const Eigen::HouseholderQR<Eigen::MatrixXd> qr(small);
    return qr.householderQ() * Eigen::MatrixXd::Identity(small.rows(), small.cols());
}

MatrixD beside(const MatrixD& left, const MatrixD& right) {
    MatrixD both(right.rows(), left.cols() + right.cols());
    both << left, right;
    return both;
}

/// Orthonormal directions of `block` that `basis` does not span.
MatrixD new_directions(const MatrixD& basis, const MatrixD& block) {
    const auto outside = [&](const MatrixD& x) -> MatrixD {
        return x - basis * (basis.transpose() * x);
    };
    Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(outside(outside(block)));
    const double least = kSmallestDirection * block.norm();
    Eigen::Index rank = 0;
    while (rank < std::min(block.cols(), basis.rows() - basis.cols()) &&
           std::abs(qr.matrixQR()(rank, rank)) > least)
        ++rank;
    if (rank == 0) return MatrixD(basis.rows(), 0);
    const MatrixD found = qr.householderQ() * Eigen::MatrixXd::Identity(basis.rows(), rank);
    return orthonormal(outside(found));
}

/// Leading eigenvalues, descending, and their vectors.
struct Leading {
    Eigen::VectorXd values;
    MatrixD vectors;
};

/// Of the operator that made `image` of the orthonormal `basis`, inside that space.
Leading leading(const MatrixD& basis, const MatrixD& image, Eigen::Index count) {
    const Eigen::MatrixXd inside = basis.transpose() * image;
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver((inside + inside.transpose()) / 2);
    return {solver.eigenvalues().tail(count).reverse().cwiseMax(0.0),
            basis * solver.eigenvectors().rightCols(count).rowwise().reverse()};
}

/// Eigenvectors of transpose(A) A. The small matrices are the same on every rank.
Leading loadings(const CentredRows& data, MatrixD block, Eigen::Index count) {
    MatrixD basis(data.columns(), 0);
    MatrixD image(data.columns(), 0);
    Leading found;
    for (int step = 1; step <= kMostBlocks && block.cols() > 0; ++step) {
        const MatrixD product = data.transposed_times(data.times(block));
        basis = beside(basis, block);
        image = beside(image, product);
        const Eigen::VectorXd before = std::move(found.values);
        found = leading(basis, image, count);
        if (step >= kFewestBlocks &&
            ((found.values - before).array().abs() <= kConverged * found.values.array()).all())
            break;
        block = new_directions(basis, product);
    }
    return found;
}

}  // namespace

comm::Range pca_rows(std::int64_t rows, int ranks, int rank) {
    const auto own = comm::even_share(kPcaLanes, ranks, rank);
    const auto start = [&](std::int64_t lane) {
        return lane < kPcaLanes ? comm::even_share(rows, kPcaLanes, static_cast<int>(lane)).first
                                : rows;
    };
    return {start(own.first), start(own.last)};
}

PrincipalComponents principal_components(const comm::Comm& comm, std::int64_t rows,
                                         const core::CsrView& mine,
                                         const std::vector<ColumnBlock>& blocks, std::int32_t count,
                                         std::uint64_t seed) {
    core::check(mine.rows == pca_rows(rows, comm.size(), comm.rank()).size(),
                "a rank holds the rows of pca_rows");
    PrincipalComponents result;
    const auto smaller = std::min<Eigen::Index>(rows, mine.cols);
    const auto kept = std::min<Eigen::Index>(count, smaller);
    if (kept == 0) {
        result.scores.resize(rows, 0);
        return result;
    }
    const Lanes lanes(comm, rows);
    const CentredRows data(comm, mine, blocks, lanes);
    const auto width = std::min(kept + kSpareDirections, smaller);
    auto [values, directions] =
        loadings(data, orthonormal(random_directions(mine.cols, width, seed)), kept);
    const double degrees = std::max<double>(static_cast<double>(rows) - 1, 1);
    for (Eigen::Index c = 0; c < kept; ++c) {
        Eigen::Index largest = 0;
        directions.col(c).cwiseAbs().maxCoeff(&largest);
        if (directions(largest, c) < 0) directions.col(c) *= -1;
        result.variance.push_back(values[c] / degrees);
    }
    const MatrixD scores = data.times(directions);
    const std::vector<double> own(scores.data(), scores.data() + scores.size());
    result.scores.resize(rows, kept);
    double* next = result.scores.data();
    for (const auto& part : comm.allgather(std::span<const double>(own)))
        next = std::copy(part.begin(), part.end(), next);
    return result;
}

}  // namespace smeta::stats

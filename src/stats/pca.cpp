#include "smeta/stats/pca.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Eigenvalues>
#include <Eigen/QR>

#include "smeta/core/random.hpp"

namespace smeta::stats {
namespace {

constexpr Eigen::Index kSpareDirections = 10;
constexpr int kPowerSteps = 5;
using Columns = Eigen::MatrixXf;

Columns orthonormal(const Columns& matrix) {
    const Eigen::HouseholderQR<Columns> qr(matrix);
    return qr.householderQ() * Columns::Identity(matrix.rows(), matrix.cols());
}

Columns random_directions(Eigen::Index rows, Eigen::Index cols, std::uint64_t seed) {
    const core::Philox random(seed, core::DrawPurpose::Cluster);
    Columns result(rows, cols);
    for (Eigen::Index i = 0; i < result.size(); ++i)
        result.data()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
    return result;
}

}  // namespace

PrincipalComponents principal_components(core::MatrixF data, std::int32_t count,
                                         std::uint64_t seed) {
    PrincipalComponents result;
    const Eigen::Index smaller = std::min(data.rows(), data.cols());
    const Eigen::Index kept = std::min<Eigen::Index>(count, smaller);
    if (kept == 0) {
        result.scores.resize(data.rows(), 0);
        return result;
    }
    const Eigen::RowVectorXd mean = data.cast<double>().colwise().mean();
    data.rowwise() -= mean.cast<float>();

    const Eigen::Index width = std::min(kept + kSpareDirections, smaller);
    Columns basis = orthonormal(data * random_directions(data.cols(), width, seed));
    for (int step = 0; step < kPowerSteps; ++step)
        basis = orthonormal(data * orthonormal(data.transpose() * basis));

    // Columns of `projected` are the data seen along the basis; its small Gram matrix holds the
    // components.
    const Columns projected = data.transpose() * basis;
    const Eigen::MatrixXd gram = projected.cast<double>().transpose() * projected.cast<double>();
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
    result.scores.resize(data.rows(), kept);
    const double degrees = std::max<double>(static_cast<double>(data.rows()) - 1, 1);
    for (Eigen::Index c = 0; c < kept; ++c) {
        const Eigen::VectorXd direction = solver.eigenvectors().col(width - 1 - c);
        const double square = std::max(solver.eigenvalues()[width - 1 - c], 0.0);
        const Eigen::VectorXd loading = projected.cast<double>() * direction;
        Eigen::Index largest = 0;
        loading.cwiseAbs().maxCoeff(&largest);
        const double sign = loading[largest] < 0 ? -1 : 1;
        result.scores.col(c) = basis.cast<double>() * direction * (sign * std::sqrt(square));
        result.variance.push_back(square / degrees);
    }
    return result;
}

}  // namespace smeta::stats

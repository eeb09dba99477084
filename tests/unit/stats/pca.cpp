#include "smeta/stats/pca.hpp"

#include <Eigen/SVD>
#include <gtest/gtest.h>

#include "smeta/core/random.hpp"

namespace smeta::stats {
namespace {

core::MatrixF low_rank(Eigen::Index rows, Eigen::Index cols, int rank, double noise) {
    const core::Philox random(7, core::DrawPurpose::Test);
    std::uint64_t draw = 0;
    core::MatrixF left(rows, rank);
    core::MatrixF right(rank, cols);
    core::MatrixF data(rows, cols);
    for (auto* matrix : {&left, &right, &data})
        for (Eigen::Index i = 0; i < matrix->size(); ++i)
            matrix->data()[i] = static_cast<float>(random.normal(draw++));
    for (int r = 0; r < rank; ++r) left.col(r) *= static_cast<float>(rank - r);
    data = left * right + static_cast<float>(noise) * data;
    data.col(0).array() += 5.0F;
    return data;
}

/// Scores up to the sign, and variances, from a full singular value decomposition.
void expect_components_of_svd(const core::MatrixF& data, const PrincipalComponents& found,
                              double tolerance) {
    Eigen::MatrixXd centred = data.cast<double>();
    centred.rowwise() -= centred.colwise().mean().eval();
    const Eigen::JacobiSVD<Eigen::MatrixXd> svd(centred, Eigen::ComputeThinU | Eigen::ComputeThinV);
    for (Eigen::Index c = 0; c < found.scores.cols(); ++c) {
        const double scale = svd.singularValues()[c];
        const Eigen::VectorXd expected = svd.matrixU().col(c) * scale;
        const double sign = expected.dot(found.scores.col(c)) < 0 ? -1 : 1;
        EXPECT_LT((expected * sign - found.scores.col(c)).norm(), tolerance * scale) << c;
        EXPECT_NEAR(found.variance[c], scale * scale / static_cast<double>(data.rows() - 1),
                    tolerance * found.variance[c]);
    }
}

TEST(PrincipalComponents, EqualsSingularValueDecomposition) {
    const auto data = low_rank(200, 80, 6, 0.1);
    expect_components_of_svd(data, principal_components(data, 6, 1), 1e-4);
}

TEST(PrincipalComponents, IsExactWhereTheBasisSpansTheData) {
    const auto data = low_rank(40, 8, 8, 1.0);
    const auto found = principal_components(data, 20, 1);
    EXPECT_EQ(found.scores.cols(), 8);
    expect_components_of_svd(data, found, 1e-4);
}

TEST(PrincipalComponents, TakesEmptyAndConstantData) {
    EXPECT_EQ(principal_components(core::MatrixF(0, 5), 3, 1).scores.cols(), 0);
    const auto constant = principal_components(core::MatrixF::Constant(5, 4, 2.0F), 2, 1);
    EXPECT_TRUE(constant.scores.isZero(1e-6));
}

TEST(PrincipalComponents, SameSeedSameBits) {
    const auto data = low_rank(60, 30, 4, 0.5);
    EXPECT_EQ(principal_components(data, 4, 3).scores, principal_components(data, 4, 3).scores);
}

}  // namespace
}  // namespace smeta::stats

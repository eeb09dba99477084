#include <cmath>

#include <gtest/gtest.h>

#include "smeta/nn/adamw.hpp"
#include "smeta/nn/batch_norm.hpp"
#include "smeta/nn/sparse.hpp"

namespace {

using namespace smeta;
using core::MatrixD;

MatrixD random(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    const core::Philox draws(seed, core::DrawPurpose::Test);
    MatrixD m(rows, cols);
    for (std::int64_t i = 0; i < m.size(); ++i) m.data()[i] = draws.normal(i);
    return m;
}

/// c = a b, element by element.
MatrixD plain_product(const MatrixD& a, const MatrixD& b) {
    MatrixD c = MatrixD::Zero(a.rows(), b.cols());
    for (std::int64_t i = 0; i < a.rows(); ++i)
        for (std::int64_t j = 0; j < b.cols(); ++j)
            for (std::int64_t k = 0; k < a.cols(); ++k) c(i, j) += a(i, k) * b(k, j);
    return c;
}

double largest_difference(const MatrixD& a, const MatrixD& b) {
    return a.size() == 0 ? 0 : (a - b).cwiseAbs().maxCoeff();
}

TEST(Gemm, EqualsThePlainProduct) {
    for (const std::int64_t m : {0, 1, 7, 40})
        for (const std::int64_t k : {0, 1, 33}) {
            const MatrixD a = random(m, k, 1);
            const MatrixD b = random(k, 21, 2);
            MatrixD c = MatrixD::Constant(m, 21, 5);
            nn::product<double>(a, b, c);
            EXPECT_LT(largest_difference(c, plain_product(a, b)), 1e-12);
            MatrixD left = MatrixD::Constant(k, 9, 5);
            const MatrixD d = random(m, 9, 3);
            nn::product_transposed_left<double>(a, d, left);
            EXPECT_LT(largest_difference(left, plain_product(a.transpose(), d)), 1e-12);
            MatrixD right = MatrixD::Constant(m, k, 5);
            nn::product_transposed_right<double>(c, b, right, nn::Target::Add);
            EXPECT_LT(largest_difference(
                          right, plain_product(c, b.transpose()) + MatrixD::Constant(m, k, 5)),
                      1e-11);
        }
}

/// Shapes around the edges of the register block and of the panels, as float and as double.
template <class R>
void check_shapes(double tolerance) {
    const auto cast = [](const MatrixD& m) { return core::Matrix<R>(m.cast<R>()); };
    for (const std::int64_t m : {1, 8, 13, 130})
        for (const std::int64_t n : {1, 15, 48, 64, 131})
            for (const std::int64_t k : {1, 8, 300}) {
                const MatrixD a = random(m, k, 1);
                const MatrixD b = random(k, n, 2);
                const MatrixD row = random(1, n, 3);
                const MatrixD plain = plain_product(a, b);
                const auto error = [&](const core::Matrix<R>& c, const MatrixD& expected) {
                    EXPECT_LT(largest_difference(c.template cast<double>(), expected), tolerance)
                        << m << " x " << n << " x " << k;
                };
                core::Matrix<R> c = core::Matrix<R>::Constant(m, n, 5);
                nn::product<R>(cast(a), cast(b), c);
                error(c, plain);
                nn::product<R>(cast(a), cast(b), c, nn::Target::Add);
                error(c, 2 * plain);
                nn::product_plus_row<R>(cast(a), cast(b), cast(row), c);
                error(c, plain + row.replicate(m, 1));
                nn::product_transposed_left<R>(cast(a.transpose()), cast(b), c);
                error(c, plain);
                nn::product_transposed_right<R>(cast(a), cast(b.transpose()), c);
                error(c, plain);
            }
}

TEST(Gemm, EqualsThePlainProductAtTheEdgesOfItsBlocks) {
    check_shapes<double>(1e-11);
    check_shapes<float>(3e-4);
}

TEST(Gemm, BitsOfARowDoNotDependOnTheOtherRows) {
    const core::MatrixF a = random(90, 130, 1).cast<float>();
    const core::MatrixF b = random(130, 70, 2).cast<float>();
    const core::MatrixF bt = b.transpose();
    core::MatrixF all(90, 70);
    core::MatrixF all_right(90, 70);
    nn::product<float>(a, b, all);
    nn::product_transposed_right<float>(a, bt, all_right);
    EXPECT_EQ(all, all_right);
    for (const std::int64_t rows : {1, 3, 8, 65}) {
        core::MatrixF some(rows, 70);
        nn::product<float>(a.bottomRows(rows), b, some);
        EXPECT_EQ(some, all.bottomRows(rows));
        nn::product_transposed_right<float>(a.bottomRows(rows), bt, some);
        EXPECT_EQ(some, all.bottomRows(rows));
    }
}

TEST(Gemm, PackedFactorGivesTheSameBits) {
    for (const std::int64_t n : {1, 48, 70, 131})
        for (const std::int64_t k : {1, 33, 256, 530}) {
            const core::MatrixF a = random(20, k, 1).cast<float>();
            const core::MatrixF b = random(k, n, 2).cast<float>();
            const core::MatrixF bt = b.transpose();
            const core::MatrixF row = random(1, n, 3).cast<float>();
            core::MatrixF expected(20, n);
            core::MatrixF found(20, n);
            nn::PackedRight<float> packed;
            packed.assign(b);
            nn::product_plus_row<float>(a, b, row, expected);
            nn::product_plus_row<float>(a, packed, row, found);
            EXPECT_EQ(found, expected);
            packed.assign_transposed(bt);
            nn::product<float>(a, b, expected, nn::Target::Add);
            nn::product<float>(a, packed, found, nn::Target::Add);
            EXPECT_EQ(found, expected) << n << " columns, depth " << k;
        }
}

TEST(Gemm, NaNReachesItsRowAndColumnOnly) {
    core::MatrixF a = core::MatrixF::Ones(20, 9);
    const core::MatrixF b = core::MatrixF::Zero(9, 50);
    a(13, 4) = std::nanf("");
    core::MatrixF c(20, 50);
    nn::product<float>(a, b, c);
    for (std::int64_t i = 0; i < 20; ++i) EXPECT_EQ(c.row(i).hasNaN(), i == 13);
}

TEST(FirstLayer, SparseAndDenseEqualThePlainProduct) {
    for (const std::int64_t rows : {0, 1, 23})
        for (const std::int64_t out : {5, 64, 150, 300}) {
            core::CountsCsr counts;
            counts.cols = 150;
            for (std::int64_t r = 0; r < rows; ++r) {
                std::vector<std::int32_t> columns;
                std::vector<float> values;
                for (std::int32_t c = 0; c < 150; ++c)
                    if ((r * 7 + c * 3) % 5 == 0) {
                        columns.push_back(c);
                        values.push_back(static_cast<float>((r + c) % 9 - 3));
                    }
                counts.append_row(columns, values);
            }
            MatrixD seen = core::to_dense(counts).cast<double>();
            for (std::int64_t i = 0; i < seen.size(); ++i)
                seen.data()[i] = std::log1p(std::max(0.0, seen.data()[i]));
            const MatrixD w = random(150, out, 4);
            const MatrixD dy = random(rows, out, 5);
            for (const double dense_above : {0.0, 1.0}) {
                nn::LayerInput<double> input;
                nn::prepare_input(counts, nn::Transform::Log1p, input, dense_above);
                EXPECT_EQ(input.is_dense, rows > 0 && dense_above == 0);
                MatrixD y = MatrixD::Constant(rows, out, 5);
                nn::input_forward<double>(input, w, y);
                EXPECT_LT(largest_difference(y, plain_product(seen, w)), 1e-12);
                MatrixD dw = MatrixD::Constant(150, out, 5);
                const MatrixD expected = plain_product(seen.transpose(), dy);
                nn::input_backward<double>(input, dy, 0, dw);
                EXPECT_LT(largest_difference(dw, expected), 1e-12);
                nn::input_backward<double>(input, dy, 64, dw.middleRows(64, 86), nn::Target::Add);
                EXPECT_LT(
                    largest_difference(dw.middleRows(64, 86), 2 * expected.middleRows(64, 86)),
                    1e-12);
            }
        }
}

TEST(BatchNorm, HandCheckedRows) {
    MatrixD x(4, 1);
    x << 1, 2, 3, 6;
    std::vector<double> sums(2);
    nn::batch_norm_sums<double>(x, sums);
    EXPECT_EQ(sums, (std::vector<double>{12, 50}));
    MatrixD mean = MatrixD::Zero(1, 1);
    MatrixD var = MatrixD::Ones(1, 1);
    nn::Normaliser<double> normaliser;
    nn::batch_normaliser<double>(sums, 4, mean, var, normaliser);
    EXPECT_DOUBLE_EQ(normaliser.mean(0, 0), 3);
    EXPECT_DOUBLE_EQ(normaliser.inverse_sd(0, 0), 1 / std::sqrt(3.5 + 1e-3));
    EXPECT_DOUBLE_EQ(mean(0, 0), 0.03);
    EXPECT_DOUBLE_EQ(var(0, 0), 0.99 + 0.01 * 3.5 * 4 / 3);
}

TEST(BatchNorm, FewerThanTwoRowsLeaveRunningStatisticsAlone) {
    MatrixD mean = MatrixD::Zero(1, 1);
    MatrixD var = MatrixD::Ones(1, 1);
    for (const double count : {0.0, 1.0}) {
        nn::Normaliser<double> normaliser;
        nn::batch_normaliser<double>(std::vector<double>{2 * count, 4 * count}, count, mean, var,
                                     normaliser);
        EXPECT_TRUE(std::isfinite(normaliser.inverse_sd(0, 0)));
    }
    EXPECT_EQ(mean(0, 0), 0);
    EXPECT_EQ(var(0, 0), 1);
}

TEST(BatchNorm, GradientThroughReluAndDropout) {
    const MatrixD start = random(9, 3, 6);
    const MatrixD weight = random(9, 3, 7);  // of each output in the loss
    const MatrixD gamma = random(1, 3, 8);
    const MatrixD beta = random(1, 3, 9);
    std::vector<double> keep(27, 1.25);
    for (std::size_t i = 0; i < 27; i += 4) keep[i] = 0;
    nn::Normaliser<double> normaliser;
    MatrixD x, y(9, 3);
    const auto loss = [&](const MatrixD& input) {
        std::vector<double> sums(6);
        MatrixD mean = MatrixD::Zero(1, 3);
        MatrixD var = MatrixD::Ones(1, 3);
        x = input;
        nn::batch_norm_sums<double>(x, sums);
        nn::batch_normaliser<double>(sums, 9, mean, var, normaliser);
        nn::batch_norm_relu_forward<double>(normaliser, gamma, beta, keep, x, y);
        return (y.array() * weight.array()).sum();
    };
    loss(start);
    MatrixD d = weight;
    std::vector<double> sums(6);
    nn::batch_norm_relu_backward_sums<double>(x, y, 1.25, d, sums);
    nn::batch_norm_backward<double>(normaliser, gamma, x, sums, 9, d);
    for (std::int64_t i = 0; i < 27; ++i) {
        const auto at = [&](double offset) {
            MatrixD moved = start;
            moved.data()[i] += offset;
            return loss(moved);
        };
        constexpr double h = 1e-5;
        const double numeric = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
        EXPECT_NEAR(d.data()[i], numeric, 1e-8);
    }
}

TEST(Dropout, RateScaleAndKey) {
    const core::Philox draws(1, core::DrawPurpose::Dropout, 3, {4, 5});
    std::vector<float> keep(100003), again(100003);
    nn::dropout_row<float>(draws, 0, 0.1, keep);
    nn::dropout_row<float>(draws, 0, 0.1, again);
    EXPECT_EQ(keep, again);
    double dropped = 0;
    for (const float factor : keep) {
        EXPECT_TRUE(factor == 0 || factor == static_cast<float>(1 / 0.9));
        dropped += factor == 0 ? 1 : 0;
    }
    EXPECT_NEAR(dropped / 100003, 0.1, 0.005);
}

TEST(AdamW, TwoStepsByHandAndFrozenTensors) {
    auto layout = std::make_shared<nn::ParameterLayout>();
    layout->add("moved", 1, 1, nn::Trained::Yes);
    layout->add("frozen", 1, 1, nn::Trained::No);
    nn::ParameterArena<double> values(layout), gradient(layout);
    for (const char* name : {"moved", "frozen"}) {
        values.tensor(name)(0, 0) = 2;
        gradient.tensor(name)(0, 0) = 0.5;
    }
    std::vector<double> squares(nn::norm_blocks(*layout));
    nn::gradient_squares(gradient, {}, squares);
    EXPECT_DOUBLE_EQ(nn::gradient_norm(squares), 0.5);
    nn::AdamW<double> optimiser(layout);
    const nn::AdamWOptions options{.learning_rate = 0.1, .weight_decay = 0.01};
    optimiser.update(values, gradient, options);
    // Both bias-corrected moments are the gradient's: a step of lr.
    EXPECT_NEAR(values.tensor("moved")(0, 0), 2 * 0.999 - 0.1 * 0.5 / (0.5 + 1e-8), 1e-14);
    gradient.tensor("moved")(0, 0) = -1;
    const double before = values.tensor("moved")(0, 0);
    optimiser.update(values, gradient, options);
    const double m = (0.9 * 0.05 - 0.1) / (1 - 0.81);
    const double v = (0.999 * 0.00025 + 0.001) / (1 - 0.999 * 0.999);
    EXPECT_NEAR(values.tensor("moved")(0, 0), before * 0.999 - 0.1 * m / (std::sqrt(v) + 1e-8),
                1e-12);
    EXPECT_EQ(values.tensor("frozen")(0, 0), 2);
    EXPECT_EQ(optimiser.steps(), 2);
}

TEST(Arena, TensorsAreAlignedAndNamed) {
    auto layout = std::make_shared<nn::ParameterLayout>();
    layout->add("a", 3, 5, nn::Trained::Yes);
    layout->add("b", 1, 7, nn::Trained::Yes);
    nn::ParameterArena<float> arena(layout);
    EXPECT_EQ(layout->tensor(1).offset, 16);
    EXPECT_EQ(layout->size(), 32);
    arena.tensor("b")(0, 6) = 4;
    EXPECT_EQ(arena.data()[22], 4);
    EXPECT_EQ(layout->find("c"), -1);
    EXPECT_ANY_THROW(arena.tensor("c"));
    EXPECT_ANY_THROW(layout->add("a", 1, 1, nn::Trained::Yes));
}

}  // namespace

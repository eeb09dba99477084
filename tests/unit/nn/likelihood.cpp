#include "smeta/nn/likelihood.hpp"

#include <cmath>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"
#include "smeta/nn/latent_terms.hpp"

#include "vector_math.hpp"

namespace {

using namespace smeta;
using nn::MeanScale;

// The formulas of the specification (A8) as they are written there.
namespace reference {

double log_sigmoid(double x) {
    return x >= 0 ? -std::log1p(std::exp(-x)) : x - std::log1p(std::exp(x));
}
double softplus(double x) {
    return -log_sigmoid(-x);
}

double nb(double x, double log_mu, double log_theta) {
    const double r = std::exp(log_theta) + 1e-6;
    const double l = log_mu - log_theta;
    return r * log_sigmoid(-l) + x * log_sigmoid(l) + std::lgamma(r + x) - std::lgamma(1 + x) -
           std::lgamma(r);
}

double normal(double x, double mean, double log_sd) {
    const double z = (x - mean) / std::exp(log_sd);
    return -(0.5 * z * z + log_sd + 0.5 * std::log(2 * M_PI));
}

double inflated(double x, double lp, double gate) {
    return x == 0 ? softplus(lp - gate) - softplus(-gate) : lp - gate - softplus(-gate);
}

}  // namespace reference

enum class Model { Nb, Zinb, Gaussian, GaussianLog, Zg, ZgLog, Squared, SquaredLog };

template <class R>
double kernel(Model model, const nn::HeadSlice<R>& head, const nn::SparseSlice& x) {
    switch (model) {
        case Model::Nb:
            return nn::nb_slice(head, x);
        case Model::Zinb:
            return nn::zinb_slice(head, x);
        case Model::Gaussian:
            return nn::gaussian_slice(head, x, MeanScale::Linear);
        case Model::GaussianLog:
            return nn::gaussian_slice(head, x, MeanScale::Log);
        case Model::Zg:
            return nn::zero_inflated_gaussian_slice(head, x, MeanScale::Linear);
        case Model::ZgLog:
            return nn::zero_inflated_gaussian_slice(head, x, MeanScale::Log);
        case Model::Squared:
            return nn::squared_error_slice(head, x, MeanScale::Linear);
        case Model::SquaredLog:
            return nn::squared_error_slice(head, x, MeanScale::Log);
    }
    return 0;
}

double reference_nll(Model model, double x, double mean, double log_scale, double gate) {
    const double linear = std::exp(mean);
    switch (model) {
        case Model::Nb:
            return -reference::nb(x, mean, log_scale);
        case Model::Zinb:
            return -reference::inflated(x, reference::nb(x, mean, log_scale), gate);
        case Model::Gaussian:
            return -reference::normal(x, mean, log_scale);
        case Model::GaussianLog:
            return -reference::normal(x, linear, log_scale);
        case Model::Zg:
            return -reference::inflated(x, reference::normal(x, mean, log_scale), gate);
        case Model::ZgLog:
            return -reference::inflated(x, reference::normal(x, linear, log_scale), gate);
        case Model::Squared:
            return (x - mean) * (x - mean);
        case Model::SquaredLog:
            return (x - linear) * (x - linear);
    }
    return 0;
}

const Model kModels[] = {Model::Nb, Model::Zinb,  Model::Gaussian, Model::GaussianLog,
                         Model::Zg, Model::ZgLog, Model::Squared,  Model::SquaredLog};

/// One slice with its own storage.
template <class R>
struct Slice {
    std::vector<R> mean, d_mean, log_scale, gate;
    std::vector<std::int32_t> columns;
    std::vector<float> values, dense;
    R weight = 1;

    Slice(std::int32_t count, std::uint64_t seed) : d_mean(count) {
        const core::Philox draws(seed, core::DrawPurpose::Test);
        for (std::int32_t i = 0; i < count; ++i) {
            mean.push_back(static_cast<R>(1.2 * draws.normal(8 * i)));
            log_scale.push_back(static_cast<R>(1.5 * draws.normal(8 * i + 2)));
            gate.push_back(static_cast<R>(2 * draws.normal(8 * i + 4)));
            const bool zero = draws.uniform(8 * i + 6) < 0.6;
            dense.push_back(zero ? 0.0F : static_cast<float>(1 + draws.below(8 * i + 7, 40)));
            if (zero) continue;
            columns.push_back(100 + i);
            values.push_back(dense.back());
        }
    }
    double run(Model model, const std::uint8_t* measured = nullptr) {
        const nn::HeadSlice<R> head{static_cast<std::int32_t>(mean.size()),
                                    mean.data(),
                                    d_mean.data(),
                                    log_scale.data(),
                                    gate.data(),
                                    measured,
                                    weight};
        return kernel<R>(
            model, head,
            {columns.data(), values.data(), static_cast<std::int32_t>(columns.size()), 100});
    }
};

TEST(Likelihood, EqualsTheFormulasOfTheSpecification) {
    for (const Model model : kModels)
        for (const std::int32_t count : {0, 1, 15, 64, 511, 512}) {
            Slice<double> slice(count, 3);
            double expected = 0;
            for (std::int32_t i = 0; i < count; ++i)
                expected += reference_nll(model, slice.dense[i], slice.mean[i], slice.log_scale[i],
                                          slice.gate[i]);
            const double found = slice.run(model);
            EXPECT_NEAR(found, expected, 1e-11 * (1 + std::abs(expected)))
                << static_cast<int>(model) << " " << count;
            Slice<float> single(count, 3);
            EXPECT_NEAR(single.run(model), expected, 3e-6 * (1 + std::abs(expected)))
                << static_cast<int>(model) << " " << count;
        }
}

/// Fourth-order difference of the reference in one argument.
double slope(const std::function<double(double)>& f) {
    constexpr double h = 1e-3;
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}

TEST(Likelihood, GradientsAreThoseOfTheFormulas) {
    for (const Model model : kModels) {
        Slice<double> slice(64, 5);
        slice.weight = 0.25;
        const Slice<double> start = slice;
        slice.run(model);
        const bool scaled = model != Model::Squared && model != Model::SquaredLog;
        const bool gated = model == Model::Zinb || model == Model::Zg || model == Model::ZgLog;
        for (std::int32_t i = 0; i < 64; ++i) {
            const auto at = [&](double mean, double scale, double gate) {
                return 0.25 * reference_nll(model, start.dense[i], start.mean[i] + mean,
                                            start.log_scale[i] + scale, start.gate[i] + gate);
            };
            const auto near = [&](double found, double expected) {
                EXPECT_NEAR(found, expected, 1e-7 * (1 + std::abs(expected)))
                    << static_cast<int>(model) << " x " << start.dense[i];
            };
            near(slice.d_mean[i], slope([&](double d) { return at(d, 0, 0); }));
            if (scaled) near(slice.log_scale[i], slope([&](double d) { return at(0, d, 0); }));
            if (gated) near(slice.gate[i], slope([&](double d) { return at(0, 0, d); }));
        }
    }
}

TEST(Likelihood, UnmeasuredFeaturesCountNothing) {
    std::vector<std::uint8_t> measured(64, 1);
    for (std::size_t i = 0; i < 64; i += 3) measured[i] = 0;
    for (const Model model : kModels) {
        Slice<double> slice(64, 5);
        const Slice<double> start = slice;
        const double found = slice.run(model, measured.data());
        double expected = 0;
        for (std::int32_t i = 0; i < 64; ++i) {
            if (measured[i] == 0)
                EXPECT_EQ(slice.d_mean[i], 0);
            else
                expected += reference_nll(model, start.dense[i], start.mean[i], start.log_scale[i],
                                          start.gate[i]);
        }
        EXPECT_NEAR(found, expected, 1e-11 * (1 + std::abs(expected)));
    }
}

/// One feature with the given heads, in double.
double one(Model model, double x, double mean, double log_scale, double gate) {
    Slice<double> slice(1, 1);
    slice.mean = {mean};
    slice.log_scale = {log_scale};
    slice.gate = {gate};
    slice.columns.clear();
    slice.values.clear();
    if (x != 0) {
        slice.columns = {100};
        slice.values = {static_cast<float>(x)};
    }
    return slice.run(model);
}

// Values of the specification, A13.
TEST(Likelihood, GoldenScalars) {
    const double log_mu = std::log(2.0);
    const double log_theta = std::log(1.5);
    EXPECT_NEAR(-one(Model::Nb, 0, log_mu, log_theta, 0), -1.270947637878666, 1e-10);
    EXPECT_NEAR(-one(Model::Nb, 3, log_mu, log_theta, 0), -2.167034310054692, 1e-10);
    EXPECT_NEAR(-one(Model::Zinb, 0, log_mu, log_theta, -0.4), -0.563376699841512, 1e-10);
    EXPECT_NEAR(-one(Model::Zinb, 3, log_mu, log_theta, -0.4), -2.6800495624546445, 1e-10);
    // x is stored as float: 1.2 is not one, so x - m = 0.5 is kept and the mean moves instead.
    const double x = static_cast<float>(1.2);
    EXPECT_NEAR(one(Model::Gaussian, 1.2, x - 0.5, -0.3, 0), 0.8467033832534863, 1e-10);
}

TEST(Likelihood, LargeThetaAndLargeCountsStayExact) {
    for (const double log_theta : {-12.0, 0.0, 8.0, 14.0})
        for (const double x : {1.0, 300.0, 50000.0}) {
            const double log_mu = std::log(x) - 0.3;
            const double expected = -reference::nb(x, log_mu, log_theta);
            // The reference itself loses digits of lgamma(r + x) - lgamma(r) for large theta.
            const double lost = 1e-15 * std::lgamma(std::exp(log_theta) + x);
            EXPECT_NEAR(one(Model::Nb, x, log_mu, log_theta, 0), expected,
                        1e-9 * std::abs(expected) + 100 * std::abs(lost));
            Slice<float> slice(1, 1);
            slice.mean = {static_cast<float>(log_mu)};
            slice.log_scale = {static_cast<float>(log_theta)};
            slice.columns = {100};
            slice.values = {static_cast<float>(x)};
            EXPECT_NEAR(slice.run(Model::Nb), expected,
                        2e-6 * x * (1 + std::abs(log_theta)) + 1e-5);
        }
}

// Counts up to 4 have a form of their own where theta is not huge.
TEST(Likelihood, SmallCountsOfAnyThetaStayExact) {
    for (const double log_theta : {-30.0, -5.0, 0.5, 12.0, 19.9, 21.0, 40.0})
        for (const double x : {1.0, 2.0, 3.0, 4.0, 5.0, 2.5})
            for (const double gate : {-3.0, 30.0}) {
                const double log_mu = 0.7;
                Slice<float> single(1, 1);
                single.mean = {static_cast<float>(log_mu)};
                single.log_scale = {static_cast<float>(log_theta)};
                single.gate = {static_cast<float>(gate)};
                single.columns = {100};
                single.values = {static_cast<float>(x)};
                Slice<double> slice(1, 1);
                slice.mean = {log_mu};
                slice.log_scale = {log_theta};
                slice.gate = {gate};
                slice.columns = {100};
                slice.values = {static_cast<float>(x)};
                const double nll = slice.run(Model::Zinb);
                EXPECT_NEAR(single.run(Model::Zinb), nll, 3e-6 * x * (3 + std::abs(log_theta)));
                EXPECT_NEAR(single.d_mean[0], slice.d_mean[0], 1e-5 * (1 + x)) << log_theta;
                EXPECT_NEAR(single.gate[0], slice.gate[0], 1e-6);
                if (log_theta > 10) continue;  // beyond, the reference loses digits
                EXPECT_NEAR(nll, reference_nll(Model::Zinb, x, log_mu, log_theta, gate),
                            1e-9 * (1 + std::abs(nll)));
                EXPECT_NEAR(single.log_scale[0], slice.log_scale[0], 1e-5 * (1 + x))
                    << log_theta << " " << x;
            }
}

TEST(Likelihood, ZinbSumsToOne) {
    double sum = 0;
    for (int x = 0; x < 400; ++x) sum += std::exp(-one(Model::Zinb, x, 1.3, 0.4, -0.7));
    EXPECT_NEAR(sum, 1, 1e-9);
}

TEST(Likelihood, NanIsNotSwallowed) {
    EXPECT_TRUE(std::isnan(one(Model::Zinb, 0, NAN, 0, 0)));
    Slice<float> slice(64, 1);
    slice.log_scale[3] = NAN;
    EXPECT_TRUE(std::isnan(slice.run(Model::Zinb)));
    Slice<float> gated(64, 1);
    gated.gate[5] = NAN;
    EXPECT_TRUE(std::isnan(gated.run(Model::Zinb)));
    EXPECT_TRUE(std::isnan(nn::detail::log_of(NAN)));
    EXPECT_TRUE(std::isnan(nn::detail::exp_of(std::nanf(""))));
    EXPECT_TRUE(std::isnan(nn::detail::log_of(std::nanf(""))));
}

TEST(VectorMath, ExpAndLogAreWithinTwoUlp) {
    for (int i = 0; i < 200000; ++i) {
        const float x = -87.0F + static_cast<float>(i) * (175.0F / 200000);
        const double e = std::exp(static_cast<double>(x));
        ASSERT_NEAR(nn::detail::exp_of(x) / e, 1, 2.4e-7) << x;
        const auto y = static_cast<float>(e);
        ASSERT_NEAR(nn::detail::log_of(y), std::log(static_cast<double>(y)),
                    2.4e-7 * (std::abs(x) + 1e-3))
            << y;
    }
}

TEST(LogMean, IsLogSoftmaxPlusLogLibraryAndItsGradient) {
    for (const std::size_t count : {1U, 17U, 600U}) {
        const core::Philox draws(9, core::DrawPurpose::Test);
        std::vector<double> logits(count), d(count);
        for (std::size_t i = 0; i < count; ++i) {
            logits[i] = 30 * draws.normal(2 * i);
            d[i] = draws.normal(2 * i + 1);
        }
        double sum = 0;
        double largest = -1e300;
        double d_sum = 0;
        for (std::size_t i = 0; i < count; ++i) {
            largest = std::max(largest, logits[i]);
            d_sum += d[i];
        }
        for (const double v : logits) sum += std::exp(v - largest);
        std::vector<double> found = logits;
        std::vector<double> slope = d;
        nn::log_mean<double>(found, 250, nullptr);
        // In two parts, as tiles of a row are.
        const std::size_t half = count / 2;
        const std::span<double> all(logits);
        const nn::SoftmaxPart parts[2] = {nn::softmax_part<double>(all.first(half), nullptr),
                                          nn::softmax_part<double>(all.subspan(half), nullptr)};
        const double log_sum = nn::log_sum_exp(parts);
        EXPECT_NEAR(nn::slice_sum<double>(d), d_sum, 1e-12);
        nn::softmax_backward<double>(logits, log_sum, d, d_sum, slope);
        EXPECT_NEAR(log_sum, largest + std::log(sum), 1e-12);
        for (std::size_t i = 0; i < count; ++i) {
            const double log_p = logits[i] - largest - std::log(sum);
            EXPECT_NEAR(found[i], log_p + std::log(250.0), 1e-11);
            EXPECT_NEAR(slope[i], d[i] - std::exp(log_p) * d_sum, 1e-10);
        }
    }
}

TEST(LogMean, UnmeasuredPartsAndNaN) {
    std::vector<float> logits(40, 2.0F);
    const std::vector<std::uint8_t> none(20, 0);
    const std::span<float> all(logits);
    nn::SoftmaxPart parts[2] = {nn::softmax_part<float>(all.first(20), none.data()),
                                nn::softmax_part<float>(all.subspan(20), nullptr)};
    EXPECT_NEAR(nn::log_sum_exp(parts), 2 + std::log(20.0), 1e-6);
    std::vector<float> slope(20, 0.0F);
    nn::softmax_backward<float>(all.first(20), nn::log_sum_exp(parts), slope, 5.0F, slope);
    for (const float value : slope) EXPECT_NEAR(value, 0, 1e-30);
    logits[33] = std::nanf("");
    parts[1] = nn::softmax_part<float>(all.subspan(20), nullptr);
    EXPECT_TRUE(std::isnan(nn::log_sum_exp(parts)));
}

TEST(LatentTerms, GoldenKl) {
    const std::vector<double> mean{0.5, -1};
    const std::vector<double> variance{std::exp(-0.2) + 1e-4, std::exp(0.3) + 1e-4};
    std::vector<double> d_mean(2), d_variance(2);
    EXPECT_NEAR(nn::kl_row<double>(mean, variance, 2, d_mean, d_variance), 0.65929667437927, 1e-10);
    EXPECT_DOUBLE_EQ(d_mean[1], -2);
    EXPECT_DOUBLE_EQ(d_variance[0], 1 - 1 / variance[0]);
}

TEST(LatentTerms, GoldenMmd) {
    const std::vector<double> latent{0, 0, 1, 0, 0, 1, 2, 2, 3, 2, 2, 3};
    const std::vector<std::int32_t> codes{0, 0, 0, 1, 1, 1};
    const nn::MmdRows<double> rows{latent, codes, 6, 2, 1};
    const nn::MmdWeights weights(codes, 6, 1);
    double loss = 0;
    std::vector<double> d(12, 0.0);
    for (int i = 0; i < 6; ++i)
        loss += nn::mmd_row<double>(rows, weights, i, 1, {d.data() + 2 * i, 2});
    EXPECT_NEAR(loss, 8.554869601655636, 1e-10);
    EXPECT_NEAR(d[0], -0.21247239914430485, 1e-10);
    EXPECT_NEAR(d[1], -0.21247239914430485, 1e-10);
}

TEST(LatentTerms, MmdLeavesOutSmallCategoriesAndAddsLevels) {
    const core::Philox draws(4, core::DrawPurpose::Test);
    std::vector<double> latent(30);
    for (std::size_t i = 0; i < 30; ++i) latent[i] = draws.normal(i);
    // Level 0 has categories of 5, 3 and 2 rows; level 1 one category: no pair.
    const std::vector<std::int32_t> codes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                          1, 0, 1, 0, 1, 0, 2, 0, 2, 0};
    const auto kernel = [&](int i, int j) {
        double d2 = 0;
        for (int l = 0; l < 3; ++l) d2 += std::pow(latent[3 * i + l] - latent[3 * j + l], 2);
        double k = 0;
        for (const double alpha : nn::kMmdWidths) k += std::exp(-d2 / (2 * alpha));
        return k;
    };
    double expected = 0;
    for (int i = 0; i < 8; ++i)
        for (int j = 0; j < 8; ++j) {
            const bool a = i < 5;
            const bool b = j < 5;
            expected += kernel(i, j) * (a && b ? 1.0 / 25 : !a && !b ? 1.0 / 9 : -1.0 / 15);
        }
    const nn::MmdRows<double> rows{latent, codes, 10, 3, 2};
    const nn::MmdWeights weights(codes, 10, 2);
    double loss = 0;
    std::vector<double> d(3);
    for (int i = 0; i < 10; ++i) loss += nn::mmd_row<double>(rows, weights, i, 1, d);
    EXPECT_NEAR(loss, expected, 1e-12);
    EXPECT_FALSE(weights.counts(9));
}

/// Loss and gradients of every row by the plain form.
struct PlainMmd {
    double loss = 0;
    std::vector<double> d;

    explicit PlainMmd(const nn::MmdRows<double>& all) : d(all.latent.size(), 0.0) {
        const nn::MmdWeights weights(all.codes, all.rows, all.levels);
        for (std::int64_t i = 0; i < all.rows; ++i)
            loss += nn::mmd_row<double>(all, weights, i, 0.5,
                                        {d.data() + all.width * i, d.size() / all.rows});
    }
};

template <class R>
void check_mmd_batch(double tolerance) {
    nn::MmdBatch<R> batch;
    for (const std::int64_t rows : {1, 5, 40, 70})
        for (const double spread : {1e-3, 1.0, 4.0, 40.0}) {
            const core::Philox draws(5, core::DrawPurpose::Test);
            std::vector<double> latent;
            std::vector<R> same;
            std::vector<std::int32_t> codes;
            for (std::int64_t i = 0; i < rows; ++i) {
                // A float's value, so that both forms see the same rows; some rows coincide.
                for (int l = 0; l < 3; ++l)
                    latent.push_back(static_cast<float>(spread * draws.normal(3 * (i % 60) + l)));
                codes.push_back(i % 7 == 6 ? -1 : static_cast<std::int32_t>(draws.below(i, 4)));
                codes.push_back(static_cast<std::int32_t>(i % 2));
            }
            same.assign(latent.begin(), latent.end());
            const PlainMmd plain({latent, codes, rows, 3, 2});
            batch.assign({same, codes, rows, 3, 2});
            std::vector<R> d(latent.size(), R(0));
            std::vector<R> factors;
            double loss = 0;
            for (std::int64_t i = 0; i < rows; ++i)
                loss += batch.row(i, 0.5, {d.data() + 3 * i, 3}, factors);
            double largest = 1e-9;
            for (const double value : plain.d) largest = std::max(largest, std::abs(value));
            EXPECT_NEAR(loss, plain.loss, tolerance * (1 + std::abs(plain.loss)));
            for (std::size_t i = 0; i < d.size(); ++i)
                EXPECT_NEAR(d[i], plain.d[i], tolerance * largest) << rows << " rows, " << spread;
        }
}

TEST(LatentTerms, MmdBatchEqualsThePlainRows) {
    check_mmd_batch<double>(1e-12);
    check_mmd_batch<float>(2e-5);
}

TEST(LatentTerms, MmdBatchPassesNaN) {
    std::vector<float> latent(40, 1.0F);
    const std::vector<std::int32_t> codes{0, 1, 0, 1, 0, 1, 0, 1, 0, 1,
                                          0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    latent[35] = std::nanf("");
    nn::MmdBatch<float> batch;
    batch.assign({latent, codes, 20, 2, 1});
    std::vector<float> d(2), factors;
    EXPECT_TRUE(std::isnan(batch.row(0, 1, d, factors)));
}

TEST(Likelihood, FloatZinbEqualsTheFormulaOverWideRanges) {
    for (const double log_theta : {-12.0, -3.0, 0.0, 5.0, 13.0, 25.0})
        for (const float x : {0.0F, 0.5F, 1.0F, 7.0F, 254.0F, 255.0F, 3000.0F, 65000.0F})
            for (const double gate : {-30.0, -1.0, 0.0, 2.0, 30.0}) {
                const float log_mean = 1.5F;
                float scale = static_cast<float>(log_theta);
                float g = static_cast<float>(gate);
                float d = 0;
                const std::int32_t column = 0;
                const nn::HeadSlice<float> head{1, &log_mean, &d, &scale, &g, nullptr, 1};
                const double found = nn::zinb_slice(head, {&column, &x, x == 0 ? 0 : 1, 0});
                double m = log_mean, t = log_theta, dd = 0, gg = gate;
                const nn::HeadSlice<double> exact{1, &m, &dd, &t, &gg, nullptr, 1};
                const double expected = nn::zinb_slice(exact, {&column, &x, x == 0 ? 0 : 1, 0});
                EXPECT_NEAR(found, expected, 4e-6 * (1 + x + std::abs(expected)))
                    << x << " theta " << log_theta << " gate " << gate;
                EXPECT_NEAR(d, dd, 2e-5 * (1 + x));
                EXPECT_NEAR(scale, t, 2e-5 * (1 + x));
                EXPECT_NEAR(g, gg, 1e-5);
            }
}

}  // namespace

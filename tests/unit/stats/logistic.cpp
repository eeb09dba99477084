#include "smeta/stats/logistic.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace smeta::stats {
namespace {

constexpr int kRows = 24;
constexpr int kFeatures = 4;

core::CountsCsr rows() {
    core::MatrixF dense(kRows, kFeatures);
    for (int i = 0; i < kRows; ++i)
        for (int f = 0; f < kFeatures; ++f)
            dense(i, f) = (i + f) % 3 != 0 ? static_cast<float>((i * 7 + f * 5) % 11) / 4 : 0;
    return core::from_dense(dense);
}

std::vector<std::int32_t> labels() {
    std::vector<std::int32_t> result;
    for (int i = 0; i < kRows; ++i) result.push_back((i * i + i / 5) % 3);
    return result;
}

LogisticModel fit(const std::vector<std::int32_t>& y, std::int32_t groups,
                  LogisticOptions options) {
    const auto x = rows();
    options.tolerance = 1e-15;
    const comm::Comm self = comm::Comm::self();
    return LogisticRegression(self, kRows, x).fit(y, groups, options);
}

void expect_model(const LogisticModel& model, const core::MatrixD& coefficients,
                  const std::vector<double>& intercepts) {
    EXPECT_TRUE(model.converged);
    EXPECT_LT((model.coefficients - coefficients).cwiseAbs().maxCoeff(), 1e-5);
    for (std::size_t g = 0; g < intercepts.size(); ++g)
        EXPECT_NEAR(model.intercepts[g], intercepts[g], 1e-5);
}

// Optima of scikit-learn 1.6.1, LogisticRegression(tol=1e-14).
TEST(Logistic, MultinomialIsScikitLearnsLbfgs) {
    core::MatrixD expected(3, 4);
    expected << -0.1427123286220152, 0.5758778625708231, 0.8856955634755292, 0.3253103794213947,
        0.08038907060664009, -0.15782118776927392, -0.39506008829740613, -0.19938628216910648,
        0.06232325801537507, -0.41805667480154957, -0.4906354751781226, -0.1259240972522882;
    expect_model(fit(labels(), 3, {}), expected,
                 {-1.620071527764205, 0.8299267994083243, 0.7901447283558827});
}

TEST(Logistic, OneVsRestIsScikitLearnsLiblinear) {
    core::MatrixD expected(3, 4);
    expected << -0.36507622307452364, 0.36117257205269676, 0.556874682590345, -0.05789919823056689,
        0.13527539612538123, -0.15297181436309723, -0.448673796448614, -0.18194533014073824,
        0.08499170232536245, -0.49037685798417835, -0.5491609132271006, -0.0883050482128909;
    expect_model(
        fit(labels(), 3, {.loss = LogisticLoss::OneVsRest, .intercept = Intercept::Penalised}),
        expected, {-1.0892109621915802, 0.08118475015239629, 0.01402216783739575});
}

TEST(Logistic, TwoGroupsAreOneRegression) {
    auto two = labels();
    for (auto& y : two) y = y > 0 ? 1 : 0;
    core::MatrixD expected(2, 4);
    expected.row(1) << 0.23205465933499259, -0.9231171612085874, -1.4740645885027692,
        -0.6012196052686225;
    expected.row(0) = -expected.row(1);
    expect_model(fit(two, 2, {.c = 2}), expected, {-3.4430046775554755, 3.4430046775554755});
}

TEST(Logistic, RowsWithoutALabelChangeNothingButArePredicted) {
    auto some = labels();
    const auto x = rows();
    std::vector<std::int64_t> kept;
    std::vector<std::int32_t> kept_labels;
    for (int i = 0; i < kRows; ++i) {
        if (i % 4 == 1) {
            some[i] = -1;
            continue;
        }
        kept.push_back(i);
        kept_labels.push_back(some[i]);
    }
    const auto fewer = core::select_rows(x, kept);
    const comm::Comm self = comm::Comm::self();
    const LogisticOptions options{.tolerance = 1e-14};
    const LogisticRegression all(self, kRows, x);
    const auto a = all.fit(some, 3, options);
    const auto b = LogisticRegression(self, fewer.rows, fewer).fit(kept_labels, 3, options);
    EXPECT_LT((a.coefficients - b.coefficients).cwiseAbs().maxCoeff(), 1e-9);
    const auto predicted = all.predict(a);
    ASSERT_EQ(predicted.size(), std::size_t{kRows});
    for (int i = 0; i < kRows; ++i) {
        Eigen::VectorXd decisions =
            Eigen::Map<const Eigen::VectorXd>(a.intercepts.data(), 3) +
            a.coefficients * core::to_dense(x).row(i).cast<double>().transpose();
        EXPECT_NEAR(decisions[predicted[i]], decisions.maxCoeff(), 1e-12);
    }
}

}  // namespace
}  // namespace smeta::stats

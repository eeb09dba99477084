#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/threads.hpp"

#include "cvae_problem.hpp"

namespace {

using namespace smeta;
using model::Likelihood;

// Small enough that no ReLU's input of these seeds passes 0 within it.
constexpr double kStep = 4e-6;
constexpr double kTolerance = 1e-6;

model::NetworkOptions network(std::vector<model::ModalityBlock> blocks) {
    model::NetworkOptions options;
    options.blocks = std::move(blocks);
    options.hidden = {6};
    options.latent = 3;
    options.dropout = 0.2;
    options.batch_categories = {3, 2};
    options.embedding_size = 2;
    options.mmd_weight = 3;
    return options;
}

/// Total loss as a function of the parameters, all draws fixed.
class Loss {
  public:
    Loss(const test::ProblemSpec& spec, bool unmeasured)
        : chunks_(test::make_chunks(spec, 2)), cvae_(spec.network) {
        cvae_.initialise(spec.seed);
        if (unmeasured) {
            const auto lacks = test::make_unmeasured(spec.network, spec.samples);
            test::drop_unmeasured(chunks_, lacks);
            cvae_.set_unmeasured(lacks);
        }
        settings_.seed = spec.seed;
        settings_.kl_weight = 0.6;
    }
    model::Cvae<double>& cvae() { return cvae_; }
    double operator()() { return cvae_.train_step(chunks_, settings_, reducer_).total; }

    /// Fourth-order central difference.
    double slope(double& parameter) {
        const double start = parameter;
        const auto at = [&](double offset) {
            parameter = start + offset;
            return (*this)();
        };
        const double near = at(kStep) - at(-kStep);
        const double far = at(2 * kStep) - at(-2 * kStep);
        parameter = start;
        return (8 * near - far) / (12 * kStep);
    }

  private:
    std::vector<model::Chunk> chunks_;
    model::Cvae<double> cvae_;
    model::StepSettings settings_;
    model::StepReducer<double> reducer_ = model::local_reducer<double>();
};

enum class Features { AllMeasured, SomeUnmeasured };

void check_gradient(const test::ProblemSpec& spec, Features features = Features::AllMeasured) {
    core::set_threads(1);
    Loss loss(spec, features == Features::SomeUnmeasured);
    ASSERT_TRUE(std::isfinite(loss()));
    const nn::ParameterArena<double> gradient = loss.cvae().gradient();
    for (const nn::TensorSpec& tensor : gradient.layout().tensors()) {
        const auto analytic = gradient.tensor(tensor.name);
        double* values = loss.cvae().values().data().data() + tensor.offset;
        const double largest = analytic.cwiseAbs().maxCoeff();
        // A frozen bias of rows that lack a modality is not free of gradient; it is frozen all the
        // same.
        if (tensor.trained == nn::Trained::No && spec.missing_modalities) continue;
        if (tensor.trained == nn::Trained::Yes) {
            EXPECT_GT(largest, 0) << tensor.name;
        }
        for (std::int64_t i = 0; i < tensor.size(); ++i) {
            const double numeric = loss.slope(values[i]);
            const double allowed = kTolerance * (tensor.trained == nn::Trained::Yes ? largest : 1);
            ASSERT_NEAR(analytic.data()[i], numeric, allowed) << tensor.name << " " << i;
        }
    }
}

test::ProblemSpec st_and_sm(Likelihood st = Likelihood::Zinb,
                            Likelihood sm = Likelihood::Gaussian) {
    test::ProblemSpec spec;
    spec.network = network({test::intensity_block("sm", 8, sm), test::counts_block("st", 11, st)});
    return spec;
}

TEST(CvaeGradient, EmbeddingOfTwoLevels) {
    check_gradient(st_and_sm());
}

TEST(CvaeGradient, OneHotAndTwoHiddenLayers) {
    auto spec = st_and_sm();
    spec.network.batch_encoding = model::BatchEncoding::OneHot;
    spec.network.hidden = {7, 5};
    check_gradient(spec);
}

TEST(CvaeGradient, SmOnly) {
    auto spec = st_and_sm();
    spec.network.blocks.pop_back();
    spec.network.blocks[0].transform = model::InputTransform::Log1p;
    check_gradient(spec);
}

TEST(CvaeGradient, StOnlyNb) {
    test::ProblemSpec spec;
    spec.network = network({test::counts_block("st", 11, Likelihood::Nb)});
    check_gradient(spec);
}

TEST(CvaeGradient, RowsThatLackAModality) {
    auto spec = st_and_sm();
    spec.missing_modalities = true;
    check_gradient(spec);
}

TEST(CvaeGradient, ThreeModalitiesWithGaps) {
    auto spec = st_and_sm();
    spec.network.blocks.push_back(test::intensity_block("protein", 5, Likelihood::Gaussian));
    spec.missing_modalities = true;
    check_gradient(spec);
}

TEST(CvaeGradient, UnmeasuredFeatures) {
    check_gradient(st_and_sm(), Features::SomeUnmeasured);
}

TEST(CvaeGradient, UnmeasuredFeaturesOfEveryLikelihood) {
    check_gradient(st_and_sm(Likelihood::Nb, Likelihood::ZeroInflatedGaussian),
                   Features::SomeUnmeasured);
    check_gradient(st_and_sm(Likelihood::Mse, Likelihood::Mse), Features::SomeUnmeasured);
}

TEST(CvaeGradient, ZeroInflatedGaussian) {
    check_gradient(st_and_sm(Likelihood::ZeroInflatedGaussian, Likelihood::ZeroInflatedGaussian));
}

TEST(CvaeGradient, SquaredError) {
    check_gradient(st_and_sm(Likelihood::Mse, Likelihood::Mse));
}

TEST(CvaeGradient, GaussianOfCounts) {
    check_gradient(st_and_sm(Likelihood::Gaussian, Likelihood::Gaussian));
}

}  // namespace

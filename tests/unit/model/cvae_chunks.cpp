#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "smeta/core/threads.hpp"
#include "smeta/nn/adamw.hpp"

#include "cvae_problem.hpp"

namespace {

using namespace smeta;

test::ProblemSpec problem() {
    test::ProblemSpec spec;
    spec.network.blocks = {test::intensity_block("sm", 17, model::Likelihood::Gaussian),
                           test::counts_block("st", 33, model::Likelihood::Zinb)};
    spec.network.hidden = {19};
    spec.network.latent = 4;
    spec.network.batch_categories = {3};
    spec.rows = 61;
    spec.missing_modalities = true;
    return spec;
}

/// Parameters and running statistics after `steps` optimiser steps; the last step's losses.
template <class R>
struct Trained {
    model::Cvae<R> cvae;
    model::LossTerms terms;
};

template <class R>
Trained<R> train(const test::ProblemSpec& spec, const std::vector<model::Chunk>& chunks, int steps,
                 const std::vector<std::vector<model::Unmeasured>>& unmeasured = {}) {
    Trained<R> result{model::Cvae<R>(spec.network), {}};
    result.cvae.initialise(7);
    result.cvae.set_unmeasured(unmeasured);
    nn::AdamW<R> optimiser(result.cvae.values().shared_layout());
    model::StepSettings settings;
    for (int step = 0; step < steps; ++step, ++settings.epoch) {
        result.terms = result.cvae.train_step(chunks, settings, model::local_reducer<R>());
        optimiser.update(result.cvae.values(), result.cvae.gradient(), {});
    }
    return result;
}

template <class R>
bool same_bits(std::span<const R> a, std::span<const R> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

TEST(CvaeChunks, LossAndGradientDoNotDependOnTheCut) {
    const auto spec = problem();
    const auto whole = train<double>(spec, test::make_chunks(spec, 1), 3);
    for (const std::int64_t parts : {2, 8, 70}) {  // 70: some chunks have no row
        const auto cut = train<double>(spec, test::make_chunks(spec, parts), 3);
        EXPECT_NEAR(cut.terms.total, whole.terms.total, 1e-9 * std::abs(whole.terms.total));
        EXPECT_EQ(cut.terms.rows, 61);
        for (const auto& tensor : whole.cvae.gradient().layout().tensors()) {
            const auto expected = whole.cvae.gradient().tensor(tensor.name);
            const auto found = cut.cvae.gradient().tensor(tensor.name);
            EXPECT_LE((found - expected).cwiseAbs().maxCoeff(),
                      1e-9 * expected.cwiseAbs().maxCoeff() + 1e-12)
                << tensor.name << " in " << parts;
        }
        const auto& running = whole.cvae.running();
        for (const auto& tensor : running.layout().tensors())
            EXPECT_TRUE(
                cut.cvae.running().tensor(tensor.name).isApprox(running.tensor(tensor.name), 1e-9));
    }
}

TEST(CvaeChunks, ThreadsDoNotChangeABit) {
    const auto spec = problem();
    const auto chunks = test::make_chunks(spec, 8);
    core::set_threads(1);
    const auto one = train<float>(spec, chunks, 4);
    core::set_threads(2);
    const auto two = train<float>(spec, chunks, 4);
    core::set_threads(1);
    EXPECT_EQ(one.terms.total, two.terms.total);
    EXPECT_TRUE(same_bits<float>(one.cvae.values().data(), two.cvae.values().data()));
    EXPECT_TRUE(same_bits<float>(one.cvae.running().data(), two.cvae.running().data()));
    EXPECT_TRUE(same_bits<float>(one.cvae.gradient().data(), two.cvae.gradient().data()));
}

TEST(CvaeChunks, AllMeasuredIsTheSameModelBitForBit) {
    const auto spec = problem();
    const auto chunks = test::make_chunks(spec, 4);
    auto measured = test::make_unmeasured(spec.network, spec.samples);
    for (auto& sample : measured)
        for (auto& block : sample)
            std::fill(block.measured.begin(), block.measured.end(), std::uint8_t(1));
    const auto plain = train<float>(spec, chunks, 3);
    const auto masked = train<float>(spec, chunks, 3, measured);
    EXPECT_EQ(plain.terms.total, masked.terms.total);
    EXPECT_TRUE(same_bits<float>(plain.cvae.values().data(), masked.cvae.values().data()));
}

TEST(CvaeChunks, UnmeasuredFeaturesHaveNoShare) {
    auto spec = problem();
    spec.missing_modalities = false;
    auto chunks = test::make_chunks(spec, 1);
    const auto unmeasured = test::make_unmeasured(spec.network, spec.samples);
    test::drop_unmeasured(chunks, unmeasured);
    model::Cvae<double> cvae(spec.network);
    cvae.initialise(3);
    cvae.set_unmeasured(unmeasured);
    const auto encoded = cvae.encode(chunks[0]);
    const auto decoded = cvae.decode(1, encoded.latent, chunks[0].codes, chunks[0].samples,
                                     chunks[0].modalities[1].libraries);
    for (std::int64_t r = 0; r < decoded.mean.rows(); ++r) {
        EXPECT_NEAR(decoded.mean.row(r).sum(), chunks[0].modalities[1].libraries[r], 1e-8);
        const auto& lacks = unmeasured[chunks[0].samples[r]][1].measured;
        for (std::size_t f = 0; f < lacks.size(); ++f) {
            if (lacks[f] != 0) continue;
            EXPECT_LT(decoded.mean(r, static_cast<std::int64_t>(f)), 1e-30);
        }
    }
}

TEST(CvaeChunks, RowsWithoutAnyModalityAndRareCategoriesGiveNoNan) {
    auto spec = problem();
    spec.rows = 2;
    auto chunks = test::make_chunks(spec, 1);
    for (auto& block : chunks[0].modalities) block = model::ModalityRows(block.values.cols);
    model::Cvae<float> cvae(spec.network);
    cvae.initialise(3);
    const auto reducer = model::local_reducer<float>();
    EXPECT_TRUE(std::isfinite(cvae.evaluate(chunks, {}, reducer).total));
    const auto encoded = cvae.encode(chunks[0]);
    EXPECT_TRUE(encoded.latent.isZero());
    EXPECT_TRUE(encoded.contribution.isZero());
    EXPECT_TRUE(std::isfinite(cvae.train_step(chunks, {}, reducer).total));
    spec.rows = 1;
    spec.missing_modalities = false;
    const auto single = train<float>(spec, test::make_chunks(spec, 1), 2);
    EXPECT_TRUE(std::isfinite(single.terms.total));
    for (const float value : single.cvae.values().data()) ASSERT_TRUE(std::isfinite(value));
}

TEST(CvaeChunks, PartialRowsAreMeansAndHaveNoKl) {
    const auto spec = problem();
    const auto chunks = test::make_chunks(spec, 1);
    model::Cvae<double> cvae(spec.network);
    cvae.initialise(3);
    const auto encoded = cvae.encode(chunks[0]);
    // Row 0 lacks block 0, row 1 block 1, row 2 nothing.
    EXPECT_TRUE(encoded.latent.row(0) == encoded.single[1].row(0));
    EXPECT_TRUE(encoded.latent.row(1) == encoded.single[0].row(1));
    EXPECT_EQ(encoded.sd.row(0).sum(), 0);
    EXPECT_GT(encoded.sd.row(2).minCoeff(), 0);
    EXPECT_EQ(encoded.contribution(0, 1), 1);
    EXPECT_EQ(encoded.contribution(0, 0), 0);
    EXPECT_NEAR(encoded.contribution.row(2).sum(), 1, 1e-12);
}

// Values of the specification, A13.
TEST(Contributions, GoldenScalars) {
    const std::vector<double> latent{1, 0, 1};
    const std::vector<double> st{1, 1, 1};
    const std::vector<double> sm{0, 1, 2};
    const auto two = model::contributions(latent, {sm, st});
    EXPECT_NEAR(two[1], 0.5861338324091839, 1e-10);
    EXPECT_NEAR(two[0], 1 - 0.5861338324091839, 1e-10);
    const auto three = model::contributions(latent, {sm, st, {}, {-1, 0, -1}});
    const double sum = 0.8040867239846964 + 0.7179528915755125;  // the last points away: 0
    EXPECT_NEAR(three[1], 0.8040867239846964 / sum, 1e-10);
    EXPECT_EQ(three[2], 0);
    EXPECT_NEAR(three[3], 0, 1e-7);
    EXPECT_EQ(model::contributions(latent, {st, {}})[0], 1);
}

}  // namespace

#include "smeta/model/grow.hpp"

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace smeta::model {
namespace {

NetworkOptions network(std::int32_t sm, std::int32_t st, std::int32_t categories,
                       BatchEncoding encoding = BatchEncoding::Embedding) {
    NetworkOptions options;
    if (sm > 0) options.blocks.push_back({.name = "sm", .features = sm});
    options.blocks.push_back({.name = "st",
                              .features = st,
                              .likelihood = Likelihood::Zinb,
                              .transform = InputTransform::Log1p,
                              .mean_head = MeanHead::SoftmaxLibrary});
    options.hidden = {7, 5};
    options.latent = 3;
    options.batch_categories = {categories};
    options.batch_encoding = encoding;
    options.embedding_size = 2;
    return options;
}

/// A row with the given values of each modality, of category `code`.
Chunk chunk(const std::vector<std::vector<std::pair<std::int32_t, float>>>& values,
            const std::vector<std::int32_t>& features, std::int32_t code) {
    Chunk result;
    result.keys = {{1, 0}};
    result.samples = {0};
    result.codes = {code};
    for (std::size_t m = 0; m < values.size(); ++m) {
        ModalityRows rows(features[m]);
        std::vector<std::int32_t> columns;
        std::vector<float> numbers;
        for (const auto& [column, value] : values[m]) {
            columns.push_back(column);
            numbers.push_back(value);
        }
        rows.add(0, columns, numbers);
        result.modalities.push_back(std::move(rows));
    }
    return result;
}

NetworkNames names(std::vector<std::vector<std::string>> features,
                   std::vector<std::string> categories) {
    return {std::move(features), {"sample"}, {std::move(categories)}};
}

const NetworkNames kOld = names({{"m1", "m2"}, {"a", "b", "c"}}, {"S1", "S3"});
const NetworkNames kNew =
    names({{"m0", "m1", "m2"}, {"a", "aa", "b", "c", "z"}}, {"S1", "S2", "S3"});

class Grow : public testing::TestWithParam<BatchEncoding> {
  protected:
    Grow() : old_(network(2, 3, 2, GetParam())), now_(network(3, 5, 3, GetParam())) {
        old_.initialise(5);
        now_.initialise(9);
        start_from(old_, kOld, now_, kNew);
    }
    Cvae<float> old_;
    Cvae<float> now_;
};

TEST_P(Grow, old_rows_keep_their_latent_and_reconstruction) {
    const auto before = old_.encode(chunk({{{1, 2.0F}}, {{0, 3.0F}, {2, 1.0F}}}, {2, 3}, 1));
    // m2; a and c.
    const auto after = now_.encode(chunk({{{2, 2.0F}}, {{0, 3.0F}, {3, 1.0F}}}, {3, 5}, 2));
    EXPECT_TRUE(after.latent.isApprox(before.latent, 1e-5F));
    EXPECT_TRUE(after.sd.isApprox(before.sd, 1e-5F));
    const std::vector<std::int32_t> old_code = {1};
    const std::vector<std::int32_t> new_code = {2};
    const auto sm_before = old_.decode(0, before.latent, old_code, {}, {});
    const auto sm_after = now_.decode(0, before.latent, new_code, {}, {});
    EXPECT_NEAR(sm_after.mean(0, 1), sm_before.mean(0, 0), 1e-5);
    EXPECT_NEAR(sm_after.mean(0, 2), sm_before.mean(0, 1), 1e-5);
    EXPECT_NEAR(sm_after.mean(0, 0), sm_before.mean.mean(), 1e-5);
}

TEST_P(Grow, new_features_do_not_move_the_latent_yet) {
    const auto without = now_.encode(chunk({{{1, 1.0F}}, {{0, 3.0F}}}, {3, 5}, 0));
    const auto with =
        now_.encode(chunk({{{0, 9.0F}, {1, 1.0F}}, {{0, 3.0F}, {4, 8.0F}}}, {3, 5}, 0));
    EXPECT_TRUE(with.latent.isApprox(without.latent, 1e-6F));
}

INSTANTIATE_TEST_SUITE_P(Encodings, Grow,
                         testing::Values(BatchEncoding::Embedding, BatchEncoding::OneHot));

TEST(Growth, an_unseen_category_decodes_between_the_trained_ones) {
    Cvae<float> cvae(network(2, 3, 2, BatchEncoding::OneHot));
    cvae.initialise(5);
    const auto weight = cvae.values().tensor("sm.decoder.weight");
    const core::MatrixF mean = (weight.row(3) + weight.row(4)) / 2;
    const LoadedModel grown =
        with_unseen_category({std::move(cvae), {{"sample"}, {{"S1", "S2"}}, 1e3, {{}, {}}}});
    EXPECT_EQ(grown.cvae.options().batch_categories, (std::vector<std::int32_t>{3}));
    EXPECT_EQ(grown.context.categories[0].size(), 2);
    EXPECT_TRUE(grown.cvae.values().tensor("sm.decoder.weight").row(5).isApprox(mean));
}

TEST(Growth, a_new_modality_leaves_the_latent_of_the_other) {
    Cvae<float> old(network(0, 3, 2));
    Cvae<float> now(network(3, 5, 3));
    old.initialise(5);
    now.initialise(9);
    start_from(old, names({{"a", "b", "c"}}, {"S1", "S3"}), now, kNew);
    const auto before = old.encode(chunk({{{0, 3.0F}, {2, 1.0F}}}, {3}, 0));
    const auto alone = now.encode(chunk({{}, {{0, 3.0F}, {3, 1.0F}}}, {3, 5}, 0));
    EXPECT_TRUE(alone.latent.isApprox(before.latent, 1e-5F));
    const auto both = now.encode(chunk({{{0, 4.0F}}, {{0, 3.0F}, {3, 1.0F}}}, {3, 5}, 0));
    EXPECT_TRUE(both.latent.isApprox(before.latent, 1e-5F));
}

TEST(Growth, another_network_is_refused_by_its_key) {
    Cvae<float> old(network(2, 3, 2));
    NetworkOptions wider = network(3, 5, 3);
    wider.latent = 4;
    Cvae<float> now(wider);
    try {
        start_from(old, kOld, now, kNew);
        FAIL();
    } catch (const core::ConfigError& error) {
        EXPECT_NE(std::string(error.what()).find("model.latent"), std::string::npos);
    }
}

}  // namespace
}  // namespace smeta::model

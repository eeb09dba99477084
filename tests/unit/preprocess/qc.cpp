#include "smeta/preprocess/qc.hpp"

#include <gtest/gtest.h>

namespace {

using namespace smeta;
using preprocess::QcConfig;
using Reasons = std::vector<std::string>;

core::CountsCsr table(std::initializer_list<std::initializer_list<float>> rows) {
    core::MatrixF dense(static_cast<Eigen::Index>(rows.size()),
                        static_cast<Eigen::Index>(rows.begin()->size()));
    Eigen::Index r = 0;
    for (const auto& row : rows) {
        Eigen::Index c = 0;
        for (const float value : row) dense(r, c++) = value;
        ++r;
    }
    return core::from_dense(dense);
}

const std::vector<std::string> kGenes{"ACTB", "MT-CO1", "RPS6", "mt-Co1"};

TEST(QualityControl, KeepsAllByDefault) {
    const auto x = table({{1, 2, 0, 1}, {0, 0, 0, 0}});
    const auto qc = preprocess::quality_control("st", x, kGenes, {});
    EXPECT_EQ(qc.rows.kept(), 2);
    EXPECT_EQ(qc.features.kept(), 4);
    EXPECT_EQ(qc.total, (std::vector<double>{4, 0}));
    EXPECT_EQ(qc.mean, (std::vector<double>{1, 0}));
    EXPECT_EQ(qc.n_features, (std::vector<std::int64_t>{3, 0}));
    EXPECT_EQ(qc.mt_fraction, (std::vector<double>{0.75, 0}));
    EXPECT_EQ(qc.n_rows, (std::vector<std::int64_t>{1, 1, 0, 1}));
    EXPECT_FALSE(any_filter(QcConfig{}));
}

TEST(QualityControl, SpotsByCountsAndGenesAfterPrefixes) {
    QcConfig config;
    config.drop_families = preprocess::GeneFamilies::Human;
    config.st_min_counts = 3;
    config.st_max_counts = 10;
    config.st_min_genes = 2;
    config.st_min_spots = 2;
    // Without MT-CO1 and RPS6 the totals are 3, 2, 11, 4, 5.
    const auto x = table({{2, 9, 9, 1}, {2, 50, 0, 0}, {5, 0, 0, 6}, {4, 0, 0, 0}, {4, 0, 0, 1}});
    const auto qc = preprocess::quality_control("st", x, kGenes, config);
    EXPECT_EQ(qc.rows.reason, (Reasons{"", "low_counts", "high_counts", "few_genes", ""}));
    EXPECT_EQ(qc.features.reason, (Reasons{"", "prefix", "prefix", ""}));
    EXPECT_EQ(qc.n_rows, (std::vector<std::int64_t>{2, 1, 1, 2}));
    EXPECT_EQ(qc.rows.dropped(), (std::map<std::string, std::int64_t>{
                                     {"few_genes", 1}, {"high_counts", 1}, {"low_counts", 1}}));
    config.st_min_spots = 3;
    EXPECT_EQ(preprocess::quality_control("st", x, kGenes, config).features.reason,
              (Reasons{"few_spots", "prefix", "prefix", "few_spots"}));
}

TEST(QualityControl, MousePrefixesIncludeDnaj) {
    QcConfig config;
    config.drop_families = preprocess::GeneFamilies::Mouse;
    config.drop_prefixes = {"Gm"};
    const std::vector<std::string> genes{"Dnajb1", "DNAJ", "mt-Nd1", "Gm42", "Actb", "Rpl3"};
    const auto qc = preprocess::quality_control("st", table({{1, 1, 1, 1, 1, 1}}), genes, config);
    EXPECT_EQ(qc.features.reason, (Reasons{"prefix", "", "prefix", "prefix", "", "prefix"}));
}

TEST(QualityControl, MitochondrialShareIsOfAllCounts) {
    QcConfig config;
    config.drop_prefixes = {"MT-"};
    config.st_max_mt_fraction = 0.5;
    const auto qc =
        preprocess::quality_control("st", table({{2, 2, 0, 0}, {1, 2, 0, 0}}), kGenes, config);
    EXPECT_EQ(qc.rows.reason, (Reasons{"", "mitochondrial"}));
    EXPECT_EQ(qc.total, (std::vector<double>{2, 1}));
}

// Metabolites are filtered by the number of pixels that have them, not by their intensity.
TEST(QualityControl, PixelsStrictlyMetabolitesByPresence) {
    QcConfig config;
    config.sm_min_total = 10;
    config.sm_max_mean = 100;
    config.sm_min_pixels = 2;
    config.sm_max_pixels = 2;
    const std::vector<std::string> names{"a", "b", "c"};
    const auto x = table({{10, 0, 0}, {5, 6, 1}, {0, 8, 3}, {300, 0, 0}, {0, 0, 11}});
    const auto qc = preprocess::quality_control("sm", x, names, config);
    EXPECT_EQ(qc.rows.reason, (Reasons{"low_total", "", "", "high_mean", ""}));
    EXPECT_EQ(qc.n_rows, (std::vector<std::int64_t>{1, 2, 3}));
    EXPECT_EQ(qc.features.reason, (Reasons{"few_pixels", "", "many_pixels"}));
    EXPECT_TRUE(qc.mt_fraction.empty());
}

TEST(QualityControl, OtherModalitiesAreOnlyMeasured) {
    QcConfig config;
    config.sm_min_total = 1e9;
    config.st_min_counts = 1e9;
    const auto qc = preprocess::quality_control("protein", table({{1, 2}}),
                                                std::vector<std::string>{"a", "b"}, config);
    EXPECT_EQ(qc.rows.kept(), 1);
    EXPECT_EQ(qc.total, std::vector<double>{3});
}

TEST(QualityControl, EmptyMatrix) {
    core::CountsCsr none;
    none.cols = 2;
    const auto qc = preprocess::quality_control("st", none, std::vector<std::string>{"a", "b"}, {});
    EXPECT_EQ(qc.rows.kept(), 0);
    EXPECT_EQ(qc.features.kept(), 2);
}

}  // namespace

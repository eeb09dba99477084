#include "smeta/atlas/study.hpp"

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace {

using smeta::atlas::parse_study;

std::string message_of(const std::string& text) {
    try {
        parse_study(text, "dir/study.toml");
    } catch (const smeta::core::ConfigError& error) {
        return error.what();
    }
    return "no error";
}

TEST(Study, ReadsEveryKeyAndResolvesPaths) {
    const auto study = parse_study(R"(
atlas = "out/atlas"
run = "first"
[[sample]]
name = "A"
cohort = "c1"
st = "A/visium"
sm = ["A/pos.imzML", "/abs/neg.imzML"]
labels = "A.tsv"
image = "A/he.tif"
image_scale = 0.25
sm_columns = "mz.*"
obs = {platform = "visium", age = 52}
align.transform = [[1, 2], [3, 4.5], [5, -6]]
[[sample]]
joint = "all.h5ad"
[train]
epochs = 3
)",
                                   "dir/study.toml");
    EXPECT_EQ(study.atlas, "dir/out/atlas");
    EXPECT_EQ(study.run, "first");
    ASSERT_EQ(study.samples.size(), 2U);
    const auto& a = study.samples[0];
    EXPECT_EQ(a.name, "A");
    EXPECT_EQ(a.cohort, "c1");
    EXPECT_EQ(a.st, "dir/A/visium");
    EXPECT_EQ(a.sm, (std::vector<std::string>{"dir/A/pos.imzML", "/abs/neg.imzML"}));
    EXPECT_EQ(a.labels, "dir/A.tsv");
    EXPECT_EQ(a.sm_columns, "mz.*");
    EXPECT_EQ(a.image, "dir/A/he.tif");
    EXPECT_EQ(a.image_scale, 0.25);
    EXPECT_FALSE(a.image_microns_per_pixel);
    EXPECT_EQ(a.obs.at("platform"), "visium");
    EXPECT_EQ(a.obs.at("age"), "52");
    ASSERT_TRUE(a.transform);
    EXPECT_EQ(a.transform->a, (std::array<double, 4>{1, 2, 3, 4.5}));
    EXPECT_EQ(a.transform->t, (std::array<double, 2>{5, -6}));
    EXPECT_EQ(a.origin, "dir/study.toml:4");
    EXPECT_EQ(study.samples[1].joint, "dir/all.h5ad");
}

TEST(Study, ImagesAndScalesThatCannotBeAreRefused) {
    const std::string sample = "[[sample]]\nname = \"A\"\nst = \"a\"\n";
    const std::string image = sample + "image = \"a.png\"\n";
    EXPECT_EQ(message_of(image + "image_microns_per_pixel = 2"), "no error");
    EXPECT_NE(message_of(image + "image_scale = \"1\"").find("'image_scale' must be a number"),
              std::string::npos);
    EXPECT_NE(message_of(image + "image_scale = 0").find("above 0"), std::string::npos);
    EXPECT_NE(message_of(image + "image_scale = inf").find("above 0"), std::string::npos);
    EXPECT_NE(message_of(image + "image_microns_per_pixel = -1").find("above 0"),
              std::string::npos);
    EXPECT_NE(message_of(image + "image_scale = 1\nimage_microns_per_pixel = 1").find("one of"),
              std::string::npos);
    EXPECT_NE(message_of(sample + "image_scale = 1").find("are of image"), std::string::npos);
    EXPECT_NE(message_of("[[sample]]\nname = \"A\"\nsm = \"a\"\nimage = \"a.png\"")
                  .find("under the spots"),
              std::string::npos);
}

TEST(Study, LevelsAndTextsThatNoFileCanHoldAreRefused) {
    const std::string sample = "[[sample]]\nname = \"A\"\nst = \"a\"\n";
    EXPECT_NE(message_of(sample + "obs = {\"a/b\" = 1}").find("study.toml:4: 'obs.a/b'"),
              std::string::npos);
    EXPECT_NE(message_of(sample + "obs = {a = \"b\\u0000\"}").find("without zero bytes"),
              std::string::npos);
    EXPECT_NE(message_of(sample + "labels = \"b\\u0000\"").find("'labels'"), std::string::npos);
}

TEST(Study, NestingThatWouldOverflowTheStackIsRefused) {
    EXPECT_NE(message_of("\nrun = " + std::string(100'000, '{')).find("study.toml:2"),
              std::string::npos);
}

TEST(Study, TakesBothShapesOfATransform) {
    const std::string head = "[[sample]]\nname = \"A\"\nst = \"x\"\nalign.transform = ";
    const auto wide = parse_study(head + "[[1, 2, 5], [3, 4, 6]]\n", "s.toml");
    const auto tall = parse_study(head + "[[1, 2], [3, 4], [5, 6]]\n", "s.toml");
    EXPECT_EQ(*wide.samples[0].transform, *tall.samples[0].transform);
}

TEST(Study, EveryErrorNamesFileAndLine) {
    const std::string sample = "[[sample]]\nname = \"A\"\nst = \"x\"\n";
    const std::pair<std::string, std::string> cases[] = {
        {sample + "cohrt = \"c\"\n",
         "dir/study.toml:4: unknown key 'cohrt' of a sample; did you mean 'cohort'?"},
        {sample + "sm = 3\n", "dir/study.toml:4: 'sm' must be a path"},
        {sample + "align.transform = [[1, 2], [3, 4]]\n",
         "dir/study.toml:4: 'align.transform' must be 3 x 2"},
        {sample + "align.transform = [[1, 2], [2, 4], [0, 0]]\n",
         "dir/study.toml:4: 'align.transform' must be an invertible"},
        {sample + "align.transfrom = 1\n", "did you mean 'align.transform'?"},
        {sample + "[[sample]]\nname = \"A\"\nst = \"y\"\n",
         "dir/study.toml:4: sample 'A' is there twice"},
        {"[[sample]]\nst = \"x\"\n", "dir/study.toml:1: a sample needs a name"},
        {"[[sample]]\nname = \"A\"\n", "dir/study.toml:1: sample 'A' names no data"},
        {"[[sample]]\nname = \"A/B\"\nst = \"x\"\n", "must match [A-Za-z0-9_.-]+"},
        {sample + "joint = \"j\"\n", "either a joint file or st"},
        {"[sample]\nname = \"A\"\n", "'sample' must be [[sample]]"},
        {"run = \"x\"\n", "no [[sample]]"},
        {"run = \n", "not valid TOML"},
    };
    for (const auto& [text, expected] : cases)
        EXPECT_NE(message_of(text).find(expected), std::string::npos)
            << text << "\ngave: " << message_of(text);
}

TEST(Study, SelectsSamplesByName) {
    const auto study = parse_study(
        "[[sample]]\nname = \"left\"\nst = \"a\"\n[[sample]]\nname = \"right\"\nst = \"b\"\n",
        "s.toml");
    const auto selected = smeta::atlas::select_samples(study, {"right", "right"});
    ASSERT_EQ(selected.size(), 1U);
    EXPECT_EQ(selected[0].name, "right");
    EXPECT_EQ(smeta::atlas::select_samples(study, {"right", "left"})[0].name, "left");
    try {
        smeta::atlas::select_samples(study, {"left", "rihgt"});
        FAIL() << "no error";
    } catch (const smeta::core::ConfigError& error) {
        EXPECT_EQ(
            std::string(error.what()),
            "s.toml: no [[sample]] is named 'rihgt'; did you mean 'right'?; there are left, right");
    }
}

}  // namespace

#include "read_sample.hpp"

#include <cmath>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "smeta/atlas/ingest.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/imzml_writer.hpp"

#include "source_key.hpp"
#include "support/support.hpp"

namespace {

using namespace smeta;
using atlas::IngestConfig;
using atlas::SampleSource;

void write(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file) << text;
}

class ReadSample : public ::testing::Test {
  protected:
    ReadSample() {
        write(folder_ / "st.tsv", "\tg1\tg2\tg3\n1x1\t1\t0\t3\n1x2\t0\t2\t0\n2x1\t5\t0\t0\n");
        write(folder_ / "sm.tsv", "spot\tm1\tg2\n2x1\t0.5\t1\n9x9\t1\t1\n1x1\t2\t0\n");
        source_.name = "A";
        source_.st = (folder_ / "st.tsv").string();
        source_.sm = {(folder_ / "sm.tsv").string()};
        source_.obs = {{"platform", "legacy"}};
        source_.origin = "test";
    }
    std::string image(const std::string& name, double shift) {
        const auto path = (folder_ / name).string();
        io::ImzmlWriter writer(path, {.mode = io::ImzmlMode::Processed,
                                      .polarity = io::Polarity::Positive,
                                      .compression = io::Compression::None,
                                      .pixel_size_um = 50,
                                      .seed = 1});
        const std::vector<double> mz{100 + shift, 200 + shift};
        for (int x = 1; x <= 3; ++x)
            writer.add(x, 1, mz, std::vector<float>{1.0F, static_cast<float>(x)});
        writer.finish();
        return path;
    }
    test::TemporaryFolder folder_;
    SampleSource source_;
    IngestConfig config_;
};

TEST_F(ReadSample, TableWithSpotsIsJoinedByName) {
    const auto raw = atlas::read_sample(source_, {}, config_);
    ASSERT_EQ(raw.modalities.size(), 2U);
    EXPECT_EQ(raw.modalities[0].first, "sm");
    const auto& sm = raw.modalities[0].second;
    const auto& st = raw.modalities[1].second;
    EXPECT_TRUE(atlas::is_paired(raw));
    EXPECT_EQ(sm.obs.index, (std::vector<std::string>{"1x1", "2x1"}));
    EXPECT_EQ(sm.var.index, (std::vector<std::string>{"m1", "g2_sm"}));  // g2 is a gene
    EXPECT_EQ(st.obs.rows(), 3);
    EXPECT_EQ(st.obs.as_text("sample", ""), std::vector<std::string>(3, "A"));
    EXPECT_EQ(st.obs.as_text("cohort", ""), std::vector<std::string>(3, "default"));
    EXPECT_EQ(st.obs.as_text("platform", ""), std::vector<std::string>(3, "legacy"));
    EXPECT_EQ(st.obs.as_text("spot", ""), st.obs.index);
}

TEST_F(ReadSample, LabelsAreJoinedAndUnmatchedSpotsUndetermined) {
    write(folder_ / "labels.tsv", "x\ty\tlabel\n1.2\t0.9\ttumour\n");
    source_.labels = (folder_ / "labels.tsv").string();
    const auto raw = atlas::read_sample(source_, {}, config_);
    EXPECT_EQ(raw.find("st")->obs.as_text("label", ""),
              (std::vector<std::string>{"tumour", "undetermined", "undetermined"}));
    write(folder_ / "labels.tsv", "x\ty\tlabel\n70\t70\ttumour\n");
    EXPECT_THROW(atlas::read_sample(source_, {}, config_), core::FormatError);
}

TEST_F(ReadSample, NoCommonSpotIsAnError) {
    write(folder_ / "sm.tsv", "spot\tm1\nother\t0.5\n");
    EXPECT_THROW(atlas::read_sample(source_, {}, config_), core::FormatError);
}

/// Observations "0", "1", ... at (i * step, 0) with two features.
std::string default_names(const std::filesystem::path& file, int rows, double step,
                          const std::vector<std::string>& features) {
    io::AnnData data;
    core::MatrixD places(rows, 2);
    for (int i = 0; i < rows; ++i) {
        data.obs.index.push_back(std::to_string(i));
        places.row(i) << i * step, 0;
    }
    data.var.index = features;
    data.x = core::MatrixF(core::MatrixF::Constant(rows, 2, 1.0F));
    data.obsm["spatial"] = places;
    io::write_h5ad(file.string(), data);
    return file.string();
}

TEST_F(ReadSample, PixelsWithNamesOfSpotsAreNotSpots) {
    source_.st = default_names(folder_ / "st.h5ad", 4, 10, {"g1", "g2"});
    source_.sm = {default_names(folder_ / "sm.h5ad", 8, 5, {"m1", "m2"})};
    const auto raw = atlas::read_sample(source_, {}, config_);
    EXPECT_FALSE(atlas::is_paired(raw));
    const auto& sm = *raw.find("sm");
    ASSERT_EQ(sm.obs.rows(), 8);
    EXPECT_EQ(sm.obs.index[1], "px_5_0");
    EXPECT_EQ(sm.obs.as_text("source_name", "")[1], "1");
    EXPECT_EQ(sm.obsm.at("spatial")(7, 0), 35.0);
}

TEST_F(ReadSample, ObservationsAtThePlacesOfSpotsAreSpots) {
    source_.st = default_names(folder_ / "st.h5ad", 4, 10, {"g1", "g2"});
    source_.sm = {default_names(folder_ / "sm.h5ad", 8, 10.005, {"m1", "m2"})};
    const auto raw = atlas::read_sample(source_, {}, config_);
    EXPECT_TRUE(atlas::is_paired(raw));
    EXPECT_EQ(raw.find("sm")->obs.index, raw.find("st")->obs.index);
    auto data = io::read_h5ad(source_.st);
    data.obsm.clear();
    io::write_h5ad(source_.st, data);  // spots without coordinates: names on both sides decide
    EXPECT_FALSE(atlas::is_paired(atlas::read_sample(source_, {}, config_)));
    source_.sm = {default_names(folder_ / "sm.h5ad", 4, 5, {"m1", "m2"})};
    EXPECT_TRUE(atlas::is_paired(atlas::read_sample(source_, {}, config_)));
    source_.st = default_names(folder_ / "st.h5ad", 4, 5, {"g1", "g2"});
    source_.transform = atlas::AffineTransform{};  // says that the frames are two
    EXPECT_FALSE(atlas::is_paired(atlas::read_sample(source_, {}, config_)));
}

TEST_F(ReadSample, CoordinatesMustBeTwoFiniteNumbers) {
    const auto refused = [&](const std::string& part) {
        try {
            (void)atlas::read_sample(source_, {}, config_);
            ADD_FAILURE() << "accepted, not refused for " << part;
        } catch (const core::FormatError& error) {
            EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
        }
    };
    source_.sm.clear();
    source_.st = default_names(folder_ / "st.h5ad", 3, 10, {"g1", "g2"});
    auto data = io::read_h5ad(source_.st);
    data.obsm["spatial"](1, 1) = std::numeric_limits<double>::quiet_NaN();
    io::write_h5ad(source_.st, data);
    refused("coordinates of '1'");
    data.obsm["spatial"] = core::MatrixD::Zero(3, 1);
    io::write_h5ad(source_.st, data);
    refused("two columns, x and y");
    source_.st.clear();
    write(folder_ / "nan.csv", "x,y,100.1\n1,1,3\n2,nan,3\n");
    source_.sm = {(folder_ / "nan.csv").string()};
    refused("nan.csv: ");
    write(folder_ / "nan.csv", "x,y,100.1\n1,1,3\ninf,2,3\n");
    refused("nan.csv: ");
}

TEST_F(ReadSample, ImagesGetTheCommonNamesAndKeepTheirPixels) {
    source_.sm = {image("pos.imzML", 0.0002)};
    source_.transform = atlas::AffineTransform{{2, 0, 0, 2}, {1, 1}};
    const auto bins = atlas::mass_bins(source_, config_);
    ASSERT_EQ(bins.size(), 2U);
    const std::vector<atlas::MassNames> others{{{{"pos", 100.0}, "mz_100.0000_pos"}}};
    const auto names = atlas::common_names({bins}, 5, others);
    const auto raw = atlas::read_sample(source_, names[0], config_);
    const auto& sm = *raw.find("sm");
    EXPECT_EQ(sm.var.index, (std::vector<std::string>{"mz_100.0000_pos", "mz_200.0002_pos"}));
    EXPECT_EQ(sm.obs.index, (std::vector<std::string>{"px_1_1", "px_2_1", "px_3_1"}));
    EXPECT_EQ(sm.obs.find("spot"), nullptr);
    EXPECT_FALSE(atlas::is_paired(raw));
    EXPECT_EQ(*atlas::given_transform(raw), *source_.transform);
}

TEST_F(ReadSample, SamplesOfAStudyGetTheSameNamesOneByOneAsTogether) {
    std::vector<SampleSource> study;
    for (const auto& [name, shift] : {std::pair{"S1", 0.0}, {"S2", 0.0}, {"S3", 0.0009}}) {
        SampleSource source;
        source.name = name;
        source.sm = {image(std::string(name) + ".imzML", shift)};
        source.origin = "test";
        study.push_back(source);
    }
    const auto self = comm::Comm::self();
    const auto refuse = atlas::ExistingSample::Refuse;
    auto whole = atlas::ShardedAtlas::create(folder_ / "whole");
    atlas::ingest(self, whole, study, config_, refuse);
    auto serial = atlas::ShardedAtlas::create(folder_ / "serial");
    for (const auto& source : study) atlas::ingest(self, serial, {source}, config_, refuse, study);
    EXPECT_EQ(serial.manifest(), whole.manifest());
    const auto names = serial.read_raw("S3").find("sm")->var.index;
    EXPECT_EQ(names, (std::vector<std::string>{"mz_100.0003_pos", "mz_200.0003_pos"}));
    auto anew = study;
    anew.back().cohort = "other";
    atlas::ingest(self, serial, anew, config_, atlas::ExistingSample::Replace);
    EXPECT_EQ(serial.read_raw("S3").find("sm")->var.index, names);
}

TEST_F(ReadSample, KeyFollowsContentDescriptionAndConfigurationNotPlace) {
    source_.sm = {image("pos.imzML", 0)};
    const auto key = atlas::source_key(source_, config_);
    EXPECT_EQ(key, atlas::source_key(source_, config_));
    auto other = config_;
    other.source.mz_ppm = 7;
    EXPECT_NE(key, atlas::source_key(source_, other));
    auto cohort = source_;
    cohort.cohort = "C";
    EXPECT_NE(key, atlas::source_key(cohort, config_));
    {
        std::fstream ibd(folder_ / "pos.ibd", std::ios::in | std::ios::out | std::ios::binary);
        ibd.seekp(-1, std::ios::end);
        ibd.put('\x7f');
    }
    EXPECT_NE(key, atlas::source_key(source_, config_));
    source_.st = (folder_ / "none").string();
    EXPECT_THROW(atlas::source_key(source_, config_), core::IoError);
}

TEST_F(ReadSample, KeyOfAFolderHasThePositionsBesideItAndNoMatterHowItIsWritten) {
    namespace fs = std::filesystem;
    source_.sm.clear();
    fs::create_directory(folder_ / "matrix");
    fs::create_directory(folder_ / "spatial");
    write(folder_ / "matrix/matrix.mtx", "1");
    write(folder_ / "spatial/tissue_positions.csv", "a,1,0,0,1,1\n");
    source_.st = (folder_ / "matrix").string();
    const auto key = atlas::source_key(source_, config_);
    for (const char* written : {"matrix/", "matrix/.", "spatial/../matrix", ".//matrix"}) {
        source_.st = (folder_ / written).string();
        EXPECT_EQ(key, atlas::source_key(source_, config_)) << written;
    }
    const auto here = fs::current_path();
    fs::current_path(folder_.path());
    source_.st = "matrix";
    EXPECT_EQ(key, atlas::source_key(source_, config_));
    fs::current_path(here);
    source_.st = (folder_ / "matrix").string();
    write(folder_ / "spatial/tissue_positions.csv", "a,1,0,0,2,1\n");
    EXPECT_NE(key, atlas::source_key(source_, config_));
}

TEST_F(ReadSample, JointFilesAreSplitBySample) {
    io::AnnData joint;
    joint.obs.index = {"a", "b", "c"};
    joint.obs.set("sample", std::vector<std::string>{"S2", "S1", "S2"});
    joint.obs.set("patient", std::vector<std::string>{"p", "q", "p"});
    joint.var.index = {"m", "g"};
    joint.var.set("type", std::vector<std::string>{"SM", "ST"});
    core::MatrixF x(3, 2);
    x << 0.5F, 1, 1.5F, 2, 2.5F, 3;
    joint.x = x;
    const auto file = (folder_ / "joint.h5ad").string();
    io::write_h5ad(file, joint);
    SampleSource source;
    source.joint = file;
    source.origin = "test";
    config_.cohort_key = "patient";
    const auto samples = atlas::read_joint_samples(source, config_);
    ASSERT_EQ(samples.size(), 2U);
    EXPECT_EQ(samples[0].name, "S1");
    EXPECT_EQ(samples[0].cohort, "q");
    EXPECT_EQ(samples[1].data.find("st")->obs.index, (std::vector<std::string>{"a", "c"}));
    EXPECT_EQ(samples[1].data.find("sm")->obs.index, (std::vector<std::string>{"a", "c"}));
    EXPECT_EQ(io::to_dense(*samples[1].data.find("sm")->x)(1, 0), 2.5F);

    source.name = "all";
    config_.cohort_key = "cohort";
    const auto one = atlas::read_joint_samples(source, config_);
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one[0].cohort, "default");
    EXPECT_EQ(one[0].data.find("st")->obs.as_text("sample", ""),
              std::vector<std::string>(3, "all"));
    write(folder_ / "labels.tsv", "spot\tlabel\nb\ttumour\n");  // of one sample's spots
    auto labelled = source;
    labelled.labels = (folder_ / "labels.tsv").string();
    EXPECT_EQ(
        atlas::read_joint_samples(labelled, config_)[0].data.find("st")->obs.as_text("label", ""),
        (std::vector<std::string>{"undetermined", "tumour", "undetermined"}));
    write(folder_ / "labels.tsv", "spot\tlabel\nB\ttumour\n");
    EXPECT_THROW(atlas::read_joint_samples(labelled, config_), core::FormatError);
    joint.obsm["spatial"] = core::MatrixD::Constant(3, 2, HUGE_VAL);
    io::write_h5ad((folder_ / "far.h5ad").string(), joint);
    auto far = source;
    far.joint = (folder_ / "far.h5ad").string();
    EXPECT_THROW(atlas::read_joint_samples(far, config_), core::FormatError);
    config_.cohort_key = "patient";  // not one cohort
    EXPECT_THROW(atlas::read_joint_samples(source, config_), core::FormatError);
    source.name.clear();
    config_.sample_key = "donor";
    EXPECT_THROW(atlas::read_joint_samples(source, config_), core::FormatError);
}

}  // namespace

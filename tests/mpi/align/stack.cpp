// Serial sections of a block, whatever the ranks.
#include "smeta/align/stack.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include "smeta/align/reassign.hpp"
#include "smeta/atlas/maintenance.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/preprocess/qc.hpp"

#include "support/support.hpp"

namespace {

using namespace smeta;

constexpr int kGenes = 30;
constexpr double kPitch = 100;

/// A section of a lopsided tissue with patterns of its own, turned, mirrored or not and shifted.
struct Section {
    std::string sample;
    double z = 0;
    align::AffineTransform map;  ///< of the block to the section's frame
    core::MatrixD cut;           ///< where in the block each spot was
    io::MuData raw;
};

bool in_tissue(double x, double y) {
    const double angle = std::atan2(y, x);
    return std::hypot(x, y) < 750 * (1 + 0.25 * std::cos(angle) + 0.15 * std::sin(2 * angle) +
                                     0.12 * std::cos(3 * angle + 1));
}

Section section(int number) {
    const core::Philox random(3, core::DrawPurpose::Test, static_cast<std::uint64_t>(number));
    const core::Philox pattern(4, core::DrawPurpose::Test);
    std::uint64_t draw = 0;
    const double angle = 2 * std::numbers::pi * random.uniform(draw++);
    const double mirror = random.uniform(draw++) < 0.5 ? -1 : 1;
    const double c = std::cos(angle);
    const double s = std::sin(angle);
    Section result;
    result.sample = "s" + std::to_string((3 * number) % 4);  // not in the order of the heights
    result.z = 10.0 * number;
    result.map = {{mirror * c, -s, mirror * s, c},
                  {1e3 * random.uniform(draw++), 1e3 * random.uniform(draw++)}};
    io::AnnData st;
    std::vector<double> places;
    std::vector<float> counts;
    const double shift = kPitch * random.uniform(draw++);
    for (int row = -14; row < 15; ++row)
        for (int column = -12; column < 13; ++column) {
            const double x = (column + 0.5 * (row & 1)) * kPitch + shift;
            const double y = row * std::sqrt(0.75) * kPitch + shift;
            if (!in_tissue(x, y)) continue;
            places.insert(places.end(), {x, y});
            st.obs.index.push_back(result.sample + "_" + std::to_string(st.obs.rows()));
            for (int g = 0; g < kGenes; ++g) {
                const double dx = x - 1600 * (pattern.uniform(2 * g) - 0.5);
                const double dy = y - 1600 * (pattern.uniform(2 * g + 1) - 0.5);
                const double mean = 2 + 30 * std::exp(-(dx * dx + dy * dy) / 2e5);
                counts.push_back(static_cast<float>(
                    std::max(0.0, std::round(mean + std::sqrt(mean) * random.normal(draw++)))));
            }
        }
    const auto rows = static_cast<Eigen::Index>(st.obs.index.size());
    result.cut = Eigen::Map<const core::MatrixD>(places.data(), rows, 2);
    st.x = core::MatrixF(Eigen::Map<const core::MatrixF>(counts.data(), rows, kGenes));
    for (int g = 0; g < kGenes; ++g) st.var.index.push_back("G" + std::to_string(g));
    st.obsm["spatial"] = align::apply(result.map, result.cut);
    st.obs.set("block", std::vector<std::string>(rows, "B"));
    st.obs.set("z", std::vector<std::string>(rows, std::to_string(10 * number)));
    result.raw.modalities.emplace_back("st", std::move(st));
    return result;
}

std::vector<Section> block() {
    std::vector<Section> sections;
    for (int number = 0; number < 4; ++number) sections.push_back(section(number));
    return sections;
}

align::StackConfig config() {
    align::StackConfig result;
    result.block = "block";
    return result;
}

atlas::ShardedAtlas make(const comm::Comm& comm, const std::filesystem::path& path,
                         const std::vector<Section>& sections) {
    comm.root_or_throw([&] {
        auto atlas = atlas::ShardedAtlas::create(path);
        for (const Section& one : sections) atlas.commit_raw(one.sample, "c", one.raw);
    });
    auto atlas = atlas::ShardedAtlas::open(comm, path);
    preprocess::run_qc(comm, atlas, {});
    return atlas;
}

TEST(Stack, SectionsComeToWhereTheyWereCut) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    const std::vector<Section> sections = block();
    auto atlas = make(world, folder / "ranks", sections);
    align::run_stack(world, atlas, config());
    align::run_reassign(world, atlas, {});
    world.root_or_throw([&] {
        const comm::Comm self = comm::Comm::self();
        auto alone = make(self, folder / "alone", sections);
        align::run_stack(self, alone, config());
        for (const Section& one : sections) {
            const auto* left = atlas.sample(one.sample).find(align::kStack);
            ASSERT_NE(left, nullptr);
            EXPECT_EQ(*left, *alone.sample(one.sample).find(align::kStack));
            const core::MatrixD found = atlas.open_joint(one.sample).obsm("spatial_3d");
            const core::MatrixD truth = align::apply(sections[1].map, one.cut);
            EXPECT_EQ(found.col(2).minCoeff(), one.z);
            EXPECT_EQ(found.col(2).maxCoeff(), one.z);
            const Eigen::VectorXd miss = (found.leftCols(2) - truth).rowwise().norm() / kPitch;
            EXPECT_LT(miss.mean(), 0.5) << one.sample;
            EXPECT_LT(miss.maxCoeff(), 1) << one.sample;
        }
        const auto drawings = align::stack_drawings(atlas);
        ASSERT_EQ(drawings.size(), 1U);
        ASSERT_EQ(drawings[0].sections.size(), 4U);
        EXPECT_EQ(drawings[0].sections[3].z, 30);
        EXPECT_GT(drawings[0].sections[3].outline.rows(), 10);
        // The steps lead to the reference, the second of four.
        const align::StackPath path = align::read_stack_path(atlas, sections[3].sample);
        ASSERT_EQ(path.size(), 3U);
        EXPECT_EQ(path[0].neighbour, sections[2].sample);
        EXPECT_EQ(path[0].level, 3);
        EXPECT_EQ(path[2].neighbour, "");
    });
    const std::string key = atlas.key(sections[0].sample, align::kStack);
    align::run_stack(world, atlas, config(), {sections[3].sample});
    EXPECT_EQ(atlas.key(sections[0].sample, align::kStack), key);
    EXPECT_TRUE(atlas::verify(world, folder / "ranks", atlas::RepairMode::ReportOnly).sound());
}

TEST(Stack, BlocksThatCannotBeAreSaidByAll) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    std::vector<Section> sections = block();
    const auto error_of = [&](const char* name) {
        auto atlas = make(world, folder / name, sections);
        std::string message;
        try {
            align::run_stack(world, atlas, config());
        } catch (const core::Error& error) {
            message = error.what();
        }
        EXPECT_EQ(atlas.sample(sections[0].sample).find(align::kStack), nullptr);
        return message;
    };
    io::Frame& obs = sections[2].raw.modalities[0].second.obs;
    const auto set_z = [&](const char* z) {
        obs.set("z", std::vector<std::string>(obs.index.size(), z));
    };
    set_z("10");
    std::string message = error_of("twice");
    EXPECT_NE(message.find("same height"), std::string::npos) << message;
    set_z("high");
    message = error_of("text");
    EXPECT_NE(message.find("has no height"), std::string::npos) << message;
    set_z("20");
    std::vector<std::string> blocks(obs.index.size(), "B");
    blocks.back() = "C";
    obs.set("block", blocks);
    message = error_of("two");
    EXPECT_NE(message.find("one value for the whole sample"), std::string::npos) << message;
    obs.set("block", std::vector<std::string>(obs.index.size(), "B/../C"));
    message = error_of("name");
    EXPECT_NE(message.find("'B/../C'"), std::string::npos) << message;
}

}  // namespace

#include "smeta/analysis/regions.hpp"

#include <optional>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

#include "support/support.hpp"
#include "support/tissue_run.hpp"

namespace smeta::analysis {
namespace {

core::MatrixD box(double x0, double y0, double x1, double y1) {
    core::MatrixD ring(4, 2);
    ring << x0, y0, x1, y0, x1, y1, x0, y1;
    return ring;
}

/// Spots of a sample lie at (row % 10, row / 10).
class Regions : public ::testing::Test {
  protected:
    void SetUp() override {
        run_.emplace(
            test::make_tissue_run(comm_, folder_ / "atlas", {{"b", 90}, {"a", 70}, {"c", 11}}));
    }
    std::string stored(const std::string& sample) {
        comm_.barrier();
        std::string all;
        for (const auto& name : run_->read_result(sample).obs.as_text("region", sample))
            all += name.substr(0, 1);
        return all;
    }
    comm::Comm comm_ = comm::Comm::world();
    test::TemporaryFolder folder_{comm_};
    std::optional<atlas::Run> run_;
};

TEST_F(Regions, TheFirstRegionOfAFileHoldsASpot) {
    // Of sample a (7 rows of 10): a box with a hole, and one that overlaps it.
    const std::vector<io::Shape> shapes = {
        {"hole", "a", {{box(-.5, -.5, 3.5, 2.5), box(.5, .5, 1.5, 1.5)}}, {}},
        {"wide", "a", {{box(-.5, .5, 9.5, 1.5)}, {box(-.5, 5.5, .5, 6.5)}}, {}},
        {"all", "c", {{box(-1, -1, 20, 20)}}, {}}};
    test::on_each_communicator([&](const comm::Comm& comm) {
        store_regions(comm, *run_, "file", shapes, "region");
        comm_.barrier();
        EXPECT_EQ(stored("a"),
                  "hhhhoooooo"
                  "hwhhwwwwww"
                  "hhhhoooooo"
                  "oooooooooo"
                  "oooooooooo"
                  "oooooooooo"
                  "wooooooooo");
        EXPECT_EQ(stored("c"), "aaaaaaaaaaa");
        EXPECT_EQ(run_->read_result("b").obs.find("region"), nullptr);
        const auto samples = samples_of(*run_, shapes);
        EXPECT_EQ(samples, (std::vector<std::string>{"a", "c"}));
        const auto groups = read_groups(comm, *run_, samples, "region");
        EXPECT_EQ(regions_tsv(*run_, samples, groups, shapes),
                  "sample\tregion\tspots\tshare\tarea\n"
                  "a\thole\t11\t0.15714285714285714\t11\n"
                  "a\toutside\t51\t0.7285714285714285\t\n"
                  "a\twide\t8\t0.11428571428571428\t11\n"
                  "c\tall\t11\t1\t441\n");
        const auto clusters = read_groups(comm, *run_, samples, "cluster");
        const auto composition = composition_tsv(*run_, samples, groups, clusters);
        EXPECT_EQ(composition.substr(0, composition.find("a\toutside")),
                  "sample\tregion\tcluster\tspots\tshare\n"
                  "a\thole\t0\t4\t0.36363636363636365\na\thole\t1\t4\t0.36363636363636365\n"
                  "a\thole\t2\t3\t0.2727272727272727\n");
        comm_.barrier();
    });
}

TEST_F(Regions, NothingIsStoredWhenAnythingIsWrong) {
    const io::Shape good{"good", "a", {{box(-1, -1, 5, 5)}}, {}};
    const io::Shape empty{"empty", "b", {{box(100, 100, 105, 105)}}, {}};
    EXPECT_ANY_THROW(store_regions(comm_, *run_, "file", {good, empty}, "region"));
    comm_.barrier();
    EXPECT_EQ(run_->read_result("a").obs.find("region"), nullptr);
    EXPECT_ANY_THROW(store_regions(comm_, *run_, "file", {good}, "cluster"));
    EXPECT_THROW(store_regions(comm_, *run_, "file", {good}, "a/b"), core::ConfigError);
    EXPECT_THROW(
        store_regions(comm_, *run_, "file", {{"outside", "a", good.polygons, {}}}, "region"),
        core::ConfigError);
    std::vector<io::Shape> nowhere = {{"good", "", good.polygons, {}}};
    EXPECT_THROW(resolve_samples(*run_, "file", "", nowhere), core::FormatError);
    resolve_samples(*run_, "file", "b", nowhere);
    EXPECT_EQ(nowhere.front().sample, "b");
    nowhere.front().sample = "d";
    EXPECT_THROW(resolve_samples(*run_, "file", "b", nowhere), core::FormatError);
}

}  // namespace
}  // namespace smeta::analysis

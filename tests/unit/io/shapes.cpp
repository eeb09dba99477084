#include "smeta/io/shapes.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

class Shapes : public ::testing::Test {
  protected:
    std::vector<Shape> read(const std::string& text, ShapeKind kind = ShapeKind::Regions) {
        std::ofstream(path(), std::ios::binary) << text;
        return read_shapes(path(), kind);
    }
    /// What the refusal says.
    core::FormatProblem refused(const std::string& text, ShapeKind kind = ShapeKind::Regions) {
        try {
            read(text, kind);
        } catch (const core::FormatError& error) {
            EXPECT_EQ(error.problem().file, path());
            EXPECT_FALSE(error.problem().hint.empty());
            return error.problem();
        }
        ADD_FAILURE() << "was read: " << text;
        return {};
    }
    std::string path() const { return (folder_ / "shapes").string(); }
    test::TemporaryFolder folder_;
};

TEST_F(Shapes, FeatureCollectionWithHolesNamesAndSamples) {
    const auto shapes = read(R"({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"name": "core", "sample": "B"},
         "geometry": {"type": "Polygon", "coordinates":
            [[[0, 0], [4, 0], [4, 4], [0, 0]], [[1, 0.5, 7], [2, 0.5], [2, 1]]]}},
        {"type": "Feature", "properties": {"classification": {"name": "Tumor"}},
         "geometry": {"type": "MultiPolygon", "coordinates":
            [[[[0, 0], [1, 0], [1, 1]]], [[[5, 5], [6, 5], [6, 6]]]]}},
        {"type": "Feature", "properties": null,
         "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]}},
        {"type": "Feature", "properties": {"name": "core", "sample": "B"},
         "geometry": {"type": "Polygon", "coordinates": [[[9, 9], [8, 9], [8, 8]]]}}]})");
    ASSERT_EQ(shapes.size(), 3);
    EXPECT_EQ(shapes[0].name, "core");
    EXPECT_EQ(shapes[0].sample, "B");
    ASSERT_EQ(shapes[0].polygons.size(), 2);  // the fourth feature too
    ASSERT_EQ(shapes[0].polygons[0].size(), 2);
    core::MatrixD outline(3, 2);
    outline << 0, 0, 4, 0, 4, 4;  // without the closing vertex
    EXPECT_EQ(shapes[0].polygons[0][0], outline);
    EXPECT_EQ(shapes[0].polygons[0][1](0, 1), 0.5);
    EXPECT_EQ(shapes[1].name, "Tumor");
    EXPECT_EQ(shapes[1].sample, "");
    EXPECT_EQ(shapes[1].polygons.size(), 2);
    EXPECT_EQ(shapes[2].name, "region_3");
}

TEST_F(Shapes, ArraysSingleFeaturesAndBareGeometries) {
    EXPECT_EQ(read(R"(  [{"type": "Feature", "geometry":
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]}}])")[0]
                  .name,
              "region_1");
    const auto lines = read(R"({"type": "MultiLineString", "coordinates":
        [[[0, 0], [1, 0]], [[3, 3], [4, 4], [3, 3]]]})",
                            ShapeKind::Paths);
    ASSERT_EQ(lines.size(), 1);
    EXPECT_EQ(lines[0].name, "path_1");
    ASSERT_EQ(lines[0].lines.size(), 2);
    EXPECT_EQ(lines[0].lines[1].rows(), 3);  // a path may end where it began
}

TEST_F(Shapes, TablesOfVertices) {
    const auto shapes = read(
        "x\ty\tname\tsample\tring\n0\t0\ta\tS\t1\n9\t0\ta\tS\t1\n9\t9\ta\tS\t1\n"
        "0\t0\tb\t\t\n1\t0\tb\t\t\n5\t2\ta\tS\t2\n6\t2\ta\tS\t2\n6\t3\ta\tS\t2\n1\t1\tb\t\t\n");
    ASSERT_EQ(shapes.size(), 2);
    EXPECT_EQ(shapes[0].name, "a");
    EXPECT_EQ(shapes[0].sample, "S");
    ASSERT_EQ(shapes[0].polygons.size(), 1);
    EXPECT_EQ(shapes[0].polygons[0].size(), 2);
    EXPECT_EQ(shapes[1].polygons[0][0].rows(), 3);
    const auto lines = read("y,x\n1,2\n3,4\n", ShapeKind::Paths);
    ASSERT_EQ(lines.size(), 1);
    EXPECT_EQ(lines[0].name, "path_1");
    EXPECT_EQ(lines[0].lines[0](1, 0), 4);
}

TEST_F(Shapes, ErrorsSayWhereAndWhat) {
    EXPECT_EQ(refused("{\"type\": ").expected, "GeoJSON");
    EXPECT_EQ(refused("[]").expected, "at least one region");
    EXPECT_EQ(refused("[3]").object, "feature 1");
    EXPECT_EQ(refused(R"({"type": "FeatureCollection"})").object, "features");
    EXPECT_EQ(refused(R"({"type": "Feature", "properties": 3, "geometry": null})").object,
              "feature 1 ('region_1')");
    EXPECT_EQ(refused(R"({"type": "LineString", "coordinates": [[0, 0], [1, 1]]})").expected,
              "geometry of type Polygon or MultiPolygon");
    EXPECT_EQ(refused(R"({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]})").found,
              "2");
    EXPECT_EQ(refused(R"({"type": "Polygon", "coordinates": [[[0, 0], [1, "b"], [0, 1]]]})").object,
              "feature 1 ('region_1'), vertex 2");
    EXPECT_EQ(refused(R"({"type": "Polygon", "coordinates": 4})").found, "4");
    EXPECT_EQ(refused(R"({"type": "Polygon", "coordinates": []})").expected, "an array");
    EXPECT_EQ(refused(R"({"type": "LineString", "coordinates": [[0, 0]]})", ShapeKind::Paths).found,
              "1");
    EXPECT_EQ(refused("x,y,name\n0,0,a\n1,1,a\n").object, "line 2 ('a')");
    EXPECT_EQ(refused("x,y\n0,nan\n").object, "line 2");
    EXPECT_THROW(read("x,z\n0,1\n"), core::FormatError);
    EXPECT_THROW(read("x,y\n0,up\n"), core::FormatError);
    EXPECT_THROW(read_shapes((folder_ / "none").string(), ShapeKind::Regions), core::IoError);
}

}  // namespace
}  // namespace smeta::io

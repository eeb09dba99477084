#include "smeta/spatial/path.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace smeta::spatial {
namespace {

/// Right 10, then up 5; one vertex twice.
Path corner() {
    core::MatrixD line(4, 2);
    line << 0, 0, 10, 0, 10, 0, 10, 5;
    return Path(line);
}

void expect_place(const PathPlace& found, const PathPlace& expected) {
    EXPECT_DOUBLE_EQ(found.along, expected.along);
    EXPECT_DOUBLE_EQ(found.distance, expected.distance);
    EXPECT_EQ(found.beyond, expected.beyond);
}

TEST(Path, PlacesAlongAndBesideALine) {
    const auto path = corner();
    EXPECT_EQ(path.length(), 15);
    expect_place(path.place(4, 3), {4, 3, false});
    expect_place(path.place(12, 4), {14, 2, false});
    expect_place(path.place(0, -2), {0, 2, false});
    // Around the outer side of the corner: nearest to the corner itself, not past an end.
    expect_place(path.place(13, -4), {10, 5, false});
    // On the bisector of the inner side both segments are as near: the first counts.
    expect_place(path.place(8, 2), {8, 2, false});
}

TEST(Path, EndsAreFlat) {
    const auto path = corner();
    expect_place(path.place(-3, 4), {0, 5, true});
    expect_place(path.place(10, 6), {15, 1, true});
    expect_place(path.place(11, 5), {15, 1, false});
}

TEST(Path, NeedsALength) {
    core::MatrixD line(2, 2);
    line << 3, 3, 3, 3;
    EXPECT_THROW(Path{line}, core::ConfigError);
}

}  // namespace
}  // namespace smeta::spatial

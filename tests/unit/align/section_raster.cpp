#include "smeta/align/section_raster.hpp"

#include <cmath>
#include <limits>
#include <numbers>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace {

using namespace smeta;

/// A square lattice of the places that `inside` takes.
template <class Inside>
core::MatrixD lattice(int side, double pitch, Inside&& inside) {
    std::vector<double> values;
    for (int j = 0; j < side; ++j)
        for (int i = 0; i < side; ++i)
            if (inside(i * pitch, j * pitch)) values.insert(values.end(), {i * pitch, j * pitch});
    return Eigen::Map<core::MatrixD>(values.data(), static_cast<Eigen::Index>(values.size() / 2),
                                     2);
}

TEST(SectionRaster, DiscHasItsAreaCentreAndOutline) {
    constexpr double kRadius = 300;
    const core::MatrixD points =
        lattice(80, 10, [](double x, double y) { return std::hypot(x - 400, y - 350) <= kRadius; });
    const align::SectionRaster raster = align::rasterise(points, {}, "disc");
    EXPECT_DOUBLE_EQ(raster.pitch, 10);
    EXPECT_NEAR(raster.area, std::numbers::pi * kRadius * kRadius, 0.04 * raster.area);
    EXPECT_NEAR(raster.centre[0], 400, 2);
    EXPECT_NEAR(raster.centre[1], 350, 2);
    const core::MatrixD lines = align::outline(raster);
    ASSERT_GT(lines.rows(), 50);
    double length = 0;
    for (Eigen::Index r = 0; r < lines.rows(); ++r) {
        EXPECT_NEAR(std::hypot(lines(r, 0) - 400, lines(r, 1) - 350), kRadius, 15);
        length += std::hypot(lines(r, 2) - lines(r, 0), lines(r, 3) - lines(r, 1));
    }
    EXPECT_NEAR(length, 2 * std::numbers::pi * kRadius, 0.15 * length);
}

TEST(SectionRaster, HolesAreKeptAndSpecksAreNot) {
    const core::MatrixD points = lattice(80, 10, [](double x, double y) {
        const bool hole = std::hypot(x - 300, y - 300) < 100;
        const bool speck = x > 700 && y > 760;
        return speck || (x < 600 && y < 600 && !hole);
    });
    const align::SectionRaster raster = align::rasterise(points, {}, "square");
    const auto inside = [&](double x, double y) {
        const auto i = std::lround((x - raster.grid.x0) / raster.grid.cell);
        const auto j = std::lround((y - raster.grid.y0) / raster.grid.cell);
        return raster.inside(j * raster.grid.nx + i);
    };
    EXPECT_TRUE(inside(100, 100));
    EXPECT_FALSE(inside(300, 300));
    EXPECT_FALSE(inside(750, 780));
}

/// Cells outside the tissue in a square that points surround.
std::int64_t cells_in_holes(const align::SectionRaster& raster, double low, double high) {
    std::int64_t count = 0;
    for (std::int64_t c = 0; c < raster.grid.size(); ++c) {
        const double x = raster.grid.x(c % raster.grid.nx);
        const double y = raster.grid.y(c / raster.grid.nx);
        count += x > low && x < high && y > low && y < high && !raster.inside(c);
    }
    return count;
}

TEST(SectionRaster, MissingPointsAreNoHoles) {
    const auto with_gap = [](double side) {
        return lattice(20, 10, [side](double x, double y) {
            return std::abs(x - 100) >= side / 2 || std::abs(y - 100) >= side / 2;
        });
    };
    const core::MatrixD one = with_gap(10);
    const core::MatrixD many = with_gap(70);
    ASSERT_EQ(one.rows(), 20 * 20 - 1);
    EXPECT_EQ(cells_in_holes(align::rasterise(one, {}, "one"), 20, 170), 0);
    EXPECT_GT(cells_in_holes(align::rasterise(many, {}, "many"), 20, 170), 50);
}

TEST(SectionRaster, RefusesPointsThatAreNoSection) {
    const auto refusal = [](const core::MatrixD& points) -> std::string {
        try {
            align::rasterise(points, {}, "sample 'A'");
        } catch (const core::ConfigError& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_NE(refusal(core::MatrixD::Zero(1, 2)).find("too few"), std::string::npos);
    core::MatrixD line(50, 2);
    for (Eigen::Index r = 0; r < 50; ++r) line.row(r) << 3.0 * static_cast<double>(r), 7;
    EXPECT_NE(refusal(line).find("one line"), std::string::npos);
    EXPECT_NE(refusal(core::MatrixD::Zero(50, 2)).find("one place"), std::string::npos);
    line(3, 1) = std::numeric_limits<double>::quiet_NaN();
    EXPECT_NE(refusal(line).find("finite"), std::string::npos);
    EXPECT_NE(refusal(line).find("sample 'A'"), std::string::npos);
}

TEST(SectionContent, BlocksOfRowsDoNotMatter) {
    const core::MatrixD points = lattice(30, 10, [](double, double) { return true; });
    core::CountsCsr values;
    values.cols = 4;
    for (Eigen::Index r = 0; r < points.rows(); ++r) {
        const auto x = static_cast<float>(points(r, 0));
        const auto y = static_cast<float>(points(r, 1));
        const std::vector<std::int32_t> columns{0, 1, 2, 3};
        const std::vector<float> row{x, y, 300 - x, 50};
        values.append_row(columns, row);
    }
    const auto channels = [&](std::int64_t block) {
        align::SectionRaster raster = align::rasterise(points, {}, "square");
        align::SectionContent content(raster, points, values.cols, {});
        for (const bool measure : {true, false})
            for (std::int64_t first = 0; first < values.rows; first += block) {
                const auto rows =
                    core::row_range(values.view(), first, std::min(values.rows, first + block));
                measure ? content.measure(rows) : content.add(first, rows);
            }
        content.finish();
        return raster.channels;
    };
    const core::MatrixF whole = channels(values.rows);
    ASSERT_GE(whole.cols(), 1);
    EXPECT_EQ(whole, channels(7));
}

}  // namespace

#include "smeta/align/affine.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/align/alignment.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

#include "support/support.hpp"

namespace {

using namespace smeta;
using align::AffineTransform;

const AffineTransform kTransform{{2.0, -0.5, 0.25, 3.0}, {10.0, -4.0}};

TEST(Affine, MapsPoints) {
    core::MatrixD points(2, 2);
    points << 0, 0, 4, 8;
    core::MatrixD expected(2, 2);
    expected << 10, -4, 14, 21;
    EXPECT_EQ(align::apply(kTransform, points), expected);
    EXPECT_EQ(align::apply(AffineTransform{}, points), points);
    EXPECT_EQ(align::apply(kTransform, core::MatrixD(0, 2)).rows(), 0);
}

TEST(Affine, InverseAndComposition) {
    EXPECT_DOUBLE_EQ(align::determinant(kTransform), 6.125);
    const AffineTransform back = align::compose(align::inverse(kTransform), kTransform);
    const AffineTransform identity;
    for (int i = 0; i < 4; ++i) EXPECT_NEAR(back.a[i], identity.a[i], 1e-15);
    for (int i = 0; i < 2; ++i) EXPECT_NEAR(back.t[i], 0.0, 1e-14);
    const AffineTransform rotation{{0, -1, 1, 0}, {1, 0}};
    core::MatrixD point(1, 2);
    point << 3, 5;
    EXPECT_EQ(align::apply(align::compose(rotation, kTransform), point),
              align::apply(rotation, align::apply(kTransform, point)));
    EXPECT_THROW(align::inverse({{1, 2, 2, 4}, {0, 0}}), core::ConfigError);
}

TEST(Alignment, IsReadAsItWasWritten) {
    const test::TemporaryFolder folder;
    align::write_alignment(folder / "a.h5", {"given", kTransform, "raster", "pixel", {}});
    const align::Alignment read = align::read_alignment(folder / "a.h5");
    EXPECT_EQ(read.method, "given");
    EXPECT_EQ(read.transform, kTransform);
    EXPECT_EQ(read.from_unit, "raster");
    EXPECT_EQ(read.to_unit, "pixel");
    align::write_alignment(folder / "n.h5",
                           {"given", AffineTransform{{NAN, 0, 0, 1}, {0, 0}}, "", "", {}});
    EXPECT_THROW(align::read_alignment(folder / "n.h5"), core::FormatError);
    io::write_h5ad((folder / "b.h5").string(), {});
    EXPECT_THROW(align::read_alignment(folder / "b.h5"), core::FormatError);
}

}  // namespace

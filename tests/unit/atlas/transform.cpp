#include "smeta/atlas/transform.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace {

using namespace smeta;

TEST(GivenTransform, IsKeptInUnsAndDamageIsSeen) {
    io::MuData raw;
    EXPECT_FALSE(atlas::given_transform(raw));
    EXPECT_FALSE(atlas::is_paired(raw));
    const atlas::AffineTransform transform{{1, 2, 3, 4}, {5, 6}};
    atlas::set_given_transform(raw, transform);
    atlas::set_paired(raw);
    EXPECT_EQ(*atlas::given_transform(raw), transform);
    EXPECT_TRUE(atlas::is_paired(raw));
    auto& own = std::get<io::UnsDict>(raw.uns["smeta"].value);
    std::get<io::NdArray<double>>(own["transform"].value).values[1] =
        std::numeric_limits<double>::quiet_NaN();
    EXPECT_THROW(atlas::given_transform(raw), core::FormatError);
    own["transform"].value = std::string("text");
    EXPECT_THROW(atlas::given_transform(raw), core::FormatError);
}

}  // namespace

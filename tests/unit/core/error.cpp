#include "smeta/core/error.hpp"

#include <cerrno>

#include <gtest/gtest.h>

namespace smeta::core {
namespace {

TEST(ErrorTest, format_error_shows_every_field_that_is_set) {
    const FormatError error({.file = "a.h5",
                             .object = "/matrix/data",
                             .expected = "10 values",
                             .found = "9",
                             .hint = "copy the file again"});
    EXPECT_STREQ(error.what(),
                 "a.h5: /matrix/data\n  expected: 10 values\n  found:    9\n  hint:     copy the "
                 "file again");
    EXPECT_EQ(error.exit_code(), 2);
    EXPECT_STREQ(
        FormatError({.file = "b", .object = "", .expected = "", .found = "", .hint = ""}).what(),
        "b");
}

TEST(ErrorTest, io_error_has_path_and_reason) {
    EXPECT_STREQ(IoError::from_errno("open", "/x", ENOENT).what(),
                 "cannot open /x: No such file or directory");
}

TEST(ErrorTest, check_names_the_caller) {
    try {
        check(false, "rows agree");
        FAIL();
    } catch (const InvariantError& error) {
        EXPECT_NE(std::string(error.what()).find("rows agree"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("error.cpp"), std::string::npos);
        EXPECT_EQ(error.exit_code(), 3);
    }
}

}  // namespace
}  // namespace smeta::core

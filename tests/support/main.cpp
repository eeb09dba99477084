#include <gtest/gtest.h>

#include "smeta/comm/comm.hpp"

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    const smeta::comm::Environment environment(argc, argv);
    const int failed = RUN_ALL_TESTS();
    if (failed != 0) return failed;
    // ctest reports 77 as "skipped": a skipped test is never counted as passed.
    return testing::UnitTest::GetInstance()->skipped_test_count() > 0 ? 77 : 0;
}

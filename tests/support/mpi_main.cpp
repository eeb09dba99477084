#include <cstdio>
#include <memory>

#include <gtest/gtest.h>

#include "smeta/comm/comm.hpp"

namespace {

/// On ranks above 0 replaces the default printer: failures are printed with the rank, nothing else.
class RankPrinter : public testing::EmptyTestEventListener {
  public:
    explicit RankPrinter(int rank) : rank_(rank) {}
    void OnTestPartResult(const testing::TestPartResult& result) override {
        if (!result.failed()) return;
        std::fprintf(stderr, "[rank %d] %s:%d: %s\n", rank_,
                     result.file_name() != nullptr ? result.file_name() : "", result.line_number(),
                     result.message());
    }

  private:
    int rank_;
};

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    const smeta::comm::Environment environment(argc, argv);
    const auto world = smeta::comm::Comm::world();
    if (!world.is_root()) {
        auto& listeners = testing::UnitTest::GetInstance()->listeners();
        delete listeners.Release(listeners.default_result_printer());
        listeners.Append(new RankPrinter(world.rank()));
    }
    const int failed = world.allreduce<std::int32_t>(RUN_ALL_TESTS(), smeta::comm::ReduceOp::Max);
    if (failed != 0) return failed;
    return testing::UnitTest::GetInstance()->skipped_test_count() > 0 ? 77 : 0;
}

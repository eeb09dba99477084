#include <cstdio>

#include "smeta/atlas/batch_plan.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/core/version.hpp"

int main() {
    const smeta::core::MatrixF dense = smeta::core::MatrixF::Identity(5, 5);
    const auto sparse = smeta::core::from_dense(dense);
    const smeta::atlas::BatchPlan plan({.seed = 1}, {1000});
    std::printf("smeta %s: %d entries, %d steps\n", smeta::core::kVersion,
                static_cast<int>(sparse.nnz()), static_cast<int>(plan.steps()));
    return sparse.nnz() == 5 && plan.steps() == 8 ? 0 : 1;
}

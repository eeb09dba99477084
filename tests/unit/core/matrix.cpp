#include "smeta/core/matrix.hpp"

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace smeta::core {
namespace {

MatrixF example() {
    MatrixF m(3, 4);
    m << 0, 1, 0, 2, 0, 0, 0, 0, 3, 0, 4, 0;
    return m;
}

TEST(MatrixTest, dense_round_trip) {
    const CountsCsr csr = from_dense(example());
    check_csr(csr);
    EXPECT_EQ(csr.nnz(), 4);
    EXPECT_EQ(csr.indptr, (std::vector<std::int64_t>{0, 2, 2, 4}));
    EXPECT_EQ(to_dense(csr), example());
}

TEST(MatrixTest, row_range_is_a_view_with_its_own_base) {
    const CountsCsr csr = from_dense(example());
    const CsrView tail = row_range(csr, 2, 3);
    check_csr(tail);
    EXPECT_EQ(tail.nnz(), 2);
    EXPECT_EQ(to_dense(tail), example().bottomRows(1));
    EXPECT_EQ(to_dense(row_range(tail, 0, 1)), example().bottomRows(1));
    EXPECT_EQ(row_range(csr, 1, 1).rows, 0);
}

TEST(MatrixTest, select_rows_and_columns) {
    const CountsCsr csr = from_dense(example());
    const std::vector<std::int64_t> rows = {2, 0, 2};
    const CountsCsr picked = select_rows(csr, rows);
    check_csr(picked);
    EXPECT_EQ(to_dense(picked).row(0), example().row(2));
    EXPECT_EQ(to_dense(picked).row(1), example().row(0));
    const std::vector<std::int32_t> new_column = {1, -1, 0, 2};  // order changes, column 1 dropped
    const CountsCsr columns = select_columns(csr, new_column, 3);
    check_csr(columns);
    MatrixF expected(3, 3);
    expected << 0, 0, 2, 0, 0, 0, 4, 3, 0;
    EXPECT_EQ(to_dense(columns), expected);
}

TEST(MatrixTest, transpose_of_transpose) {
    const CountsCsr csr = from_dense(example());
    EXPECT_EQ(to_dense(transpose(csr)), MatrixF(example().transpose()));
    EXPECT_EQ(transpose(transpose(csr)), csr);
}

TEST(MatrixTest, check_csr_finds_faults) {
    CountsCsr csr = from_dense(example());
    csr.indices[0] = 3;  // row 0 then has 3, 3
    EXPECT_THROW(check_csr(csr), InvariantError);
    csr = from_dense(example());
    csr.indices[3] = 4;
    EXPECT_THROW(check_csr(csr), InvariantError);
    csr = from_dense(example());
    csr.indptr[1] = 5;
    EXPECT_THROW(check_csr(csr), InvariantError);
    csr = from_dense(example());
    csr.values.pop_back();
    EXPECT_THROW(check_csr(csr), InvariantError);
}

TEST(MatrixTest, row_sums_in_double) {
    EXPECT_EQ(row_sums(from_dense(example())), (std::vector<double>{3, 0, 7}));
}

}  // namespace
}  // namespace smeta::core

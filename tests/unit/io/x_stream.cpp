#include "smeta/io/x_stream.hpp"

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

AnnData table(std::int64_t rows, std::int64_t cols) {
    AnnData data;
    for (std::int64_t row = 0; row < rows; ++row)
        data.obs.index.push_back("spot" + std::to_string(row));
    for (std::int64_t column = 0; column < cols; ++column)
        data.var.index.push_back("f" + std::to_string(column));
    return data;
}

XStream stream(const core::MatrixF& values) {
    return {values.rows(), values.cols(), [&values](std::int64_t first, std::int64_t last) {
                return core::MatrixF(values.middleRows(first, last - first));
            }};
}

// More than one part with a last one that is not full; chunks of fewer than 256 rows; no rows.
TEST(XStream, WritesTheMatrixThatItReads) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "x.h5ad";
    const std::vector<std::pair<int, int>> shapes{{2500, 30}, {700, 5000}, {0, 3}, {1, 1}};
    for (const auto& [rows, cols] : shapes) {
        const core::MatrixF values = core::MatrixF::Random(rows, cols);
        write_h5ad(path, table(rows, cols), stream(values));
        const AnnData back = read_h5ad(path);
        EXPECT_EQ(std::get<core::MatrixF>(*back.x), values) << rows << " x " << cols;
        EXPECT_EQ(back.obs, table(rows, cols).obs);
    }
}

TEST(XStream, AStreamThatIsNotWhatItSaysIsABrokenInvariant) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "x.h5ad";
    const core::MatrixF values = core::MatrixF::Random(20, 3);
    EXPECT_THROW(write_h5ad(path, table(19, 3), stream(values)), core::InvariantError);
    XStream narrow = stream(values);
    narrow.read = [](std::int64_t first, std::int64_t last) {
        return core::MatrixF(core::MatrixF::Zero(last - first, 2));
    };
    EXPECT_THROW(write_h5ad(path, table(20, 3), narrow), core::InvariantError);
}

}  // namespace
}  // namespace smeta::io

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "smeta/io/h5.hpp"

#include "support/support.hpp"

namespace {

using namespace smeta;
using io::H5File;
using io::H5Storage;

struct Case {
    std::int64_t rows;
    std::int64_t cols;
    std::int64_t chunk;
};

float value(std::int64_t row, std::int64_t col) {
    return static_cast<float>(row * 7 + col % 13);
}

/// Rank 0 creates, all write their rows, rank 0 reads back. With `idle`, the last rank has no rows.
void write_and_compare(const comm::Comm& comm, const std::string& path, const Case& c, int idle) {
    const std::vector<std::int64_t> shape{c.rows, c.cols};
    comm.root_or_throw([&] {
        auto file = H5File::create(path);
        file.root().create_dataset("x", io::H5Type::Float32, shape,
                                   H5Storage::chunked({c.chunk, c.cols}));
        file.close();
    });
    const int writers = std::max(1, comm.size() - idle);
    const auto mine = comm.rank() < writers ? comm::even_share(c.rows, writers, comm.rank())
                                            : comm::Range{c.rows, c.rows};
    std::vector<float> values;
    for (std::int64_t r = mine.first; r < mine.last; ++r)
        for (std::int64_t k = 0; k < c.cols; ++k) values.push_back(value(r, k));
    auto file = H5File::open_writable(path, comm);
    {
        auto dataset = file.root().dataset("x");
        dataset.write_rows_collective<float>(mine.first, mine.last, values);
    }
    file.close();
    comm.root_or_throw([&] {
        const auto read = H5File::open(path).root().dataset("x").read<float>();
        std::int64_t wrong = 0;
        for (std::int64_t r = 0; r < c.rows; ++r)
            for (std::int64_t k = 0; k < c.cols; ++k)
                if (read[r * c.cols + k] != value(r, k)) ++wrong;
        EXPECT_EQ(wrong, 0) << "rows " << c.rows << " chunk " << c.chunk;
    });
    comm.barrier();
}

TEST(H5Collective, EveryRankWritesItsRows) {
    test::on_each_communicator([](const comm::Comm& comm) {
        const test::TemporaryFolder folder(comm);
        write_and_compare(comm, folder / "a.h5", {1000, 3, 64}, 0);
        write_and_compare(comm, folder / "b.h5", {1000, 3, 64}, 1);
        write_and_compare(comm, folder / "c.h5", {5, 3, 256}, 1);
        write_and_compare(comm, folder / "d.h5", {0, 3, 256}, 0);
    });
}

// One call may touch kMaxChunks chunks, a dataset have kMaxDatasetChunks: HDF5 1.10.8 crashes
// above.
TEST(H5Collective, ManyChunksAreWrittenInRounds) {
    const auto world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    write_and_compare(world, folder / "many.h5", {3 * io::H5Dataset::kMaxChunks + 5, 2, 1}, 1);
}

TEST(H5Collective, TooManyChunksAreRefusedBeforeWriting) {
    const auto world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    EXPECT_THROW(write_and_compare(world, folder / "too_many.h5",
                                   {io::H5Dataset::kMaxDatasetChunks + 1, 2, 1}, 0),
                 core::InvariantError);
}

TEST(H5Collective, OpeningAMissingFileThrowsOnEveryRank) {
    const auto world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    EXPECT_ANY_THROW(H5File::open_writable(folder / "absent.h5", world));
}

}  // namespace

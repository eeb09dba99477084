#include <array>
#include <filesystem>
#include <numeric>

#include <gtest/gtest.h>

#include "smeta/atlas/maintenance.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/h5.hpp"

#include "support/support.hpp"

namespace smeta::atlas {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kColumns = 1 << 18;
constexpr std::int64_t kRows = 8200;  // row 8,192 begins at entry 2^31
constexpr const char* kKey = "00000000000000aa";

float value_of(std::int64_t row) {
    return static_cast<float>(row % 251 + 1);
}

/// A section of which every row has one value.
io::MuData almost_empty() {
    io::AnnData st;
    core::CountsCsr x;
    x.cols = kColumns;
    for (std::int64_t row = 0; row < kRows; ++row) {
        st.obs.index.push_back("spot" + std::to_string(row));
        const std::int32_t column = 0;
        const float value = 1;
        x.append_row(std::span(&column, 1), std::span(&value, 1));
    }
    for (std::int64_t f = 0; f < kColumns; ++f) st.var.index.push_back("g" + std::to_string(f));
    st.x = std::move(x);
    io::MuData data;
    data.obs = st.obs;
    data.modalities.emplace_back("st", std::move(st));
    return data;
}

/// Puts a full matrix, row by row, in the place of the file's X.
void fill(const fs::path& path) {
    io::H5File file = io::H5File::open_writable(path.string());
    {
        io::H5Group st = file.root().group("mod/st");
        st.remove("X");
        io::H5Group x = st.create_group("X");
        x.set_attribute("encoding-type", "csr_matrix");
        x.set_attribute("encoding-version", "0.1.0");
        x.set_attribute(
            "shape", std::span<const std::int64_t>(std::array<std::int64_t, 2>{kRows, kColumns}));
        const std::array<std::int64_t, 1> size{kRows * kColumns};
        const io::H5Storage storage = io::H5Storage::chunked({kColumns});
        auto values = x.create_dataset("data", io::H5Type::Float32, size, storage);
        auto indices = x.create_dataset("indices", io::H5Type::Int64, size, storage);
        std::vector<std::int64_t> columns(kColumns);
        std::iota(columns.begin(), columns.end(), 0);
        std::vector<std::int64_t> indptr{0};
        for (std::int64_t row = 0; row < kRows; ++row) {
            const std::int64_t first = indptr.back();
            indptr.push_back(first + kColumns);
            const std::vector<float> row_values(kColumns, value_of(row));
            values.write_rows(first, indptr.back(), std::span<const float>(row_values));
            indices.write_rows(first, indptr.back(), std::span<const std::int64_t>(columns));
        }
        x.write("indptr", indptr, storage);
    }
    file.close();
}

TEST(ManyNonzeros, more_than_2_to_the_31_are_addressed_and_verified) {
    const test::TemporaryFolder folder;
    auto atlas = ShardedAtlas::create(folder / "a");
    atlas.commit_joint("S", "c", kKey, almost_empty());
    Manifest manifest = atlas.manifest();
    FileEntry& entry = manifest.samples.at("S").stages.at("joint").files.at(0);
    const fs::path file = atlas.path() / entry.path;
    fill(file);
    entry.bytes = io::file_size(file.string());
    entry.checksum = io::file_checksum(file.string());
    io::write_atomically((atlas.path() / "manifest.json").string(), to_json(manifest));
    EXPECT_LT(entry.bytes, 1'000'000'000);

    const JointReader joint = ShardedAtlas::open(atlas.path()).open_joint("S");
    EXPECT_GT(joint.stored_values("st"), std::int64_t{1} << 31);
    for (const std::int64_t first : {std::int64_t{0}, std::int64_t{8190}, kRows - 2}) {
        const core::CountsCsr rows = joint.read_rows("st", first, first + 2);
        ASSERT_EQ(rows.nnz(), 2 * kColumns);
        for (std::int64_t row = 0; row < 2; ++row) {
            const auto columns = rows.view().row_indices(row);
            const auto values = rows.view().row_values(row);
            for (std::int64_t f = 0; f < kColumns; ++f) {
                ASSERT_EQ(columns[f], f) << first + row;
                ASSERT_EQ(values[f], value_of(first + row)) << first + row;
            }
        }
    }
    const VerifyReport report = verify(comm::Comm::self(), atlas.path(), RepairMode::ReportOnly);
    EXPECT_TRUE(report.sound()) << (report.sound() ? "" : report.problems.front().what);
}

}  // namespace
}  // namespace smeta::atlas

#include "smeta/io/mudata_parallel.hpp"

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/h5.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

constexpr std::int64_t kRows = 700;  // several chunks of 256 rows

/// Rows [first, last) of a section with a dense and a sparse modality.
MuData part_of_section(std::int64_t first, std::int64_t last) {
    const core::Philox draws(3, core::DrawPurpose::Test);
    MuData data;
    Categorical region{{}, {"cortex", "medulla"}, false};
    std::vector<double> depth;
    core::MatrixD spatial(last - first, 2);
    core::MatrixF sm(last - first, 9);
    core::CountsCsr st;
    st.cols = 40;
    for (std::int64_t r = first; r < last; ++r) {
        data.obs.index.push_back("spot_" + std::to_string(r));
        region.codes.push_back(r % 3 == 0 ? -1 : static_cast<std::int32_t>(r % 2));
        depth.push_back(static_cast<double>(r) / 7);
        spatial.row(r - first) << static_cast<double>(r), -0.5;
        for (int c = 0; c < 9; ++c)
            sm(r - first, c) =
                static_cast<float>(draws.uniform(static_cast<std::uint64_t>(r * 9 + c)));
        std::vector<std::int32_t> columns;
        std::vector<float> values;
        for (int c = 0; c < 40; ++c) {
            const auto draw = static_cast<std::uint64_t>(1'000'000 + r * 40 + c);
            if (draws.uniform(draw) < 0.2) {
                columns.push_back(c);
                values.push_back(static_cast<float>(1 + draws.below(draw + 500'000, 50)));
            }
        }
        st.append_row(columns, values);
    }
    data.obs.set("region", region);
    data.obs.set("depth", depth);
    AnnData a;
    a.obs = data.obs;
    a.obsm["spatial"] = spatial;
    AnnData b = a;
    for (int c = 0; c < 9; ++c) a.var.index.push_back("mz_" + std::to_string(c));
    for (int c = 0; c < 40; ++c) b.var.index.push_back("gene_" + std::to_string(c));
    a.x = sm;
    b.x = st;
    data.modalities = {{"sm", a}, {"st", b}};
    return data;
}

void expect_equal(const std::string& left, const std::string& right) {
    const MuData a = read_h5mu(left);
    const MuData b = read_h5mu(right);
    EXPECT_EQ(a.obs, b.obs);
    ASSERT_EQ(a.modalities.size(), b.modalities.size());
    for (std::size_t m = 0; m < a.modalities.size(); ++m) {
        EXPECT_EQ(a.modalities[m].second.x, b.modalities[m].second.x);
        EXPECT_EQ(a.modalities[m].second.obs, b.modalities[m].second.obs);
        EXPECT_EQ(a.modalities[m].second.var, b.modalities[m].second.var);
        EXPECT_EQ(a.modalities[m].second.obsm, b.modalities[m].second.obsm);
    }
    for (const char* name : {"mod/sm/X", "mod/st/X/data", "mod/st/X/indptr"})
        EXPECT_EQ(H5File::open(left).root().dataset(name).chunk(),
                  H5File::open(right).root().dataset(name).chunk());
}

TEST(MuDataParallelTest, any_number_of_writers_gives_the_serial_file) {
    test::on_each_communicator([](const comm::Comm& comm) {
        const test::TemporaryFolder folder(comm);
        const std::string parallel = folder / "parallel.h5mu";
        const std::string serial = folder / "serial.h5mu";
        const comm::Range share = comm::even_share(kRows, comm.size(), comm.rank());
        write_h5mu(comm, parallel, part_of_section(share.first, share.last));
        if (comm.is_root()) {
            write_h5mu(serial, part_of_section(0, kRows));
            expect_equal(parallel, serial);
        }
        comm.barrier();
    });
}

TEST(MuDataParallelTest, a_rank_without_rows_takes_part) {
    const comm::Comm comm = comm::Comm::world();
    const test::TemporaryFolder folder(comm);
    const std::string parallel = folder / "parallel.h5mu";
    // Everything on the last rank.
    const bool last = comm.rank() + 1 == comm.size();
    write_h5mu(comm, parallel, part_of_section(0, last ? kRows : 0));
    if (comm.is_root()) {
        const std::string serial = folder / "serial.h5mu";
        write_h5mu(serial, part_of_section(0, kRows));
        expect_equal(parallel, serial);
    }
    comm.barrier();
}

}  // namespace
}  // namespace smeta::io

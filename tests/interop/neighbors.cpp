// Writes a graph and its clusters for neighbors.py: interop_neighbors OUT.h5ad
#include <cstdio>
#include <string>

#include "smeta/analysis/connectivities.hpp"
#include "smeta/analysis/leiden.hpp"
#include "smeta/core/random.hpp"
#include "smeta/io/anndata.hpp"

using namespace smeta;

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    constexpr std::int64_t kRows = 2000;
    constexpr std::int64_t kWidth = 8;
    constexpr std::int32_t kNeighbors = 20;  // the point itself included, as scanpy counts
    const core::Philox random(5, core::DrawPurpose::Test);
    core::MatrixD points(kRows, kWidth);
    for (std::int64_t r = 0; r < kRows; ++r)
        for (std::int64_t c = 0; c < kWidth; ++c) {
            const double centre = c == r % 7 ? 2.0 : 0.0;
            const auto draw = static_cast<std::uint64_t>(r * kWidth + c);
            points(r, c) = static_cast<float>(random.normal(draw) + centre);
        }
    const auto nearest = analysis::nearest_neighbors(points, {0, kRows}, kNeighbors - 1);
    io::AnnData data;
    for (std::int64_t r = 0; r < kRows; ++r) data.obs.index.push_back("spot" + std::to_string(r));
    data.obsm["X_smeta"] = points;
    data.obsp["distances"] = analysis::distance_matrix(nearest);
    data.obsp["connectivities"] = analysis::connectivities(nearest);
    if (analysis::have_leiden())
        data.obs.set("cluster", analysis::leiden(data.obsp.at("connectivities"), {}));
    io::write_h5ad(argv[1], data);
    return 0;
}

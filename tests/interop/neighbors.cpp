// Writes a graph and its clusters for neighbors.py: interop_neighbors OUT.h5ad
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "smeta/analysis/connectivities.hpp"
#include "smeta/analysis/leiden.hpp"
#include "smeta/core/random.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/spatial/autocorrelation.hpp"
#include "smeta/spatial/graph.hpp"

using namespace smeta;

namespace {

constexpr std::int64_t kRows = 2000;

/// A spatial graph of spots at random places, features on it, and their autocorrelation.
void add_autocorrelation(io::AnnData& data) {
    constexpr std::int32_t kFeatures = 12;
    const core::Philox random(6, core::DrawPurpose::Test);
    core::MatrixD position(kRows, 2);
    for (Eigen::Index i = 0; i < position.size(); ++i)
        position.data()[i] = random.uniform(static_cast<std::uint64_t>(i));
    const auto graph = spatial::spatial_graph(position, std::nullopt);
    core::CountsCsr weights;
    weights.cols = kRows;
    for (std::int64_t r = 0; r < kRows; ++r) {
        const auto columns = graph.row_columns(r);
        const auto row = graph.row_weights(r);
        weights.append_row(std::vector<std::int32_t>(columns.begin(), columns.end()),
                           std::vector<float>(row.begin(), row.end()));
    }
    data.obsp["spatial"] = weights;
    const spatial::Autocorrelation statistics(graph);
    core::MatrixF values(kRows, kFeatures);
    std::vector<double> moran;
    std::vector<double> geary;
    for (std::int32_t f = 0; f < kFeatures; ++f) {
        std::vector<double> feature(kRows);
        for (std::int64_t r = 0; r < kRows; ++r) {
            const auto draw = static_cast<std::uint64_t>(10000 + r * kFeatures + f);
            values(r, f) = static_cast<float>(
                f == 0 ? 1.0 : std::sin(f * position(r, 0)) + 0.2 * f * random.normal(draw));
            feature[r] = values(r, f);
        }
        data.var.index.push_back("feature" + std::to_string(f));
        moran.push_back(statistics.morans_i(feature));
        geary.push_back(statistics.gearys_c(feature));
    }
    data.var.set("moran", moran);
    data.var.set("geary", geary);
    data.x = values;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
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
    add_autocorrelation(data);
    io::write_h5ad(argv[1], data);
    return 0;
}

#include "spot_contacts.hpp"

#include <algorithm>
#include <string>

#include "smeta/spatial/graph.hpp"

#include "array_positions.hpp"

namespace smeta::analysis::detail {
namespace {

spatial::SpatialGraph read_graph(const atlas::Run& run, const std::string& sample) {
    const auto joint = run.open_joint(sample);
    if (!joint.has_obsm("spatial")) return {};
    const core::MatrixD points = joint.obsm("spatial").leftCols(2);
    return spatial::spatial_graph(points, array_positions(array_columns(joint.obs(), sample)));
}

}  // namespace

SpotContacts read_contacts(const comm::Comm& comm, const atlas::Run& run, const RunValues& values,
                           std::span<const std::int32_t> codes) {
    std::vector<std::int32_t> place(codes.size(), -1);
    std::int32_t kept = 0;
    for (std::size_t row = 0; row < codes.size(); ++row)
        if (codes[row] >= 0) place[row] = kept++;
    std::vector<std::vector<std::int32_t>> lists(kept);
    for (std::size_t s = 0; s < values.samples().size(); ++s) {
        spatial::SpatialGraph graph;
        comm.all_or_throw([&] { graph = read_graph(run, values.samples()[s]); });
        const auto first = values.first_row()[s];
        for (std::int64_t i = 0; i < graph.rows; ++i)
            for (const auto j : graph.row_columns(i)) {
                const auto a = place[first + i];
                const auto b = place[first + j];
                if (a < 0 || b < 0 || a == b) continue;
                lists[a].push_back(b);
                lists[b].push_back(a);
            }
    }
    SpotContacts contacts;
    for (auto& list : lists) {
        std::sort(list.begin(), list.end());
        list.erase(std::unique(list.begin(), list.end()), list.end());
        contacts.neighbours.insert(contacts.neighbours.end(), list.begin(), list.end());
        contacts.indptr.push_back(static_cast<std::int64_t>(contacts.neighbours.size()));
    }
    return contacts;
}

}  // namespace smeta::analysis::detail

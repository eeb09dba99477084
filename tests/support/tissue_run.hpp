#pragma once

#include "support/synthetic_run.hpp"

namespace smeta::test {

/// make_atlas and its run "main" with results as embedding leaves them: obs of the joint files with
/// a column "cluster" (row % 3), obsm["spatial"] at (row % 10, row / 10). Collective.
inline atlas::Run make_tissue_run(const comm::Comm& comm, const std::filesystem::path& path,
                                  const std::vector<SyntheticSample>& samples) {
    make_atlas(comm, path, samples);
    comm.root_or_throw([&] {
        const auto run =
            atlas::Run::create(atlas::ShardedAtlas::open(path), "main", {{}, "", all_features()});
        for (const auto& name : run.samples()) {
            io::AnnData result;
            const auto joint = run.open_joint(name);
            result.obs = joint.obs();
            std::vector<std::string> cluster;
            for (std::int64_t r = 0; r < result.obs.rows(); ++r)
                cluster.push_back(std::to_string(r % 3));
            result.obs.set("cluster", cluster);
            result.obsm["spatial"] = joint.obsm("spatial");
            run.write_result(name, result);
        }
    });
    return atlas::Run::open(comm, atlas::ShardedAtlas::open(comm, path), "main");
}

}  // namespace smeta::test

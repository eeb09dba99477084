#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "smeta/atlas/atlas.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/random.hpp"
#include "smeta/io/annotated.hpp"

/// A small atlas with joint files, made without the stages before training.
namespace smeta::test {

struct SyntheticSample {
    std::string name;
    std::int64_t spots = 100;
    std::vector<std::int64_t> without_st = {};  ///< rows without any count
    std::vector<std::int64_t> without_sm = {};  ///< rows without any intensity
    std::int32_t lacks_last_metabolites =
        0;  ///< features at the end that this sample did not measure
};

inline constexpr std::int32_t kGenes = 30;
inline constexpr std::int32_t kMetabolites = 12;

inline io::Frame named_features(const std::string& prefix, std::int32_t count) {
    io::Frame var;
    for (std::int32_t f = 0; f < count; ++f) {
        const std::string digits = std::to_string(f);
        var.index.push_back(prefix + std::string(3 - digits.size(), '0') + digits);
    }
    return var;
}

inline core::CountsCsr synthetic_counts(const SyntheticSample& sample, std::int32_t features,
                                        const std::vector<std::int64_t>& empty, double scale,
                                        std::uint64_t purpose) {
    core::CountsCsr counts;
    counts.cols = features;
    for (std::int64_t row = 0; row < sample.spots; ++row) {
        const core::Philox draw(11, core::DrawPurpose::Test, purpose,
                                {core::sample_key(sample.name), static_cast<std::uint64_t>(row)});
        const double domain = row % 3;
        std::vector<std::int32_t> columns;
        std::vector<float> values;
        for (std::int32_t f = 0; f < features; ++f) {
            const double level = std::exp(0.5 * std::cos(f + 2 * domain) + draw.normal(2 * f));
            if (draw.uniform(2 * f + 1) < 0.5) continue;
            columns.push_back(f);
            values.push_back(static_cast<float>(1 + std::floor(scale * level)));
        }
        for (const std::int64_t gap : empty)
            if (gap == row) {
                columns.clear();
                values.clear();
            }
        counts.append_row(columns, values);
    }
    return counts;
}

inline io::MuData synthetic_sample(const SyntheticSample& sample, const std::string& cohort) {
    io::Frame obs;
    for (std::int64_t row = 0; row < sample.spots; ++row)
        obs.index.push_back("spot" + std::to_string(row));
    obs.set("sample", std::vector<std::string>(sample.spots, sample.name));
    obs.set("cohort", std::vector<std::string>(sample.spots, cohort));
    obs.set("spot", obs.index);
    core::MatrixD spatial(sample.spots, 2);
    for (std::int64_t row = 0; row < sample.spots; ++row)
        spatial.row(row) << static_cast<double>(row % 10), static_cast<double>(row / 10);
    const auto part = [&](io::Frame var, core::CountsCsr values) {
        io::AnnData data;
        data.obs = obs;
        data.var = std::move(var);
        data.x = std::move(values);
        data.obsm["spatial"] = spatial;
        return data;
    };
    io::MuData joint;
    joint.obs = obs;
    const std::int32_t metabolites = kMetabolites - sample.lacks_last_metabolites;
    joint.modalities.emplace_back(
        "sm", part(named_features("mz_", metabolites),
                   synthetic_counts(sample, metabolites, sample.without_sm, 50, 1)));
    joint.modalities.emplace_back("st",
                                  part(named_features("gene_", kGenes),
                                       synthetic_counts(sample, kGenes, sample.without_st, 2, 2)));
    return joint;
}

inline atlas::FeatureSet all_features() {
    atlas::FeatureSet features;
    features.modalities.push_back({"sm", named_features("mz_", kMetabolites), {}});
    features.modalities.push_back({"st", named_features("gene_", kGenes), {}});
    return features;
}

/// Makes the atlas on the root of `comm`, in the order given. Collective.
inline void make_atlas(const comm::Comm& comm, const std::filesystem::path& path,
                       const std::vector<SyntheticSample>& samples) {
    comm.root_or_throw([&] {
        auto atlas = atlas::ShardedAtlas::create(path);
        for (const auto& sample : samples)
            atlas.commit_joint(sample.name, "cohort", "0123456789abcdef",
                               synthetic_sample(sample, "cohort"));
    });
}

}  // namespace smeta::test

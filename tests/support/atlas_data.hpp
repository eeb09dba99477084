#pragma once

#include <cstdint>
#include <string>

#include "smeta/io/annotated.hpp"

namespace smeta::test {

/// Rows [first, last) of a made-up section of `rows` spots with modalities sm (dense, 7
/// metabolites) and st (sparse, 11 genes): every value is a function of (name, row), so that parts
/// of it can be made on any rank.
inline io::MuData joint_data(const std::string& name, std::int64_t rows, std::int64_t first,
                             std::int64_t last) {
    constexpr int kMetabolites = 7;
    constexpr int kGenes = 11;
    const auto value = [&](std::int64_t row, int column) {
        return static_cast<float>(
            (row * 31 + column * 17 + static_cast<std::int64_t>(name.size()) * 7 + name.back()) %
            23);
    };
    io::Frame obs;
    std::vector<std::string> samples;
    std::vector<double> quality;
    io::Categorical region{{}, {"inner", "outer"}, false};
    core::MatrixD points(last - first, 2);
    core::MatrixF intensities(last - first, kMetabolites);
    core::CountsCsr counts;
    counts.cols = kGenes;
    for (std::int64_t row = first; row < last; ++row) {
        obs.index.push_back(name + "_spot" + std::to_string(row));
        samples.push_back(name);
        quality.push_back(static_cast<double>(row) / static_cast<double>(rows));
        region.codes.push_back(row % 3 == 0 ? -1 : static_cast<std::int32_t>(row % 2));
        points.row(row - first) << static_cast<double>(row % 100), static_cast<double>(row / 100);
        for (int m = 0; m < kMetabolites; ++m) intensities(row - first, m) = value(row, m) + 0.5F;
        std::vector<std::int32_t> indices;
        std::vector<float> values;
        for (int g = 0; g < kGenes; ++g)
            if (const float count = value(row, g + 100); count > 17) {
                indices.push_back(g);
                values.push_back(count);
            }
        counts.append_row(indices, values);
    }
    obs.set("sample", samples);
    obs.set("quality", quality);
    obs.set("region", region);
    io::AnnData sm;
    sm.obs = obs;
    for (int m = 0; m < kMetabolites; ++m) sm.var.index.push_back("mz_" + std::to_string(100 + m));
    sm.x = intensities;
    sm.obsm["spatial"] = points;
    io::AnnData st;
    st.obs = obs;
    for (int g = 0; g < kGenes; ++g) st.var.index.push_back("gene" + std::to_string(10 + g));
    st.x = counts;
    st.obsm["spatial"] = points;
    io::MuData data;
    data.modalities.emplace_back("sm", std::move(sm));
    data.modalities.emplace_back("st", std::move(st));
    data.obs = obs;
    return data;
}
inline io::MuData joint_data(const std::string& name, std::int64_t rows) {
    return joint_data(name, rows, 0, rows);
}

}  // namespace smeta::test

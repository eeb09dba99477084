#pragma once

// Small sections with coordinates of two frames, for the tests of reassignment.

#include <map>
#include <string>
#include <vector>

#include "smeta/align/reassign.hpp"

namespace smeta::test {

using Mask = std::vector<std::uint8_t>;

inline core::MatrixD points_of(std::initializer_list<std::pair<double, double>> list) {
    core::MatrixD points(static_cast<Eigen::Index>(list.size()), 2);
    Eigen::Index r = 0;
    for (const auto& [x, y] : list) points.row(r++) << x, y;
    return points;
}

inline core::MatrixF values_of(std::initializer_list<std::initializer_list<float>> rows) {
    core::MatrixF values(static_cast<Eigen::Index>(rows.size()),
                         static_cast<Eigen::Index>(rows.begin()->size()));
    Eigen::Index r = 0;
    for (const auto& row : rows) {
        Eigen::Index c = 0;
        for (const float value : row) values(r, c++) = value;
        ++r;
    }
    return values;
}

inline io::AnnData modality(std::vector<std::string> names, std::vector<std::string> features,
                            const core::MatrixF& x, const core::MatrixD& points) {
    io::AnnData data;
    data.obs.index = std::move(names);
    data.var.index = std::move(features);
    data.x = x;
    if (points.size() > 0) data.obsm["spatial"] = points;
    return data;
}

inline io::MuData masks(const io::MuData& raw, const std::map<std::string, Mask>& rows,
                        const std::map<std::string, Mask>& features) {
    io::MuData qc;
    for (const auto& [name, data] : raw.modalities) {
        io::AnnData tables;
        tables.obs.index = data.obs.index;
        tables.var.index = data.var.index;
        tables.obs.set("kept",
                       rows.contains(name) ? rows.at(name) : Mask(data.obs.index.size(), 1));
        tables.var.set(
            "kept", features.contains(name) ? features.at(name) : Mask(data.var.index.size(), 1));
        qc.modalities.emplace_back(name, tables);
    }
    return qc;
}

// Four spots 10 apart; pixels in a frame of their own, ST = 10 SM.
inline io::MuData two_frames() {
    io::MuData raw;
    auto st =
        modality({"a", "b", "c", "d"}, {"G1", "G2"}, values_of({{1, 2}, {3, 0}, {0, 5}, {7, 7}}),
                 points_of({{0, 0}, {10, 0}, {20, 0}, {30, 0}}));
    st.obs.set("label", std::vector<std::string>{"x", "y", "z", "w"});
    st.obs.set("array_row", std::vector<std::int64_t>{0, 1, 2, 3});
    auto sm = modality({"px_0_0", "px_1_0", "px_2_0"}, {"mz_1", "mz_2"},
                       values_of({{1, 10}, {2, 20}, {4, 40}}), points_of({{0, 0}, {1, 0}, {2, 0}}));
    st.uns["smeta"].value = io::UnsDict{{"unit", {std::string("pixel")}}};
    st.uns["spatial"].value = io::UnsDict{{"s", {io::UnsDict{}}}};
    sm.uns["smeta"].value = io::UnsDict{{"unit", {std::string("raster")}}};
    raw.modalities.emplace_back("st", st);
    raw.modalities.emplace_back("sm", sm);
    return raw;
}

}  // namespace smeta::test

#include <algorithm>
#include <cmath>

#include "smeta/atlas/common_features.hpp"

#include "features_file.hpp"

namespace smeta::atlas {

namespace {

constexpr std::int64_t kBlockRows = 4096;

/// Sum of squares of each feature and the rows that measured it.
struct Sums {
    std::vector<double> squares;
    std::vector<double> rows;
};

void add(const JointReader& joint, const ModalityFeatures& modality, Sums& sums) {
    const auto column = features_in(joint.var(modality.name), modality);
    for (const std::int32_t f : column)
        if (f >= 0) sums.rows[f] += static_cast<double>(joint.rows());
    for (std::int64_t first = 0; first < joint.rows(); first += kBlockRows) {
        const core::CountsCsr rows =
            joint.read_rows(modality.name, first, std::min(joint.rows(), first + kBlockRows));
        for (std::size_t i = 0; i < rows.indices.size(); ++i)
            if (const std::int32_t f = column[rows.indices[i]]; f >= 0)
                sums.squares[f] += double{rows.values[i]} * rows.values[i];
    }
}

}  // namespace

std::vector<float> feature_scales(const ModalityFeatures& features) {
    if (features.var.find(kScaleColumn) == nullptr) return {};
    std::vector<float> scales;
    for (const double scale : features.var.as_number(kScaleColumn, "features.h5"))
        scales.push_back(static_cast<float>(scale));
    return scales;
}

namespace detail {

void add_scales(const ShardedAtlas& atlas, const RunInputs& inputs,
                const std::vector<std::string>& scaled, FeatureSet& features) {
    for (ModalityFeatures& modality : features.modalities) {
        const bool wanted = std::find(scaled.begin(), scaled.end(), modality.name) != scaled.end();
        if (!wanted || modality.var.find(kScaleColumn) != nullptr) continue;
        const std::size_t count = modality.names().size();
        Sums sums{std::vector<double>(count, 0.0), std::vector<double>(count, 0.0)};
        for (const InputSample& sample : inputs.samples) {
            const JointReader joint(atlas.path(), sample.name, sample.files);
            if (joint.has(modality.name)) add(joint, modality, sums);
        }
        std::vector<double> scale(count, 1.0);
        for (std::size_t f = 0; f < count; ++f)
            if (sums.squares[f] > 0.0) scale[f] = std::sqrt(sums.squares[f] / sums.rows[f]);
        modality.var.set(std::string(kScaleColumn), std::move(scale));
    }
}

}  // namespace detail

}  // namespace smeta::atlas

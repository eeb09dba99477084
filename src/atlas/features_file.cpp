#include "features_file.hpp"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "smeta/atlas/common_features.hpp"
#include "smeta/atlas/names.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/h5.hpp"

#include "layout.hpp"

namespace smeta::atlas {

const ModalityFeatures* FeatureSet::find(std::string_view name) const {
    const auto found = std::find_if(modalities.begin(), modalities.end(),
                                    [&](const auto& modality) { return modality.name == name; });
    return found == modalities.end() ? nullptr : &*found;
}

std::vector<std::int32_t> positions_in(const std::vector<std::string>& features,
                                       const std::vector<std::string>& var_names) {
    std::unordered_map<std::string_view, std::int32_t> known;
    for (const std::string& name : var_names)
        known.emplace(name, static_cast<std::int32_t>(known.size()));
    std::vector<std::int32_t> positions;
    positions.reserve(features.size());
    for (const std::string& name : features) {
        const auto found = known.find(name);
        positions.push_back(found == known.end() ? -1 : found->second);
    }
    return positions;
}

FeatureSet read_feature_set(const std::filesystem::path& file) {
    return detail::read_features(file.string());
}

namespace detail {

namespace {

constexpr std::string_view kEncoding = "smeta-features";

int rank_of(std::string_view modality) {
    if (modality == "sm") return 0;
    return modality == "st" ? 1 : 2;
}

bool comes_before(const ModalityFeatures& a, const ModalityFeatures& b) {
    return std::pair(rank_of(a.name), a.name) < std::pair(rank_of(b.name), b.name);
}

/// What keeps the features from being a run's; empty when nothing does.
std::string fault_of(const FeatureSet& features) {
    if (features.modalities.empty()) return "no modality";
    for (std::size_t m = 0; m < features.modalities.size(); ++m) {
        const ModalityFeatures& modality = features.modalities[m];
        if (!is_valid_name(modality.name))
            return fmt::format("a modality named '{}'", modality.name);
        if (m > 0 && !comes_before(features.modalities[m - 1], modality))
            return fmt::format("modality '{}' out of its order: sm, st, others by name",
                               modality.name);
        const auto& names = modality.names();
        if (std::adjacent_find(names.begin(), names.end(), std::greater_equal<>()) != names.end())
            return fmt::format("features of '{}' that do not ascend bytewise", modality.name);
    }
    return {};
}

void check_features(const FeatureSet& features) {
    const std::string fault = fault_of(features);
    core::check(fault.empty(), fault);
    for (const ModalityFeatures& modality : features.modalities)
        if (modality.names().empty())
            throw core::ConfigError(
                fmt::format("no feature of modality '{}' is selected", modality.name));
}

void fill_measured(FeatureSet& features, const JointReader& joint, std::int64_t sample) {
    for (ModalityFeatures& modality : features.modalities) {
        if (!joint.has(modality.name)) continue;
        for (const std::int32_t f : features_in(joint.var(modality.name), modality))
            if (f >= 0) modality.measured(sample, f) = 1;
    }
}

void drop_full_masks(FeatureSet& features) {
    for (ModalityFeatures& modality : features.modalities) {
        for (std::int64_t f = 0; f < modality.measured.cols(); ++f)
            if (modality.measured.col(f).maxCoeff() == 0)
                throw core::ConfigError(
                    fmt::format("feature '{}' of modality '{}' is in none of the run's samples",
                                modality.names()[f], modality.name));
        if (modality.measured.minCoeff() == 1) modality.measured.resize(0, 0);
    }
}

}  // namespace

FeatureSet with_measured(const ShardedAtlas& atlas, const RunInputs& inputs,
                         const FeatureSet& features) {
    check_features(features);
    FeatureSet result = features;
    const auto samples = static_cast<std::int64_t>(inputs.samples.size());
    for (ModalityFeatures& modality : result.modalities)
        modality.measured.setZero(samples, modality.var.rows());
    for (std::int64_t s = 0; s < samples; ++s)
        fill_measured(
            result, JointReader(atlas.path(), inputs.samples[s].name, inputs.samples[s].files), s);
    drop_full_masks(result);
    return result;
}

void write_features(const std::string& file, const FeatureSet& features, const RunInputs& inputs) {
    io::replace_file(file, [&](const std::string& temporary) {
        io::H5File created = io::H5File::create(temporary);
        {
            io::H5Group root = created.root();
            root.set_attribute("encoding-type", kEncoding);
            root.set_attribute("encoding-version", "0.1.0");
            std::vector<std::string> order;
            for (const auto& modality : features.modalities) order.push_back(modality.name);
            root.set_attribute("modality-order", std::span<const std::string>(order));
            std::vector<std::string> samples;
            for (const auto& sample : inputs.samples) samples.push_back(sample.name);
            root.write_texts("samples", samples);
            io::H5Group modalities = root.create_group("mod");
            for (const ModalityFeatures& modality : features.modalities) {
                io::H5Group group = modalities.create_group(modality.name);
                io::write_frame(group, "var", modality.var);
                if (modality.measured.size() == 0) continue;
                const std::array<std::int64_t, 2> shape = {modality.measured.rows(),
                                                           modality.measured.cols()};
                group.write("measured", std::span<const std::int64_t>(shape),
                            std::span<const std::uint8_t>(modality.measured.data(),
                                                          modality.measured.size()));
            }
        }
        created.close();
        finish_file(temporary, {}, 0);
    });
}

FeatureSet read_features(const std::string& file) {
    const io::H5File opened = io::H5File::open(file);
    const io::H5Group root = opened.root();
    if (root.text_attribute("encoding-type") != kEncoding)
        throw root.error("attribute encoding-type smeta-features", "another or none");
    const auto samples = static_cast<std::int64_t>(root.dataset("samples").read_texts().size());
    FeatureSet features;
    const io::H5Group modalities = root.group("mod");
    for (const std::string& name :
         root.texts_attribute("modality-order").value_or(std::vector<std::string>{})) {
        const io::H5Group group = modalities.group(name);
        ModalityFeatures& modality = features.modalities.emplace_back();
        modality.name = name;
        modality.var = io::read_frame(group, "var");
        if (!group.has("measured")) continue;
        const io::H5Dataset measured = group.dataset("measured");
        if (measured.shape() != std::vector<std::int64_t>{samples, modality.var.rows()})
            throw measured.error("samples by features", "another shape");
        const auto values = measured.read<std::uint8_t>();
        modality.measured = Eigen::Map<const core::Matrix<std::uint8_t>>(values.data(), samples,
                                                                         modality.var.rows());
    }
    if (const std::string fault = fault_of(features); !fault.empty())
        throw root.error("features of modalities in model order, ascending bytewise", fault);
    check_features(features);
    return features;
}

}  // namespace detail

}  // namespace smeta::atlas

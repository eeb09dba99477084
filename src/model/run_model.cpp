#include "smeta/model/run_model.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/core/error.hpp"

namespace smeta::model {

namespace {

Likelihood counts_likelihood(ReconstructionLoss loss) {
    switch (loss) {
        case ReconstructionLoss::Auto:
        case ReconstructionLoss::Zinb:
            return Likelihood::Zinb;
        case ReconstructionLoss::ZeroInflatedGaussian:
            return Likelihood::ZeroInflatedGaussian;
        case ReconstructionLoss::Mse:
            return Likelihood::Mse;
        case ReconstructionLoss::Gaussian:
            break;
    }
    throw core::ConfigError("model.st_likelihood: counts take zinb, zg or mse, found g");
}

Likelihood intensity_likelihood(ReconstructionLoss loss) {
    switch (loss) {
        case ReconstructionLoss::Auto:
        case ReconstructionLoss::Gaussian:
            return Likelihood::Gaussian;
        case ReconstructionLoss::ZeroInflatedGaussian:
            return Likelihood::ZeroInflatedGaussian;
        case ReconstructionLoss::Mse:
            return Likelihood::Mse;
        case ReconstructionLoss::Zinb:
            break;
    }
    throw core::ConfigError("model.sm_likelihood: intensities take g, zg or mse, found zinb");
}

struct LikelihoodName {
    std::string_view name;
    Likelihood likelihood;
};
constexpr std::array kLikelihoods = {
    LikelihoodName{"gaussian", Likelihood::Gaussian},
    LikelihoodName{"zig", Likelihood::ZeroInflatedGaussian},
    LikelihoodName{"zinb", Likelihood::Zinb},
    LikelihoodName{"nb", Likelihood::Nb},
    LikelihoodName{"mse", Likelihood::Mse},
};

Likelihood other_likelihood(const ModelConfig& config, const std::string& modality) {
    for (const std::string& entry : config.likelihoods) {
        if (!entry.starts_with(modality + "=")) continue;
        const std::string wanted = entry.substr(modality.size() + 1);
        for (const auto& [name, likelihood] : kLikelihoods)
            if (name == wanted) return likelihood;
        throw core::ConfigError(fmt::format(
            "model.likelihoods: '{}': expected gaussian, zig, zinb, nb or mse, found '{}'", entry,
            wanted));
    }
    return Likelihood::Gaussian;
}

bool is_counts(Likelihood likelihood) {
    return likelihood == Likelihood::Zinb || likelihood == Likelihood::Nb;
}

/// Every entry of model.likelihoods names another modality of the run.
void check_likelihoods(const ModelConfig& config, const std::vector<std::string>& modalities) {
    std::vector<std::string> others;
    for (const std::string& name : modalities)
        if (name != "st" && name != "sm") others.push_back(name);
    for (const std::string& entry : config.likelihoods) {
        const std::string name = entry.substr(0, entry.find('='));
        if (std::find(others.begin(), others.end(), name) == others.end() ||
            name.size() == entry.size())
            throw core::ConfigError(fmt::format(
                "model.likelihoods: '{}': expected MODALITY=LIKELIHOOD of a modality of the run "
                "other than st and sm ({}); those have model.st_likelihood and model.sm_likelihood",
                entry,
                others.empty() ? "it has none" : fmt::format("{}", fmt::join(others, ", "))));
    }
}

void describe_other(const ModelConfig& config, ModalityBlock& block) {
    block.likelihood = other_likelihood(config, block.name);
    const bool counts = is_counts(block.likelihood);
    block.transform = counts ? InputTransform::Log1p : InputTransform::None;
    block.mean_head = counts ? MeanHead::SoftmaxLibrary : MeanHead::Linear;
}

}  // namespace

std::vector<std::string> scaled_modalities(const ModelConfig& config,
                                           const atlas::FeatureSet& features) {
    const std::vector<std::string> modalities = resolve_modalities(config, features);
    check_likelihoods(config, modalities);
    std::vector<std::string> scaled;
    for (const std::string& name : modalities)
        if (name != "st" && name != "sm" && !is_counts(other_likelihood(config, name)))
            scaled.push_back(name);
    return scaled;
}

std::vector<std::string> resolve_modalities(const ModelConfig& config,
                                            const atlas::FeatureSet& features) {
    std::vector<std::string> all;
    for (const auto& modality : features.modalities) all.push_back(modality.name);
    if (config.modalities.empty()) return all;
    for (const auto& wanted : config.modalities)
        if (std::find(all.begin(), all.end(), wanted) == all.end())
            throw core::ConfigError(
                fmt::format("model.modalities: '{}' is none of the run's modalities ({})", wanted,
                            fmt::join(all, ", ")));
    std::erase_if(all, [&](const std::string& name) {
        return std::find(config.modalities.begin(), config.modalities.end(), name) ==
               config.modalities.end();
    });
    return all;
}

NetworkOptions make_network(const ModelConfig& config, const LossWeights& weights,
                            const std::vector<std::string>& modalities,
                            const std::vector<std::int32_t>& features,
                            const std::vector<std::vector<std::string>>& categories) {
    NetworkOptions options;
    check_likelihoods(config, modalities);
    for (std::size_t m = 0; m < modalities.size(); ++m) {
        ModalityBlock block;
        block.name = modalities[m];
        block.features = features[m];
        const bool counts = modalities[m] == "st";
        block.likelihood = counts ? counts_likelihood(config.st_likelihood)
                                  : intensity_likelihood(config.sm_likelihood);
        block.transform =
            counts || modalities.size() == 1 ? InputTransform::Log1p : InputTransform::None;
        block.mean_head = counts ? MeanHead::SoftmaxLibrary : MeanHead::Linear;
        if (!counts && block.name != "sm") describe_other(config, block);
        block.weight = weights.modality[m].reconstruction;
        block.corr_weight = weights.modality[m].correlation;
        options.blocks.push_back(std::move(block));
    }
    options.hidden.assign(config.hidden.begin(), config.hidden.end());
    options.latent = static_cast<std::int32_t>(config.latent);
    options.dropout = config.dropout;
    for (const auto& level : categories)
        options.batch_categories.push_back(static_cast<std::int32_t>(level.size()));
    options.batch_encoding = config.batch_embedding;
    options.embedding_size = static_cast<std::int32_t>(config.embedding_size);
    options.mmd_weight = weights.mmd;
    check_network(options);
    return options;
}

Chunk to_chunk(const atlas::RowBatch& batch, std::int64_t first, std::int64_t last) {
    Chunk chunk;
    const std::int64_t levels =
        batch.rows() == 0 ? 0 : static_cast<std::int64_t>(batch.codes.size()) / batch.rows();
    chunk.keys.assign(batch.keys.begin() + first, batch.keys.begin() + last);
    chunk.samples.assign(batch.samples.begin() + first, batch.samples.begin() + last);
    chunk.codes.assign(batch.codes.begin() + first * levels, batch.codes.begin() + last * levels);
    for (const auto& matrix : batch.modalities) {
        ModalityRows rows(matrix.cols);
        const core::CsrView view = matrix.view();
        for (std::int64_t row = first; row < last; ++row)
            rows.add(static_cast<std::int32_t>(row - first), view.row_indices(row),
                     view.row_values(row));
        chunk.modalities.push_back(std::move(rows));
    }
    return chunk;
}

std::vector<std::vector<Unmeasured>> unmeasured_features(
    const atlas::RowSource& source, const std::vector<std::vector<float>>& mean_inputs) {
    std::vector<std::vector<Unmeasured>> result(source.samples().size());
    for (std::size_t s = 0; s < result.size(); ++s)
        for (std::size_t m = 0; m < mean_inputs.size(); ++m) {
            const auto& mask = source.measured(static_cast<std::int32_t>(s), m);
            result[s].push_back({mask, mask.empty() ? std::vector<float>{} : mean_inputs[m]});
        }
    return result;
}

}  // namespace smeta::model

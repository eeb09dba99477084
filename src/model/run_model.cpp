#include "smeta/model/run_model.hpp"

#include <algorithm>

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

}  // namespace

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

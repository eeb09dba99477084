#include "smeta/model/network.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::model {

std::int32_t code_width(const NetworkOptions& options) {
    std::int32_t width = 0;
    for (const std::int32_t categories : options.batch_categories)
        width +=
            options.batch_encoding == BatchEncoding::OneHot ? categories : options.embedding_size;
    return width;
}

namespace {

void require(bool condition, const std::string& message) {
    if (!condition) throw core::ConfigError(message);
}

void check_block(const ModalityBlock& block) {
    require(block.features >= 1,
            fmt::format("model: modality '{}' has no selected feature", block.name));
    const bool counts = block.likelihood == Likelihood::Zinb || block.likelihood == Likelihood::Nb;
    require(!counts || block.mean_head == MeanHead::SoftmaxLibrary,
            fmt::format("model: the counts of modality '{}' need the softmax mean", block.name));
    require(block.weight >= 0 && block.corr_weight >= 0,
            fmt::format("loss: weights of '{}' must not be negative", block.name));
}

}  // namespace

void check_network(const NetworkOptions& options) {
    require(!options.blocks.empty(), "model.modalities: at least one modality is needed");
    for (std::size_t i = 0; i < options.blocks.size(); ++i) {
        check_block(options.blocks[i]);
        for (std::size_t j = 0; j < i; ++j)
            require(options.blocks[i].name != options.blocks[j].name,
                    fmt::format("model.modalities: '{}' twice", options.blocks[i].name));
    }
    require(!options.hidden.empty() && std::ranges::min(options.hidden) >= 1,
            "model.hidden: at least one layer, each with at least one unit");
    require(options.latent >= 1, "model.latent must be at least 1");
    require(options.dropout >= 0 && options.dropout < 1, "model.dropout must be in [0, 1)");
    require(options.batch_categories.empty() || std::ranges::min(options.batch_categories) >= 1,
            "model.batch_keys: a level without a category");
    require(options.embedding_size >= 1, "the size of a batch embedding must be at least 1");
    require(options.mmd_weight >= 0, "loss.mmd must not be negative");
}

}  // namespace smeta::model

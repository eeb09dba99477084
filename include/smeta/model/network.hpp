#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace smeta::model {

/// What a modality's values are drawn from (spec A8); the loss is the negative log likelihood.
enum class Likelihood { Zinb, Nb, Gaussian, ZeroInflatedGaussian, Mse };

/// What the encoder sees of a value (Log1p: values below 0 as 0); the losses always see the value
/// itself.
enum class InputTransform { None, Log1p };

/// How the mean head's output becomes a mean: softmax over the measured features times the spot's
/// sum over them, or as it is.
enum class MeanHead { SoftmaxLibrary, Linear };

/// One modality of a network. The order of the list is the order of the concatenated encoders.
struct ModalityBlock {
    std::string name;  ///< as in mod/NAME of the joint files
    std::int32_t features = 0;
    Likelihood likelihood = Likelihood::Gaussian;
    InputTransform transform = InputTransform::None;
    MeanHead mean_head = MeanHead::Linear;  ///< SoftmaxLibrary is required by Zinb and Nb
    double weight = 1.0;                    ///< of the reconstruction from the latent
    double corr_weight = 1.0;               ///< of the reconstruction from this modality's own mean
};

/// How a batch category enters the decoders.
enum class BatchEncoding { OneHot, Embedding };

/// Everything that fixes the shapes and the loss of a network (spec A7, A8).
struct NetworkOptions {
    std::vector<ModalityBlock> blocks;
    std::vector<std::int32_t> hidden = {
        128};  ///< of each encoder; decoders have one layer of the last size
    std::int32_t latent = 10;
    double dropout = 0.1;  ///< after every encoder layer
    std::vector<std::int32_t>
        batch_categories;  ///< number of categories of each batch level; may be empty
    BatchEncoding batch_encoding = BatchEncoding::Embedding;
    std::int32_t embedding_size = 8;
    double mmd_weight = 1.0;
};

/// Width of the code that a decoder gets: one-hot or embedding of every level.
std::int32_t code_width(const NetworkOptions& options);

/// Throws ConfigError, naming the key, when the options make no network.
void check_network(const NetworkOptions& options);

}  // namespace smeta::model

#pragma once

#include <algorithm>
#include <vector>

#include "smeta/core/threads.hpp"
#include "smeta/model/cvae.hpp"
#include "smeta/nn/batch_norm.hpp"
#include "smeta/nn/latent_terms.hpp"
#include "smeta/nn/sparse.hpp"

namespace smeta::model::detail {

/// Places of tensors in the arenas.
struct LinearIndex {
    std::int32_t weight = -1;
    std::int32_t bias = -1;
};
/// Linear, BatchNorm: the last two are in the arena of running statistics.
struct LayerIndex {
    std::int32_t weight = -1;
    std::int32_t bias = -1;
    std::int32_t gamma = -1;
    std::int32_t beta = -1;
    std::int32_t running_mean = -1;
    std::int32_t running_var = -1;
};
struct BlockIndex {
    std::vector<LayerIndex> encoder;
    LayerIndex decoder;
    std::vector<std::int32_t> embedding;  ///< a batch level; empty when one-hot
    LinearIndex mean;
    LinearIndex log_scale;  ///< -1 without
    LinearIndex gate;       ///< -1 without
};
struct NetworkIndex {
    std::vector<BlockIndex> blocks;
    LinearIndex joint_mean;
    LinearIndex joint_log_variance;
    LinearIndex single_mean;  ///< -1 with one block
};

/// Appends every tensor of the network to the two layouts.
NetworkIndex make_index(const NetworkOptions& options, nn::ParameterLayout& values,
                        nn::ParameterLayout& running);

/// What the functions on chunks read.
template <class R>
struct Net {
    const NetworkOptions& options;
    const NetworkIndex& index;
    const nn::ParameterArena<R>& values;
    const std::vector<std::vector<Unmeasured>>& unmeasured;

    std::int32_t block_count() const { return static_cast<std::int32_t>(options.blocks.size()); }
    bool joint() const { return options.blocks.size() > 1; }
    std::int32_t top() const { return options.hidden.back(); }
    /// What sample `sample` lacks of block b, or null when it measured everything.
    const Unmeasured* lacks(std::int32_t sample, std::int32_t b) const {
        if (unmeasured.empty()) return nullptr;
        const Unmeasured& entry = unmeasured[sample][b];
        return entry.measured.empty() ? nullptr : &entry;
    }
};

/// The two passes through a decoder, stacked in this order: from the latent, and from the block's
/// own mean.
enum Pass : std::int32_t { kLatentPass = 0, kCorrPass = 1 };
inline constexpr std::int32_t kPasses = 2;

/// Linear, BatchNorm, ReLU, dropout over the rows of a chunk.
template <class R>
struct HiddenState {
    core::Matrix<R> x;     ///< the Linear's output, then normalised
    core::Matrix<R> y;     ///< the layer's output
    core::Matrix<R> d;     ///< gradient at y, then at x
    core::Matrix<R> keep;  ///< dropout factors; empty without dropout
};

template <class R>
struct BlockState {
    const ModalityRows* input = nullptr;
    std::vector<std::int32_t> where;  ///< of each chunk row: its place in `input`, or -1
    nn::LayerInput<R> x;
    std::vector<HiddenState<R>> encoder;
    core::Matrix<R> single;  ///< rows x latent: mean from this block alone
    core::Matrix<R> d_single;
    core::Matrix<R> decoder_input;  ///< both passes x (latent + code)
    core::Matrix<R> d_decoder_input;
    HiddenState<R> decoder;  ///< both passes
    double reconstruction = 0;
    double corr = 0;

    std::int64_t rows() const { return static_cast<std::int64_t>(input->rows.size()); }
};

/// Everything one chunk computes in a step.
template <class R>
struct ChunkState {
    const Chunk* chunk = nullptr;
    std::vector<std::int32_t> present;  ///< of each row: how many modalities it has
    std::vector<std::int32_t> full;     ///< rows that have all
    std::vector<BlockState<R>> blocks;
    core::Matrix<R> joint;                                    ///< full rows x (blocks * top)
    core::Matrix<R> mean, exp_log_variance, variance, noise;  ///< full rows x latent
    core::Matrix<R> d_mean, d_log_variance, d_joint;
    core::Matrix<R> latent, z, d_latent, d_z;  ///< rows x latent
    double kl = 0;
    double mmd = 0;
    std::vector<std::int32_t> known_codes;  ///< the chunk's, -1 for rows without any modality
    std::vector<R> mmd_factors;
    std::vector<double> sums;        ///< for the exchange under way
    nn::ParameterArena<R> gradient;  ///< of the tensors that `summed_by_chunk` names

    std::int64_t rows() const { return chunk->rows(); }
    std::int64_t full_rows() const { return static_cast<std::int64_t>(full.size()); }
};

enum class Phase { Train, Evaluate };

/// Weights of the terms of the total, already divided by rows and divisor; all 0 in evaluation.
struct LossScale {
    double per_row = 0;  ///< 1 / (rows of the mini-batch * divisor)
    double kl = 0;       ///< weight * per_row
    double mmd = 0;      ///< weight / divisor
};

// chunk_forward.cpp
template <class R>
void begin_chunk(const Net<R>& net, const Chunk& chunk, ChunkState<R>& s);
/// The Linear of layer `layer` of every encoder.
template <class R>
void encoder_linear(const Net<R>& net, ChunkState<R>& s, std::int32_t layer);
template <class R>
void encoder_activate(const Net<R>& net, ChunkState<R>& s, std::int32_t layer,
                      const std::vector<nn::Normaliser<R>>& normalisers);
/// Dropout factors of every encoder layer, keyed by row.
template <class R>
void draw_dropout(const Net<R>& net, const StepSettings& settings, ChunkState<R>& s);
/// Single means, joint posterior, latent and z. `noise` (chunk rows x latent) may be null: keyed
/// draws.
template <class R>
void latent_forward(const Net<R>& net, const StepSettings& settings, Phase phase,
                    const core::Matrix<R>* noise, ChunkState<R>& s);
template <class R>
void decoder_linear(const Net<R>& net, ChunkState<R>& s);
/// `normalisers` has kPasses entries a block.
template <class R>
void decoder_activate(const Net<R>& net, ChunkState<R>& s,
                      const std::vector<nn::Normaliser<R>>& normalisers);
/// Fills columns [latent, latent + code) of a decoder's input row.
template <class R>
void fill_code(const Net<R>& net, std::int32_t b, const std::int32_t* codes, R* row);

// chunk_backward.cpp
/// Forgets the gradients of the latent.
template <class R>
void begin_backward(const Net<R>& net, ChunkState<R>& s);
/// KL of the full rows; in training with its gradient.
template <class R>
void kl_terms(const LossScale& scale, ChunkState<R>& s);
/// Leaves the decoders' BatchNorm sums in `s.sums`, a block and pass: 2 top numbers.
template <class R>
void decoder_backward_sums(const Net<R>& net, ChunkState<R>& s);
template <class R>
void decoder_backward(const Net<R>& net, const std::vector<nn::Normaliser<R>>& normalisers,
                      const std::vector<double>& counts, std::span<const double> total,
                      ChunkState<R>& s);
template <class R>
void latent_backward(const Net<R>& net, ChunkState<R>& s);
/// Leaves the BatchNorm sums of layer `layer` of every encoder in `s.sums`.
template <class R>
void encoder_backward_sums(const Net<R>& net, std::int32_t layer, ChunkState<R>& s);
/// From the sums to the gradient at the layer's input, and the weight's gradient of every layer but
/// the first (`first_weights`).
template <class R>
void encoder_backward(const Net<R>& net, std::int32_t layer,
                      const std::vector<nn::Normaliser<R>>& normalisers,
                      const std::vector<double>& counts, std::span<const double> total,
                      ChunkState<R>& s);
/// The chunk's share of rows [first, first + rows of d_weight) of the first layer's weight
/// gradient.
template <class R>
void first_weight_gradient(const Net<R>& net, std::int32_t b, const ChunkState<R>& s,
                           std::int64_t first, nn::View<R> d_weight, nn::Target target);

/// A block of rows of a matrix as a view.
template <class R>
nn::View<R> rows_of(core::Matrix<R>& m, std::int64_t first, std::int64_t count) {
    return nn::View<R>(m.middleRows(first, count));
}

}  // namespace smeta::model::detail

#pragma once

#include <vector>

#include "cvae_impl.hpp"
#include "gradient_sum.hpp"
#include "step_heads.hpp"

namespace smeta::model {

/// What a Cvae keeps between steps: the index, and buffers, so that a step allocates nothing.
template <class R>
class CvaeWorkspace {
  public:
    detail::NetworkIndex index;
    std::vector<detail::ChunkState<R>> states;
    detail::StepHeads<R> heads;
    detail::GradientGroups<R> groups;
    /// A layer: normalisers and rows of every block; the last count is that of all rows.
    std::vector<std::vector<nn::Normaliser<R>>> encoder;
    std::vector<std::vector<double>> encoder_counts;
    std::vector<nn::Normaliser<R>> decoder;  ///< kPasses a block
    std::vector<double> decoder_counts;
    LossTerms terms;

    detail::Net<R> net(const Cvae<R>& model) const {
        return {model.options_, index, model.values_, model.unmeasured_};
    }
    /// Runs body(chunk number, state) with one thread a chunk.
    template <class Body>
    void over_chunks(const Body& body) {
        const auto count = static_cast<std::int64_t>(states.size());
        const int threads = static_cast<int>(std::min<std::int64_t>(core::threads(), count));
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
        for (std::int64_t c = 0; c < count; ++c) body(c, states[c]);
    }
    /// States, groups and arenas for these chunks.
    void begin(Cvae<R>& model, std::span<const Chunk> chunks, const StepReducer<R>& reducer);
    /// The chunks' `sums`, combined.
    const std::vector<double>& reduce(const StepReducer<R>& reducer);
    /// Normalisers of layer `layer` of every encoder, of the decoders, from sums.
    void encoder_normalisers(Cvae<R>& model, std::int32_t layer, const StepReducer<R>& reducer);
    void decoder_normalisers(Cvae<R>& model, const StepReducer<R>& reducer);
    /// From the running statistics.
    static std::vector<nn::Normaliser<R>> running_normalisers(const Cvae<R>& model,
                                                              std::int32_t layer);
    static std::vector<nn::Normaliser<R>> running_decoder_normalisers(const Cvae<R>& model);
    /// MMD over the gathered latents; in training with its gradient.
    void mmd_terms(const Cvae<R>& model, const StepReducer<R>& reducer,
                   const detail::LossScale& scale);
    /// Fills `terms` as well: the losses' sums travel with those of a normaliser.
    void backward(const Cvae<R>& model, const StepSettings& settings,
                  const StepReducer<R>& reducer);
    /// The gradient of the whole mini-batch into the model's arena.
    void sum_gradients(Cvae<R>& model, const StepReducer<R>& reducer);
    /// `terms` from the states' losses.
    void loss_terms(const Cvae<R>& model, const StepSettings& settings,
                    const StepReducer<R>& reducer);

  private:
    static void append_losses(detail::ChunkState<R>& s);
    /// From the sums of what `append_losses` appended.
    void set_terms(const Cvae<R>& model, const StepSettings& settings, const double* sums);
    void first_weights(const Cvae<R>& model);
    void small_tensors();

    std::vector<double> total_;
    std::vector<std::span<double>> sum_parts_;
    std::vector<std::span<R>> gradient_parts_;
    std::vector<nn::ParameterArena<R>> group_arenas_;     ///< of all groups but the first
    std::vector<std::vector<core::Matrix<R>>> branches_;  ///< a thread
    std::vector<std::int32_t> small_;                     ///< tensors that chunks add up whole
    std::vector<LatentPart<R>> latent_parts_;
    GatheredLatents<R> latents_;
    nn::MmdBatch<R> mmd_;
};

extern template class CvaeWorkspace<float>;
extern template class CvaeWorkspace<double>;

}  // namespace smeta::model

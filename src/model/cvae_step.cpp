#include "smeta/core/error.hpp"

#include "cvae_workspace.hpp"

namespace smeta::model {

template <class R>
const LossTerms& Cvae<R>::train_step(std::span<const Chunk> chunks, const StepSettings& settings,
                                     const StepReducer<R>& reducer) {
    core::check(!chunks.empty(), "a step has at least one chunk");
    CvaeWorkspace<R>& work = *workspace_;
    work.begin(*this, chunks, reducer);
    const detail::Net<R> net = work.net(*this);
    work.over_chunks([&](std::int64_t c, auto& s) {
        detail::begin_chunk(net, chunks[c], s);
        detail::draw_dropout(net, settings, s);
    });
    const auto layers = static_cast<std::int32_t>(options_.hidden.size());
    for (std::int32_t layer = 0; layer < layers; ++layer) {
        work.over_chunks([&](std::int64_t, auto& s) { detail::encoder_linear(net, s, layer); });
        work.encoder_normalisers(*this, layer, reducer);
        work.over_chunks([&](std::int64_t, auto& s) {
            detail::encoder_activate(net, s, layer, work.encoder[layer]);
        });
    }
    const double rows = work.encoder_counts[0].back();
    detail::LossScale scale;
    scale.per_row = rows > 0 ? 1 / (rows * settings.total_divisor) : 0;
    scale.kl = settings.kl_weight * scale.per_row;
    scale.mmd = options_.mmd_weight / settings.total_divisor;
    work.over_chunks([&](std::int64_t c, auto& s) {
        detail::latent_forward(net, settings, detail::Phase::Train,
                               noise_.empty() ? nullptr : &noise_[c], s);
        detail::begin_backward(net, s);
        detail::kl_terms(scale, s);
        detail::decoder_linear(net, s);
    });
    work.mmd_terms(*this, reducer, scale);
    work.decoder_normalisers(*this, reducer);
    work.over_chunks(
        [&](std::int64_t, auto& s) { detail::decoder_activate(net, s, work.decoder); });
    work.heads.run(net, scale, detail::Phase::Train, work.groups, work.states);
    work.backward(*this, settings, reducer);
    work.sum_gradients(*this, reducer);
    return work.terms;
}

template <class R>
const LossTerms& Cvae<R>::evaluate(std::span<const Chunk> chunks, const StepSettings& settings,
                                   const StepReducer<R>& reducer) {
    core::check(!chunks.empty(), "a step has at least one chunk");
    CvaeWorkspace<R>& work = *workspace_;
    work.begin(*this, chunks, reducer);
    const detail::Net<R> net = work.net(*this);
    const auto decoder = CvaeWorkspace<R>::running_decoder_normalisers(*this);
    std::vector<std::vector<nn::Normaliser<R>>> encoder;
    for (std::size_t layer = 0; layer < options_.hidden.size(); ++layer)
        encoder.push_back(
            CvaeWorkspace<R>::running_normalisers(*this, static_cast<std::int32_t>(layer)));
    work.over_chunks([&](std::int64_t c, auto& s) {
        detail::begin_chunk(net, chunks[c], s);
        for (std::size_t layer = 0; layer < encoder.size(); ++layer) {
            const auto l = static_cast<std::int32_t>(layer);
            for (auto& block : s.blocks) block.encoder[layer].keep.resize(0, 0);
            detail::encoder_linear(net, s, l);
            detail::encoder_activate(net, s, l, encoder[layer]);
        }
        detail::latent_forward<R>(net, settings, detail::Phase::Evaluate, nullptr, s);
        detail::begin_backward(net, s);
        detail::kl_terms({}, s);
        detail::decoder_linear(net, s);
        detail::decoder_activate(net, s, decoder);
    });
    work.heads.run(net, {}, detail::Phase::Evaluate, work.groups, work.states);
    work.mmd_terms(*this, reducer, {});
    work.loss_terms(*this, settings, reducer);
    return work.terms;
}

template const LossTerms& Cvae<float>::train_step(std::span<const Chunk>, const StepSettings&,
                                                  const StepReducer<float>&);
template const LossTerms& Cvae<double>::train_step(std::span<const Chunk>, const StepSettings&,
                                                   const StepReducer<double>&);
template const LossTerms& Cvae<float>::evaluate(std::span<const Chunk>, const StepSettings&,
                                                const StepReducer<float>&);
template const LossTerms& Cvae<double>::evaluate(std::span<const Chunk>, const StepSettings&,
                                                 const StepReducer<double>&);

}  // namespace smeta::model

#include <numeric>

#include "smeta/core/error.hpp"
#include "smeta/nn/latent_terms.hpp"

#include "cvae_impl.hpp"

namespace smeta::model {

template <class R>
StepReducer<R> local_reducer() {
    StepReducer<R> reducer;
    reducer.sum = [](const std::vector<std::span<double>>& parts, std::span<double> total) {
        std::ranges::fill(total, 0.0);
        for (const auto part : parts)
            for (std::size_t i = 0; i < total.size(); ++i) total[i] += part[i];
    };
    reducer.sum_gradients = [](const std::vector<std::span<R>>& parts, std::span<R> total) {
        const auto size = static_cast<std::int64_t>(total.size());
        constexpr std::int64_t kPart = 4096;
#pragma omp parallel for schedule(static) num_threads(core::threads())
        for (std::int64_t first = 0; first < size; first += kPart) {
            const std::int64_t last = std::min(first + kPart, size);
            std::copy(parts[0].data() + first, parts[0].data() + last, total.data() + first);
            for (std::size_t c = 1; c < parts.size(); ++c)
                for (std::int64_t i = first; i < last; ++i) total[i] += parts[c][i];
        }
    };
    reducer.gather = [](const std::vector<LatentPart<R>>& parts) {
        GatheredLatents<R> all;
        std::int64_t rows = 0;
        for (const LatentPart<R>& part : parts) {
            all.first_row.push_back(rows);
            all.latent.insert(all.latent.end(), part.latent.begin(), part.latent.end());
            all.codes.insert(all.codes.end(), part.codes.begin(), part.codes.end());
            rows += part.rows;
        }
        return all;
    };
    return reducer;
}

template <class R>
std::vector<double> CvaeWorkspace<R>::reduce(const StepReducer<R>& reducer) {
    std::vector<std::span<double>> parts;
    for (auto& s : states) parts.emplace_back(s.sums);
    std::vector<double> total(parts.front().size());
    reducer.sum(parts, total);
    return total;
}

template <class R>
std::vector<nn::Normaliser<R>> CvaeWorkspace<R>::encoder_normalisers(Cvae<R>& model,
                                                                     std::int32_t layer,
                                                                     const StepReducer<R>& reducer,
                                                                     std::vector<double>& counts) {
    const std::size_t blocks = index.blocks.size();
    const std::size_t size = 2 * static_cast<std::size_t>(model.options_.hidden[layer]);
    over_chunks([&](std::int64_t, detail::ChunkState<R>& s) {
        s.sums.assign(blocks * (size + 1) + 1, 0.0);
        double* sums = s.sums.data();
        for (std::size_t b = 0; b < blocks; ++b, sums += size + 1) {
            sums[0] = static_cast<double>(s.blocks[b].rows());
            nn::batch_norm_sums<R>(s.blocks[b].encoder[layer].x, {sums + 1, size});
        }
        sums[0] = static_cast<double>(s.rows());
    });
    const std::vector<double> total = reduce(reducer);
    std::vector<nn::Normaliser<R>> normalisers;
    counts.clear();
    for (std::size_t b = 0; b < blocks; ++b) {
        const double* sums = total.data() + b * (size + 1);
        const detail::LayerIndex& place = index.blocks[b].encoder[layer];
        counts.push_back(sums[0]);
        normalisers.push_back(nn::batch_normaliser<R>({sums + 1, size}, sums[0],
                                                      model.running_.tensor(place.running_mean),
                                                      model.running_.tensor(place.running_var)));
    }
    counts.push_back(total.back());
    return normalisers;
}

template <class R>
std::vector<nn::Normaliser<R>> CvaeWorkspace<R>::decoder_normalisers(Cvae<R>& model,
                                                                     const StepReducer<R>& reducer,
                                                                     std::vector<double>& counts) {
    using detail::kPasses;
    const std::size_t blocks = index.blocks.size();
    const std::size_t size = 2 * static_cast<std::size_t>(model.options_.hidden.back());
    over_chunks([&](std::int64_t, detail::ChunkState<R>& s) {
        s.sums.assign(blocks * kPasses * (size + 1), 0.0);
        double* sums = s.sums.data();
        for (detail::BlockState<R>& block : s.blocks) {
            core::Matrix<R>& x = block.decoder.x;
            for (const detail::Pass pass : {detail::kLatentPass, detail::kCorrPass}) {
                const bool latent = pass == detail::kLatentPass;
                const std::int64_t first = latent ? 0 : block.rows();
                const std::int64_t count = latent ? block.rows() : x.rows() - block.rows();
                sums[0] = static_cast<double>(count);
                nn::batch_norm_sums<R>(detail::rows_of(x, first, count), {sums + 1, size});
                sums += size + 1;
            }
        }
    });
    const std::vector<double> total = reduce(reducer);
    std::vector<nn::Normaliser<R>> normalisers;
    counts.clear();
    for (std::size_t b = 0; b < blocks; ++b)
        for (std::int32_t pass = 0; pass < kPasses; ++pass) {
            const double* sums = total.data() + (b * kPasses + pass) * (size + 1);
            const detail::LayerIndex& place = index.blocks[b].decoder;
            counts.push_back(sums[0]);
            normalisers.push_back(nn::batch_normaliser<R>(
                {sums + 1, size}, sums[0], model.running_.tensor(place.running_mean),
                model.running_.tensor(place.running_var)));
        }
    return normalisers;
}

template <class R>
std::vector<nn::Normaliser<R>> CvaeWorkspace<R>::running_normalisers(const Cvae<R>& model,
                                                                     std::int32_t layer) {
    std::vector<nn::Normaliser<R>> normalisers;
    for (const detail::BlockIndex& block : model.workspace_->index.blocks)
        normalisers.push_back(
            nn::running_normaliser<R>(model.running_.tensor(block.encoder[layer].running_mean),
                                      model.running_.tensor(block.encoder[layer].running_var)));
    return normalisers;
}

template <class R>
std::vector<nn::Normaliser<R>> CvaeWorkspace<R>::running_decoder_normalisers(const Cvae<R>& model) {
    std::vector<nn::Normaliser<R>> normalisers;
    for (const detail::BlockIndex& block : model.workspace_->index.blocks)
        for (std::int32_t pass = 0; pass < detail::kPasses; ++pass)
            normalisers.push_back(
                nn::running_normaliser<R>(model.running_.tensor(block.decoder.running_mean),
                                          model.running_.tensor(block.decoder.running_var)));
    return normalisers;
}

template <class R>
void CvaeWorkspace<R>::mmd_terms(const Cvae<R>& model, const StepReducer<R>& reducer,
                                 const detail::LossScale& scale) {
    const auto levels = static_cast<std::int32_t>(model.options_.batch_categories.size());
    for (auto& s : states) s.mmd = 0;
    if (levels == 0) return;
    std::vector<LatentPart<R>> parts;
    std::vector<std::vector<std::int32_t>> codes;
    for (const auto& s : states) {
        codes.push_back(s.chunk->codes);
        for (std::int64_t r = 0; r < s.rows(); ++r)
            if (s.present[r] == 0)
                std::fill_n(codes.back().data() + r * levels, levels, std::int32_t(-1));
    }
    for (std::size_t c = 0; c < states.size(); ++c)
        parts.push_back(
            {{states[c].latent.data(), static_cast<std::size_t>(states[c].latent.size())},
             codes[c],
             states[c].rows()});
    const GatheredLatents<R> all = reducer.gather(parts);
    const std::int32_t width = model.options_.latent;
    const nn::MmdRows<R> rows{all.latent, all.codes,
                              static_cast<std::int64_t>(all.latent.size()) / width, width, levels};
    const nn::MmdWeights weights(all.codes, rows.rows, levels);
    over_chunks([&](std::int64_t c, detail::ChunkState<R>& s) {
        for (std::int64_t r = 0; r < s.rows(); ++r)
            s.mmd +=
                nn::mmd_row<R>(rows, weights, all.first_row[c] + r, scale.mmd,
                               {s.d_latent.data() + r * width, static_cast<std::size_t>(width)});
    });
}

template <class R>
void CvaeWorkspace<R>::backward(const Cvae<R>& model, const StepReducer<R>& reducer,
                                const std::vector<std::vector<nn::Normaliser<R>>>& encoder,
                                const std::vector<std::vector<double>>& encoder_counts,
                                const std::vector<nn::Normaliser<R>>& decoder,
                                const std::vector<double>& decoder_counts) {
    const detail::Net<R> net_view = net(model);
    over_chunks([&](std::int64_t, auto& s) { detail::decoder_backward_sums(net_view, s); });
    const std::vector<double> decoder_total = reduce(reducer);
    const auto last = static_cast<std::int32_t>(encoder.size()) - 1;
    over_chunks([&](std::int64_t, auto& s) {
        detail::decoder_backward<R>(net_view, decoder, decoder_counts, decoder_total, s);
        detail::latent_backward(net_view, s);
        detail::encoder_backward_sums(net_view, last, s);
    });
    for (std::int32_t layer = last; layer >= 0; --layer) {
        const std::vector<double> total = reduce(reducer);
        over_chunks([&](std::int64_t, auto& s) {
            detail::encoder_backward<R>(net_view, layer, encoder[layer], encoder_counts[layer],
                                        total, s);
            if (layer > 0) detail::encoder_backward_sums(net_view, layer - 1, s);
        });
    }
}

template <class R>
LossTerms CvaeWorkspace<R>::loss_terms(const Cvae<R>& model, const StepSettings& settings,
                                       const StepReducer<R>& reducer) {
    const auto& blocks = model.options_.blocks;
    for (auto& s : states) {
        s.sums.assign({static_cast<double>(s.rows()), s.kl, s.mmd});
        for (const auto& block : s.blocks) {
            s.sums.push_back(block.reconstruction);
            s.sums.push_back(block.corr);
        }
    }
    const std::vector<double> total = reduce(reducer);
    LossTerms terms;
    terms.rows = total[0];
    const double per_row = total[0] > 0 ? 1 / total[0] : 0;
    terms.kl = total[1] * per_row;
    terms.mmd = total[2];
    terms.total = settings.kl_weight * terms.kl + model.options_.mmd_weight * terms.mmd;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
        terms.reconstruction.push_back(total[3 + 2 * b] * per_row);
        terms.corr.push_back(total[4 + 2 * b] * per_row);
        terms.total +=
            blocks[b].weight * terms.reconstruction[b] + blocks[b].corr_weight * terms.corr[b];
    }
    terms.total /= settings.total_divisor;
    return terms;
}

template <class R>
LossTerms Cvae<R>::train_step(std::span<const Chunk> chunks, const StepSettings& settings,
                              const StepReducer<R>& reducer) {
    core::check(!chunks.empty(), "a step has at least one chunk");
    CvaeWorkspace<R>& work = *workspace_;
    work.states.resize(chunks.size());
    const detail::Net<R> net = work.net(*this);
    work.over_chunks([&](std::int64_t c, auto& s) {
        if (s.gradient.layout().size() == 0)
            s.gradient = nn::ParameterArena<R>(values_.shared_layout());
        detail::begin_chunk(net, chunks[c], s);
        detail::draw_dropout(net, settings, s);
    });
    const std::size_t layers = options_.hidden.size();
    std::vector<std::vector<nn::Normaliser<R>>> encoder(layers);
    std::vector<std::vector<double>> encoder_counts(layers);
    for (std::size_t layer = 0; layer < layers; ++layer) {
        const auto l = static_cast<std::int32_t>(layer);
        work.over_chunks([&](std::int64_t, auto& s) { detail::encoder_linear(net, s, l); });
        encoder[layer] = work.encoder_normalisers(*this, l, reducer, encoder_counts[layer]);
        work.over_chunks(
            [&](std::int64_t, auto& s) { detail::encoder_activate(net, s, l, encoder[layer]); });
    }
    const double rows = encoder_counts[0].back();
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
    std::vector<double> decoder_counts;
    const auto decoder = work.decoder_normalisers(*this, reducer, decoder_counts);
    work.over_chunks([&](std::int64_t, auto& s) {
        detail::decoder_activate(net, s, decoder);
        detail::heads(net, scale, detail::Phase::Train, s);
    });
    work.backward(*this, reducer, encoder, encoder_counts, decoder, decoder_counts);
    std::vector<std::span<R>> gradients;
    for (auto& s : work.states) gradients.push_back(s.gradient.data());
    reducer.sum_gradients(gradients, gradient_.data());
    return work.loss_terms(*this, settings, reducer);
}

template <class R>
LossTerms Cvae<R>::evaluate(std::span<const Chunk> chunks, const StepSettings& settings,
                            const StepReducer<R>& reducer) {
    core::check(!chunks.empty(), "a step has at least one chunk");
    CvaeWorkspace<R>& work = *workspace_;
    work.states.resize(chunks.size());
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
        detail::heads(net, {}, detail::Phase::Evaluate, s);
    });
    work.mmd_terms(*this, reducer, {});
    return work.loss_terms(*this, settings, reducer);
}

template StepReducer<float> local_reducer();
template StepReducer<double> local_reducer();
template class CvaeWorkspace<float>;
template class CvaeWorkspace<double>;
template LossTerms Cvae<float>::train_step(std::span<const Chunk>, const StepSettings&,
                                           const StepReducer<float>&);
template LossTerms Cvae<double>::train_step(std::span<const Chunk>, const StepSettings&,
                                            const StepReducer<double>&);
template LossTerms Cvae<float>::evaluate(std::span<const Chunk>, const StepSettings&,
                                         const StepReducer<float>&);
template LossTerms Cvae<double>::evaluate(std::span<const Chunk>, const StepSettings&,
                                          const StepReducer<double>&);

}  // namespace smeta::model

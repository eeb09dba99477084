#include "cvae_workspace.hpp"

#include <omp.h>

#include "smeta/core/error.hpp"

namespace smeta::model {

namespace {

// Features of a first layer whose weight gradients one thread adds up at a time.
constexpr std::int64_t kFirstFeatures = 2 * nn::kInputBlock;

}  // namespace

template <class R>
StepReducer<R> local_reducer() {
    StepReducer<R> reducer;
    reducer.sum = [](const std::vector<std::span<double>>& parts, std::span<double> total) {
        std::ranges::fill(total, 0.0);
        for (const auto part : parts)
            for (std::size_t i = 0; i < total.size(); ++i) total[i] += part[i];
    };
    reducer.sum_gradients = [](const std::vector<std::span<R>>&, std::span<R>) {};
    reducer.gather = [](const std::vector<LatentPart<R>>& parts, GatheredLatents<R>& all) {
        std::int64_t rows = 0;
        all.first_row.clear();
        all.latent.clear();
        all.codes.clear();
        for (const LatentPart<R>& part : parts) {
            all.first_row.push_back(rows);
            all.latent.insert(all.latent.end(), part.latent.begin(), part.latent.end());
            all.codes.insert(all.codes.end(), part.codes.begin(), part.codes.end());
            rows += part.rows;
        }
    };
    return reducer;
}

template <class R>
void CvaeWorkspace<R>::begin(Cvae<R>& model, std::span<const Chunk> chunks,
                             const StepReducer<R>& reducer) {
    states.resize(chunks.size());
    for (auto& s : states)
        if (s.gradient.layout().size() == 0)
            s.gradient = nn::ParameterArena<R>(model.values_.shared_layout());
    groups.combine = reducer.combine;
    groups.chunks.assign(reducer.groups.begin(), reducer.groups.end());
    if (groups.chunks.empty()) groups.chunks.push_back({0, std::ssize(chunks)});
    core::check(groups.chunks.back().last == std::ssize(chunks), "groups cover the chunks");
    while (group_arenas_.size() + 1 < groups.chunks.size())
        group_arenas_.emplace_back(model.values_.shared_layout());
    groups.arenas.assign(1, &model.gradient_);
    for (std::size_t g = 1; g < groups.chunks.size(); ++g)
        groups.arenas.push_back(&group_arenas_[g - 1]);
    branches_.resize(std::max<std::size_t>(branches_.size(), core::threads()));
    for (auto& buffers : branches_)
        detail::GradientSum<R>::reserve(groups, kFirstFeatures, model.options_.hidden.front(),
                                        buffers);
    if (!small_.empty()) return;
    std::vector<bool> large(model.values_.layout().tensors().size(), false);
    for (const detail::BlockIndex& block : index.blocks) {
        large[block.encoder[0].weight] = true;
        for (const detail::LinearIndex& head : {block.mean, block.log_scale, block.gate})
            if (head.weight >= 0) large[head.weight] = large[head.bias] = true;
    }
    for (std::size_t t = 0; t < large.size(); ++t)
        if (!large[t]) small_.push_back(static_cast<std::int32_t>(t));
}

template <class R>
const std::vector<double>& CvaeWorkspace<R>::reduce(const StepReducer<R>& reducer) {
    sum_parts_.clear();
    for (auto& s : states) sum_parts_.emplace_back(s.sums);
    total_.resize(states.front().sums.size());
    reducer.sum(sum_parts_, total_);
    return total_;
}

template <class R>
void CvaeWorkspace<R>::encoder_normalisers(Cvae<R>& model, std::int32_t layer,
                                           const StepReducer<R>& reducer) {
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
    const std::vector<double>& total = reduce(reducer);
    encoder.resize(model.options_.hidden.size());
    encoder_counts.resize(model.options_.hidden.size());
    encoder[layer].resize(blocks);
    encoder_counts[layer].clear();
    for (std::size_t b = 0; b < blocks; ++b) {
        const double* sums = total.data() + b * (size + 1);
        const detail::LayerIndex& place = index.blocks[b].encoder[layer];
        encoder_counts[layer].push_back(sums[0]);
        nn::batch_normaliser<R>({sums + 1, size}, sums[0],
                                model.running_.tensor(place.running_mean),
                                model.running_.tensor(place.running_var), encoder[layer][b]);
    }
    encoder_counts[layer].push_back(total.back());
}

template <class R>
void CvaeWorkspace<R>::decoder_normalisers(Cvae<R>& model, const StepReducer<R>& reducer) {
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
    const std::vector<double>& total = reduce(reducer);
    decoder.resize(blocks * kPasses);
    decoder_counts.clear();
    for (std::size_t b = 0; b < blocks; ++b)
        for (std::int32_t pass = 0; pass < kPasses; ++pass) {
            const std::size_t at = b * kPasses + pass;
            const double* sums = total.data() + at * (size + 1);
            const detail::LayerIndex& place = index.blocks[b].decoder;
            decoder_counts.push_back(sums[0]);
            nn::batch_normaliser<R>({sums + 1, size}, sums[0],
                                    model.running_.tensor(place.running_mean),
                                    model.running_.tensor(place.running_var), decoder[at]);
        }
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
    latent_parts_.clear();
    for (auto& s : states) {
        s.known_codes.assign(s.chunk->codes.begin(), s.chunk->codes.end());
        for (std::int64_t r = 0; r < s.rows(); ++r)
            if (s.present[r] == 0)
                std::fill_n(s.known_codes.data() + r * levels, levels, std::int32_t(-1));
        latent_parts_.push_back({{s.latent.data(), static_cast<std::size_t>(s.latent.size())},
                                 s.known_codes,
                                 s.rows()});
    }
    reducer.gather(latent_parts_, latents_);
    const std::int32_t width = model.options_.latent;
    mmd_.assign({latents_.latent, latents_.codes,
                 static_cast<std::int64_t>(latents_.latent.size()) / width, width, levels});
    over_chunks([&](std::int64_t c, detail::ChunkState<R>& s) {
        for (std::int64_t r = 0; r < s.rows(); ++r)
            s.mmd += mmd_.row(latents_.first_row[c] + r, scale.mmd,
                              {s.d_latent.data() + r * width, static_cast<std::size_t>(width)},
                              s.mmd_factors);
    });
}

template <class R>
void CvaeWorkspace<R>::backward(const Cvae<R>& model, const StepSettings& settings,
                                const StepReducer<R>& reducer) {
    const detail::Net<R> net_view = net(model);
    over_chunks([&](std::int64_t, auto& s) { detail::decoder_backward_sums(net_view, s); });
    const std::vector<double>& total = reduce(reducer);
    const auto last = static_cast<std::int32_t>(encoder.size()) - 1;
    over_chunks([&](std::int64_t, auto& s) {
        detail::decoder_backward<R>(net_view, decoder, decoder_counts, total, s);
        detail::latent_backward(net_view, s);
        detail::encoder_backward_sums(net_view, last, s);
        append_losses(s);
    });
    const std::size_t normaliser_sums = index.blocks.size() * 2 * model.options_.hidden.back();
    for (std::int32_t layer = last; layer >= 0; --layer) {
        reduce(reducer);
        if (layer == last) set_terms(model, settings, total.data() + normaliser_sums);
        over_chunks([&](std::int64_t, auto& s) {
            detail::encoder_backward<R>(net_view, layer, encoder[layer], encoder_counts[layer],
                                        total, s);
            if (layer > 0) detail::encoder_backward_sums(net_view, layer - 1, s);
        });
    }
}

/// Threads run over blocks of features of the first layers.
template <class R>
void CvaeWorkspace<R>::first_weights(const Cvae<R>& model) {
    const detail::Net<R> net_view = net(model);
    for (std::int32_t b = 0; b < net_view.block_count(); ++b) {
        const std::int64_t features = model.options_.blocks[b].features;
        const std::int64_t blocks = (features + kFirstFeatures - 1) / kFirstFeatures;
        const std::int32_t tensor = index.blocks[b].encoder[0].weight;
        const int threads = static_cast<int>(std::min<std::int64_t>(core::threads(), blocks));
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
        for (std::int64_t k = 0; k < blocks; ++k) {
            const std::int64_t first = k * kFirstFeatures;
            const std::int64_t count = std::min(kFirstFeatures, features - first);
            detail::GradientSum<R> sum(groups,
                                       {tensor, first, 0, count, model.options_.hidden.front()},
                                       branches_[omp_get_thread_num()]);
            for (const auto& s : states) {
                detail::first_weight_gradient<R>(net_view, b, s, first, sum.view(), sum.target());
                sum.next();
            }
        }
    }
}

/// What the chunks hold themselves, group by group.
template <class R>
void CvaeWorkspace<R>::small_tensors() {
    const auto add = [&](const detail::ChunkState<R>& from, nn::ParameterArena<R>& to) {
        for (const std::int32_t t : small_) to.tensor(t) += from.gradient.tensor(t);
    };
    for (std::size_t g = 0; g < groups.chunks.size(); ++g) {
        const comm::Range group = groups.chunks[g];
        if (groups.combine == Combine::Tree)
            for (std::int64_t half = 1; half < group.size(); half *= 2)
                for (std::int64_t left = group.first; left < group.last; left += 2 * half)
                    add(states[left + half], states[left].gradient);
        for (const std::int32_t t : small_)
            groups.arenas[g]->tensor(t) = states[group.first].gradient.tensor(t);
        if (groups.combine == Combine::InOrder)
            for (std::int64_t c = group.first + 1; c < group.last; ++c)
                add(states[c], *groups.arenas[g]);
    }
}

template <class R>
void CvaeWorkspace<R>::sum_gradients(Cvae<R>& model, const StepReducer<R>& reducer) {
    first_weights(model);
    small_tensors();
    gradient_parts_.clear();
    for (nn::ParameterArena<R>* arena : groups.arenas) gradient_parts_.push_back(arena->data());
    reducer.sum_gradients(gradient_parts_, model.gradient_.data());
}

template <class R>
void CvaeWorkspace<R>::append_losses(detail::ChunkState<R>& s) {
    s.sums.insert(s.sums.end(), {static_cast<double>(s.rows()), s.kl, s.mmd});
    for (const auto& block : s.blocks) {
        s.sums.push_back(block.reconstruction);
        s.sums.push_back(block.corr);
    }
}

template <class R>
void CvaeWorkspace<R>::set_terms(const Cvae<R>& model, const StepSettings& settings,
                                 const double* sums) {
    const auto& blocks = model.options_.blocks;
    terms.rows = sums[0];
    const double per_row = sums[0] > 0 ? 1 / sums[0] : 0;
    terms.kl = sums[1] * per_row;
    terms.mmd = sums[2];
    terms.total = settings.kl_weight * terms.kl + model.options_.mmd_weight * terms.mmd;
    terms.reconstruction.clear();
    terms.corr.clear();
    for (std::size_t b = 0; b < blocks.size(); ++b) {
        terms.reconstruction.push_back(sums[3 + 2 * b] * per_row);
        terms.corr.push_back(sums[4 + 2 * b] * per_row);
        terms.total +=
            blocks[b].weight * terms.reconstruction[b] + blocks[b].corr_weight * terms.corr[b];
    }
    terms.total /= settings.total_divisor;
}

template <class R>
void CvaeWorkspace<R>::loss_terms(const Cvae<R>& model, const StepSettings& settings,
                                  const StepReducer<R>& reducer) {
    for (auto& s : states) {
        s.sums.clear();
        append_losses(s);
    }
    set_terms(model, settings, reduce(reducer).data());
}

template StepReducer<float> local_reducer();
template StepReducer<double> local_reducer();
template class CvaeWorkspace<float>;
template class CvaeWorkspace<double>;

}  // namespace smeta::model

#include <cmath>
#include <numbers>

#include "smeta/core/error.hpp"
#include "smeta/nn/likelihood.hpp"

#include "cvae_workspace.hpp"

namespace smeta::model {

namespace {

/// ang(a, b) = 1 - acos(cos(a, b)) / pi, the cosine clamped to [-1, 1]; 1/2 when one of them is 0.
double angular_similarity(std::span<const double> a, std::span<const double> b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (std::size_t l = 0; l < a.size(); ++l) {
        ab += a[l] * b[l];
        aa += a[l] * a[l];
        bb += b[l] * b[l];
    }
    const double norm = std::sqrt(aa * bb);
    const double cosine = norm > 0 ? std::clamp(ab / norm, -1.0, 1.0) : 0.0;
    return 1 - std::acos(cosine) / std::numbers::pi;
}

}  // namespace

std::vector<double> contributions(std::span<const double> latent,
                                  const std::vector<std::vector<double>>& single) {
    std::vector<double> result(single.size(), 0.0);
    std::vector<double> ang(single.size(), 0.0);
    std::vector<std::size_t> present;
    double sum = 0;
    for (std::size_t b = 0; b < single.size(); ++b) {
        if (single[b].empty()) continue;
        present.push_back(b);
        ang[b] = angular_similarity(latent, single[b]);
        sum += ang[b];
    }
    if (present.size() == 2) {
        result[present[1]] = ang[present[1]] - ang[present[0]] + 0.5;
        result[present[0]] = 1 - result[present[1]];
    } else {
        for (const std::size_t b : present)
            result[b] = sum > 0 ? ang[b] / sum : 1 / static_cast<double>(present.size());
    }
    return result;
}

namespace {

template <class R>
std::vector<double> row_of(const core::Matrix<R>& m, std::int64_t r) {
    const R* row = m.data() + r * m.cols();
    return {row, row + m.cols()};
}

template <class R>
void fill_contributions(const detail::Net<R>& net, const detail::ChunkState<R>& s,
                        Encoded<R>& out) {
    out.contribution.setZero(s.rows(), net.block_count());
    std::vector<std::vector<double>> single(net.options.blocks.size());
    for (std::int64_t r = 0; r < s.rows(); ++r) {
        for (std::int32_t b = 0; b < net.block_count(); ++b)
            single[b] = s.blocks[b].where[r] < 0 ? std::vector<double>() : row_of(out.single[b], r);
        const std::vector<double> shares = contributions(row_of(out.latent, r), single);
        for (std::int32_t b = 0; b < net.block_count(); ++b)
            out.contribution(r, b) = static_cast<R>(shares[b]);
    }
}

}  // namespace

template <class R>
Encoded<R> Cvae<R>::encode(const Chunk& chunk) const {
    const detail::Net<R> net = workspace_->net(*this);
    detail::ChunkState<R> s;
    detail::begin_chunk(net, chunk, s);
    for (std::size_t layer = 0; layer < options_.hidden.size(); ++layer) {
        const auto l = static_cast<std::int32_t>(layer);
        detail::encoder_linear(net, s, l);
        detail::encoder_activate(net, s, l, CvaeWorkspace<R>::running_normalisers(*this, l));
    }
    detail::latent_forward<R>(net, {}, detail::Phase::Evaluate, nullptr, s);
    Encoded<R> out;
    out.latent = s.latent;
    out.sd.setZero(s.rows(), options_.latent);
    for (std::int64_t k = 0; k < s.full_rows(); ++k)
        out.sd.row(s.full[k]) = s.variance.row(k).array().sqrt();
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        const detail::BlockState<R>& block = s.blocks[b];
        core::Matrix<R>& single =
            out.single.emplace_back(core::Matrix<R>::Zero(s.rows(), options_.latent));
        for (std::int64_t i = 0; i < block.rows(); ++i) {
            const std::int32_t r = block.input->rows[i];
            if (net.joint())
                single.row(r) = block.single.row(i);
            else
                single.row(r) = s.latent.row(r);
        }
    }
    fill_contributions(net, s, out);
    return out;
}

template <class R>
Decoded<R> Cvae<R>::decode(std::int32_t block, const core::Matrix<R>& latent,
                           std::span<const std::int32_t> codes,
                           std::span<const std::int32_t> samples,
                           std::span<const double> libraries) const {
    const detail::Net<R> net = workspace_->net(*this);
    const detail::BlockIndex& index = workspace_->index.blocks[block];
    const ModalityBlock& spec = options_.blocks[block];
    const std::size_t levels = options_.batch_categories.size();
    const std::int64_t rows = latent.rows();
    core::check(codes.size() == rows * levels, "a code a row and level");
    core::Matrix<R> input(rows, options_.latent + code_width(options_));
    for (std::int64_t r = 0; r < rows; ++r) {
        input.row(r).head(options_.latent) = latent.row(r);
        detail::fill_code(net, block, codes.data() + r * levels, input.data() + r * input.cols());
    }
    const auto linear = [&](std::int32_t weight, std::int32_t bias, const core::Matrix<R>& x) {
        core::Matrix<R> y(x.rows(), values_.tensor(weight).cols());
        nn::product_plus_row<R>(x, values_.tensor(weight), values_.tensor(bias), y);
        return y;
    };
    core::Matrix<R> hidden = linear(index.decoder.weight, index.decoder.bias, input);
    core::Matrix<R> top(rows, hidden.cols());
    const auto normaliser = nn::running_normaliser<R>(running_.tensor(index.decoder.running_mean),
                                                      running_.tensor(index.decoder.running_var));
    nn::batch_norm_relu_forward<R>(normaliser, values_.tensor(index.decoder.gamma),
                                   values_.tensor(index.decoder.beta), {}, hidden, top);
    Decoded<R> out;
    out.mean = linear(index.mean.weight, index.mean.bias, top);
    if (index.log_scale.weight >= 0)
        out.log_scale = linear(index.log_scale.weight, index.log_scale.bias, top);
    if (index.gate.weight >= 0) out.gate = linear(index.gate.weight, index.gate.bias, top);
    if (spec.mean_head == MeanHead::Linear) return out;
    core::check(std::ssize(libraries) == rows, "a library a row");
    for (std::int64_t r = 0; r < rows; ++r) {
        const std::span<R> row{out.mean.data() + r * out.mean.cols(),
                               static_cast<std::size_t>(out.mean.cols())};
        const Unmeasured* lacks = samples.empty() ? nullptr : net.lacks(samples[r], block);
        nn::log_mean<R>(row, libraries[r], lacks == nullptr ? nullptr : lacks->measured.data());
        nn::exponential<R>(row);
    }
    return out;
}

template <class R>
Posterior<R> Cvae<R>::posterior(std::size_t chunk) const {
    core::check(chunk < workspace_->states.size(), "the last step had this chunk");
    const detail::ChunkState<R>& s = workspace_->states[chunk];
    Posterior<R> out{s.latent, core::Matrix<R>::Zero(s.latent.rows(), s.latent.cols()), s.z};
    for (std::int64_t k = 0; k < s.full_rows(); ++k)
        out.variance.row(s.full[k]) = s.variance.row(k);
    return out;
}

template Posterior<float> Cvae<float>::posterior(std::size_t) const;
template Posterior<double> Cvae<double>::posterior(std::size_t) const;
template Encoded<float> Cvae<float>::encode(const Chunk&) const;
template Encoded<double> Cvae<double>::encode(const Chunk&) const;
template Decoded<float> Cvae<float>::decode(std::int32_t, const core::Matrix<float>&,
                                            std::span<const std::int32_t>,
                                            std::span<const std::int32_t>,
                                            std::span<const double>) const;
template Decoded<double> Cvae<double>::decode(std::int32_t, const core::Matrix<double>&,
                                              std::span<const std::int32_t>,
                                              std::span<const std::int32_t>,
                                              std::span<const double>) const;

}  // namespace smeta::model

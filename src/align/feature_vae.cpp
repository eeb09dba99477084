#include "feature_vae.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/nn/latent_terms.hpp"
#include "smeta/nn/likelihood.hpp"

namespace smeta::align::detail {

template <class R>
struct VaePass {
    const VaeRows* rows = nullptr;
    nn::LayerInput<R> input;
    core::Matrix<R> x, y, d, keep;  ///< encoder: before (then normalised) and after activation
    nn::Normaliser<R> normaliser;
    core::Matrix<R> mean, log_variance, exp_log_variance, variance, noise, z;
    core::Matrix<R> d_mean, d_log_variance, d_z;
    core::Matrix<R> trunk_x, trunk_y, trunk_d;
    nn::Normaliser<R> trunk_normaliser;
    core::Matrix<R> head_mean, d_head_mean, head_scale, head_gate;
    nn::ParameterArena<R> gradient;
    double loss = 0;

    std::int64_t count() const { return rows->values.rows; }
};

namespace {

template <class R>
std::span<R> row_of(core::Matrix<R>& m, std::int64_t row) {
    return {m.data() + row * m.cols(), static_cast<std::size_t>(m.cols())};
}

/// The tiles of a row of `features`: body(first, count).
template <class Body>
void over_tiles(std::int32_t features, const Body& body) {
    for (std::int32_t first = 0; first < features; first += nn::kTile)
        body(first, std::min(nn::kTile, features - first));
}

nn::SparseSlice slice_of(const core::CountsCsr& values, std::int64_t row, std::int32_t first,
                         std::int32_t count) {
    const auto begin = values.indices.begin();
    const auto from =
        std::lower_bound(begin + values.indptr[row], begin + values.indptr[row + 1], first);
    const auto to = std::lower_bound(from, begin + values.indptr[row + 1], first + count);
    return {values.indices.data() + (from - begin), values.values.data() + (from - begin),
            static_cast<std::int32_t>(to - from), first};
}

/// Of all rows: no running ones are kept, for nothing is evaluated but whole sections.
template <class R>
nn::Normaliser<R> statistics(const core::Matrix<R>& x) {
    std::vector<double> sums(2 * static_cast<std::size_t>(x.cols()));
    nn::batch_norm_sums<R>(x, sums);
    core::Matrix<R> mean = core::Matrix<R>::Zero(1, x.cols());
    core::Matrix<R> variance = core::Matrix<R>::Ones(1, x.cols());
    nn::Normaliser<R> found;
    nn::batch_normaliser<R>(sums, static_cast<double>(x.rows()), mean, variance, found);
    return found;
}

/// Negative log likelihood of a row; leaves the gradients in the heads' places.
template <class R>
double normal_row(VaePass<R>& pass, std::int64_t row, R weight) {
    double sum = 0;
    over_tiles(static_cast<std::int32_t>(pass.head_mean.cols()),
               [&](std::int32_t first, std::int32_t count) {
                   const std::int64_t at = row * pass.head_mean.cols() + first;
                   nn::HeadSlice<R> head;
                   head.count = count;
                   head.mean = pass.head_mean.data() + at;
                   head.d_mean = pass.d_head_mean.data() + at;
                   head.log_scale = pass.head_scale.data() + at;
                   head.weight = weight;
                   sum += nn::gaussian_slice(head, slice_of(pass.rows->values, row, first, count),
                                             nn::MeanScale::Linear);
               });
    return sum;
}

template <class R>
double counts_row(VaePass<R>& pass, std::int64_t row, R weight) {
    const auto features = static_cast<std::int32_t>(pass.head_mean.cols());
    const core::CountsCsr& values = pass.rows->values;
    double library = 0;
    for (std::int64_t k = values.indptr[row]; k < values.indptr[row + 1]; ++k)
        library += static_cast<double>(values.values[k]);
    const std::span<R> logits = row_of(pass.head_mean, row);
    const std::span<R> gradient = row_of(pass.d_head_mean, row);
    std::vector<nn::SoftmaxPart> parts;
    over_tiles(features, [&](std::int32_t first, std::int32_t count) {
        parts.push_back(nn::softmax_part<R>(logits.subspan(first, count), nullptr));
    });
    const double log_sum = nn::log_sum_exp(parts);
    double sum = 0;
    double d_sum = 0;
    over_tiles(features, [&](std::int32_t first, std::int32_t count) {
        const std::int64_t at = row * features + first;
        nn::HeadSlice<R> head;
        head.count = count;
        head.mean = logits.data() + first;
        head.d_mean = gradient.data() + first;
        head.log_scale = pass.head_scale.data() + at;
        head.gate = pass.head_gate.data() + at;
        head.weight = weight;
        head.mean_shift = static_cast<R>(std::log(library) - log_sum);
        sum += nn::zinb_slice(head, slice_of(values, row, first, count));
        d_sum += nn::slice_sum<R>(gradient.subspan(first, count));
    });
    nn::softmax_backward<R>(logits, log_sum, gradient, static_cast<R>(d_sum), gradient);
    return sum;
}

}  // namespace

template <class R>
FeatureVae<R>::FeatureVae(const VaeShape& shape) : shape_(shape) {
    auto layout = std::make_shared<nn::ParameterLayout>();
    const auto add_linear = [&](const std::string& name, std::int32_t in, std::int32_t out,
                                nn::Trained bias) {
        const std::int32_t weight = layout->add(name + ".weight", in, out, nn::Trained::Yes);
        return Linear{weight, layout->add(name + ".bias", 1, out, bias)};
    };
    // The BatchNorm takes the Linear's bias away: its gradient is exactly zero.
    const auto add_layer = [&](const std::string& name, std::int32_t in) {
        Layer layer;
        layer.linear = add_linear(name, in, shape.hidden, nn::Trained::No);
        layer.gamma = layout->add(name + ".gamma", 1, shape.hidden, nn::Trained::Yes);
        layer.beta = layout->add(name + ".beta", 1, shape.hidden, nn::Trained::Yes);
        return layer;
    };
    for (const VaeSide side : {kVaeSm, kVaeSt}) {
        const std::string name = side == kVaeSm ? "sm" : "st";
        const std::int32_t features = shape.features[side];
        Side& s = sides_[side];
        s.encoder = add_layer(name + ".encoder", features);
        const auto from_hidden = [&](const std::string& part, std::int32_t out) {
            return add_linear(name + part, shape.hidden, out, nn::Trained::Yes);
        };
        s.mean = from_hidden(".mean", shape.latent);
        s.log_variance = from_hidden(".log_variance", shape.latent);
        s.head_mean = from_hidden(".head.mean", features);
        s.head_scale = from_hidden(".head.log_scale", features);
        if (side == kVaeSt) s.head_gate = from_hidden(".head.gate", features);
    }
    trunk_ = add_layer("trunk", shape.latent);
    values_ = nn::ParameterArena<R>(layout);
    gradient_ = nn::ParameterArena<R>(layout);
    for (auto& pass : passes_) {
        pass = std::make_unique<VaePass<R>>();
        pass->gradient = nn::ParameterArena<R>(layout);
    }
    initialise(1);
}

template <class R>
FeatureVae<R>::~FeatureVae() = default;

template <class R>
void FeatureVae<R>::initialise(std::uint64_t seed) {
    double bound = 0;  // of a Linear: the weight comes before its bias in the layout
    const auto& tensors = values_.layout().tensors();
    for (std::size_t t = 0; t < tensors.size(); ++t) {
        const nn::TensorSpec& spec = tensors[t];
        auto value = values_.tensor(static_cast<std::int32_t>(t));
        if (spec.name.ends_with(".weight")) bound = 1 / std::sqrt(static_cast<double>(spec.rows));
        const core::Philox draws(seed, core::DrawPurpose::Initialise, 0,
                                 {core::hash64(spec.name), 0});
        for (std::int64_t i = 0; i < spec.size(); ++i)
            value.data()[i] = static_cast<R>(bound * (2 * draws.uniform(i) - 1));
        if (spec.name.ends_with(".gamma")) value.setOnes();
        if (spec.name.ends_with(".beta")) value.setZero();
    }
}

template <class R>
void FeatureVae<R>::linear(const Linear& index, const core::Matrix<R>& x,
                           core::Matrix<R>& y) const {
    const auto weight = values_.tensor(index.weight);
    y.resize(x.rows(), weight.cols());
    nn::product_plus_row<R>(x, weight, values_.tensor(index.bias), y);
}

template <class R>
void FeatureVae<R>::linear_backward(const Linear& index, const core::Matrix<R>& x,
                                    const core::Matrix<R>& d, nn::ParameterArena<R>& gradient,
                                    core::Matrix<R>& d_x) const {
    nn::product_transposed_left<R>(x, d, gradient.tensor(index.weight));
    nn::column_sum<R>(d, gradient.tensor(index.bias));
    nn::product_transposed_right<R>(d, values_.tensor(index.weight), d_x, nn::Target::Add);
}

template <class R>
void FeatureVae<R>::activate(const Layer& layer, std::span<const R> keep,
                             const nn::Normaliser<R>& normaliser, core::Matrix<R>& x,
                             core::Matrix<R>& y) const {
    y.resize(x.rows(), x.cols());
    nn::batch_norm_relu_forward<R>(normaliser, values_.tensor(layer.gamma),
                                   values_.tensor(layer.beta), keep, x, y);
}

template <class R>
void FeatureVae<R>::activate_backward(const Layer& layer, R scale,
                                      const nn::Normaliser<R>& normaliser, const core::Matrix<R>& x,
                                      const core::Matrix<R>& y, core::Matrix<R>& d,
                                      nn::ParameterArena<R>& gradient) const {
    std::vector<double> sums(2 * static_cast<std::size_t>(shape_.hidden));
    nn::batch_norm_relu_backward_sums<R>(x, y, scale, d, sums);
    auto beta = gradient.tensor(layer.beta);
    auto gamma = gradient.tensor(layer.gamma);
    for (std::int32_t c = 0; c < shape_.hidden; ++c) {
        beta(0, c) = static_cast<R>(sums[c]);
        gamma(0, c) = static_cast<R>(sums[shape_.hidden + c]);
    }
    nn::batch_norm_backward<R>(normaliser, values_.tensor(layer.gamma), x, sums,
                               static_cast<double>(x.rows()), d);
}

template <class R>
void FeatureVae<R>::forward(VaeSide side, const VaeRows& rows, const VaeStep& settings,
                            VaePass<R>& p) {
    const Side& s = sides_[side];
    const std::int64_t n = rows.values.rows;
    p.rows = &rows;
    nn::prepare_input(rows.values.view(), nn::Transform::None, p.input);
    p.x.resize(n, shape_.hidden);
    nn::input_forward<R>(p.input, values_.tensor(s.encoder.linear.weight), p.x);
    nn::add_row<R>(values_.tensor(s.encoder.linear.bias), p.x);
    p.keep.resize(shape_.dropout > 0 ? n : 0, shape_.hidden);
    for (std::int64_t i = 0; i < p.keep.rows(); ++i)
        nn::dropout_row<R>(
            core::Philox(settings.seed, core::DrawPurpose::Dropout, settings.epoch, rows.keys[i]),
            0, shape_.dropout, row_of(p.keep, i));
    p.normaliser = statistics(p.x);
    activate(s.encoder, {p.keep.data(), static_cast<std::size_t>(p.keep.size())}, p.normaliser, p.x,
             p.y);
    linear(s.mean, p.y, p.mean);
    linear(s.log_variance, p.y, p.log_variance);
    p.exp_log_variance = p.log_variance.array().exp();
    p.variance = p.exp_log_variance.array() + static_cast<R>(nn::kVarianceOffset);
    p.noise.resize(n, shape_.latent);
    for (std::int64_t i = 0; i < n; ++i) {
        const core::Philox draws(settings.seed, core::DrawPurpose::LatentNoise, settings.epoch,
                                 rows.keys[i]);
        for (std::int32_t l = 0; l < shape_.latent; ++l)
            p.noise(i, l) = static_cast<R>(draws.normal(l));
    }
    p.z = p.mean.array() + p.variance.array().sqrt() * p.noise.array();
    linear(trunk_.linear, p.z, p.trunk_x);
    p.trunk_normaliser = statistics(p.trunk_x);
    activate(trunk_, {}, p.trunk_normaliser, p.trunk_x, p.trunk_y);
    linear(s.head_mean, p.trunk_y, p.head_mean);
    linear(s.head_scale, p.trunk_y, p.head_scale);
    if (side == kVaeSt) linear(s.head_gate, p.trunk_y, p.head_gate);
}

template <class R>
void FeatureVae<R>::losses(VaeSide side, const VaeStep& settings, VaePass<R>& p) const {
    const std::int64_t n = p.count();
    p.loss = 0;
    p.d_head_mean.resize(n, p.head_mean.cols());
    p.d_mean.setZero(n, shape_.latent);
    p.d_log_variance.setZero(n, shape_.latent);  // by the variance, as yet
    const double share = 1.0 / static_cast<double>(n);
    const double kl = settings.kl_weight * share;
    for (std::int64_t i = 0; i < n; ++i) {
        p.loss += share * (side == kVaeSm ? normal_row(p, i, static_cast<R>(share))
                                          : counts_row(p, i, static_cast<R>(share)));
        p.loss += kl * nn::kl_row<R>(row_of(p.mean, i), row_of(p.variance, i), static_cast<R>(kl),
                                     row_of(p.d_mean, i), row_of(p.d_log_variance, i));
    }
}

template <class R>
void FeatureVae<R>::backward(VaeSide side, VaePass<R>& p) const {
    const Side& s = sides_[side];
    nn::ParameterArena<R>& gradient = p.gradient;
    p.trunk_d.setZero(p.count(), shape_.hidden);
    linear_backward(s.head_mean, p.trunk_y, p.d_head_mean, gradient, p.trunk_d);
    linear_backward(s.head_scale, p.trunk_y, p.head_scale, gradient, p.trunk_d);
    if (side == kVaeSt) linear_backward(s.head_gate, p.trunk_y, p.head_gate, gradient, p.trunk_d);
    activate_backward(trunk_, R(1), p.trunk_normaliser, p.trunk_x, p.trunk_y, p.trunk_d, gradient);
    p.d_z.setZero(p.count(), shape_.latent);
    linear_backward(trunk_.linear, p.z, p.trunk_d, gradient, p.d_z);
    p.d_mean += p.d_z;
    p.d_log_variance.array() +=
        p.d_z.array() * p.noise.array() * R(0.5) / p.variance.array().sqrt();
    p.d_log_variance.array() *= p.exp_log_variance.array();
    p.d.setZero(p.count(), shape_.hidden);
    linear_backward(s.mean, p.y, p.d_mean, gradient, p.d);
    linear_backward(s.log_variance, p.y, p.d_log_variance, gradient, p.d);
    activate_backward(s.encoder, static_cast<R>(1 / (1 - shape_.dropout)), p.normaliser, p.x, p.y,
                      p.d, gradient);
    nn::input_backward<R>(p.input, p.d, 0, gradient.tensor(s.encoder.linear.weight));
}

template <class R>
double FeatureVae<R>::step(const std::array<VaeRows, kVaeSides>& rows, const VaeStep& settings) {
    for (const VaeSide side : {kVaeSm, kVaeSt})
        core::check(rows[side].values.cols == shape_.features[side] && rows[side].values.rows > 0,
                    "rows of both sections with their features");
#pragma omp parallel for num_threads(std::min(core::threads(), kVaeSides)) schedule(static, 1)
    for (int k = 0; k < kVaeSides; ++k) {
        const auto side = static_cast<VaeSide>(k);
        VaePass<R>& pass = *passes_[k];
        forward(side, rows[k], settings, pass);
        losses(side, settings, pass);
        backward(side, pass);
    }
    // Tensors of the other section are zero in a pass: only the trunk's gradients meet.
    const std::span<R> sum = gradient_.data();
    const std::span<const R> sm = std::as_const(passes_[kVaeSm]->gradient).data();
    const std::span<const R> st = std::as_const(passes_[kVaeSt]->gradient).data();
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = sm[i] + st[i];
    gradient_.tensor(trunk_.linear.bias).setZero();
    return passes_[kVaeSm]->loss + passes_[kVaeSt]->loss;
}

template <class R>
core::Matrix<R> FeatureVae<R>::means(VaeSide side, const core::CsrView& values) const {
    const Side& s = sides_[side];
    nn::LayerInput<R> input;
    nn::prepare_input(values, nn::Transform::None, input);
    core::Matrix<R> x(values.rows, shape_.hidden);
    core::Matrix<R> y;
    core::Matrix<R> mean;
    nn::input_forward<R>(input, values_.tensor(s.encoder.linear.weight), x);
    nn::add_row<R>(values_.tensor(s.encoder.linear.bias), x);
    activate(s.encoder, {}, statistics(x), x, y);
    linear(s.mean, y, mean);
    return mean;
}

template class FeatureVae<float>;
template class FeatureVae<double>;

}  // namespace smeta::align::detail

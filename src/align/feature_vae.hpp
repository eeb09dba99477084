#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "smeta/core/matrix.hpp"
#include "smeta/core/random.hpp"
#include "smeta/nn/arena.hpp"
#include "smeta/nn/batch_norm.hpp"
#include "smeta/nn/sparse.hpp"

namespace smeta::align::detail {

/// The two sections, in the order of every array here.
enum VaeSide : int { kVaeSm = 0, kVaeSt = 1 };
inline constexpr int kVaeSides = 2;

struct VaeShape {
    std::array<std::int32_t, kVaeSides> features{};
    std::int32_t hidden = 128;
    std::int32_t latent = 64;
    double dropout = 0.1;
};

/// Rows of one section's part of a mini-batch; no row is empty.
struct VaeRows {
    core::CountsCsr values;
    std::vector<core::RowKey> keys;  ///< one a row: what its draws depend on
};

struct VaeStep {
    std::uint64_t seed = 1;
    std::uint64_t epoch = 1;
    double kl_weight = 1;
};

/// What one section's rows go through in a step.
template <class R>
struct VaePass;

/// The feature VAE of spec A4.1: an encoder (Linear, BatchNorm, ReLU, dropout) and a posterior for
/// each section, one decoder layer that both share, and heads: zero-inflated negative binomial for
/// ST, normal for SM. Rows of the two sections do not correspond. Local; R float or double.
template <class R>
class FeatureVae {
  public:
    explicit FeatureVae(const VaeShape& shape);
    ~FeatureVae();

    void initialise(std::uint64_t seed);
    /// The loss (per row, both sections added) of a mini-batch; sets the gradient. The same bits
    /// for any number of threads.
    double step(const std::array<VaeRows, kVaeSides>& rows, const VaeStep& settings);
    /// Posterior means, rows by latent, the BatchNorm by the statistics of all these rows.
    core::Matrix<R> means(VaeSide side, const core::CsrView& values) const;

    nn::ParameterArena<R>& values() { return values_; }
    const nn::ParameterArena<R>& gradient() const { return gradient_; }

  private:
    struct Linear {
        std::int32_t weight = -1;
        std::int32_t bias = -1;
    };
    struct Layer {
        Linear linear;
        std::int32_t gamma = -1;
        std::int32_t beta = -1;
    };
    struct Side {
        Layer encoder;
        Linear mean, log_variance;
        Linear head_mean, head_scale, head_gate;  ///< no gate for SM
    };

    void forward(VaeSide side, const VaeRows& rows, const VaeStep& settings, VaePass<R>& pass);
    void losses(VaeSide side, const VaeStep& settings, VaePass<R>& pass) const;
    void backward(VaeSide side, VaePass<R>& pass) const;
    void activate(const Layer& layer, std::span<const R> keep, const nn::Normaliser<R>& normaliser,
                  core::Matrix<R>& x, core::Matrix<R>& y) const;
    void activate_backward(const Layer& layer, R scale, const nn::Normaliser<R>& normaliser,
                           const core::Matrix<R>& x, const core::Matrix<R>& y, core::Matrix<R>& d,
                           nn::ParameterArena<R>& gradient) const;
    void linear(const Linear& index, const core::Matrix<R>& x, core::Matrix<R>& y) const;
    /// Of the weights, and added to `d_x`.
    void linear_backward(const Linear& index, const core::Matrix<R>& x, const core::Matrix<R>& d,
                         nn::ParameterArena<R>& gradient, core::Matrix<R>& d_x) const;

    VaeShape shape_;
    std::array<Side, kVaeSides> sides_;
    Layer trunk_;
    nn::ParameterArena<R> values_;
    nn::ParameterArena<R> gradient_;
    std::array<std::unique_ptr<VaePass<R>>, kVaeSides> passes_;
};

extern template class FeatureVae<float>;
extern template class FeatureVae<double>;

}  // namespace smeta::align::detail

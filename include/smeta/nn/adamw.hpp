#pragma once

#include <cstdint>

#include "smeta/nn/arena.hpp"

namespace smeta::nn {

struct AdamWOptions {
    double learning_rate = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 1e-6;
};

/// AdamW with decoupled weight decay (Loshchilov and Hutter 2019, in the form of
/// torch.optim.AdamW): p -= lr wd p;  m, v moments;  p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 -
/// b2^t) + eps). Frozen tensors are left alone. Element by element, so bits do not depend on the
/// threads. Local.
template <class R>
class AdamW {
  public:
    AdamW() = default;
    explicit AdamW(std::shared_ptr<const ParameterLayout> layout)
        : first_(layout), second_(std::move(layout)) {}

    /// One step with `gradient` scaled by `gradient_scale` (gradient clipping; 1 otherwise).
    void update(ParameterArena<R>& values, const ParameterArena<R>& gradient,
                const AdamWOptions& options, double gradient_scale = 1.0);

    /// The state of a checkpoint: both moments and the number of steps done.
    ParameterArena<R>& first_moment() { return first_; }
    ParameterArena<R>& second_moment() { return second_; }
    std::int64_t steps() const { return steps_; }
    void set_steps(std::int64_t steps) { steps_ = steps; }

  private:
    ParameterArena<R> first_;
    ParameterArena<R> second_;
    std::int64_t steps_ = 0;
};

/// Euclidean norm over the trained tensors, summed in double in the order of the layout.
template <class R>
double gradient_norm(const ParameterArena<R>& gradient);

extern template class AdamW<float>;
extern template class AdamW<double>;

}  // namespace smeta::nn

#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "smeta/nn/arena.hpp"

namespace smeta::nn {

struct AdamWOptions {
    double learning_rate = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 1e-6;
};

/// Elements [first, last) of an arena.
struct ArenaPart {
    std::int64_t first = 0;
    std::int64_t last = std::numeric_limits<std::int64_t>::max();
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

    /// One step with `gradient` scaled by `gradient_scale` (gradient clipping; 1 otherwise). Moves
    /// the elements of `part` alone: values and moments of the others are some other rank's.
    void update(ParameterArena<R>& values, const ParameterArena<R>& gradient,
                const AdamWOptions& options, double gradient_scale = 1.0,
                const ArenaPart& part = {});

    const ParameterLayout& layout() const { return first_.layout(); }
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

/// Blocks of this many elements of an arena have a sum of squares each, so that the bits of the
/// norm depend neither on threads nor on who adds up which block.
inline constexpr std::int64_t kNormBlock = 4096;
inline std::int64_t norm_blocks(const ParameterLayout& layout) {
    return (layout.size() + kNormBlock - 1) / kNormBlock;
}
/// Squares of the trained tensors' gradients, in double, into `sums` (one entry a block of the
/// whole arena): of the blocks that begin in `part`, which begins and ends with a block. Local.
template <class R>
void gradient_squares(const ParameterArena<R>& gradient, const ArenaPart& part,
                      std::span<double> sums);
/// Euclidean norm, from all sums of squares in their order.
double gradient_norm(std::span<const double> sums);

extern template class AdamW<float>;
extern template class AdamW<double>;

}  // namespace smeta::nn

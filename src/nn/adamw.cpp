#include "smeta/nn/adamw.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

namespace smeta::nn {

template <class R>
void AdamW<R>::update(ParameterArena<R>& values, const ParameterArena<R>& gradient,
                      const AdamWOptions& options, double gradient_scale, const ArenaPart& part) {
    core::check(values.layout().size() == first_.layout().size() &&
                    gradient.layout().size() == first_.layout().size(),
                "values, gradient and moments share a layout");
    ++steps_;
    const auto t = static_cast<double>(steps_);
    const auto b1 = static_cast<R>(options.beta1);
    const auto b2 = static_cast<R>(options.beta2);
    const auto a1 = static_cast<R>(1 - options.beta1);
    const auto a2 = static_cast<R>(1 - options.beta2);
    const auto keep = static_cast<R>(1 - options.learning_rate * options.weight_decay);
    const auto rate = static_cast<R>(options.learning_rate / (1 - std::pow(options.beta1, t)));
    const auto root = static_cast<R>(1 / std::sqrt(1 - std::pow(options.beta2, t)));
    const auto epsilon = static_cast<R>(options.epsilon);
    const auto scale = static_cast<R>(gradient_scale);
    for (const TensorSpec& spec : first_.layout().tensors()) {
        if (spec.trained == Trained::No) continue;
        const std::int64_t first = std::max(spec.offset, part.first);
        const std::int64_t size = std::min(spec.offset + spec.size(), part.last) - first;
        if (size <= 0) continue;
        R* p = values.data().data() + first;
        const R* g = gradient.data().data() + first;
        R* m = first_.data().data() + first;
        R* v = second_.data().data() + first;
#pragma omp parallel for schedule(static) num_threads(core::threads()) if (size > 16384)
        for (std::int64_t i = 0; i < size; ++i) {
            const R slope = scale * g[i];
            m[i] = b1 * m[i] + a1 * slope;
            v[i] = b2 * v[i] + a2 * slope * slope;
            p[i] = keep * p[i] - rate * m[i] / (std::sqrt(v[i]) * root + epsilon);
        }
    }
}

namespace {

template <class R>
double squares(const R* g, std::int64_t size) {
    double lanes[16] = {};
    std::int64_t i = 0;
    for (; i + 16 <= size; i += 16)
        for (int k = 0; k < 16; ++k)
            lanes[k] += static_cast<double>(g[i + k]) * static_cast<double>(g[i + k]);
    for (int k = 0; i < size; ++i, ++k)
        lanes[k] += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    double sum = 0;
    for (const double lane : lanes) sum += lane;
    return sum;
}

}  // namespace

template <class R>
void gradient_squares(const ParameterArena<R>& gradient, const ArenaPart& part,
                      std::span<double> sums) {
    const ParameterLayout& layout = gradient.layout();
    core::check(std::ssize(sums) == norm_blocks(layout), "one sum a block");
    if (part.first >= part.last) return;  // a share without elements may end inside a block
    const std::int64_t first_block = part.first / kNormBlock;
    const std::int64_t last_block =
        (std::min(part.last, layout.size()) + kNormBlock - 1) / kNormBlock;
#pragma omp parallel for schedule(static) num_threads(core::threads())
    for (std::int64_t b = first_block; b < last_block; ++b) {
        sums[b] = 0;
        for (const TensorSpec& spec : layout.tensors()) {
            if (spec.trained == Trained::No) continue;
            const std::int64_t first = std::max(spec.offset, b * kNormBlock);
            const std::int64_t last = std::min(spec.offset + spec.size(), (b + 1) * kNormBlock);
            if (first < last) sums[b] += squares(gradient.data().data() + first, last - first);
        }
    }
}

double gradient_norm(std::span<const double> sums) {
    double total = 0;
    for (const double sum : sums) total += sum;
    return std::sqrt(total);
}

template class AdamW<float>;
template class AdamW<double>;
template void gradient_squares<float>(const ParameterArena<float>&, const ArenaPart&,
                                      std::span<double>);
template void gradient_squares<double>(const ParameterArena<double>&, const ArenaPart&,
                                       std::span<double>);

}  // namespace smeta::nn

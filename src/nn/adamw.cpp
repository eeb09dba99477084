#include "smeta/nn/adamw.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

namespace smeta::nn {

template <class R>
void AdamW<R>::update(ParameterArena<R>& values, const ParameterArena<R>& gradient,
                      const AdamWOptions& options, double gradient_scale) {
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
        R* p = values.data().data() + spec.offset;
        const R* g = gradient.data().data() + spec.offset;
        R* m = first_.data().data() + spec.offset;
        R* v = second_.data().data() + spec.offset;
        const std::int64_t size = spec.size();
#pragma omp parallel for schedule(static) num_threads(core::threads()) if (size > 16384)
        for (std::int64_t i = 0; i < size; ++i) {
            const R slope = scale * g[i];
            m[i] = b1 * m[i] + a1 * slope;
            v[i] = b2 * v[i] + a2 * slope * slope;
            p[i] = keep * p[i] - rate * m[i] / (std::sqrt(v[i]) * root + epsilon);
        }
    }
}

template <class R>
double gradient_norm(const ParameterArena<R>& gradient) {
    // Blocks of fixed size, so that the bits do not depend on the threads.
    constexpr std::int64_t kBlock = 1 << 16;
    double sum = 0;
    for (const TensorSpec& spec : gradient.layout().tensors()) {
        if (spec.trained == Trained::No) continue;
        const R* g = gradient.data().data() + spec.offset;
        const std::int64_t blocks = (spec.size() + kBlock - 1) / kBlock;
        std::vector<double> parts(blocks);
#pragma omp parallel for schedule(static) num_threads(core::threads()) if (blocks > 1)
        for (std::int64_t b = 0; b < blocks; ++b) {
            const std::int64_t end = std::min(spec.size(), (b + 1) * kBlock);
            double lanes[16] = {};
            std::int64_t i = b * kBlock;
            for (; i + 16 <= end; i += 16)
                for (int k = 0; k < 16; ++k)
                    lanes[k] += static_cast<double>(g[i + k]) * static_cast<double>(g[i + k]);
            for (int k = 0; i < end; ++i, ++k)
                lanes[k] += static_cast<double>(g[i]) * static_cast<double>(g[i]);
            for (const double lane : lanes) parts[b] += lane;
        }
        for (const double part : parts) sum += part;
    }
    return std::sqrt(sum);
}

template class AdamW<float>;
template class AdamW<double>;
template double gradient_norm<float>(const ParameterArena<float>&);
template double gradient_norm<double>(const ParameterArena<double>&);

}  // namespace smeta::nn

#include "smeta/nn/arena.hpp"

#include <algorithm>

#include "smeta/core/error.hpp"

namespace smeta::nn {

std::int32_t ParameterLayout::add(std::string name, std::int64_t rows, std::int64_t cols,
                                  Trained trained) {
    core::check(find(name) < 0, "tensor names are unique: " + name);
    tensors_.push_back({std::move(name), rows, cols, trained, size_});
    const std::int64_t size = rows * cols;
    size_ += (size + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
    return static_cast<std::int32_t>(tensors_.size()) - 1;
}

std::int32_t ParameterLayout::find(std::string_view name) const {
    const auto found = std::ranges::find(tensors_, name, &TensorSpec::name);
    return found == tensors_.end() ? -1 : static_cast<std::int32_t>(found - tensors_.begin());
}

namespace {

std::int32_t position(const ParameterLayout& layout, std::string_view name) {
    const std::int32_t index = layout.find(name);
    core::check(index >= 0, "no tensor named " + std::string(name));
    return index;
}

}  // namespace

template <class R>
typename ParameterArena<R>::Map ParameterArena<R>::tensor(std::string_view name) {
    return tensor(position(*layout_, name));
}

template <class R>
typename ParameterArena<R>::ConstMap ParameterArena<R>::tensor(std::string_view name) const {
    return tensor(position(*layout_, name));
}

template class ParameterArena<float>;
template class ParameterArena<double>;

}  // namespace smeta::nn

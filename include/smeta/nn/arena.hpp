#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/core/matrix.hpp"
#include "smeta/core/memory.hpp"

namespace smeta::nn {

/// Whether the optimiser moves a tensor. Frozen ones have a gradient that is exactly zero (a Linear
/// bias before BatchNorm) or none (running statistics); they keep their initial value and know no
/// weight decay.
enum class Trained { Yes, No };

/// One named tensor of a layout: a row-major rows x cols matrix (a vector has one row).
struct TensorSpec {
    std::string name;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    Trained trained = Trained::Yes;
    std::int64_t offset = 0;  ///< first element in the arena; a multiple of kTensorAlignment

    std::int64_t size() const { return rows * cols; }
};

/// Tensors begin at multiples of this many elements; the elements between them are zero in every
/// arena.
inline constexpr std::int64_t kTensorAlignment = 16;

/// Names, shapes and places of tensors in one buffer; shared by values, gradients and optimiser
/// moments.
class ParameterLayout {
  public:
    /// Appends a tensor and returns its position. Throws InvariantError when the name is taken.
    std::int32_t add(std::string name, std::int64_t rows, std::int64_t cols, Trained trained);
    const std::vector<TensorSpec>& tensors() const { return tensors_; }
    const TensorSpec& tensor(std::int32_t index) const {
        return tensors_[static_cast<std::size_t>(index)];
    }
    /// Position of the tensor with this name, or -1.
    std::int32_t find(std::string_view name) const;
    /// Elements of the buffer, padding included.
    std::int64_t size() const { return size_; }

  private:
    std::vector<TensorSpec> tensors_;
    std::int64_t size_ = 0;
};

/// One zero-initialised, 64-byte aligned buffer with the tensors of a layout. Copyable; copies
/// share the layout.
template <class R>
class ParameterArena {
  public:
    using Map = Eigen::Map<core::Matrix<R>, Eigen::Aligned64>;
    using ConstMap = Eigen::Map<const core::Matrix<R>, Eigen::Aligned64>;

    ParameterArena() : layout_(std::make_shared<ParameterLayout>()) {}
    explicit ParameterArena(std::shared_ptr<const ParameterLayout> layout)
        : layout_(std::move(layout)), buffer_(1, layout_->size()) {
        core::prefer_large_pages(buffer_.data(), data().size_bytes());
        buffer_.setZero();
    }

    const ParameterLayout& layout() const { return *layout_; }
    const std::shared_ptr<const ParameterLayout>& shared_layout() const { return layout_; }

    /// The whole buffer, padding included: what is summed over ranks and written to checkpoints.
    std::span<R> data() { return {buffer_.data(), static_cast<std::size_t>(buffer_.size())}; }
    std::span<const R> data() const {
        return {buffer_.data(), static_cast<std::size_t>(buffer_.size())};
    }
    Map tensor(std::int32_t index) {
        const TensorSpec& spec = layout_->tensor(index);
        return Map(buffer_.data() + spec.offset, spec.rows, spec.cols);
    }
    ConstMap tensor(std::int32_t index) const {
        const TensorSpec& spec = layout_->tensor(index);
        return ConstMap(buffer_.data() + spec.offset, spec.rows, spec.cols);
    }
    /// By name; throws InvariantError for an unknown one.
    Map tensor(std::string_view name);
    ConstMap tensor(std::string_view name) const;
    void set_zero() { buffer_.setZero(); }

  private:
    std::shared_ptr<const ParameterLayout> layout_;
    core::Matrix<R> buffer_;
};

extern template class ParameterArena<float>;
extern template class ParameterArena<double>;

}  // namespace smeta::nn

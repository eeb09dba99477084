#pragma once

#include <bit>
#include <vector>

#include "smeta/model/cvae.hpp"
#include "smeta/nn/gemm.hpp"

/// Weight gradients that are added up over chunks while they are computed: a block of a large
/// weight stays in the cache, and no chunk keeps a gradient of the whole model.
namespace smeta::model::detail {

/// Groups of chunks and where the gradient of each goes.
template <class R>
struct GradientGroups {
    Combine combine = Combine::InOrder;
    std::vector<comm::Range> chunks;
    std::vector<nn::ParameterArena<R>*> arenas;
};

/// A block of one tensor: rows [row, row + rows) of columns [col, col + cols).
struct TensorBlock {
    std::int32_t tensor = -1;
    std::int64_t row = 0;
    std::int64_t col = 0;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
};

/// The sum of one block over all chunks of all groups. For every chunk in order: write its share to
/// `view()` as `target()` says (Replace, or Add to what the chunks before left), then call
/// `next()`.
template <class R>
class GradientSum {
  public:
    /// `buffers` are this thread's, for the tree's open branches (see `reserve`).
    GradientSum(const GradientGroups<R>& groups, TensorBlock block,
                std::vector<core::Matrix<R>>& buffers)
        : groups_(groups), block_(block), buffers_(buffers) {
        if (block_.tensor >= 0) open();
    }

    /// Grows a thread's buffers for any block of up to rows x cols, so that no later sum allocates.
    static void reserve(const GradientGroups<R>& groups, std::int64_t rows, std::int64_t cols,
                        std::vector<core::Matrix<R>>& buffers) {
        if (groups.combine != Combine::Tree) return;
        std::size_t depth = 0;
        for (const comm::Range& group : groups.chunks)
            depth = std::max<std::size_t>(depth,
                                          std::bit_width(static_cast<std::uint64_t>(group.size())));
        if (buffers.size() < depth) buffers.resize(depth);
        for (core::Matrix<R>& buffer : buffers)
            if (buffer.rows() < rows || buffer.cols() < cols)
                buffer.resize(std::max(buffer.rows(), rows), std::max(buffer.cols(), cols));
    }

    nn::View<R> view() { return depth_ == 0 ? destination() : branch(depth_); }
    nn::Target target() const { return target_; }
    /// The chunk's later rows are added to its earlier ones.
    void add_more() { target_ = nn::Target::Add; }
    void next() {
        ++chunk_;
        const comm::Range& group = groups_.chunks[group_];
        if (groups_.combine == Combine::Tree) {
            for (std::int64_t done = chunk_ - group.first; done % 2 == 0; done /= 2) {
                nn::View<R> right = view();
                --depth_;
                view() += right;
            }
            ++depth_;
            target_ = nn::Target::Replace;
        } else {
            target_ = nn::Target::Add;
        }
        if (chunk_ == group.last && group_ + 1 < groups_.chunks.size()) {
            ++group_;
            open();
        }
    }

  private:
    void open() {
        depth_ = 0;
        chunk_ = groups_.chunks[group_].first;
        target_ = nn::Target::Replace;
    }
    nn::View<R> destination() {
        return groups_.arenas[group_]
            ->tensor(block_.tensor)
            .block(block_.row, block_.col, block_.rows, block_.cols);
    }
    nn::View<R> branch(std::size_t depth) {
        return buffers_[depth - 1].topLeftCorner(block_.rows, block_.cols);
    }

    const GradientGroups<R>& groups_;
    TensorBlock block_;
    std::vector<core::Matrix<R>>& buffers_;
    std::size_t group_ = 0;
    std::int64_t chunk_ = 0;
    std::size_t depth_ = 0;
    nn::Target target_ = nn::Target::Replace;
};

}  // namespace smeta::model::detail

#pragma once

#include <algorithm>
#include <vector>

#include "cvae_impl.hpp"
#include "gradient_sum.hpp"

namespace smeta::model::detail {

/// Features [first, first + width).
struct Tile {
    std::int32_t first = 0;
    std::int32_t width = 0;
};

/// One head's factors and open sums while a thread does a tile of it.
template <class R>
struct HeadBuffers {
    nn::PackedRight<R> weight, weight_transposed;
    std::vector<core::Matrix<R>> weight_branches, bias_branches;
};

/// One head over one tile: its outputs, and what its gradients add up to.
template <class R>
class HeadTile {
  public:
    HeadTile(const Net<R>& net, const GradientGroups<R>& groups, const LinearIndex& index,
             Tile tile, HeadBuffers<R>& buffers)
        : net_(net),
          index_(index),
          tile_(tile),
          buffers_(buffers),
          weight_(groups, block(net, index.weight, tile), buffers.weight_branches),
          bias_(groups, block(net, index.bias, tile), buffers.bias_branches) {}

    bool exists() const { return index_.weight >= 0; }
    void forward(const nn::ConstView<R>& y, nn::View<R> out) {
        if (!forward_ready_) buffers_.weight.assign(weight());
        forward_ready_ = true;
        nn::product_plus_row<R>(
            y, buffers_.weight,
            net_.values.tensor(index_.bias).middleCols(tile_.first, tile_.width), out);
    }
    /// Rows [rows.first, rows.last) of the stack y, whose chunks begin at `first_row`, in order;
    /// `d` holds the gradients at the head's outputs. `d_y` takes the share of this tile.
    void backward(const nn::ConstView<R>& y, const std::vector<std::int64_t>& first_row,
                  comm::Range rows, const nn::ConstView<R>& d, core::Matrix<R>& d_y,
                  nn::Target target) {
        if (!backward_ready_) buffers_.weight_transposed.assign_transposed(weight());
        backward_ready_ = true;
        nn::product<R>(d, buffers_.weight_transposed, rows_of(d_y, rows.first, rows.size()),
                       target);
        const std::size_t chunks = first_row.size() - 1;
        for (; chunk_ < chunks; ++chunk_) {
            const std::int64_t begin = std::max(rows.first, first_row[chunk_]);
            const std::int64_t end = std::min(rows.last, first_row[chunk_ + 1]);
            const bool last = first_row[chunk_ + 1] <= rows.last;
            if (begin < end || last) {
                const std::int64_t count = std::max<std::int64_t>(0, end - begin);
                const auto part = d.middleRows(std::min(begin, end) - rows.first, count);
                nn::product_transposed_left<R>(y.middleRows(std::min(begin, end), count), part,
                                               weight_.view(), weight_.target());
                nn::column_sum<R>(part, bias_.view(), bias_.target());
                weight_.add_more();
                bias_.add_more();
            }
            if (!last) break;
            weight_.next();
            bias_.next();
        }
    }

  private:
    static TensorBlock block(const Net<R>& net, std::int32_t tensor, Tile tile) {
        if (tensor < 0) return {};
        return {tensor, 0, tile.first, net.values.layout().tensor(tensor).rows, tile.width};
    }
    auto weight() const {
        return net_.values.tensor(index_.weight).middleCols(tile_.first, tile_.width);
    }

    const Net<R>& net_;
    LinearIndex index_;
    Tile tile_;
    HeadBuffers<R>& buffers_;
    GradientSum<R> weight_;
    GradientSum<R> bias_;
    std::size_t chunk_ = 0;
    bool forward_ready_ = false;
    bool backward_ready_ = false;
};

}  // namespace smeta::model::detail

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "smeta/core/error.hpp"
#include "smeta/spatial/block_tree.hpp"

namespace smeta::spatial {

namespace {

constexpr int kLanes = 16;
constexpr int kTile = 4;  // queries that use one load of the points
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));
typedef float LooseLanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(4)));

constexpr double kRounding = 0x1p-24;  // of a float, relative
constexpr double kUnderflow = 1e-20;   // squares below a float's range, as a distance
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Bit l: x[l] <= limit[l]. By reference, so that no calling convention has a say.
inline std::uint32_t at_most(const Lanes& x, const Lanes& limit) {
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask(reinterpret_cast<const __m512&>(x),
                              reinterpret_cast<const __m512&>(limit), _CMP_LE_OQ);
#else
    std::uint32_t bits = 0;
    for (int l = 0; l < kLanes; ++l) bits |= static_cast<std::uint32_t>(x[l] <= limit[l]) << l;
    return bits;
#endif
}

inline const LooseLanes& lanes(const float* from) {
    return *reinterpret_cast<const LooseLanes*>(from);
}

std::int64_t count_at_most(std::span<const float> values, float limit) {
    std::int32_t count = 0;
    for (const float value : values) count += value <= limit ? 1 : 0;
    return count;
}

}  // namespace

BlockTree::Search::Search(const BlockTree& tree, std::int64_t k, std::int64_t leaves)
    : tree_(tree),
      k_(static_cast<std::size_t>(k)),
      leaves_(leaves),
      coordinates_(kQueries * tree.width_),
      transposed_(kQueries * tree.width_),
      centre_(tree.width_),
      positions_(kQueries),
      slacks_(kQueries),
      limits_(kQueries),
      near_(kQueries),
      results_(kQueries) {
    core::check(k >= 1 && k < tree.rows(), "fewer neighbours than points");
}

void BlockTree::Search::find(std::span<const std::int32_t> positions) {
    core::check(std::ssize(positions) <= kQueries, "a search has few queries");
    count_ = positions.size();
    if (count_ == 0) return;
    start(positions);
    walk(count_ == kQueries ? ~std::uint64_t{0} : (std::uint64_t{1} << count_) - 1);
    for (std::size_t q = 0; q < count_; ++q) finish(q);
}

void BlockTree::Search::start(std::span<const std::int32_t> positions) {
    const auto width = tree_.width_;
    for (std::size_t q = 0; q < count_; ++q) {
        positions_[q] = positions[q];
        limits_[q] = kInfinity;
        near_[q].size = 0;
        make_room(near_[q], std::max<std::size_t>(2 * k_, kLeafPoints));
        const auto leaf = positions[q] / kLeafPoints;
        const float* values = tree_.values_.data() + std::int64_t{leaf} * kLeafPoints * width +
                              positions[q] % kLeafPoints;
        double squares = 0;
        for (std::int64_t d = 0; d < width; ++d) {
            const float value = values[d * kLeafPoints];
            coordinates_[q * width + d] = value;
            transposed_[d * kQueries + static_cast<std::int64_t>(q)] = value;
            squares += static_cast<double>(value) * value;
        }
        slacks_[q] = 2.1 * kRounding * std::sqrt(squares) + kUnderflow;
    }
    const auto leaf = positions[0] / kLeafPoints;
    const auto size = std::min<std::int64_t>(kLeafPoints, tree_.rows() - leaf * kLeafPoints);
    for (std::int64_t d = 0; d < width; ++d) {
        const float* values = tree_.values_.data() + (std::int64_t{leaf} * width + d) * kLeafPoints;
        centre_[d] = std::accumulate(values, values + size, 0.0F) / static_cast<float>(size);
    }
}

void BlockTree::Search::walk(std::uint64_t all) {
    std::int64_t left = leaves_;
    steps_.assign(1, {0, 0, all});
    while (!steps_.empty() && left > 0) {
        std::pop_heap(steps_.begin(), steps_.end());
        const auto step = steps_.back();
        steps_.pop_back();
        const auto active = reaching(step.node, step.active);
        // Of a limited search the leaves must not depend on which other points are searched for.
        if (active == 0 && leaves_ == kEveryLeaf) continue;
        const auto right = tree_.nodes_[step.node].right;
        if (right == 0) {
            --left;
            scan(step.node, active);
            continue;
        }
        for (const auto child : {step.node + 1, right}) {
            steps_.push_back({distance_to_centre(child), child, active});
            std::push_heap(steps_.begin(), steps_.end());
        }
    }
}

float BlockTree::Search::distance_to_centre(std::int32_t node) const {
    const auto width = static_cast<Eigen::Index>(tree_.width_);
    const Eigen::Map<const Eigen::ArrayXf> centre(centre_.data(), width);
    const Eigen::Map<const Eigen::ArrayXf> low(tree_.low_of(node), width);
    const Eigen::Map<const Eigen::ArrayXf> high(tree_.high_of(node), width);
    return (low - centre).max(centre - high).max(0.0F).square().sum();
}

/// Those of some queries whose limits the node's box does not exceed.
std::uint64_t BlockTree::Search::reaching(std::int32_t node, std::uint64_t among) const {
    const float* low = tree_.low_of(node);
    const float* high = tree_.high_of(node);
    std::uint64_t result = 0;
    for (std::int64_t first = 0; first < kQueries; first += kLanes) {
        if ((among >> first & 0xFFFFU) == 0) continue;
        const Lanes zero{};
        Lanes squared{};
        const float* column = transposed_.data() + first;
        for (std::int64_t d = 0; d < tree_.width_; ++d, column += kQueries) {
            const Lanes below = low[d] - lanes(column);
            const Lanes above = lanes(column) - high[d];
            const Lanes out = below > above ? below : above;
            const Lanes outside = out > zero ? out : zero;
            squared += outside * outside;
        }
        const Lanes limit = lanes(limits_.data() + first);
        result |= std::uint64_t{at_most(squared, limit)} << first;
    }
    return result & among;
}

/// The leaf's points beside some queries, kTile of them at a time.
void BlockTree::Search::scan(std::int32_t node, std::uint64_t active) {
    const auto width = tree_.width_;
    const auto first = tree_.nodes_[node].first;
    const float* values = tree_.values_.data() + std::int64_t{first} * width;
    // The last leaf may not be full.
    const auto present = [size = tree_.nodes_[node].last - first](std::int32_t part) {
        const auto points = std::clamp(size - part, 0, 2 * kLanes);
        return static_cast<std::uint32_t>((std::uint64_t{1} << points) - 1);
    };
    while (active != 0) {
        std::size_t query[kTile];
        const float* q[kTile];
        int tile = 0;
        for (; tile < kTile && active != 0; ++tile, active &= active - 1)
            query[tile] = static_cast<std::size_t>(std::countr_zero(active));
        for (int t = tile; t < kTile; ++t) query[t] = query[0];
        for (int t = 0; t < kTile; ++t)
            q[t] = coordinates_.data() + static_cast<std::int64_t>(query[t]) * width;
        for (std::int32_t part = 0; part < kLeafPoints; part += 2 * kLanes) {
            Lanes squared[kTile][2];
#pragma GCC unroll 4
            for (auto& sums : squared) sums[0] = sums[1] = Lanes{};
            const float* column = values + part;
            for (std::int64_t d = 0; d < width; ++d, column += kLeafPoints) {
                const Lanes x0 = lanes(column);
                const Lanes x1 = lanes(column + kLanes);
#pragma GCC unroll 4
                for (int t = 0; t < kTile; ++t) {
                    const Lanes y0 = x0 - q[t][d];
                    const Lanes y1 = x1 - q[t][d];
                    squared[t][0] += y0 * y0;
                    squared[t][1] += y1 * y1;
                }
            }
            for (int t = 0; t < tile; ++t) {
                const Lanes limit = Lanes{} + limits_[query[t]];
                const auto low = at_most(squared[t][0], limit);
                const auto high = at_most(squared[t][1], limit);
                if (const auto bits = (low | high << kLanes) & present(part); bits != 0)
                    add(query[t], bits, reinterpret_cast<const float*>(squared[t]), first + part);
            }
        }
    }
}

void BlockTree::Search::make_room(Near& near, std::size_t full) const {
    near.full = full;
    near.squared.resize(full + 2 * kLanes);
    near.position.resize(full + 2 * kLanes);
}

/// Adds the points of some bits, the first of which is at position `first`.
void BlockTree::Search::add(std::size_t query, std::uint32_t bits, const float* squared,
                            std::int32_t first) {
    auto& near = near_[query];
    float* distance = near.squared.data() + near.size;
    std::int32_t* position = near.position.data() + near.size;
    near.size += static_cast<std::size_t>(std::popcount(bits));
    for (; bits != 0; bits &= bits - 1) {
        const int l = std::countr_zero(bits);
        *distance++ = squared[l];
        *position++ = first + l;
    }
    if (near.size >= near.full) tighten(query);
}

/// A distance that at least `count` of them do not exceed and few more: `limit` is one.
float BlockTree::Search::reached_by(const Near& near, std::size_t count, float limit) const {
    constexpr int kHalvings = 24;  // no more bits in a float
    const auto least = static_cast<std::int64_t>(count);
    float low = 0;
    float high = limit;
    const std::span known(near.squared.data(), near.size);
    if (limit == kInfinity) high = *std::max_element(known.begin(), known.end());
    for (int step = 0; step < kHalvings; ++step) {
        const float middle = low + (high - low) / 2;
        const auto found = count_at_most(known, middle);
        (found >= least ? high : low) = middle;
        if (found >= least && found <= least + least / 16) break;
    }
    return high;
}

/// Rounded coordinates make a distance of d to one of d (1 + (width + 5) u) + 2.1 u |query| at
/// most, u the rounding of a float: no more than two such steps lie between a distance that k + 1
/// found points do not exceed, the query itself among them, and one of the k nearest.
void BlockTree::Search::tighten(std::size_t query) {
    auto& near = near_[query];
    if (near.size <= k_) return;
    const double reached = std::sqrt(reached_by(near, k_ + 1, limits_[query]));
    const double relative = 3 * static_cast<double>(tree_.width_ + 5) * kRounding;
    const double reach = reached * (1 + relative) + 3 * slacks_[query];
    const auto limit = static_cast<float>(reach * reach * (1 + 1e-6));
    limits_[query] = std::min(limits_[query], limit);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < near.size; ++i) {
        near.squared[kept] = near.squared[i];
        near.position[kept] = near.position[i];
        kept += near.squared[i] <= limit ? 1 : 0;
    }
    near.size = kept;
    if (2 * kept > near.full) make_room(near, 2 * kept);
}

void BlockTree::Search::finish(std::size_t query) {
    tighten(query);
    const auto self = positions_[query];
    const double* own = tree_.points_.data() + std::int64_t{self} * tree_.width_;
    auto& found = results_[query];
    found.clear();
    for (std::size_t i = 0; i < near_[query].size; ++i) {
        const auto position = near_[query].position[i];
        if (position == self) continue;
        const double* other = tree_.points_.data() + std::int64_t{position} * tree_.width_;
        double squared = 0;
        for (std::int64_t d = 0; d < tree_.width_; ++d)
            squared += (other[d] - own[d]) * (other[d] - own[d]);
        found.push_back({squared, tree_.order_[position]});
    }
    std::sort(found.begin(), found.end());
    if (found.size() > k_) found.resize(k_);
}

}  // namespace smeta::spatial

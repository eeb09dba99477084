#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::spatial {

/// Nearest neighbours of points among themselves in tens of dimensions: a k-d tree whose leaves
/// hold 64 points in single precision, dimension by dimension. Points that lie near each other are
/// searched for together, so that a leaf is read once for all of them and compared with vector
/// instructions; what single precision cannot tell apart is decided by double precision. Several
/// times faster than PointIndex above about four dimensions. Results depend only on the points and
/// their order. Const members may be called by many threads at once. Local.
class BlockTree {
  public:
    static constexpr std::int32_t kLeafPoints = 64;

    /// Copies the points (n by d, finite, n < 2^31 - 1).
    explicit BlockTree(const core::MatrixD& points);

    std::int64_t rows() const { return static_cast<std::int64_t>(order_.size()); }
    std::int64_t leaves() const { return (rows() + kLeafPoints - 1) / kLeafPoints; }
    /// The rows in the order of the leaves: near rows are near each other. Positions p of one leaf
    /// have the same p / kLeafPoints.
    const std::vector<std::int32_t>& order() const { return order_; }

    struct Found {
        double squared = 0;  ///< distance
        std::int32_t row = 0;
        bool operator<(const Found& other) const {
            return squared != other.squared ? squared < other.squared : row < other.row;
        }
    };
    class Search;

  private:
    struct Node {
        std::int32_t first = 0;  ///< position in order_
        std::int32_t last = 0;
        std::int32_t right = 0;  ///< second child, the first one is the next node; 0: a leaf
    };
    struct Key {
        double value;
        std::int32_t row;
    };
    void build(const core::MatrixD& points, std::int32_t at, std::int32_t first, std::int32_t last,
               std::vector<Key>& keys);
    void fill_leaf(const core::MatrixD& points, std::int32_t at, std::int32_t first,
                   std::int32_t last);
    const float* low_of(std::int32_t node) const {
        return boxes_.data() + static_cast<std::int64_t>(node) * 2 * width_;
    }
    const float* high_of(std::int32_t node) const { return low_of(node) + width_; }

    std::int64_t width_ = 0;
    Eigen::RowVectorXd centre_;
    double scale_ = 1;  ///< of (points - centre), a power of two: none is above 1
    std::vector<std::int32_t> order_;
    std::vector<Node> nodes_;
    std::vector<float> boxes_;  ///< of each node: width_ low ends, width_ high ends
    Eigen::ArrayXf values_;     ///< of each leaf: width_ x kLeafPoints; aligned
    core::MatrixD points_;      ///< in the order of the leaves
};

/// Searches of one thread in a tree, with their buffers.
class BlockTree::Search {
  public:
    static constexpr std::int64_t kQueries = 64;  ///< at once, at most
    static constexpr std::int64_t kEveryLeaf = std::numeric_limits<std::int64_t>::max();

    /// For the k nearest other points of each point, k < rows(). `leaves`: look at no more than
    /// these leaves, those nearest to the leaf of a search's first point; there are fewer
    /// neighbours where they hold less than k other points.
    Search(const BlockTree& tree, std::int64_t k, std::int64_t leaves = kEveryLeaf);

    /// Neighbours of the points at some positions of order(), kQueries at most; those of one leaf,
    /// or of consecutive ones, are quickest.
    void find(std::span<const std::int32_t> positions);
    /// Of the i-th position of the last find: nearest first, equal distances in ascending row.
    std::span<const Found> found(std::size_t i) const { return results_[i]; }

  private:
    /// What may be among the k nearest of one query.
    struct Near {
        std::size_t size = 0;
        std::size_t full = 0;  ///< size from which the limit is drawn closer
        /// Distances of the rounded coordinates, with room for a vector beyond `full`.
        std::vector<float> squared;
        std::vector<std::int32_t> position;
    };
    struct Step {
        float distance;
        std::int32_t node;
        std::uint64_t active;                      ///< queries whose limits reach the node's parent
        bool operator<(const Step& other) const {  // the nearest is on top of a heap
            return distance != other.distance ? distance > other.distance : node > other.node;
        }
    };
    void start(std::span<const std::int32_t> positions);
    void walk(std::uint64_t all);
    float distance_to_centre(std::int32_t node) const;
    std::uint64_t reaching(std::int32_t node, std::uint64_t among) const;
    void scan(std::int32_t node, std::uint64_t active);
    void add(std::size_t query, std::uint32_t bits, const float* squared, std::int32_t first);
    void make_room(Near& near, std::size_t full) const;
    void tighten(std::size_t query);
    float reached_by(const Near& near, std::size_t count, float limit) const;
    void finish(std::size_t query);

    const BlockTree& tree_;
    std::size_t k_;
    std::int64_t leaves_;
    std::size_t count_ = 0;           ///< queries of this search
    std::vector<float> coordinates_;  ///< kQueries x width
    Eigen::ArrayXf transposed_;       ///< width x kQueries; aligned
    std::vector<float> centre_;
    std::vector<std::int32_t> positions_;
    std::vector<double> slacks_;  ///< of each query: what rounding adds to its distances
    std::vector<float> limits_;   ///< squared distances above are none of a query's k nearest
    std::vector<Near> near_;
    std::vector<Step> steps_;
    std::vector<std::vector<Found>> results_;
};

}  // namespace smeta::spatial

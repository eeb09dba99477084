#include "smeta/analysis/umap.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <Eigen/Dense>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"

namespace smeta::analysis {
namespace {

constexpr double kStartExtent = 10;
constexpr double kStartNoise = 1e-4;
constexpr double kClip = 4;
constexpr double kNearZero = 1e-3;               // added to squared distances of negative samples
constexpr std::uint64_t kEpochBase = 1U << 30U;  // draws of other uses have smaller epochs

/// One direction of an edge.
struct Edge {
    std::int32_t from;
    std::int32_t to;
    float every;  ///< epochs from one use to the next
};

/// Edges that are used at least once, in the order of the graph.
std::vector<Edge> edges_of(const core::CsrView& graph, std::int64_t epochs) {
    float heaviest = 0;
    for (const float w : graph.values) heaviest = std::max(heaviest, w);
    std::vector<Edge> edges;
    edges.reserve(graph.values.size());
    for (std::int64_t r = 0; r < graph.rows; ++r) {
        const auto columns = graph.row_indices(r);
        const auto weights = graph.row_values(r);
        for (std::size_t e = 0; e < columns.size(); ++e)
            if (columns[e] != r && weights[e] * static_cast<float>(epochs) >= heaviest)
                edges.push_back({static_cast<std::int32_t>(r), columns[e], heaviest / weights[e]});
    }
    return edges;
}

double clipped(double step) {
    return std::clamp(step, -kClip, kClip);
}

class Descent {
  public:
    Descent(core::MatrixD& layout, UmapCurve curve) : layout_(layout), curve_(curve) {}

    void attract(std::int64_t i, std::int64_t j, double rate) {
        const Step d = difference(i, j);
        if (!(d.squared > 0)) return;
        const double power = std::pow(d.squared, curve_.b - 1);
        const double force = -2 * curve_.a * curve_.b * power / (1 + curve_.a * power * d.squared);
        for (int c = 0; c < 2; ++c) {
            const double step = clipped(force * d.by[c]) * rate;
            layout_(i, c) += step;
            layout_(j, c) -= step;
        }
    }
    void repel(std::int64_t i, std::int64_t j, double rate) {
        if (i == j) return;
        const Step d = difference(i, j);
        const double force =
            2 * curve_.b /
            ((kNearZero + d.squared) * (1 + curve_.a * std::pow(d.squared, curve_.b)));
        for (int c = 0; c < 2; ++c)
            if (d.squared > 0) layout_(i, c) += clipped(force * d.by[c]) * rate;
    }

  private:
    struct Step {
        std::array<double, 2> by;
        double squared;
    };
    Step difference(std::int64_t i, std::int64_t j) const {
        const double x = layout_(i, 0) - layout_(j, 0);
        const double y = layout_(i, 1) - layout_(j, 1);
        return {{x, y}, x * x + y * y};
    }
    core::MatrixD& layout_;
    UmapCurve curve_;
};

}  // namespace

UmapCurve umap_curve(double min_dist, double spread) {
    constexpr int kPoints = 300;
    constexpr int kSteps = 200;
    UmapCurve best;
    double damping = 1e-3;
    const auto residuals = [&](const UmapCurve& curve, Eigen::MatrixX2d* slope) {
        Eigen::VectorXd result(kPoints);
        for (int p = 0; p < kPoints; ++p) {
            const double x = 3 * spread * p / (kPoints - 1);
            const double target = x < min_dist ? 1 : std::exp(-(x - min_dist) / spread);
            const double power = x > 0 ? std::pow(x, 2 * curve.b) : 0;
            const double similarity = 1 / (1 + curve.a * power);
            result[p] = similarity - target;
            if (slope == nullptr) continue;
            (*slope)(p, 0) = -power * similarity * similarity;
            (*slope)(p, 1) =
                x > 0 ? -2 * curve.a * power * std::log(x) * similarity * similarity : 0;
        }
        return result;
    };
    Eigen::MatrixX2d slope(kPoints, 2);
    for (int step = 0; step < kSteps; ++step) {  // Levenberg-Marquardt
        const Eigen::VectorXd at = residuals(best, &slope);
        Eigen::Matrix2d normal = slope.transpose() * slope;
        normal.diagonal() *= 1 + damping;
        const Eigen::Vector2d move = normal.ldlt().solve(slope.transpose() * at);
        const UmapCurve next{best.a - move[0], best.b - move[1]};
        if (next.a > 0 && next.b > 0 && residuals(next, nullptr).squaredNorm() < at.squaredNorm()) {
            best = next;
            damping /= 10;
            if (move.norm() < 1e-12) break;
        } else {
            damping *= 10;
            if (damping > 1e12) break;
        }
    }
    return best;
}

core::MatrixD umap_start(const core::MatrixD& points) {
    core::MatrixD start = core::MatrixD::Zero(points.rows(), 2);
    if (points.rows() == 0 || points.cols() == 0) return start;
    const Eigen::RowVectorXd mean = points.colwise().mean();
    Eigen::MatrixXd scatter = Eigen::MatrixXd::Zero(points.cols(), points.cols());
    for (Eigen::Index r = 0; r < points.rows(); ++r) {
        const Eigen::VectorXd d = (points.row(r) - mean).transpose();
        scatter.noalias() += d * d.transpose();
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(scatter);
    for (int c = 0; c < std::min<int>(2, static_cast<int>(points.cols())); ++c) {
        Eigen::VectorXd axis = solver.eigenvectors().col(points.cols() - 1 - c);
        Eigen::Index largest = 0;
        axis.cwiseAbs().maxCoeff(&largest);
        if (axis[largest] < 0) axis = -axis;
        for (Eigen::Index r = 0; r < points.rows(); ++r)
            start(r, c) = (points.row(r) - mean).dot(axis);
    }
    const double extent = start.cwiseAbs().maxCoeff();
    if (extent > 0) start *= kStartExtent / extent;
    return start;
}

core::MatrixD umap_layout(const core::CsrView& graph, core::MatrixD layout,
                          const UmapConfig& config, std::uint64_t seed) {
    core::check(layout.rows() == graph.rows && layout.cols() == 2, "a start for every node");
    const auto epochs = config.epochs_for(graph.rows);
    const auto edges = edges_of(graph, epochs);
    const core::Philox noise(seed, core::DrawPurpose::Cluster, kEpochBase);
    for (Eigen::Index i = 0; i < layout.size(); ++i)
        layout.data()[i] += kStartNoise * noise.normal(static_cast<std::uint64_t>(i));

    Descent descent(layout, umap_curve(config.min_dist, config.spread));
    std::vector<double> next(edges.size());
    std::transform(edges.begin(), edges.end(), next.begin(),
                   [](const Edge& edge) { return double{edge.every}; });
    const auto negatives = static_cast<std::uint64_t>(config.negative_samples);
    for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
        const double rate = 1 - static_cast<double>(epoch - 1) / static_cast<double>(epochs);
        const core::Philox random(seed, core::DrawPurpose::Cluster,
                                  kEpochBase + static_cast<std::uint64_t>(epoch));
        for (std::size_t e = 0; e < edges.size(); ++e) {
            if (next[e] > static_cast<double>(epoch)) continue;
            next[e] += edges[e].every;
            descent.attract(edges[e].from, edges[e].to, rate);
            for (std::uint64_t k = 0; k < negatives; ++k)
                descent.repel(edges[e].from,
                              static_cast<std::int64_t>(random.below(
                                  e * negatives + k, static_cast<std::uint64_t>(graph.rows))),
                              rate);
        }
    }
    return layout;
}

}  // namespace smeta::analysis

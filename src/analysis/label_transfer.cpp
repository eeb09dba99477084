#include "smeta/analysis/label_transfer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "smeta/core/error.hpp"

namespace smeta::analysis {

namespace {

constexpr double kConfident = 0.8;

std::vector<std::int64_t> labelled_rows(const std::vector<std::string>& labels) {
    std::vector<std::int64_t> rows;
    for (std::size_t i = 0; i < labels.size(); ++i)
        if (!is_unlabelled(labels[i])) rows.push_back(static_cast<std::int64_t>(i));
    return rows;
}

double share(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? std::numeric_limits<double>::quiet_NaN()
                      : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

bool is_unlabelled(const std::string& text) {
    static constexpr std::array kNone = {"",           "nan",    "NaN", "NA", "undetermined",
                                         "unlabelled", "unknown"};
    return std::find(kNone.begin(), kNone.end(), text) != kNone.end();
}

LabelledPoints::LabelledPoints(const core::MatrixD& points, const std::vector<std::string>& labels)
    : index_(core::MatrixD(points(labelled_rows(labels), Eigen::all))) {
    core::check(points.rows() == std::ssize(labels), "a label a point");
    for (const auto& label : labels)
        if (!is_unlabelled(label)) labels_.push_back(label);
}

LabelledPoints::Vote LabelledPoints::vote(std::span<const double> query,
                                          std::int64_t neighbors) const {
    const auto nearest = index_.nearest(query, neighbors);
    if (nearest.empty()) return {};
    const double reach = nearest.back().distance;
    std::map<std::string, double> weights;
    double total = 0;
    for (const auto& neighbour : nearest) {
        const double relative = reach > 0 ? neighbour.distance / reach : 0.0;
        const double weight = std::exp(-relative * relative);
        weights[labels_[neighbour.row]] += weight;
        total += weight;
    }
    Vote best;
    for (const auto& [label, weight] : weights)
        if (weight / total > best.confidence) best = {label, weight / total};
    return best;
}

LabelScore score_labels(const std::vector<std::string>& truth,
                        const std::vector<LabelledPoints::Vote>& given) {
    core::check(truth.size() == given.size(), "a true label a vote");
    LabelScore score;
    std::int64_t confident = 0;
    std::int64_t confident_right = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
        if (is_unlabelled(truth[i])) continue;
        const bool right = truth[i] == given[i].label;
        ++score.spots;
        score.right += right ? 1 : 0;
        ++score.labels[truth[i]].spots;
        ++score.labels[given[i].label].given;
        score.labels[truth[i]].right += right ? 1 : 0;
        if (given[i].confidence < kConfident) continue;
        ++confident;
        confident_right += right ? 1 : 0;
    }
    std::int64_t most = 0;
    std::int64_t kinds = 0;
    for (const auto& [label, counts] : score.labels) {
        most = std::max(most, counts.spots);
        if (counts.spots == 0) continue;
        ++kinds;
        score.macro_f1 += 2.0 * static_cast<double>(counts.right) /
                          static_cast<double>(counts.spots + counts.given);
    }
    score.macro_f1 = kinds == 0 ? share(0, 0) : score.macro_f1 / static_cast<double>(kinds);
    score.accuracy = share(score.right, score.spots);
    score.majority = share(most, score.spots);
    score.confident_share = share(confident, score.spots);
    score.confident_accuracy = share(confident_right, confident);
    return score;
}

}  // namespace smeta::analysis

#include "signal_scores.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

namespace smeta::analysis::detail {

Molecules molecules_of(const std::vector<Interaction>& interactions) {
    Molecules molecules;
    std::map<Parts, std::int32_t> known;
    const auto position = [&](Parts parts) {
        std::sort(parts.begin(), parts.end());
        const auto [found, added] =
            known.emplace(parts, static_cast<std::int32_t>(molecules.parts.size()));
        if (added) molecules.parts.push_back(parts);
        return found->second;
    };
    for (const auto& interaction : interactions) {
        molecules.sender.push_back(position(interaction.sender_parts));
        molecules.receiver.push_back(position(interaction.receiver_parts));
    }
    auto& features = molecules.features;
    for (const auto& parts : molecules.parts)
        features.insert(features.end(), parts.begin(), parts.end());
    std::sort(features.begin(), features.end());
    features.erase(std::unique(features.begin(), features.end()), features.end());
    for (auto& parts : molecules.parts)
        for (auto& part : parts)
            part = static_cast<std::int32_t>(
                std::lower_bound(features.begin(), features.end(), part) - features.begin());
    return molecules;
}

core::MatrixF molecule_values(const core::MatrixF& values, const Molecules& molecules) {
    core::MatrixF result(static_cast<Eigen::Index>(molecules.parts.size()), values.cols());
    for (std::size_t m = 0; m < molecules.parts.size(); ++m) {
        auto row = result.row(static_cast<Eigen::Index>(m));
        row = values.row(molecules.parts[m].front());
        for (const auto part : molecules.parts[m]) row = row.cwiseMin(values.row(part)).eval();
    }
    return result;
}

core::MatrixD MeanScores::means(const std::vector<std::int32_t>& labels) const {
    core::MatrixD sums = core::MatrixD::Zero(values_.rows(), rows_.groups);
    for (Eigen::Index f = 0; f < values_.rows(); ++f) {
        const float* value = values_.row(f).data();
        double* of_group = sums.row(f).data();
        for (std::int64_t r = 0; r < rows_.rows(); ++r) of_group[labels[r]] += value[r];
    }
    divide_by_sizes(sums);
    return lowest(sums);
}

core::MatrixD MeanScores::fractions() const {
    core::MatrixD counts = core::MatrixD::Zero(values_.rows(), rows_.groups);
    for (Eigen::Index f = 0; f < values_.rows(); ++f)
        for (std::int64_t r = 0; r < rows_.rows(); ++r)
            if (values_(f, r) > 0) counts(f, rows_.code[r]) += 1;
    divide_by_sizes(counts);
    return lowest(counts);
}

double MeanScores::score(const core::MatrixD& means, const Signal& signal) const {
    const double a = means(molecules_.sender[signal.interaction], signal.sender);
    const double b = means(molecules_.receiver[signal.interaction], signal.receiver);
    if (!(a > 0) || !(b > 0)) return 0;
    return scores_[signal.interaction] == PairScore::Mean ? (a + b) / 2 : a * b;
}

void MeanScores::divide_by_sizes(core::MatrixD& sums) const {
    for (std::int32_t g = 0; g < rows_.groups; ++g)
        if (rows_.sizes[g] > 0) sums.col(g) /= static_cast<double>(rows_.sizes[g]);
}

core::MatrixD MeanScores::lowest(const core::MatrixD& of_feature) const {
    core::MatrixD result(static_cast<Eigen::Index>(molecules_.parts.size()), rows_.groups);
    for (std::size_t m = 0; m < molecules_.parts.size(); ++m) {
        auto row = result.row(static_cast<Eigen::Index>(m));
        row = of_feature.row(molecules_.parts[m].front());
        for (const auto part : molecules_.parts[m]) row = row.cwiseMin(of_feature.row(part)).eval();
    }
    return result;
}

ContactScores::ContactScores(const core::MatrixF& values, const Molecules& molecules,
                             const GroupedRows& rows, const SpotContacts& contacts,
                             const std::vector<Signal>& signals)
    : values_(values), molecules_(molecules), rows_(rows), contacts_(contacts) {
    counts_.assign(static_cast<std::size_t>(rows.groups) * rows.groups, 0);
    for (std::int64_t r = 0; r < rows.rows(); ++r)
        for (const auto other : contacts.of(r)) ++counts_[cell(r, other)];
    first_.assign(molecules.sender.size() + 1, 0);
    for (const auto& signal : signals) ++first_[signal.interaction + 1];
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
}

std::int64_t ContactScores::count(const Signal& signal) const {
    return counts_[static_cast<std::size_t>(signal.sender) * rows_.groups + signal.receiver];
}

std::vector<double> ContactScores::scores(const std::vector<std::int32_t>& placed,
                                          const std::vector<Signal>& signals) const {
    std::vector<double> result(signals.size());
    std::vector<double> sums(counts_.size());
    for (std::size_t k = 0; k + 1 < first_.size(); ++k) {
        if (first_[k] == first_[k + 1]) continue;
        add_products(k, placed, sums);
        for (auto i = first_[k]; i < first_[k + 1]; ++i) {
            const auto contacts = count(signals[i]);
            const auto at =
                static_cast<std::size_t>(signals[i].sender) * rows_.groups + signals[i].receiver;
            result[i] = contacts > 0 ? sums[at] / static_cast<double>(contacts)
                                     : std::numeric_limits<double>::quiet_NaN();
        }
    }
    return result;
}

void ContactScores::add_products(std::size_t interaction, const std::vector<std::int32_t>& placed,
                                 std::vector<double>& sums) const {
    std::fill(sums.begin(), sums.end(), 0.0);
    const float* sender = values_.row(molecules_.sender[interaction]).data();
    const float* receiver = values_.row(molecules_.receiver[interaction]).data();
    for (std::int64_t r = 0; r < rows_.rows(); ++r) {
        const double value = sender[placed[r]];
        if (value == 0) continue;
        for (const auto other : contacts_.of(r))
            sums[cell(r, other)] += value * receiver[placed[other]];
    }
}

}  // namespace smeta::analysis::detail

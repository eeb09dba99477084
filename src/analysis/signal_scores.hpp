#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "smeta/analysis/communicate.hpp"
#include "smeta/core/matrix.hpp"

#include "spot_contacts.hpp"

namespace smeta::analysis::detail {

/// A molecule: one feature, or the subunits of a complex.
using Parts = std::vector<std::int32_t>;

/// What interactions are made of: each distinct molecule once.
struct Molecules {
    std::vector<std::int32_t> features;  ///< ascending, positions in ValueFeatures
    std::vector<Parts> parts;            ///< positions in `features`
    std::vector<std::int32_t> sender;    ///< of each interaction, positions in `parts`
    std::vector<std::int32_t> receiver;
};
Molecules molecules_of(const std::vector<Interaction>& interactions);

/// Values (molecules by spots) from those of the features: of a complex the lowest of its subunits.
core::MatrixF molecule_values(const core::MatrixF& values, const Molecules& molecules);

/// Spots that have a group, sample by sample.
struct GroupedRows {
    std::int32_t groups = 0;
    std::vector<std::int32_t> code;      ///< of each
    std::vector<std::int64_t> sizes;     ///< of each group
    std::vector<std::uint64_t> sample;   ///< key of each sample
    std::vector<std::int64_t> first{0};  ///< where each sample begins, and their number

    std::int64_t rows() const { return static_cast<std::int64_t>(code.size()); }
};

/// Scores from group means. `values`: features by spots; `scores`: of each interaction. Keeps
/// references to all but the last.
class MeanScores {
  public:
    MeanScores(const core::MatrixF& values, const Molecules& molecules, const GroupedRows& rows,
               std::vector<PairScore> scores)
        : values_(values), molecules_(molecules), rows_(rows), scores_(std::move(scores)) {}

    /// Molecules by groups when spots have these labels: of a complex the lowest mean.
    core::MatrixD means(const std::vector<std::int32_t>& labels) const;
    /// Shares of spots above 0: of a complex the rarest subunit's.
    core::MatrixD fractions() const;
    double score(const core::MatrixD& means, const Signal& signal) const;

  private:
    void divide_by_sizes(core::MatrixD& sums) const;
    core::MatrixD lowest(const core::MatrixD& of_feature) const;

    const core::MatrixF& values_;
    const Molecules& molecules_;
    const GroupedRows& rows_;
    std::vector<PairScore> scores_;
};

/// Mean products over neighbouring spots. `values`: molecules by spots; `signals` are ordered by
/// interaction. Keeps references, but none to `signals`.
class ContactScores {
  public:
    ContactScores(const core::MatrixF& values, const Molecules& molecules, const GroupedRows& rows,
                  const SpotContacts& contacts, const std::vector<Signal>& signals);

    std::int64_t count(const Signal& signal) const;
    /// Of all signals when place i has the spot placed[i], one of its own group; NaN without
    /// contacts.
    std::vector<double> scores(const std::vector<std::int32_t>& placed,
                               const std::vector<Signal>& signals) const;

  private:
    std::size_t cell(std::int64_t from, std::int64_t to) const {
        return static_cast<std::size_t>(rows_.code[from]) * rows_.groups + rows_.code[to];
    }
    void add_products(std::size_t interaction, const std::vector<std::int32_t>& placed,
                      std::vector<double>& sums) const;

    const core::MatrixF& values_;
    const Molecules& molecules_;
    const GroupedRows& rows_;
    const SpotContacts& contacts_;
    std::vector<std::int64_t> counts_;  ///< of contacts, groups by groups
    std::vector<std::int64_t> first_;   ///< signal where each interaction begins
};

}  // namespace smeta::analysis::detail

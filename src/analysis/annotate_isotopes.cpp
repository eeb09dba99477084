#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "smeta/analysis/annotate.hpp"
#include "smeta/stats/exact_sum.hpp"

namespace smeta::analysis {
namespace {

using Pair = std::pair<std::int32_t, std::int32_t>;  // positions of two mass features

/// Sums over the spots that measured both features of a pair.
struct PairSums {
    std::int64_t spots = 0;
    stats::ExactSum x, y, xx, yy, xy;
};

/// The measured peak nearest to the ion's isotope peak, within ppm; -1 for none.
std::int32_t isotope_feature(const std::vector<MassFeature>& features, const Candidate& candidate,
                             const IsotopePeaks& peaks, std::int32_t charge, double ppm) {
    const double mz = candidate.mz + peaks.plus_one_mass / std::abs(charge);
    std::int32_t best = -1;
    double least = mz * ppm * 1e-6;
    for (std::size_t f = 0; f < features.size(); ++f) {
        const double distance = std::abs(features[f].mz - mz);
        if (features[f].polarity * charge <= 0 || distance > least ||
            static_cast<std::int32_t>(f) == candidate.feature)
            continue;
        least = distance;
        best = static_cast<std::int32_t>(f);
    }
    return best;
}

/// Finds the peaks and what abundances expect; returns the pairs to look at.
std::set<Pair> find_peaks(const std::vector<MassFeature>& features, const MetaboliteTable& table,
                          const AnnotateOptions& options, Annotation& annotation) {
    std::set<Pair> pairs;
    for (auto& candidate : annotation.candidates) {
        const auto& adduct = options.adducts[candidate.adduct];
        const auto ion = ion_formula(table.isomers[candidate.isomers].formula, adduct);
        if (!ion) continue;
        const auto peaks = isotope_peaks(*ion);
        candidate.isotope.expected = peaks.plus_one;
        candidate.isotope.feature =
            isotope_feature(features, candidate, peaks, adduct.charge, options.ppm);
        if (candidate.isotope.feature >= 0)
            pairs.emplace(candidate.feature, candidate.isotope.feature);
    }
    return pairs;
}

/// Position of every mass feature among the values' features, -1 for none.
std::vector<std::int32_t> columns_of(const RunValues& values,
                                     const std::vector<MassFeature>& features) {
    std::vector<std::int32_t> columns;
    for (const auto& feature : features)
        columns.push_back(values.features().find("sm", feature.name).value_or(-1));
    return columns;
}

void add_block(const ValueBlock& block, const RunValues& values,
               const std::vector<std::int32_t>& columns, std::map<Pair, PairSums>& sums) {
    const auto& measured = values.features().is_measured;
    std::vector<double> row(values.features().count(), 0.0);
    for (std::int64_t r = 0; r < block.values.rows; ++r) {
        const auto indices = block.values.view().row_indices(r);
        const auto stored = block.values.view().row_values(r);
        for (std::size_t e = 0; e < indices.size(); ++e) row[indices[e]] = stored[e];
        for (auto& [pair, sum] : sums) {
            const auto a = columns[pair.first];
            const auto b = columns[pair.second];
            if (a < 0 || b < 0 || measured(block.sample, a) == 0 || measured(block.sample, b) == 0)
                continue;
            const double x = row[a];
            const double y = row[b];
            ++sum.spots;
            sum.x.add(x);
            sum.y.add(y);
            sum.xx.add(x * x);
            sum.yy.add(y * y);
            sum.xy.add(x * y);
        }
        for (const auto index : indices) row[index] = 0;
    }
}

IsotopeCheck check_of(PairSums& sums, const comm::Comm& comm) {
    for (auto* sum : {&sums.x, &sums.y, &sums.xx, &sums.yy, &sums.xy}) sum->allreduce(comm);
    const auto n = static_cast<double>(comm.allreduce(sums.spots));
    IsotopeCheck check;
    if (sums.x.value() > 0) check.observed = sums.y.value() / sums.x.value();
    const double xx = sums.xx.value() - sums.x.value() * sums.x.value() / n;
    const double yy = sums.yy.value() - sums.y.value() * sums.y.value() / n;
    const double xy = sums.xy.value() - sums.x.value() * sums.y.value() / n;
    if (xx > 0 && yy > 0) check.correlation = std::clamp(xy / std::sqrt(xx * yy), -1.0, 1.0);
    return check;
}

}  // namespace

bool IsotopeCheck::is_supported() const {
    return feature >= 0 && correlation >= 0.5 && observed >= expected / 2 &&
           observed <= expected * 2;
}

void check_isotopes(const comm::Comm& comm, const RunValues& values,
                    const std::vector<MassFeature>& features, const MetaboliteTable& table,
                    const AnnotateOptions& options, Annotation& annotation) {
    std::map<Pair, PairSums> sums;
    for (const auto& pair : find_peaks(features, table, options, annotation)) sums[pair];
    if (sums.empty()) return;
    const auto columns = columns_of(values, features);
    for (std::int64_t round = 0; round < values.rounds(); ++round)
        comm.all_or_throw(
            [&] { add_block(values.read(round, ValueScale::Stored), values, columns, sums); });
    std::map<Pair, IsotopeCheck> checks;
    for (auto& [pair, sum] : sums) checks[pair] = check_of(sum, comm);
    for (auto& candidate : annotation.candidates) {
        if (candidate.isotope.feature < 0) continue;
        const auto& check = checks.at({candidate.feature, candidate.isotope.feature});
        candidate.isotope.observed = check.observed;
        candidate.isotope.correlation = check.correlation;
    }
}

}  // namespace smeta::analysis

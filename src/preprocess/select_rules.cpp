#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "smeta/preprocess/select.hpp"

namespace smeta::preprocess {

namespace {

constexpr double kMinNegativeLog10P = 10.0;
constexpr double kMinCandidateLogFc = 1.0;

// Position of each sample's features in the union.
using Positions = std::vector<std::vector<std::size_t>>;

std::vector<std::string> union_of_names(const std::vector<SampleFeatures>& samples) {
    std::vector<std::string> names;
    for (const SampleFeatures& sample : samples)
        names.insert(names.end(), sample.names.begin(), sample.names.end());
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

Positions positions_in_union(const std::vector<SampleFeatures>& samples,
                             const std::vector<std::string>& names) {
    Positions positions;
    for (const SampleFeatures& sample : samples) {
        auto& mine = positions.emplace_back();
        for (const std::string& name : sample.names)
            mine.push_back(std::lower_bound(names.begin(), names.end(), name) - names.begin());
    }
    return positions;
}

// Features of one sample by falling Moran's I, equal ones bytewise by name; constant ones left out.
std::vector<std::size_t> top_list(const SampleFeatures& sample, std::int64_t length) {
    std::vector<std::size_t> order;
    for (std::size_t f = 0; f < sample.names.size(); ++f)
        if (!std::isnan(sample.statistics[f].morans_i)) order.push_back(f);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const double i = sample.statistics[a].morans_i;
        const double j = sample.statistics[b].morans_i;
        return i != j ? i > j : sample.names[a] < sample.names[b];
    });
    if (static_cast<std::int64_t>(order.size()) > length) order.resize(length);
    return order;
}

// Moments of the other samples that measured a feature, for every sample and feature of it. Prefix
// and suffix merges in canonical order: no subtraction, and the cost of two passes.
std::vector<std::vector<stats::Moments>> moments_of_rest(const std::vector<SampleFeatures>& samples,
                                                         const Positions& positions,
                                                         std::size_t features) {
    std::vector<std::vector<stats::Moments>> rest(samples.size());
    std::vector<stats::Moments> before(features);
    for (std::size_t s = 0; s < samples.size(); ++s) {
        for (std::size_t f = 0; f < positions[s].size(); ++f) {
            stats::Moments& sum = before[positions[s][f]];
            rest[s].push_back(sum);
            sum.add(samples[s].statistics[f].log_values);
        }
    }
    std::vector<stats::Moments> after(features);
    for (std::size_t s = samples.size(); s-- > 0;) {
        for (std::size_t f = 0; f < positions[s].size(); ++f) {
            stats::Moments& sum = after[positions[s][f]];
            rest[s][f].add(sum);
            sum.add(samples[s].statistics[f].log_values);
        }
    }
    return rest;
}

void find_batch_biased(const std::vector<SampleFeatures>& samples, const Positions& positions,
                       const SelectConfig& config, Selection& selection) {
    const auto rest = moments_of_rest(samples, positions, selection.names.size());
    for (std::size_t s = 0; s < samples.size(); ++s) {
        const auto& statistics = samples[s].statistics;
        std::vector<double> p_values;
        for (std::size_t f = 0; f < statistics.size(); ++f)
            p_values.push_back(
                rest[s][f].count > 0.0
                    ? stats::welch_t_test(statistics[f].log_values, rest[s][f]).p_value
                    : std::numeric_limits<double>::quiet_NaN());
        const std::vector<double> adjusted = stats::benjamini_hochberg(p_values);
        for (std::size_t f = 0; f < statistics.size(); ++f) {
            if (std::isnan(adjusted[f])) continue;
            const double change =
                stats::log2_fold_change(statistics[f].log_values.mean, rest[s][f].mean);
            if (change > std::max(kMinCandidateLogFc, config.min_logfc) &&
                -std::log10(adjusted[f]) > kMinNegativeLog10P &&
                statistics[f].positive_fraction > config.min_frac) {
                std::string& biased_in = selection.biased_in[positions[s][f]];
                if (biased_in.empty()) biased_in = samples[s].sample;
            }
        }
    }
}

// Features that too few samples measured.
void find_low_coverage(const Positions& positions, const SelectConfig& config,
                       Selection& selection) {
    const double share = config.features == FeaturePolicy::Intersection ? 1.0 : config.min_coverage;
    const auto needed =
        static_cast<std::int64_t>(std::ceil(share * static_cast<double>(positions.size()) - 1e-9));
    std::vector<std::int64_t> measured(selection.names.size(), 0);
    for (const auto& sample : positions)
        for (const std::size_t f : sample) ++measured[f];
    for (std::size_t f = 0; f < measured.size(); ++f)
        if (measured[f] < needed) selection.reason[f] = "low_coverage";
}

}  // namespace

Selection select_features(std::string_view modality, const std::vector<SampleFeatures>& samples,
                          const SelectConfig& config) {
    Selection selection;
    selection.names = union_of_names(samples);
    selection.reason.resize(selection.names.size());
    selection.n_lists.resize(selection.names.size());
    selection.biased_in.resize(selection.names.size());
    const Positions positions = positions_in_union(samples, selection.names);
    const bool st = modality == "st";
    const auto count = static_cast<std::int64_t>(samples.size());
    std::int64_t length = std::numeric_limits<std::int64_t>::max();
    if (st) length = config.n_genes.value_or(count > 1 ? 2500 : 2000);
    if (modality == "sm") length = config.n_metabolites.value_or(count > 1 ? 1000 : 800);
    std::vector<std::uint8_t> varies(selection.names.size(), 0);
    for (std::size_t s = 0; s < samples.size(); ++s) {
        for (const std::size_t f : top_list(samples[s], length))
            ++selection.n_lists[positions[s][f]];
        for (std::size_t f = 0; f < positions[s].size(); ++f)
            if (!std::isnan(samples[s].statistics[f].morans_i)) varies[positions[s][f]] = 1;
    }
    find_low_coverage(positions, config, selection);
    if (!st && modality != "sm") return selection;
    if (config.batch_biased == BatchBiased::Remove && count > 1)
        find_batch_biased(samples, positions, config, selection);
    const std::int64_t min_samples = std::min(config.min_samples.value_or(3), count);
    for (std::size_t f = 0; f < selection.names.size(); ++f) {
        if (!selection.reason[f].empty()) continue;
        if (varies[f] == 0)
            selection.reason[f] = "constant";
        else if (selection.n_lists[f] == 0)
            selection.reason[f] = "low_rank";
        else if (selection.n_lists[f] < min_samples)
            selection.reason[f] = "few_samples";
        else if (!selection.biased_in[f].empty())
            selection.reason[f] = "batch_biased";
    }
    return selection;
}

}  // namespace smeta::preprocess

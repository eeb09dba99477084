#include "smeta/atlas/feature_match.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>

#include "smeta/atlas/common_features.hpp"

#include "gene_id.hpp"

namespace smeta::atlas {

namespace {

constexpr const char* kFile = "var";

std::string letters_of(const std::string& id) {
    return id.substr(0, id.find_first_of("0123456789"));
}

struct Masses {
    std::vector<double> mz;  ///< NaN where there is none
    std::vector<std::string> polarity;
};

Masses masses_of(const io::Frame& var) {
    Masses masses;
    masses.mz.assign(var.index.size(), std::nan(""));
    masses.polarity.assign(var.index.size(), {});
    const auto* column = var.find("mz");
    if (column != nullptr && !std::holds_alternative<std::vector<std::string>>(*column) &&
        !std::holds_alternative<io::Categorical>(*column))
        masses.mz = var.as_number("mz", kFile);
    if (var.find("polarity") != nullptr) masses.polarity = var.as_text("polarity", kFile);
    return masses;
}

/// A feature and a column that have an m/z in common.
struct Pair {
    double distance = 0;
    std::int32_t feature = 0;
    std::int32_t column = 0;
};

class Matcher {
  public:
    Matcher(const io::Frame& features, const io::Frame& var) : features_(features), var_(var) {
        match_.feature.assign(var.index.size(), -1);
        taken_.assign(features.index.size(), 0);
    }

    void by_name() {
        const auto wanted = detail::gene_ids(features_);
        const auto found = detail::gene_ids(var_);
        const auto positions = features_in(var_, {{}, features_, {}});
        for (std::size_t c = 0; c < var_.index.size(); ++c) {
            if (positions[c] < 0) continue;
            const std::string& id = wanted[positions[c]];
            if (!id.empty() && !found[c].empty() && letters_of(id) != letters_of(found[c]))
                continue;
            match_.by_name += take(positions[c], c);
        }
    }

    void by_id() {
        const auto wanted = detail::gene_ids(features_);
        const auto found = detail::gene_ids(var_);
        const auto positions = positions_of(wanted);
        for (const std::size_t c : by_index(var_.index)) {
            const auto at = found[c].empty() ? positions.end() : positions.find(found[c]);
            if (at != positions.end()) match_.by_id += take(at->second, c);
        }
    }

    void by_mass(double ppm) {
        for (const Pair& pair : mass_pairs(ppm)) match_.by_mass += take(pair.feature, pair.column);
    }

    FeatureMatch result() { return std::move(match_); }

  private:
    using Positions = std::unordered_map<std::string, std::int32_t>;

    /// The first of those that share a text.
    static Positions positions_of(const std::vector<std::string>& texts) {
        Positions positions;
        for (std::size_t i = 0; i < texts.size(); ++i)
            if (!texts[i].empty()) positions.emplace(texts[i], static_cast<std::int32_t>(i));
        return positions;
    }

    static std::vector<std::size_t> by_index(const std::vector<std::string>& names) {
        std::vector<std::size_t> order(names.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::sort(order.begin(), order.end(),
                  [&](std::size_t a, std::size_t b) { return names[a] < names[b]; });
        return order;
    }

    std::vector<Pair> mass_pairs(double ppm) const {
        const Masses wanted = masses_of(features_);
        const Masses found = masses_of(var_);
        std::vector<std::int32_t> columns;
        for (std::size_t c = 0; c < found.mz.size(); ++c)
            if (found.mz[c] > 0) columns.push_back(static_cast<std::int32_t>(c));
        std::sort(columns.begin(), columns.end(),
                  [&](auto a, auto b) { return found.mz[a] < found.mz[b]; });
        std::vector<Pair> pairs;
        for (std::size_t f = 0; f < wanted.mz.size(); ++f) {
            const double mz = wanted.mz[f];
            if (!(mz > 0)) continue;
            const double reach = mz * ppm * 1e-6;
            auto at = std::lower_bound(columns.begin(), columns.end(), mz - reach,
                                       [&](auto c, double least) { return found.mz[c] < least; });
            for (; at != columns.end() && found.mz[*at] <= mz + reach; ++at) {
                const std::string& a = wanted.polarity[f];
                const std::string& b = found.polarity[*at];
                if (a.empty() || b.empty() || a == b)
                    pairs.push_back(
                        {std::abs(found.mz[*at] - mz), static_cast<std::int32_t>(f), *at});
            }
        }
        std::sort(pairs.begin(), pairs.end(), [&](const Pair& a, const Pair& b) {
            return std::tie(a.distance, features_.index[a.feature], var_.index[a.column]) <
                   std::tie(b.distance, features_.index[b.feature], var_.index[b.column]);
        });
        return pairs;
    }

    std::int64_t take(std::int32_t feature, std::size_t column) {
        if (taken_[feature] != 0 || match_.feature[column] >= 0) return 0;
        taken_[feature] = 1;
        match_.feature[column] = feature;
        return 1;
    }

    const io::Frame& features_;
    const io::Frame& var_;
    FeatureMatch match_;
    std::vector<std::uint8_t> taken_;
};

}  // namespace

FeatureMatch match_features(const io::Frame& features, const io::Frame& var, double ppm) {
    Matcher matcher(features, var);
    matcher.by_name();
    matcher.by_id();
    matcher.by_mass(ppm);
    return matcher.result();
}

}  // namespace smeta::atlas

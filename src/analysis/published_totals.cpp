#include "smeta/analysis/published_totals.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "smeta/analysis/continuity.hpp"

namespace smeta::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// One value an embedding.
using Column = std::vector<double>;

class Totals {
  public:
    Totals(const std::vector<ComparedScores>& compared, Comparison comparison)
        : compared_(compared), comparison_(comparison) {}

    std::vector<PublishedTotals> all() const {
        const auto continuity = mean_of({lowered(raw("chaos")), lowered(raw("pas"))});
        std::vector<Column> marker_columns;
        std::vector<Column> decoded_columns;
        for (const std::string modality : {"_st", "_sm"}) {
            marker_columns.push_back(raw("moran" + modality));
            marker_columns.push_back(lowered(raw("geary" + modality)));
            for (const std::string name : {"specificity", "logistic", "mutual_information"})
                marker_columns.push_back(scaled(raw(name + modality)));
            for (const std::string name : {"pearson", "cosine"})
                decoded_columns.push_back(scaled(raw(name + modality)));
        }
        const auto markers = mean_of(marker_columns);
        const auto decoded = mean_of(decoded_columns);
        const auto biology = mean_of(
            {raw("ari"), raw("nmi"), raw("label_asw"), raw("isolated_label_asw"), raw("clisi")});
        const auto batch = mean_of({raw("ilisi"), raw("batch_asw"), raw("pcr")});
        const auto cross_modality = mean_of({continuity, markers, decoded});
        const auto cross_sample = mean_of({biology, batch});
        const auto total = comparison_ == Comparison::OneSample
                               ? mean_of({continuity, markers, biology, decoded})
                               : mean_of({cross_modality, cross_sample});
        std::vector<PublishedTotals> result;
        for (std::size_t e = 0; e < compared_.size(); ++e)
            result.push_back({compared_[e].name, continuity[e], markers[e], decoded[e], biology[e],
                              batch[e], cross_modality[e], cross_sample[e], total[e]});
        return result;
    }

  private:
    /// Mean of the samples; over all spots for what exists only there.
    Column raw(const std::string& name) const {
        Column result;
        for (const auto& embedding : compared_) {
            const auto found = std::find_if(embedding.scores.begin(), embedding.scores.end(),
                                            [&](const Score& score) { return score.name == name; });
            double value = kNaN;
            if (found != embedding.scores.end()) {
                value = found->at(kScopeMean);
                if (std::isnan(value)) value = found->at(kScopeAll);
            }
            result.push_back(value);
        }
        return result;
    }
    static Column lowered(Column column) {
        for (auto& value : column) value = 1 - value;
        return column;
    }
    /// From 0 (worst) to 1 (best) of those compared; NaN where all are equal.
    static Column scaled(Column column) {
        double low = kNaN;
        double high = kNaN;
        for (const double value : column) {
            low = std::fmin(low, value);
            high = std::fmax(high, value);
        }
        for (auto& value : column) value = high > low ? (value - low) / (high - low) : kNaN;
        return column;
    }
    Column mean_of(const std::vector<Column>& columns) const {
        Column result;
        for (std::size_t e = 0; e < compared_.size(); ++e) {
            std::vector<double> values;
            for (const auto& column : columns) values.push_back(column[e]);
            result.push_back(mean_of_known(values));
        }
        return result;
    }

    const std::vector<ComparedScores>& compared_;
    Comparison comparison_;
};

}  // namespace

std::vector<PublishedTotals> published_totals(const std::vector<ComparedScores>& compared,
                                              Comparison comparison) {
    return Totals(compared, comparison).all();
}

}  // namespace smeta::analysis

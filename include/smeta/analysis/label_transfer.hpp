#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "smeta/core/matrix.hpp"
#include "smeta/spatial/knn.hpp"

namespace smeta::analysis {

/// True of a text that is no label: empty, "nan", "NA", "undetermined" (what ingest gives a spot
/// that a table of labels leaves out), "unlabelled", "unknown".
bool is_unlabelled(const std::string& text);

/// Labelled spots in the latent.
class LabelledPoints {
  public:
    /// `labels`: one a point. Points without a label are left out. NumericError on a coordinate
    /// that is not finite.
    LabelledPoints(const core::MatrixD& points, const std::vector<std::string>& labels);

    std::int64_t rows() const { return static_cast<std::int64_t>(labels_.size()); }

    struct Vote {
        std::string label;
        double confidence = 0;  ///< share of the weight, 0 to 1
    };
    /// Vote of the `neighbors` nearest points: one at distance d weighs exp(-(d / D)^2), D the
    /// distance of the last of them. At equal weight the label first in bytewise order wins. May be
    /// called by many threads at once.
    Vote vote(std::span<const double> query, std::int64_t neighbors) const;

  private:
    std::vector<std::string> labels_;
    spatial::PointIndex index_;
};

/// Transferred labels against true ones.
struct LabelScore {
    std::int64_t spots = 0;  ///< that have a true label
    std::int64_t right = 0;
    double accuracy = 0;
    double macro_f1 = 0;            ///< mean of F1 over the true labels
    double majority = 0;            ///< accuracy of always giving the most frequent true label
    double confident_share = 0;     ///< spots with a confidence of at least 0.8
    double confident_accuracy = 0;  ///< NaN without any
    struct Label {
        std::int64_t spots = 0;  ///< that have it
        std::int64_t given = 0;  ///< that got it
        std::int64_t right = 0;
    };
    std::map<std::string, Label> labels;
};
/// Spots whose true label is none are left out. Local.
LabelScore score_labels(const std::vector<std::string>& truth,
                        const std::vector<LabelledPoints::Vote>& given);

}  // namespace smeta::analysis

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <Eigen/Core>

#include "smeta/align/section_raster.hpp"

#include "canonical_pairs.hpp"
#include "point_term.hpp"
#include "points.hpp"

namespace smeta::align::detail {

/// The map x -> linear x + shift of the normalised frames.
struct Pose {
    // Unaligned: the buffers of std::stable_sort are so, too.
    Eigen::Matrix<double, 2, 2, Eigen::DontAlign> linear = Eigen::Matrix2d::Identity();
    Eigen::Matrix<double, 2, 1, Eigen::DontAlign> shift = Eigen::Vector2d::Zero();

    Points operator()(const Points& points) const {
        return (points * linear.transpose()).rowwise() + shift.transpose();
    }
};

/// How well two sections lie on each other.
struct MatchScore {
    double overlap = 0;      ///< intersection over union of the two tissues
    double information = 0;  ///< of the content, nats a place (canonical correlations)
    double coverage = 0;     ///< share of the smaller tissue that lies on the other
};

/// Landmarks that correspond, normalised frames.
struct LandmarkPairs {
    Points sm;
    Points st;
};

struct MatchWeights {
    double outline_width = 0.05;  ///< differences of distances above it hardly count
    double outline = 1;           ///< lambda1 of spec equation 3
    double content = 1;           ///< lambda3
    double landmarks = 0;         ///< 1 / variance, normalised frames
};

/// The two sections in normalised frames, (x - centre) / length of each, and the disagreement of
/// SM places moved to ST, with its gradient. Places are the cells of the SM raster in and around
/// the tissue. Terms: differences of the distances to the two outlines (robust: Geman and McClure)
/// or the distances of their points, minus the log likelihood ratio of the canonical pairs against
/// independence, landmarks. In nats.
class Match {
  public:
    Match(const SectionRaster& sm, const SectionRaster& st);

    const Points& places() const { return places_; }
    void set_landmarks(LandmarkPairs landmarks) { landmarks_ = std::move(landmarks); }
    const LandmarkPairs& landmarks() const { return landmarks_; }
    /// Where both sections have border points these are compared instead of the distances.
    void compare_borders(PointNorm norm);
    MatchWeights weights;

    bool has_content() const {
        return weights.content > 0 && sm_channels_.cols() > 0 && st_.channels.cols() > 0;
    }
    /// Canonical pairs of the content at these positions of the places; what `value` compares.
    void pair_content(const Points& moved);
    /// All that the objective looks at: places, landmarks, border points, in the SM frame.
    Points tracked() const;
    /// The sum of all terms where `tracked` was moved so. `scale`: of lengths of the SM frame in
    /// the ST frame.
    double objective(const Points& moved, double scale, Points& gradient) const;
    /// The terms of the places, the landmarks and the border points.
    double value(const Points& moved, double scale, Points& gradient) const;
    double landmark_value(const Points& moved, Points& gradient) const;
    double border_value(const Points& moved, Points& gradient) const;
    /// Of every place moved so: the log likelihood ratio of the paired content against
    /// independence, nats; NaN where not both sections have tissue and without content.
    std::vector<double> agreement(const Points& moved) const;
    /// At places moved so; `determinant`: area of a place in the ST frame over that in the SM
    /// frame. `moved`: every `stride`-th place.
    MatchScore score(const Points& moved, double determinant, std::int64_t stride = 1) const;
    /// Every `stride`-th place.
    Points places(std::int64_t stride) const;

    const SectionRaster& sm() const { return sm_; }
    const SectionRaster& st() const { return st_; }
    Points to_sm(const core::MatrixD& points) const;
    Points to_st(const core::MatrixD& points) const;

  private:
    struct Cell {
        std::int64_t corner = -1;
        double a = 0;
        double b = 0;
    };
    std::optional<Cell> find(double x, double y) const;
    double layer(const Cell& cell, Eigen::Index k) const;
    MatchedMoments moments(const Points& moved, std::int64_t stride, double& overlap) const;

    const SectionRaster& sm_;
    const SectionRaster& st_;
    Points places_;
    std::vector<float> sm_distance_;
    std::vector<float> sm_weight_;
    core::MatrixF sm_channels_;
    std::int64_t inside_ = 0;  ///< places in the tissue
    std::int64_t band_ = 0;    ///< places near the outline
    double evidence_ = 1;      ///< independent places of the content
    double outline_evidence_ = 1;
    // ST frame, normalised
    double x0_ = 0;
    double y0_ = 0;
    double cell_ = 1;
    core::MatrixF layers_;  ///< of the ST raster: distance, weight, canonical channels
    core::MatrixF sm_pairs_;
    Eigen::VectorXd correlation_;
    LandmarkPairs landmarks_;
    Points border_;                                ///< of SM
    std::shared_ptr<const PointTerm> point_term_;  ///< against those of ST; null: distances
};

}  // namespace smeta::align::detail

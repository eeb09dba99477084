#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "smeta/core/config.hpp"

namespace smeta::align {

/// Where the transform of imaging coordinates comes from. Auto: given where the sample has a
/// transform, else identity.
enum class AlignMethod { Auto, Identity, Given, Fit };

/// What a fit may do to the SM section: an affine map, or bend it smoothly before one.
enum class Deformation { Affine, Diffeomorphic };
/// Whether SM is mirrored (x to -x, before it is turned).
enum class Mirror { Search, No, Yes };
/// Whose outline the imaging section is laid on: that of the spots, or of the tissue in their
/// image.
enum class SpotsTo { St, Histology };

/// What outlines are compared by: the distance to the edge of each tissue, or the points of alpha
/// shapes (spec A4.2, equation 7).
enum class Outline { Distance, AlphaShape };
/// Length of the difference of two outline points.
enum class PointNorm { Euclidean, L1 };

/// What of the features a fit compares: principal components of each section, or the latents of a
/// VAE trained on both (spec A4.1).
enum class Features { Pca, Vae };

struct AlignConfig {
    AlignMethod method = AlignMethod::Auto;
    Deformation deformation = Deformation::Diffeomorphic;
    std::int64_t candidates = 8;
    Mirror mirror = Mirror::Search;
    std::optional<double> rotation;  ///< degrees
    std::string landmarks;           ///< path of a table; "" = none
    double landmark_error = 0.05;    ///< lengths of the ST tissue
    double weight_outline = 1;       ///< lambda1 of spec equation 3
    double weight_features = 1;      ///< lambda3; 0: by shape alone
    Outline outline = Outline::Distance;
    PointNorm point_norm = PointNorm::Euclidean;  ///< of alpha-shape outlines
    Features features = Features::Pca;
    std::int64_t vae_latent = 64;
    std::int64_t vae_epochs = 30;
    double weight_histology = 1;  ///< lambda2 of spec equation 3: of the image's stains; 0 = off
    SpotsTo sm_spots_to = SpotsTo::St;
};

/// Reassignment of imaging pixels to spots (SpatialMETA: 5 nearest within 1.5 times the smallest
/// spot distance) and the thresholds that need both modalities (unset = off).
struct ReassignConfig {
    std::int64_t neighbors = 5;
    double radius_factor = 1.5;
    bool drop_uncovered = false;
    std::optional<double> min_intensity;
    std::optional<double> max_counts;
};

/// Adds the keys align.*, reassign.*.
void bind(core::ConfigTable& table, AlignConfig& config);
void bind(core::ConfigTable& table, ReassignConfig& config);

}  // namespace smeta::align

template <>
struct smeta::core::ConfigEnum<smeta::align::AlignMethod> {
    using E = smeta::align::AlignMethod;
    static constexpr std::pair<E, std::string_view> kNames[] = {
        {E::Auto, "auto"}, {E::Identity, "identity"}, {E::Given, "given"}, {E::Fit, "fit"}};
};
template <>
struct smeta::core::ConfigEnum<smeta::align::Deformation> {
    using E = smeta::align::Deformation;
    static constexpr std::pair<E, std::string_view> kNames[] = {
        {E::Affine, "affine"}, {E::Diffeomorphic, "diffeomorphic"}};
};
template <>
struct smeta::core::ConfigEnum<smeta::align::SpotsTo> {
    using E = smeta::align::SpotsTo;
    static constexpr std::pair<E, std::string_view> kNames[] = {{E::St, "st"},
                                                                {E::Histology, "histology"}};
};
template <>
struct smeta::core::ConfigEnum<smeta::align::Mirror> {
    using E = smeta::align::Mirror;
    static constexpr std::pair<E, std::string_view> kNames[] = {
        {E::Search, "auto"}, {E::No, "no"}, {E::Yes, "yes"}};
};
template <>
struct smeta::core::ConfigEnum<smeta::align::Outline> {
    using E = smeta::align::Outline;
    static constexpr std::pair<E, std::string_view> kNames[] = {{E::Distance, "distance"},
                                                                {E::AlphaShape, "alpha_shape"}};
};
template <>
struct smeta::core::ConfigEnum<smeta::align::PointNorm> {
    using E = smeta::align::PointNorm;
    static constexpr std::pair<E, std::string_view> kNames[] = {{E::Euclidean, "euclidean"},
                                                                {E::L1, "l1"}};
};
template <>
struct smeta::core::ConfigEnum<smeta::align::Features> {
    using E = smeta::align::Features;
    static constexpr std::pair<E, std::string_view> kNames[] = {{E::Pca, "pca"}, {E::Vae, "vae"}};
};

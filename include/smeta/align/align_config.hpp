#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "smeta/core/config.hpp"

namespace smeta::align {

/// Where the transform of imaging coordinates comes from. Auto: given where the sample has a
/// transform, else identity.
enum class AlignMethod { Auto, Identity, Given, Fit };

/// What a fit may do to the SM section: move it, an affine map, or bend it smoothly before one.
enum class Deformation { Affine, Diffeomorphic, Shift };
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
    double weight_histology = 0;  ///< lambda2 of spec equation 3: of the image's stains; 0 = off
    SpotsTo sm_spots_to = SpotsTo::St;
};

/// What the joint rows are: ST spots, SM pixels, or places of a hexagonal grid where both tissues
/// lie (spec A5).
enum class ReassignTarget { St, Sm, Hex };
/// What a joint row averages: its nearest neighbours alike, or all that it shares area with, by
/// that area.
enum class ReassignWeights { Nearest, Area };

/// Reassignment of imaging pixels to spots (SpatialMETA: 5 nearest within 1.5 times the smallest
/// spot distance) and the thresholds that need both modalities (unset = off).
struct ReassignConfig {
    ReassignTarget target = ReassignTarget::St;
    std::optional<double> hex_pitch;  ///< unit of ST; unset: the smallest distance of two spots
    ReassignWeights weights = ReassignWeights::Nearest;
    std::optional<double> spot_diameter;  ///< unit of ST; unset: the scale factors'
    std::optional<double> pixel_size;  ///< unit of SM; unset: the smallest distance of two pixels
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
        {E::Affine, "affine"}, {E::Diffeomorphic, "diffeomorphic"}, {E::Shift, "shift"}};
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
template <>
struct smeta::core::ConfigEnum<smeta::align::ReassignTarget> {
    using E = smeta::align::ReassignTarget;
    static constexpr std::pair<E, std::string_view> kNames[] = {
        {E::St, "st"}, {E::Sm, "sm"}, {E::Hex, "hex"}};
};
template <>
struct smeta::core::ConfigEnum<smeta::align::ReassignWeights> {
    using E = smeta::align::ReassignWeights;
    static constexpr std::pair<E, std::string_view> kNames[] = {{E::Nearest, "nearest"},
                                                                {E::Area, "area"}};
};

#include "anatomy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace smeta::simulate {

namespace {

constexpr double kRowStep = kSpotPitch * std::numbers::sqrt3 / 2;
constexpr double kMargin = 600;  // microns of glass around the array in the image
constexpr double kSpotArea = kSpotPitch * kRowStep;

double squared_distance(Point a, Point b) {
    return (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y);
}

Point in_unit_disc(Stream& stream) {
    const double radius = std::sqrt(stream.uniform());
    const double angle = 2 * std::numbers::pi * stream.uniform();
    return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

Anatomy::Anatomy(const StudyOptions& options, const SampleSpec& sample)
    : adjacent_(options.layout == Layout::Adjacent) {
    Stream stream(options.seed, StreamUse::Anatomy, sample.name);
    radius_ = std::sqrt(static_cast<double>(sample.spots) * kSpotArea / std::numbers::pi);
    outline_.emplace_back(stream, 1.2);
    for (int axis = 0; axis < 2; ++axis) warp_.emplace_back(stream, 0.8);
    for (int axis = 0; axis < 2; ++axis) shift_.emplace_back(stream, 1.5);
    for (int i = 0; i < kPrograms; ++i) programs_.emplace_back(stream, 0.9);
    place_domains(stream, options.domains);
    lay_out_array(sample.spots);
    place_grid(stream, options.pixels_per_spot);
}

Point Anatomy::position(const ArraySpot& spot) {
    return {kMargin + spot.col * kSpotPitch / 2, kMargin + spot.row * kRowStep};
}

void Anatomy::lay_out_array(std::int64_t spots) {
    // The two slides that exist; larger sections get a larger square, as no slide holds them.
    const auto wanted = static_cast<double>(spots) / 0.85;
    if (wanted > 4992) {
        array_rows_ = 128;
        array_cols_ = 224;
    }
    if (wanted > 14336) {
        array_rows_ = static_cast<int>(std::ceil(std::sqrt(wanted / (std::numbers::sqrt3 / 2))));
        array_cols_ = 2 * static_cast<int>(std::ceil(array_rows_ * std::numbers::sqrt3 / 2));
    }
    width_ = 2 * kMargin + (array_cols_ - 1) * kSpotPitch / 2;
    height_ = 2 * kMargin + (array_rows_ - 1) * kRowStep;
    for (std::int32_t row = 0; row < array_rows_; ++row)
        for (std::int32_t col = row % 2; col < array_cols_; col += 2) array_.push_back({row, col});

    std::vector<double> scores;
    for (const auto& spot : array_)
        scores.push_back(score(tissue_coordinates(position(spot), Section::Transcriptome)));
    std::vector<std::size_t> order(array_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&scores](std::size_t a, std::size_t b) {
        return scores[a] != scores[b] ? scores[a] < scores[b] : a < b;
    });
    const auto inside = static_cast<std::size_t>(spots);
    for (std::size_t i = 0; i < inside; ++i) array_[order[i]].in_tissue = true;
    // Half-way to the first position outside, so that the tissue surrounds its outermost spots.
    threshold_ = (scores[order[inside - 1]] + scores[order[inside]]) / 2;
}

void Anatomy::place_domains(Stream& stream, int domains) {
    domains_ = domains;
    constexpr int kPatches = 2;
    constexpr int kCandidates = 12;
    // Best candidate sampling (Mitchell 1991) spreads the patches, so that no domain is a sliver.
    for (int i = 0; i < kPatches * domains; ++i) {
        Point best;
        double best_distance = -1;
        for (int c = 0; c < kCandidates; ++c) {
            const Point candidate = in_unit_disc(stream);
            double nearest = 4;
            for (const auto& seed : seeds_)
                nearest = std::min(nearest, squared_distance(seed, candidate));
            if (nearest > best_distance) {
                best = candidate;
                best_distance = nearest;
            }
        }
        seeds_.push_back(best);
    }
    blur_ = std::min(0.05, 0.3 * kSpotPitch / radius_);
}

void Anatomy::place_grid(Stream& stream, double pixels_per_spot) {
    pixel_size_ = std::sqrt(kSpotArea / pixels_per_spot);
    const double angle = std::numbers::pi / 180 * 25 * (2 * stream.uniform() - 1);
    const double sx = pixel_size_ / kMicronsPerPixel * (1 + 0.03 * (2 * stream.uniform() - 1));
    const double sy = pixel_size_ / kMicronsPerPixel * (1 + 0.03 * (2 * stream.uniform() - 1));
    grid_size_ = 2 * static_cast<int>(std::ceil(1.75 * radius_ / pixel_size_ + 2)) + 1;
    const double centre = (grid_size_ + 1) / 2.0;
    transform_ = {sx * std::cos(angle),          -sy * std::sin(angle),
                  sx * std::sin(angle),          sy * std::cos(angle),
                  width_ / 2 / kMicronsPerPixel, height_ / 2 / kMicronsPerPixel};
    transform_.tx -= (transform_.a11 + transform_.a12) * centre;
    transform_.ty -= (transform_.a21 + transform_.a22) * centre;
}

Point Anatomy::tissue_coordinates(Point p, Section section) const {
    const Point u{(p.x - width_ / 2) / radius_, (p.y - height_ / 2) / radius_};
    if (section == Section::Transcriptome || !adjacent_) return u;
    constexpr double kShift = 0.03;
    return {u.x + kShift * shift_[0](u), u.y + kShift * shift_[1](u)};
}

double Anatomy::score(Point u) const {
    return u.x * u.x + u.y * u.y + 0.25 * outline_[0](u);
}

bool Anatomy::in_tissue(Point p, Section section) const {
    const double half_pitch = kSpotPitch / 2;
    if (p.x < kMargin - half_pitch || p.x > width_ - kMargin + half_pitch ||
        p.y < kMargin - half_pitch || p.y > height_ - kMargin + half_pitch)
        return false;
    return score(tissue_coordinates(p, section)) < threshold_;
}

std::vector<double> Anatomy::domain_shares(Point p, Section section) const {
    const Point u = tissue_coordinates(p, section);
    constexpr double kWarp = 0.08;
    const Point warped{u.x + kWarp * warp_[0](u), u.y + kWarp * warp_[1](u)};
    std::vector<double> shares(domains_, std::numeric_limits<double>::max());
    for (std::size_t i = 0; i < seeds_.size(); ++i) {
        auto& nearest = shares[i % domains_];
        nearest = std::min(nearest, squared_distance(seeds_[i], warped));
    }
    const double smallest = std::sqrt(*std::min_element(shares.begin(), shares.end()));
    double total = 0;
    for (auto& share : shares) total += share = std::exp((smallest - std::sqrt(share)) / blur_);
    for (auto& share : shares) share /= total;
    return shares;
}

std::vector<double> Anatomy::programs(Point p, Section section) const {
    const Point u = tissue_coordinates(p, section);
    std::vector<double> values;
    for (const auto& field : programs_) values.push_back(field(u));
    return values;
}

}  // namespace smeta::simulate

#include "section.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

namespace smeta::simulate {

namespace {

constexpr double kUmiPerGene = 2.5;
constexpr double kMostUmi = 5000;        // median of a spot, however many genes
constexpr double kLogDepth = 0.35;       // spread of depth over spots
constexpr double kDropout = 0.08;        // share of counts lost whatever their size
constexpr double kDetectionLimit = 9.6;  // log intensity that is seen half of the time
constexpr double kDetectionWidth = 0.8;
constexpr double kMassErrorPpm = 1.5;

core::MatrixD levels(const std::vector<Feature>& features, const core::MatrixD& domain_change,
                     const std::vector<double>& batch) {
    core::MatrixD matrix = domain_change;
    for (Eigen::Index d = 0; d < matrix.rows(); ++d)
        for (Eigen::Index f = 0; f < matrix.cols(); ++f)
            matrix(d, f) = std::exp(matrix(d, f) + features[f].log_level + batch[f]);
    return matrix;
}

}  // namespace

SectionModel::SectionModel(const StudyOptions& options, const SampleSpec& sample,
                           const Catalogue& catalogue)
    : options_(options),
      sample_(sample),
      catalogue_(catalogue),
      anatomy_(options, sample),
      batch_(make_batch_effect(options, sample)) {
    for (const auto& spot : anatomy_.array())
        if (spot.in_tissue) spots_.push_back(spot);
    find_pixels();
    gene_profile_ = levels(catalogue.genes, catalogue.gene_domain, batch_.genes);
    for (Eigen::Index d = 0; d < gene_profile_.rows(); ++d) {
        double total = 0;
        for (Eigen::Index g = 0; g < gene_profile_.cols(); ++g) total += gene_profile_(d, g);
        gene_profile_.row(d) /= total;
    }
    metabolite_profile_ =
        levels(catalogue.metabolites, catalogue.metabolite_domain, batch_.metabolites) *
        std::exp(batch_.log_intensity);
}

void SectionModel::find_pixels() {
    const auto& transform = anatomy_.transform();
    const Point first = Anatomy::position(spots_.front());
    Pixel nearest;
    double nearest_distance = std::numeric_limits<double>::max();
    for (std::int32_t y = 1; y <= anatomy_.grid_size(); ++y)
        for (std::int32_t x = 1; x <= anatomy_.grid_size(); ++x) {
            const Point image = transform({static_cast<double>(x), static_cast<double>(y)});
            const Pixel pixel{x, y, {image.x * kMicronsPerPixel, image.y * kMicronsPerPixel}};
            if (anatomy_.in_tissue(pixel.position, Section::Metabolome)) pixels_.push_back(pixel);
            const double distance =
                std::hypot(pixel.position.x - first.x, pixel.position.y - first.y);
            if (distance < nearest_distance) {
                nearest = pixel;
                nearest_distance = distance;
            }
        }
    // A section of a spot or two may lie between the pixels.
    if (pixels_.empty()) pixels_.push_back(nearest);
}

std::vector<double> SectionModel::expected(const core::MatrixD& profile,
                                           const std::vector<Feature>& features, Point p,
                                           Section section) const {
    const auto shares = anatomy_.domain_shares(p, section);
    const auto programs = anatomy_.programs(p, section);
    std::vector<double> values(features.size(), 0.0);
    constexpr double kNegligible = 1e-3;
    for (std::size_t d = 0; d < shares.size(); ++d) {
        if (shares[d] < kNegligible) continue;
        const double* row = profile.row(static_cast<Eigen::Index>(d)).data();
        for (std::size_t f = 0; f < values.size(); ++f) values[f] += shares[d] * row[f];
    }
    for (std::size_t f = 0; f < values.size(); ++f)
        if (features[f].program >= 0)
            values[f] *= std::exp(features[f].loading * programs[features[f].program]);
    return values;
}

std::vector<float> SectionModel::count_row(std::int64_t spot) const {
    const Point p = Anatomy::position(spots_[spot]);
    const auto shares = expected(gene_profile_, catalogue_.genes, p, Section::Transcriptome);
    Stream stream(options_.seed, StreamUse::Counts, sample_.name, static_cast<std::uint64_t>(spot));
    const double depth = std::min(kMostUmi, kUmiPerGene * options_.genes) / (1 - kDropout) *
                         std::exp(batch_.log_depth + kLogDepth * stream.normal());
    std::vector<float> counts(shares.size());
    for (std::size_t g = 0; g < counts.size(); ++g) {
        if (stream.uniform() < kDropout) continue;
        counts[g] = static_cast<float>(
            stream.negative_binomial(depth * shares[g], catalogue_.genes[g].dispersion));
    }
    return counts;
}

core::CountsCsr SectionModel::counts() const {
    const auto rows = static_cast<std::int64_t>(spots_.size());
    core::CountsCsr matrix;
    matrix.cols = options_.genes;
    constexpr std::int64_t kBlock = 512;
    for (std::int64_t first = 0; first < rows; first += kBlock) {
        const std::int64_t last = std::min(rows, first + kBlock);
        std::vector<std::vector<std::int32_t>> indices(last - first);
        std::vector<std::vector<float>> values(last - first);
#pragma omp parallel for schedule(dynamic, 8) num_threads(core::threads())
        for (std::int64_t spot = first; spot < last; ++spot) {
            const auto row = count_row(spot);
            for (std::size_t g = 0; g < row.size(); ++g) {
                if (row[g] == 0) continue;
                indices[spot - first].push_back(static_cast<std::int32_t>(g));
                values[spot - first].push_back(row[g]);
            }
        }
        for (std::size_t i = 0; i < indices.size(); ++i) matrix.append_row(indices[i], values[i]);
        if (first == 0) {  // the rest is about as dense: no doubling of large buffers
            const auto guess = matrix.nnz() / (last - first) * rows;
            matrix.indices.reserve(static_cast<std::size_t>(guess) * 21 / 20);
            matrix.values.reserve(static_cast<std::size_t>(guess) * 21 / 20);
        }
    }
    return matrix;
}

std::vector<float> SectionModel::intensities(std::int64_t pixel) const {
    auto values = expected(metabolite_profile_, catalogue_.metabolites, pixels_[pixel].position,
                           Section::Metabolome);
    Stream stream(options_.seed, StreamUse::Spectra, sample_.name,
                  static_cast<std::uint64_t>(pixel));
    const double gain = 0.25 * stream.normal();
    std::vector<float> result(values.size());
    for (std::size_t m = 0; m < values.size(); ++m) {
        double log_value = std::log(values[m]) + gain + 0.4 * stream.normal();
        // One peak in fifty is a burst: the tail is heavier than log-normal.
        if (stream.uniform() < 0.02) log_value += 2.5 * stream.uniform();
        const double seen = 1 / (1 + std::exp((kDetectionLimit - log_value) / kDetectionWidth));
        if (stream.uniform() < seen) result[m] = static_cast<float>(std::exp(log_value));
    }
    return result;
}

std::vector<double> SectionModel::mass_errors_ppm(std::int64_t pixel) const {
    Stream stream(options_.seed, StreamUse::Spectra, "mass " + sample_.name,
                  static_cast<std::uint64_t>(pixel));
    std::vector<double> errors(catalogue_.metabolites.size());
    for (auto& error : errors)
        error = std::clamp(0.6 * stream.normal(), -kMassErrorPpm, kMassErrorPpm);
    return errors;
}

}  // namespace smeta::simulate

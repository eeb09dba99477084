#include "smeta/model/reconstruction_fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "smeta/core/error.hpp"
#include "smeta/core/progress.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/model/model_file.hpp"
#include "smeta/model/run_model.hpp"

#include "fit.hpp"
#include "row_blocks.hpp"

namespace smeta::model {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
/// A sample's blocks are cut into this many parts, whatever the ranks; sums are added in their
/// order.
constexpr int kParts = 16;

/// One entry a modality.
using Correlations = std::vector<FeatureCorrelation>;
using Influences = std::vector<FitInfluence>;
constexpr std::int64_t kInfluences = 2;  ///< of a modality: on pearson and on cosine

class Fitter {
  public:
    Fitter(const comm::Comm& comm, const LoadedModel& model, const atlas::RowSource& source)
        : comm_(comm), model_(model), source_(source) {}

    Correlations fresh() const {
        Correlations result;
        for (const auto& block : model_.cvae.options().blocks) result.emplace_back(block.features);
        return result;
    }

    /// Of all rows of a sample, on every rank. Collective.
    Correlations of_sample(std::int32_t sample) const {
        const auto blocks = blocks_of(source_, sample);
        const auto own = comm::even_share(kParts, comm_.size(), comm_.rank());
        std::vector<double> numbers;
        comm_.all_or_throw([&] {
            for (auto part = own.first; part < own.last; ++part) {
                const auto range = comm::even_share(static_cast<std::int64_t>(blocks.size()),
                                                    kParts, static_cast<int>(part));
                for (const auto& moments :
                     of_blocks(sample, std::span(blocks).subspan(range.first, range.size()))) {
                    const auto packed = moments.packed();
                    numbers.insert(numbers.end(), packed.begin(), packed.end());
                }
            }
        });
        auto all = fresh();
        for (const auto& from : comm_.gather(std::span<const double>(std::as_const(numbers)))) {
            std::span<const double> rest = from;
            while (!rest.empty())
                for (std::size_t m = 0; m < all.size(); ++m) {
                    const auto count =
                        static_cast<std::size_t>(model_.cvae.options().blocks[m].features) * 5 + 1;
                    all[m].add(FeatureCorrelation::unpacked(rest.first(count)));
                    rest = rest.subspan(count);
                }
        }
        for (auto& moments : all) {
            auto numbers_of = moments.packed();
            comm_.broadcast(std::span<double>(numbers_of));
            moments = FeatureCorrelation::unpacked(numbers_of);
        }
        return all;
    }

    /// Rows of a sample by pearson and cosine of each modality, NaN where the row lacks it; on
    /// every rank. Collective.
    core::MatrixF influences(std::int32_t sample, const Influences& of) const {
        const auto width = kInfluences * static_cast<std::int64_t>(of.size());
        auto rows = work_on_sample(comm_, source_, sample, width, 0, [&](const Chunk& chunk) {
            core::MatrixF result = core::MatrixF::Constant(chunk.rows(), width,
                                                           std::numeric_limits<float>::quiet_NaN());
            for_each_row(
                chunk, [&](std::size_t m, std::int64_t row, std::span<const double> observed,
                           std::span<const float> predicted) {
                    const auto own = of[m].of_row(observed, predicted);
                    result.block<1, kInfluences>(row, kInfluences * static_cast<Eigen::Index>(m))
                        << static_cast<float>(own.pearson),
                        static_cast<float>(own.cosine);
                });
            return result;
        });
        rows.resize(source_.sample_rows(sample), width);
        comm_.broadcast(std::span<float>(rows.data(), static_cast<std::size_t>(rows.size())));
        return rows;
    }

  private:
    Correlations of_blocks(std::int32_t sample, std::span<const comm::Range> blocks) const {
        auto result = fresh();
        const auto group = static_cast<std::size_t>(4 * core::threads());
        for (std::size_t begin = 0; begin < blocks.size(); begin += group) {
            // HDF5 is not thread-safe.
            std::vector<Chunk> chunks;
            for (const auto& block : blocks.subspan(begin, std::min(group, blocks.size() - begin)))
                chunks.push_back(read_chunk(source_, sample, block));
            std::vector<Correlations> parts(chunks.size());
#pragma omp parallel for schedule(dynamic) num_threads(core::threads())
            for (std::size_t i = 0; i < chunks.size(); ++i) parts[i] = of_chunk(chunks[i]);
            for (const auto& part : parts)
                for (std::size_t m = 0; m < result.size(); ++m) result[m].add(part[m]);
        }
        return result;
    }

    Correlations of_chunk(const Chunk& chunk) const {
        auto result = fresh();
        for_each_row(chunk,
                     [&](std::size_t m, std::int64_t, std::span<const double> observed,
                         std::span<const float> predicted) { result[m].add(observed, predicted); });
        return result;
    }

    /// `use(modality, row of the chunk, observed, predicted)` of each row that has the modality.
    template <class Use>
    void for_each_row(const Chunk& chunk, Use use) const {
        const core::MatrixF latent = model_.cvae.encode(chunk).latent;
        std::vector<double> observed;
        for (std::size_t m = 0; m < chunk.modalities.size(); ++m) {
            const ModalityRows& present = chunk.modalities[m];
            const core::MatrixF mean =
                model_.cvae
                    .decode(static_cast<std::int32_t>(m), latent, chunk.codes, chunk.samples,
                            libraries_of(present, chunk.rows()))
                    .mean;
            const auto view = present.values.view();
            for (std::size_t i = 0; i < present.rows.size(); ++i) {
                observed.assign(mean.cols(), 0.0);
                const auto columns = view.row_indices(static_cast<std::int64_t>(i));
                const auto values = view.row_values(static_cast<std::int64_t>(i));
                for (std::size_t k = 0; k < columns.size(); ++k) observed[columns[k]] = values[k];
                use(m, present.rows[i], std::span<const double>(observed),
                    std::span<const float>(mean.row(present.rows[i]).data(),
                                           static_cast<std::size_t>(mean.cols())));
            }
        }
    }

    const comm::Comm& comm_;
    const LoadedModel& model_;
    const atlas::RowSource& source_;
};

/// Means over the features that `measured` (1 or 0 a feature) names and that vary.
ReconstructionFit summary(const FeatureCorrelation& moments,
                          std::span<const std::uint8_t> measured) {
    ReconstructionFit fit;
    fit.spots = moments.rows();
    double pearson = 0;
    double cosine = 0;
    const auto or_zero = [](double value) { return std::isnan(value) ? 0.0 : value; };
    for (std::size_t f = 0; f < measured.size(); ++f) {
        if (measured[f] == 0 || moments.is_constant(static_cast<std::int64_t>(f))) continue;
        pearson += or_zero(moments.pearson(static_cast<std::int64_t>(f)));
        cosine += or_zero(moments.cosine(static_cast<std::int64_t>(f)));
        ++fit.features;
    }
    fit.pearson = fit.features > 0 ? pearson / static_cast<double>(fit.features) : kNaN;
    fit.cosine = fit.features > 0 ? cosine / static_cast<double>(fit.features) : kNaN;
    return fit;
}

/// The rows of a sample after those of the fit of each modality, `fits[first]` the first.
void add_spots(const core::MatrixF& influences, std::vector<ReconstructionFit>& fits,
               std::size_t first) {
    for (Eigen::Index r = 0; r < influences.rows(); ++r)
        for (Eigen::Index m = 0; m < influences.cols() / kInfluences; ++m) {
            const auto own = influences.block<1, kInfluences>(r, kInfluences * m);
            if (std::isnan(own[0])) continue;  // lacks the modality
            auto& fit = fits[first + static_cast<std::size_t>(m)];
            fit.pearson_of_spots.push_back(static_cast<float>(fit.pearson) + own[0]);
            fit.cosine_of_spots.push_back(static_cast<float>(fit.cosine) + own[1]);
        }
}

}  // namespace

std::vector<ReconstructionFit> reconstruction_fit(const comm::Comm& comm, const atlas::Run& run,
                                                  SpotInfluence influence, core::Timings& timings) {
    const core::Timings::Scope scope(timings, "reconstruction");
    LoadedModel model = load_model(comm, run.model_file());
    const atlas::RowSource source(comm, run, source_config(model));
    check_fits(model.cvae.options(), source, run.model_file().string());
    model.cvae.set_unmeasured(unmeasured_features(source, model.context.mean_inputs));
    const Fitter fitter(comm, model, source);
    const auto& blocks = model.cvae.options().blocks;
    auto all = fitter.fresh();
    std::vector<std::vector<std::uint8_t>> everywhere;  // features that every sample measured
    for (const auto& block : blocks) everywhere.emplace_back(block.features, 1);
    std::vector<ReconstructionFit> fits;
    const auto samples = static_cast<std::int32_t>(source.samples().size());
    const bool of_spots = influence == SpotInfluence::Compute;
    core::Progress progress("reconstruction", of_spots ? 2 * samples : samples);
    for (std::int32_t s = 0; s < samples; ++s) {
        const auto moments = fitter.of_sample(s);
        Influences influences;  // of many samples they would not fit: the rows are decoded again
        for (std::size_t m = 0; m < blocks.size(); ++m) {
            auto measured = source.measured(s, m);
            if (measured.empty()) measured.assign(blocks[m].features, 1);
            fits.push_back(summary(moments[m], measured));
            fits.back().sample = source.samples()[s];
            fits.back().modality = blocks[m].name;
            influences.emplace_back(moments[m], measured);
            all[m].add(moments[m]);
            for (std::size_t f = 0; f < measured.size(); ++f) everywhere[m][f] &= measured[f];
        }
        if (of_spots)
            add_spots(fitter.influences(s, influences), fits, fits.size() - blocks.size());
        progress.advance();
    }
    Influences influences;
    for (std::size_t m = 0; m < blocks.size(); ++m) {
        fits.push_back(summary(all[m], everywhere[m]));
        fits.back().modality = blocks[m].name;
        influences.emplace_back(all[m], everywhere[m]);
    }
    for (std::int32_t s = 0; of_spots && s < samples; ++s) {
        add_spots(fitter.influences(s, influences), fits, fits.size() - blocks.size());
        progress.advance();
    }
    return fits;
}

}  // namespace smeta::model

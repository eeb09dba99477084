#include "feature_model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "smeta/core/threads.hpp"
#include "smeta/nn/adamw.hpp"
#include "smeta/spatial/autocorrelation.hpp"
#include "smeta/spatial/graph.hpp"

#include "feature_vae.hpp"

namespace smeta::align::detail {

namespace {

constexpr double kSmTotal = 1e3;
constexpr double kStTotal = 1e4;

enum class Scaling { Totals, LogTotals };

/// Every feature's entries, by row.
struct Columns {
    std::vector<std::int64_t> start;
    std::vector<std::int32_t> row;
    std::vector<double> value;
};

double row_scale(std::span<const float> values, double total) {
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    return sum > 0 ? total / sum : 0.0;
}

Columns scaled_columns(const core::CountsCsr& values, Scaling scaling) {
    Columns columns;
    columns.start.assign(values.cols + 1, 0);
    for (const std::int32_t c : values.indices) ++columns.start[c + 1];
    std::partial_sum(columns.start.begin(), columns.start.end(), columns.start.begin());
    columns.row.resize(values.indices.size());
    columns.value.resize(values.indices.size());
    std::vector<std::int64_t> next(columns.start.begin(), columns.start.end() - 1);
    const core::CsrView view = values.view();
    for (std::int64_t r = 0; r < values.rows; ++r) {
        const auto indices = view.row_indices(r);
        const auto entries = view.row_values(r);
        const double scale =
            row_scale(entries, scaling == Scaling::LogTotals ? kStTotal : kSmTotal);
        for (std::size_t k = 0; k < indices.size(); ++k) {
            const double value = scale * entries[k];
            columns.row[next[indices[k]]] = static_cast<std::int32_t>(r);
            columns.value[next[indices[k]]++] =
                scaling == Scaling::LogTotals ? std::log1p(std::max(0.0, value)) : value;
        }
    }
    return columns;
}

/// What the model sees of a section.
struct ModelRows {
    core::CountsCsr values;
    std::vector<std::int64_t> filled;  ///< rows that have a value: the others are not trained on
};

ModelRows model_rows(const core::CountsCsr& all, const std::vector<std::int32_t>& features,
                     VaeSide side) {
    std::vector<std::int32_t> column(all.cols, -1);
    for (std::size_t f = 0; f < features.size(); ++f)
        column[features[f]] = static_cast<std::int32_t>(f);
    ModelRows rows;
    rows.values.cols = static_cast<std::int32_t>(features.size());
    std::vector<std::int32_t> indices;
    std::vector<float> kept;
    for (std::int64_t r = 0; r < all.rows; ++r) {
        const auto entries = all.view().row_values(r);
        const double scale = side == kVaeSm ? row_scale(entries, kSmTotal) : 1.0;
        indices.clear();
        kept.clear();
        for (std::size_t k = 0; k < entries.size(); ++k) {
            const std::int32_t to = column[all.view().row_indices(r)[k]];
            if (to < 0 || !(entries[k] > 0)) continue;
            indices.push_back(to);
            kept.push_back(static_cast<float>(scale * entries[k]));
        }
        if (!indices.empty()) rows.filled.push_back(r);
        rows.values.append_row(indices, kept);
    }
    return rows;
}

/// Deals the rows of one section to mini-batches of about the same size, in a new order whenever
/// all have been dealt.
class Dealer {
  public:
    Dealer(const ModelRows& rows, VaeSide side, const FeatureModelOptions& options)
        : rows_(rows), side_(side), seed_(options.seed), order_(rows.filled) {
        const auto n = static_cast<std::int64_t>(order_.size());
        batches_ = std::max<std::int64_t>(1, (n + options.batch - 1) / options.batch);
    }

    std::int64_t batches() const { return batches_; }

    VaeRows deal(std::int64_t step) {
        if (step % batches_ == 0) shuffle(static_cast<std::uint64_t>(step / batches_));
        const auto n = static_cast<std::int64_t>(order_.size());
        const std::int64_t first = n * (step % batches_) / batches_;
        const std::int64_t last = n * (step % batches_ + 1) / batches_;
        VaeRows batch;
        batch.values.cols = rows_.values.cols;
        for (std::int64_t i = first; i < last; ++i) {
            batch.values.append_row(rows_.values.view().row_indices(order_[i]),
                                    rows_.values.view().row_values(order_[i]));
            batch.keys.push_back(key(static_cast<std::uint64_t>(order_[i])));
        }
        return batch;
    }

  private:
    core::RowKey key(std::uint64_t row) const { return {static_cast<std::uint64_t>(side_), row}; }

    void shuffle(std::uint64_t pass) {
        order_ = rows_.filled;
        const core::Philox draws(seed_, core::DrawPurpose::EpochOrder, pass, key(0));
        for (std::size_t i = order_.size(); i > 1; --i)
            std::swap(order_[i - 1], order_[draws.below(i, i)]);
    }

    const ModelRows& rows_;
    VaeSide side_;
    std::uint64_t seed_;
    std::vector<std::int64_t> order_;
    std::int64_t batches_ = 1;
};

std::vector<double> train(const ModelRows& sm, const ModelRows& st,
                          const FeatureModelOptions& options, FeatureVae<float>& vae) {
    Dealer sm_rows(sm, kVaeSm, options);
    Dealer st_rows(st, kVaeSt, options);
    const std::int64_t steps = std::max(sm_rows.batches(), st_rows.batches());
    nn::AdamW<float> optimiser(vae.values().shared_layout());
    const nn::AdamWOptions rate{.learning_rate = options.learning_rate,
                                .weight_decay = options.weight_decay};
    std::vector<double> losses;
    for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
        const double warm_up = options.epochs > 1 ? static_cast<double>(epoch) /
                                                        static_cast<double>(options.epochs - 1)
                                                  : 1.0;
        double sum = 0;
        for (std::int64_t k = 0; k < steps; ++k) {
            const std::int64_t step = epoch * steps + k;
            const std::array<VaeRows, kVaeSides> rows{sm_rows.deal(step), st_rows.deal(step)};
            // A row may come twice in an epoch: its draws go by the step.
            sum += vae.step(rows, {options.seed, static_cast<std::uint64_t>(step),
                                   options.kl_weight * warm_up});
            optimiser.update(vae.values(), vae.gradient(), rate);
        }
        losses.push_back(sum / static_cast<double>(steps));
    }
    return losses;
}

std::vector<std::int32_t> chosen(const FeatureRows& rows, std::int64_t count, Scaling scaling) {
    const spatial::SpatialGraph graph = spatial::spatial_graph(rows.points, std::nullopt);
    const spatial::Autocorrelation autocorrelation(graph);
    const Columns columns = scaled_columns(rows.values, scaling);
    const std::int32_t features = rows.values.cols;
    std::vector<double> morans_i(features);
#pragma omp parallel num_threads(core::threads())
    {
        std::vector<double> scratch(rows.values.rows);
#pragma omp for schedule(dynamic, 16)
        for (std::int32_t f = 0; f < features; ++f) {
            const std::int64_t first = columns.start[f];
            const auto size = static_cast<std::size_t>(columns.start[f + 1] - first);
            morans_i[f] = autocorrelation.morans_i({columns.row.data() + first, size},
                                                   {columns.value.data() + first, size}, scratch);
        }
    }
    std::vector<std::int32_t> order;
    for (std::int32_t f = 0; f < features; ++f)
        if (!std::isnan(morans_i[f])) order.push_back(f);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int32_t a, std::int32_t b) { return morans_i[a] > morans_i[b]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(count)));
    std::sort(order.begin(), order.end());
    return order;
}

}  // namespace

FeatureLatents learn_features(const FeatureRows& sm, const FeatureRows& st,
                              const FeatureModelOptions& options) {
    const ModelRows sm_rows =
        model_rows(sm.values, chosen(sm, options.sm_features, Scaling::Totals), kVaeSm);
    const ModelRows st_rows =
        model_rows(st.values, chosen(st, options.st_features, Scaling::LogTotals), kVaeSt);
    FeatureLatents found;
    if (sm_rows.filled.empty() || st_rows.filled.empty()) return found;
    FeatureVae<float> vae({{sm_rows.values.cols, st_rows.values.cols},
                           options.hidden,
                           options.latent,
                           options.dropout});
    vae.initialise(options.seed);
    found.losses = train(sm_rows, st_rows, options, vae);
    found.sm = vae.means(kVaeSm, sm_rows.values.view());
    found.st = vae.means(kVaeSt, st_rows.values.view());
    return found;
}

void set_latent_channels(const FeatureRows& sm, const FeatureRows& st,
                         const FeatureModelOptions& options, const RasterOptions& raster,
                         SectionRaster& sm_raster, SectionRaster& st_raster) {
    const FeatureLatents found = learn_features(sm, st, options);
    const auto set = [&](const core::MatrixD& points, const core::MatrixF& latents,
                         SectionRaster& section) {
        if (latents.rows() == 0) return;
        SectionContent content(section, points, static_cast<std::int32_t>(latents.cols()), raster);
        content.add_values(latents);
        content.finish();
    };
    set(sm.points, found.sm, sm_raster);
    set(st.points, found.st, st_raster);
}

}  // namespace smeta::align::detail

#include "smeta/analysis/correlate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/io/tsv.hpp"
#include "smeta/spatial/graph.hpp"
#include "smeta/stats/correlation.hpp"
#include "smeta/stats/tests.hpp"

#include "feature_columns.hpp"

namespace smeta::analysis {
namespace {

constexpr std::int32_t kPanel = 32;  // metabolites at a time
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// A value of a metabolite of a panel on its way to every rank.
struct PanelValue {
    std::int32_t place = 0;  ///< in the panel
    std::int32_t row = 0;
    float value = 0;
};

std::vector<std::int32_t> measured_everywhere(const ValueFeatures& features,
                                              std::string_view modality) {
    std::vector<std::int32_t> found;
    for (std::int32_t f = 0; f < features.count(); ++f)
        if (features.modalities[features.modality[f]] == modality &&
            features.is_measured.col(f).minCoeff() != 0)
            found.push_back(f);
    return found;
}

/// r of sums over n rows; NaN for a constant.
double pearson_of(double n, double x, double xx, double y, double yy, double xy) {
    const double sxx = xx - x * x / n;
    const double syy = yy - y * y / n;
    // What rounding leaves of a constant's variance.
    constexpr double kConstant = 1e-12;
    if (!(sxx > kConstant * xx) || !(syy > kConstant * yy)) return kNone;
    return std::clamp((xy - x * y / n) / (std::sqrt(sxx) * std::sqrt(syy)), -1.0, 1.0);
}

class Correlator {
  public:
    Correlator(const comm::Comm& comm, const atlas::Run& run, const RunValues& values,
               const Groups& groups, const CorrelateOptions& options)
        : comm_(comm),
          run_(run),
          values_(values),
          groups_(groups),
          options_(options),
          genes_(measured_everywhere(values.features(), "st")),
          metabolites_(measured_everywhere(values.features(), "sm")),
          spots_(groups.count() + 1, 0) {
        check_memory();
        for (const auto code : groups.codes) {
            slot_.push_back(code + 1);
            ++spots_[0];
            if (code >= 0) ++spots_[code + 1];
        }
        read_columns();
        build_graphs();
    }

    Correlations run() {
        Correlations found;
        found.genes = static_cast<std::int64_t>(genes_.size());
        found.metabolites = static_cast<std::int64_t>(metabolites_.size());
        // Of every slot, then lagged ones of every slot: genes x metabolites, on rank 0.
        std::vector<core::MatrixD> r(2 * static_cast<std::size_t>(slots()));
        if (comm_.is_root())
            for (auto& matrix : r) matrix.resize(found.genes, found.metabolites);
        for (std::int32_t first = 0; first < found.metabolites; first += kPanel) {
            const auto width = std::min<std::int32_t>(
                kPanel, static_cast<std::int32_t>(found.metabolites) - first);
            const auto panel = gather_panel(first, width);
            const auto lag = lag_of(panel);
            const auto mine = correlate_panel(panel, lag);
            collect(mine, first, width, r);
        }
        if (comm_.is_root())
            for (std::int32_t slot = 0; slot < slots(); ++slot)
                add_top(slot, r[slot], r[slots() + slot], found.pairs);
        return found;
    }

  private:
    struct GeneColumn {
        std::int32_t place = 0;                   ///< in genes_
        std::vector<stats::GroupedValue> values;  ///< group: the row; ascending
    };

    std::int32_t slots() const { return groups_.count() + 1; }

    void check_memory() const {
        if (genes_.empty() || metabolites_.empty())
            throw core::ConfigError(fmt::format(
                "correlation needs genes and metabolites that every sample measured: there are {} "
                "and {}; --sample chooses samples that have both",
                genes_.size(), metabolites_.size()));
        const double values = static_cast<double>(values_.stored_values()) * 2 *
                              sizeof(stats::GroupedValue) / comm_.size();
        const double panels = static_cast<double>(values_.rows()) * kPanel * 3 * sizeof(float);
        const double results = static_cast<double>(genes_.size()) *
                               static_cast<double>(metabolites_.size()) * 2 * slots() *
                               sizeof(double);
        if (values + panels + results > static_cast<double>(options_.memory))
            throw core::ConfigError(fmt::format(
                "correlation of {} genes and {} metabolites needs {:.1f} GB a rank and has {:.1f}: "
                "use more ranks, --mem, or only the model's features",
                genes_.size(), metabolites_.size(), (values + panels + results) / 1e9,
                static_cast<double>(options_.memory) / 1e9));
    }

    void read_columns() {
        std::vector<std::int32_t> rows(values_.rows());
        std::iota(rows.begin(), rows.end(), 0);
        const detail::FeatureColumns columns(comm_, values_, rows,
                                             std::numeric_limits<std::int64_t>::max() / 1024);
        for (auto& column : columns.read(0)) {
            std::sort(column.values.begin(), column.values.end(),
                      [](const auto& a, const auto& b) { return a.group < b.group; });
            const auto gene = std::lower_bound(genes_.begin(), genes_.end(), column.feature);
            const auto metabolite =
                std::lower_bound(metabolites_.begin(), metabolites_.end(), column.feature);
            if (gene != genes_.end() && *gene == column.feature)
                gene_columns_.push_back(
                    {static_cast<std::int32_t>(gene - genes_.begin()), std::move(column.values)});
            else if (metabolite != metabolites_.end() && *metabolite == column.feature)
                metabolite_columns_.push_back(
                    {static_cast<std::int32_t>(metabolite - metabolites_.begin()),
                     std::move(column.values)});
        }
    }

    void build_graphs() {
        for (const auto& sample : values_.samples()) {
            core::MatrixD points;
            comm_.all_or_throw([&] {
                const auto joint = run_.open_joint(sample);
                if (joint.has_obsm("spatial")) points = joint.obsm("spatial").leftCols(2);
            });
            graphs_.push_back(points.rows() > 0 ? spatial::spatial_graph(points, std::nullopt)
                                                : spatial::SpatialGraph{});
        }
    }

    core::MatrixF gather_panel(std::int32_t first, std::int32_t width) const {
        std::vector<PanelValue> mine;
        for (const auto& column : metabolite_columns_)
            if (column.place >= first && column.place < first + width)
                for (const auto& entry : column.values)
                    mine.push_back({column.place - first, entry.group, entry.value});
        core::MatrixF panel = core::MatrixF::Zero(values_.rows(), width);
        for (const auto& part : comm_.allgather(std::span<const PanelValue>(mine)))
            for (const auto& entry : part) panel(entry.row, entry.place) = entry.value;
        return panel;
    }

    /// Means over each spot's neighbours; 0 where a section has no coordinates.
    core::MatrixF lag_of(const core::MatrixF& panel) const {
        core::MatrixF lag = core::MatrixF::Zero(panel.rows(), panel.cols());
        for (std::size_t s = 0; s < graphs_.size(); ++s) {
            const auto& graph = graphs_[s];
            const auto first = values_.first_row()[s];
#pragma omp parallel for schedule(static) num_threads(core::threads())
            for (std::int64_t r = 0; r < graph.rows; ++r) {
                const auto columns = graph.row_columns(r);
                const auto weights = graph.row_weights(r);
                for (std::size_t e = 0; e < columns.size(); ++e)
                    lag.row(first + r) +=
                        static_cast<float>(weights[e]) * panel.row(first + columns[e]);
            }
        }
        return lag;
    }

    /// Sums of a panel's columns over the rows of each slot.
    struct PanelSums {
        core::MatrixD y, yy;  ///< slots x width
    };
    PanelSums sums_of(const core::MatrixF& panel) const {
        PanelSums sums{core::MatrixD::Zero(slots(), panel.cols()),
                       core::MatrixD::Zero(slots(), panel.cols())};
        for (Eigen::Index r = 0; r < panel.rows(); ++r)
            for (const std::int32_t slot : {0, slot_[r]}) {
                sums.y.row(slot) += panel.row(r).cast<double>();
                sums.yy.row(slot) += panel.row(r).cast<double>().cwiseAbs2();
                if (slot_[r] == 0) break;
            }
        return sums;
    }

    /// Of this rank's genes: r of every slot, then the lagged one; width numbers each.
    std::vector<double> correlate_panel(const core::MatrixF& panel,
                                        const core::MatrixF& lag) const {
        const auto sums = sums_of(panel);
        const auto lag_sums = sums_of(lag);
        const auto width = panel.cols();
        const auto block = 2 * slots() * width;
        std::vector<double> result(gene_columns_.size() * static_cast<std::size_t>(block), kNone);
#pragma omp parallel for schedule(dynamic, 4) num_threads(core::threads())
        for (std::size_t g = 0; g < gene_columns_.size(); ++g)
            correlate_gene(gene_columns_[g], panel, lag, sums, lag_sums,
                           std::span(result).subspan(g * static_cast<std::size_t>(block),
                                                     static_cast<std::size_t>(block)));
        return result;
    }

    void correlate_gene(const GeneColumn& gene, const core::MatrixF& panel,
                        const core::MatrixF& lag, const PanelSums& sums, const PanelSums& lag_sums,
                        std::span<double> out) const {
        const auto width = panel.cols();
        core::MatrixD xy = core::MatrixD::Zero(2 * slots(), width);
        std::vector<double> x(slots(), 0.0);
        std::vector<double> xx(slots(), 0.0);
        const auto add = [&](std::int32_t slot, const stats::GroupedValue& entry) {
            const double value = entry.value;
            xy.row(slot) += value * panel.row(entry.group).cast<double>();
            xy.row(slots() + slot) += value * lag.row(entry.group).cast<double>();
            x[slot] += value;
            xx[slot] += value * value;
        };
        for (const auto& entry : gene.values) {
            add(0, entry);
            if (const auto slot = slot_[entry.group]; slot > 0) add(slot, entry);
        }
        for (std::int32_t slot = 0; slot < slots(); ++slot) {
            if (spots_[slot] < options_.min_spots) continue;
            const auto n = static_cast<double>(spots_[slot]);
            for (Eigen::Index m = 0; m < width; ++m) {
                out[slot * width + m] = pearson_of(n, x[slot], xx[slot], sums.y(slot, m),
                                                   sums.yy(slot, m), xy(slot, m));
                out[(slots() + slot) * width + m] =
                    pearson_of(n, x[slot], xx[slot], lag_sums.y(slot, m), lag_sums.yy(slot, m),
                               xy(slots() + slot, m));
            }
        }
    }

    /// Brings a panel's results to rank 0. Collective.
    void collect(const std::vector<double>& mine, std::int32_t first, std::int32_t width,
                 std::vector<core::MatrixD>& r) const {
        std::vector<std::int32_t> places;
        for (const auto& column : gene_columns_) places.push_back(column.place);
        const auto all_places = comm_.gather(std::span<const std::int32_t>(places));
        const auto all = comm_.gather(std::span<const double>(mine));
        for (std::size_t rank = 0; rank < all.size(); ++rank) {
            const double* at = all[rank].data();
            for (const auto gene : all_places[rank])
                for (auto& matrix : r)
                    for (std::int32_t m = 0; m < width; ++m) matrix(gene, first + m) = *at++;
        }
    }

    /// The best genes of each metabolite in one slot, p-values adjusted over all its pairs.
    void add_top(std::int32_t slot, const core::MatrixD& r, const core::MatrixD& lagged,
                 std::vector<Correlation>& pairs) const {
        std::vector<double> p_values(static_cast<std::size_t>(r.size()), kNone);
        std::vector<double> adjusted = p_values;
        if (values_.source() == ValueSource::Measured) {
            for (Eigen::Index i = 0; i < r.size(); ++i)
                p_values[i] = stats::pearson_p_value(r.data()[i], spots_[slot]);
            adjusted = stats::benjamini_hochberg(p_values);
        }
        std::vector<Eigen::Index> order(static_cast<std::size_t>(r.rows()));
        for (Eigen::Index m = 0; m < r.cols(); ++m) {
            std::iota(order.begin(), order.end(), 0);
            const auto strength = [&](Eigen::Index g) {
                return std::isnan(r(g, m)) ? 1.0 : -std::abs(r(g, m));
            };
            const auto kept = std::min<std::int64_t>(options_.top, r.rows());
            std::partial_sort(order.begin(), order.begin() + kept, order.end(),
                              [&](Eigen::Index a, Eigen::Index b) {
                                  return std::make_tuple(strength(a), a) <
                                         std::make_tuple(strength(b), b);
                              });
            for (std::int64_t k = 0; k < kept; ++k) {
                const auto g = order[k];
                if (std::isnan(r(g, m))) break;
                const auto i = static_cast<std::size_t>(g * r.cols() + m);
                pairs.push_back({slot - 1, genes_[g], metabolites_[m], spots_[slot], r(g, m),
                                 p_values[i], adjusted[i], lagged(g, m)});
            }
        }
    }

    const comm::Comm& comm_;
    const atlas::Run& run_;
    const RunValues& values_;
    const Groups& groups_;
    const CorrelateOptions& options_;
    std::vector<std::int32_t> genes_;
    std::vector<std::int32_t> metabolites_;
    std::vector<std::int64_t> spots_;  ///< of each slot: all, then the groups
    std::vector<std::int32_t> slot_;   ///< of every row, 0 for spots in no group
    std::vector<GeneColumn> gene_columns_;
    std::vector<GeneColumn> metabolite_columns_;
    std::vector<spatial::SpatialGraph> graphs_;
};

}  // namespace

Correlations correlate(const comm::Comm& comm, const atlas::Run& run, const RunValues& values,
                       const Groups& groups, const CorrelateOptions& options) {
    core::check(static_cast<std::int64_t>(groups.codes.size()) == values.rows(), "a code a row");
    return Correlator(comm, run, values, groups, options).run();
}

std::string correlations_tsv(const Correlations& found, const RunValues& values,
                             const Groups& groups) {
    io::TsvText table({"group", "metabolite", "gene", "spots", "r", "p_value", "adjusted_p",
                       "lagged_r", "values"});
    const std::string source = values.source() == ValueSource::Denoised ? "denoised" : "measured";
    const auto& names = values.features().names;
    for (const auto& pair : found.pairs)
        table.row(pair.group < 0 ? std::string("all") : groups.names[pair.group],
                  names[pair.metabolite], names[pair.gene], pair.spots, pair.r, pair.p_value,
                  pair.adjusted_p, pair.lagged_r, source);
    return table.text();
}

}  // namespace smeta::analysis

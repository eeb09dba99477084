#include <algorithm>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/atlas/common_features.hpp"
#include "smeta/atlas/selection.hpp"
#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/preprocess/select.hpp"

namespace smeta::preprocess {

namespace {

constexpr std::int64_t kChunkRows = 4096;
constexpr std::size_t kNumbersPerFeature = 5;

// Rows of a modality that carry a measurement: a spot without imaging pixels near it has no
// metabolites, and a pixel without spots near it no counts.
std::vector<std::int64_t> measured_rows(const atlas::JointReader& reader,
                                        const std::string& modality) {
    std::vector<std::int64_t> rows;
    const io::Frame& obs = reader.obs();
    const std::string column = modality + "_covered";
    const bool covered_only = obs.find(column) != nullptr &&
                              (modality == "sm" || obs.find(modality + "_spots") != nullptr);
    std::vector<double> covered;
    if (covered_only) covered = obs.as_number(column, reader.sample());
    for (std::int64_t row = 0; row < reader.rows(); ++row)
        if (!covered_only || covered[row] != 0.0) rows.push_back(row);
    return rows;
}

// The given rows of a modality, transposed, read in chunks: twice over the file, once in memory.
core::CountsCsr read_transposed(const atlas::JointReader& reader, const std::string& modality,
                                const std::vector<std::int64_t>& rows) {
    core::CountsCsr result;
    result.rows = reader.features(modality);
    result.cols = static_cast<std::int32_t>(rows.size());
    result.indptr.assign(result.rows + 1, 0);
    const auto for_each_row = [&](const auto& visit) {
        std::size_t next = 0;
        for (std::int64_t first = 0; first < reader.rows(); first += kChunkRows) {
            const std::int64_t last = std::min(reader.rows(), first + kChunkRows);
            const core::CountsCsr chunk = reader.read_rows(modality, first, last);
            for (; next < rows.size() && rows[next] < last; ++next)
                visit(static_cast<std::int32_t>(next), chunk.view().row_indices(rows[next] - first),
                      chunk.view().row_values(rows[next] - first));
        }
    };
    for_each_row([&](std::int32_t /*row*/, auto columns, auto /*values*/) {
        for (const std::int32_t column : columns) ++result.indptr[column + 1];
    });
    std::partial_sum(result.indptr.begin(), result.indptr.end(), result.indptr.begin());
    result.indices.resize(result.indptr.back());
    result.values.resize(result.indptr.back());
    std::vector<std::int64_t> at(result.indptr.begin(), result.indptr.end() - 1);
    for_each_row([&](std::int32_t row, auto columns, auto values) {
        for (std::size_t k = 0; k < columns.size(); ++k) {
            const std::int64_t slot = at[columns[k]]++;
            result.indices[slot] = row;
            result.values[slot] = values[k];
        }
    });
    return result;
}

spatial::SpatialGraph graph_of(const atlas::JointReader& reader,
                               const std::vector<std::int64_t>& rows) {
    const core::MatrixD all = reader.obsm("spatial");
    core::MatrixD points(static_cast<Eigen::Index>(rows.size()), 2);
    for (std::size_t i = 0; i < rows.size(); ++i)
        points.row(static_cast<Eigen::Index>(i)) = all.row(rows[i]).head(2);
    std::optional<spatial::ArrayPositions> positions;
    const io::Frame& obs = reader.obs();
    if (obs.find("array_row") != nullptr && obs.find("array_col") != nullptr) {
        const auto row = obs.as_number("array_row", reader.sample());
        const auto column = obs.as_number("array_col", reader.sample());
        const auto whole = [](double value) { return value == std::floor(value); };
        if (std::all_of(row.begin(), row.end(), whole) &&
            std::all_of(column.begin(), column.end(), whole)) {
            positions.emplace();
            for (const std::int64_t i : rows) {
                positions->row.push_back(static_cast<std::int64_t>(row[i]));
                positions->column.push_back(static_cast<std::int64_t>(column[i]));
            }
        }
    }
    return spatial::spatial_graph(points, positions);
}

void append_statistics(const atlas::JointReader& reader, std::vector<double>& numbers) {
    for (const std::string& modality : reader.modalities()) {
        const auto rows = measured_rows(reader, modality);
        const auto graph = graph_of(reader, rows);
        for (const FeatureStatistics& f :
             feature_statistics(modality, read_transposed(reader, modality, rows), graph))
            numbers.insert(numbers.end(), {f.morans_i, f.log_values.count, f.log_values.mean,
                                           f.log_values.squares, f.positive_fraction});
    }
}

// Columns of var that describe features, collected over samples; the first sample that has a
// feature decides.
class FeatureTable {
  public:
    explicit FeatureTable(std::vector<std::string> names) { table_.index = std::move(names); }

    void add(const io::Frame& var, const std::string& sample) {
        for (const auto& [name, values] : var.columns) {
            const bool text = std::holds_alternative<std::vector<std::string>>(values) ||
                              std::holds_alternative<io::Categorical>(values);
            if (texts_.contains(name) || (text && !numbers_.contains(name)))
                fill(texts_[name], var, var.as_text(name, sample), std::string());
            else if (!text)
                fill(numbers_[name], var, var.as_number(name, sample),
                     std::numeric_limits<double>::quiet_NaN());
        }
        for (const std::string& feature : var.index) seen_.insert(feature);
    }
    io::Frame take() {
        for (auto& [name, values] : texts_) table_.set(name, std::move(values));
        for (auto& [name, values] : numbers_) table_.set(name, std::move(values));
        return std::move(table_);
    }

  private:
    template <class T>
    void fill(std::vector<T>& target, const io::Frame& var, const std::vector<T>& values,
              const T& missing) {
        target.resize(table_.index.size(), missing);
        for (std::int64_t f = 0; f < var.rows(); ++f) {
            if (seen_.contains(var.index[f])) continue;
            const auto at =
                std::lower_bound(table_.index.begin(), table_.index.end(), var.index[f]);
            target[at - table_.index.begin()] = values[f];
        }
    }
    io::Frame table_;
    std::map<std::string, std::vector<std::string>> texts_;
    std::map<std::string, std::vector<double>> numbers_;
    std::set<std::string> seen_;
};

struct SampleVar {
    std::string sample;
    std::vector<std::pair<std::string, io::Frame>> modalities;
};

// Rank 0's view: the features of every sample and, per modality, their statistics.
struct Collected {
    std::vector<SampleVar> vars;
    std::map<std::string, std::vector<SampleFeatures>> modalities;
    /// By modality: feature -> its names in samples that have another one for it.
    std::map<std::string, std::map<std::string, std::set<std::string>>> other_names;
};

// One name for what samples name differently, in `vars` and `features`; returns the others.
std::map<std::string, std::set<std::string>> give_common_names(
    const std::string& modality, const atlas::MassTolerance& mass, std::vector<SampleVar>& vars,
    std::vector<SampleFeatures>& features) {
    std::vector<io::Frame*> frames;
    for (SampleVar& sample : vars)
        for (auto& [name, var] : sample.modalities)
            if (name == modality) frames.push_back(&var);
    atlas::separate_species(frames);
    const auto common = atlas::common_features({frames.begin(), frames.end()}, mass);
    std::map<std::string, std::set<std::string>> others;
    std::set<std::string> names_in_files;
    for (std::size_t s = 0; s < frames.size(); ++s) {
        for (std::size_t f = 0; f < frames[s]->index.size(); ++f) {
            std::string& name = frames[s]->index[f];
            if (const auto found = common.find(name); found != common.end()) name = found->second;
            const std::string& in_file = features[s].names[f];
            if (in_file == name) continue;
            others[name].insert(in_file);
            names_in_files.insert(in_file);
        }
        features[s].names = frames[s]->index;
    }
    if (!others.empty())
        core::log_info("select: {}: {} features have other names in some samples ({} names)",
                       modality, others.size(), names_in_files.size());
    return others;
}

Collected collect(const atlas::ShardedAtlas& atlas, const std::vector<std::string>& samples,
                  const std::vector<std::vector<double>>& numbers,
                  const atlas::MassTolerance& mass) {
    Collected result;
    std::vector<std::size_t> at(numbers.size(), 0);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const std::size_t owner = i % numbers.size();
        const auto reader = atlas.open_joint(samples[i]);
        SampleVar& vars = result.vars.emplace_back();
        vars.sample = samples[i];
        for (const std::string& modality : reader.modalities()) {
            vars.modalities.emplace_back(modality, reader.var(modality));
            SampleFeatures& features = result.modalities[modality].emplace_back();
            features.sample = samples[i];
            features.names = reader.var(modality).index;
            for (std::size_t f = 0; f < features.names.size();
                 ++f, at[owner] += kNumbersPerFeature) {
                const double* n = numbers[owner].data() + at[owner];
                features.statistics.push_back({n[0], {n[1], n[2], n[3]}, n[4]});
            }
        }
    }
    for (auto& [modality, features] : result.modalities)
        result.other_names[modality] = give_common_names(modality, mass, result.vars, features);
    for (std::size_t rank = 0; rank < numbers.size(); ++rank)
        core::check(at[rank] == numbers[rank].size(), "every statistic belongs to a feature");
    return result;
}

io::AnnData selection_table(const std::string& modality, const Collected& collected,
                            const Selection& selection) {
    FeatureTable table(selection.names);
    for (const SampleVar& vars : collected.vars)
        for (const auto& [name, var] : vars.modalities)
            if (name == modality) table.add(var, vars.sample);
    io::AnnData data;
    data.var = table.take();
    std::vector<std::uint8_t> selected;
    for (const std::string& reason : selection.reason) selected.push_back(reason.empty() ? 1 : 0);
    data.var.set("selected", std::move(selected));
    data.var.set("reason", selection.reason);
    data.var.set("n_lists", selection.n_lists);
    data.var.set("biased_in", selection.biased_in);
    if (const auto& others = collected.other_names.at(modality); !others.empty()) {
        std::vector<std::string> texts(selection.names.size());
        for (std::size_t f = 0; f < texts.size(); ++f)
            if (const auto found = others.find(selection.names[f]); found != others.end())
                texts[f] = fmt::format("{}", fmt::join(found->second, "\n"));
        data.var.set(std::string(atlas::kOtherNames), std::move(texts));
    }
    for (const SampleFeatures& sample : collected.modalities.at(modality)) {
        std::vector<double> moran(selection.names.size(), std::numeric_limits<double>::quiet_NaN());
        std::vector<std::uint8_t> measured(selection.names.size(), 0);
        for (std::size_t f = 0; f < sample.names.size(); ++f) {
            const auto at =
                std::lower_bound(selection.names.begin(), selection.names.end(), sample.names[f]) -
                selection.names.begin();
            moran[at] = sample.statistics[f].morans_i;
            measured[at] = 1;
        }
        data.var.set("moran_" + sample.sample, std::move(moran));
        data.var.set("measured_" + sample.sample, std::move(measured));
    }
    return data;
}

io::MuData select_all(const Collected& collected, const SelectConfig& config) {
    io::MuData tables;
    for (const auto& [modality, samples] : collected.modalities) {
        const Selection selection = select_features(modality, samples, config);
        std::map<std::string, std::int64_t> reasons;
        for (const std::string& reason : selection.reason) ++reasons[reason];
        std::string line = fmt::format("select: {}: {} of {} features", modality, reasons[""],
                                       selection.names.size());
        for (const auto& [reason, count] : reasons)
            if (!reason.empty()) line += fmt::format(", {} {}", count, reason);
        core::log_info("{}", line);
        if (reasons[""] == 0)
            throw core::ConfigError(fmt::format(
                "no feature of modality '{}' is spatially variable in enough samples ({} samples); "
                "lower select.min_samples, raise select.n_genes or select.n_metabolites, or leave "
                "the modality out",
                modality, samples.size()));
        tables.modalities.emplace_back(modality, selection_table(modality, collected, selection));
    }
    std::sort(tables.modalities.begin(), tables.modalities.end(),
              [](const auto& a, const auto& b) { return atlas::model_order(a.first, b.first); });
    return tables;
}

}  // namespace

void run_select(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const SelectConfig& config,
                const std::vector<std::string>& wanted, const atlas::MassTolerance& mass) {
    const std::vector<std::string> samples = atlas.samples(wanted);
    if (samples.empty())
        throw core::ConfigError("the atlas has no samples; run smeta ingest first");
    std::vector<std::string> inputs;
    for (const std::string& sample : samples) {
        const std::string joint = atlas.key(sample, atlas::kJoint);
        if (joint.empty())
            throw core::ConfigError(
                fmt::format("sample '{}' has no joint file; run smeta reassign first", sample));
        inputs.push_back(sample + ":" + joint);
    }
    const std::string key = atlas::stage_key(
        atlas::kSelect, kSelectVersion,
        atlas::canonical_config(config, "select.") +
            fmt::format("mz_ppm = {}\nmax_bin_ppm = {}\n", mass.ppm, mass.max_bin_ppm.value_or(0)),
        inputs);
    if (atlas.is_current("", atlas::kSelect, key)) {
        core::log_info("select: up to date");
        return;
    }
    std::vector<double> numbers;
    atlas::for_own_samples(comm, samples, [&](const std::string& sample) {
        const auto reader = atlas.open_joint(sample);
        append_statistics(reader, numbers);
        return fmt::format("select: statistics of {}: {} rows", sample, reader.rows());
    });
    const auto gathered = comm.gather<double>(numbers);
    atlas::CommitBatch batch(atlas);
    comm.root_or_throw([&] {
        const io::MuData tables = select_all(collect(atlas, samples, gathered, mass), config);
        batch.add_atlas_stage(atlas::kSelect, key, [&](const std::filesystem::path& path) {
            io::write_h5mu(path.string(), tables);
        });
    });
    batch.commit(comm, atlas);
}

}  // namespace smeta::preprocess

#include "smeta/atlas/row_source.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "smeta/atlas/common_features.hpp"
#include "smeta/core/error.hpp"

namespace smeta::atlas {

namespace {

constexpr std::string_view kScaledModality = "sm";

void refuse_non_finite(const core::CountsCsr& values, const std::string& file,
                       std::string_view modality) {
    const auto bad = std::find_if(values.values.begin(), values.values.end(),
                                  [](float v) { return !std::isfinite(v); });
    if (bad != values.values.end())
        throw core::FormatError({.file = file,
                                 .object = fmt::format("mod/{}/X", modality),
                                 .expected = "finite values",
                                 .found = fmt::format("{}", *bad),
                                 .hint = "ingest the sample again"});
}

void drop_zeros(core::CountsCsr& matrix) {
    if (std::find(matrix.values.begin(), matrix.values.end(), 0.0F) == matrix.values.end()) return;
    core::CountsCsr kept;
    kept.cols = matrix.cols;
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
        for (std::int64_t i = matrix.indptr[row]; i < matrix.indptr[row + 1]; ++i)
            if (matrix.values[i] != 0.0F) {
                kept.indices.push_back(matrix.indices[i]);
                kept.values.push_back(matrix.values[i]);
            }
        kept.indptr.push_back(kept.nnz());
    }
    kept.rows = matrix.rows;
    matrix = std::move(kept);
}

void scale_rows(core::CountsCsr& matrix, double target) {
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
        double sum = 0;
        for (std::int64_t i = matrix.indptr[row]; i < matrix.indptr[row + 1]; ++i)
            sum += std::abs(static_cast<double>(matrix.values[i]));
        if (sum == 0) continue;
        for (std::int64_t i = matrix.indptr[row]; i < matrix.indptr[row + 1]; ++i)
            matrix.values[i] = static_cast<float>(matrix.values[i] * (target / sum));
    }
}

// Names in one message; HDF5 text holds no zero byte.
std::string joined(const std::set<std::string>& names) {
    std::string text;
    for (const auto& name : names) {
        text += name;
        text += '\0';
    }
    return text;
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> names;
    for (std::size_t begin = 0, end = 0; (end = text.find('\0', begin)) != std::string::npos;
         begin = end + 1)
        names.push_back(text.substr(begin, end - begin));
    return names;
}

}  // namespace

void RowBatch::append(const RowBatch& other, std::int64_t row) {
    const std::int64_t levels = other.rows() == 0 ? 0 : other.codes.size() / other.rows();
    keys.push_back(other.keys[row]);
    samples.push_back(other.samples[row]);
    codes.insert(codes.end(), other.codes.begin() + row * levels,
                 other.codes.begin() + (row + 1) * levels);
    modalities.resize(other.modalities.size());
    for (std::size_t m = 0; m < modalities.size(); ++m) {
        modalities[m].cols = other.modalities[m].cols;
        const auto view = other.modalities[m].view();
        modalities[m].append_row(view.row_indices(row), view.row_values(row));
    }
}

RowInputs row_inputs(const Run& run) {
    return {.root = run.atlas_path(), .samples = run.inputs().samples, .features = run.features()};
}

namespace {

RowInputs inputs_of(const comm::Comm& comm, const Run& run) {
    RowInputs inputs;
    comm.all_or_throw([&] { inputs = row_inputs(run); });
    return inputs;
}

}  // namespace

RowSource::RowSource(const comm::Comm& comm, const Run& run, RowSourceConfig config)
    : RowSource(comm, inputs_of(comm, run), std::move(config)) {}

RowSource::RowSource(const comm::Comm& comm, RowInputs inputs, RowSourceConfig config)
    : inputs_(std::move(inputs)), config_(std::move(config)) {
    for (const auto& name : config_.modalities) {
        const ModalityFeatures* modality = inputs_.features.find(name);
        core::check(modality != nullptr, "the run has the modality " + name);
        features_.push_back(static_cast<std::int32_t>(modality->names().size()));
        scales_.push_back(feature_scales(*modality));
    }
    for (const auto& input : inputs_.samples) {
        const auto sample = static_cast<std::int32_t>(samples_.size());
        samples_.push_back(input.name);
        sample_keys_.push_back(core::sample_key(input.name));
        sample_rows_.push_back(input.rows());
        std::int64_t first = 0;
        for (const auto& file : input.files) {
            shards_.push_back({sample, first, file.rows});
            first += file.rows;
        }
    }
    read_masks();
    read_categories(comm);
}

RowSource::~RowSource() = default;

void RowSource::read_masks() {
    for (std::size_t s = 0; s < samples_.size(); ++s) {
        auto& masks = measured_.emplace_back();
        for (const auto& name : config_.modalities) {
            const ModalityFeatures& modality = *inputs_.features.find(name);
            auto& mask = masks.emplace_back();
            // A sample without the modality has no rows in which a feature could be missing.
            if (!inputs_.samples[s].modalities.contains(name)) continue;
            for (std::size_t f = 0; f < modality.names().size(); ++f)
                mask.push_back(
                    modality.is_measured(static_cast<std::int64_t>(s), static_cast<std::int64_t>(f))
                        ? 1
                        : 0);
            if (std::find(mask.begin(), mask.end(), 0) == mask.end()) mask.clear();
        }
    }
}

std::map<std::size_t, std::vector<std::vector<std::string>>> RowSource::own_categories(
    const comm::Comm& comm) const {
    std::map<std::size_t, std::vector<std::vector<std::string>>> mine;
    for (std::size_t s = comm.rank(); s < samples_.size(); s += comm.size()) {
        const JointReader joint(inputs_.root, samples_[s], inputs_.samples[s].files);
        for (const std::string& key : config_.batch_keys) {
            const bool absent = joint.obs().find(key) == nullptr;
            if (absent && config_.categories.empty())
                throw core::ConfigError(fmt::format(
                    "model.batch_keys: sample '{}' has no obs column '{}'", samples_[s], key));
            mine[s].push_back(absent ? std::vector<std::string>(joint.rows())
                                     : joint.obs().as_text(key, samples_[s]));
        }
    }
    return mine;
}

void RowSource::read_categories(const comm::Comm& comm) {
    const std::size_t levels = config_.batch_keys.size();
    categories_ = config_.categories;
    codes_.assign(samples_.size(), std::vector<std::vector<std::int32_t>>(levels));
    unseen_.assign(samples_.size(), std::vector<std::vector<std::string>>(levels));
    if (levels == 0) return;
    std::map<std::size_t, std::vector<std::vector<std::string>>> mine;
    comm.all_or_throw([&] { mine = own_categories(comm); });
    if (categories_.empty()) {
        categories_.resize(levels);
        for (std::size_t level = 0; level < levels; ++level) {
            std::set<std::string> found;
            for (const auto& [sample, columns] : mine)
                found.insert(columns[level].begin(), columns[level].end());
            std::set<std::string> all;
            for (const auto& part : comm.allgather(joined(found)))
                for (auto& name : split(part)) all.insert(std::move(name));
            categories_[level].assign(all.begin(), all.end());
        }
    }
    core::check(categories_.size() == levels, "a list of categories a batch level");
    for (std::size_t level = 0; level < levels; ++level) share_categories(comm, level, mine);
}

void RowSource::share_categories(
    const comm::Comm& comm, std::size_t level,
    const std::map<std::size_t, std::vector<std::vector<std::string>>>& mine) {
    const auto& known = categories_[level];
    for (std::size_t s = 0; s < samples_.size(); ++s) {
        const int reader = static_cast<int>(s % comm.size());
        auto& codes = codes_[s][level];
        std::set<std::string> others;
        if (reader == comm.rank()) {
            for (const auto& name : mine.at(s)[level]) {
                const auto at = std::lower_bound(known.begin(), known.end(), name);
                const bool is_known = at != known.end() && *at == name;
                codes.push_back(
                    static_cast<std::int32_t>((is_known ? at : known.end()) - known.begin()));
                if (!is_known) others.insert(name);
            }
            if (!codes.empty() && std::all_of(codes.begin(), codes.end(),
                                              [&](auto code) { return code == codes[0]; }))
                codes.erase(codes.begin() + 1, codes.end());
        }
        comm.broadcast(codes, reader);
        std::string text = joined(others);
        comm.broadcast(text, reader);
        unseen_[s][level] = split(text);
    }
}

const JointReader& RowSource::joint(std::int32_t sample) const {
    if (open_sample_ != sample) {
        open_.reset();
        open_ = std::make_unique<JointReader>(inputs_.root, samples_[sample],
                                              inputs_.samples[sample].files);
        open_sample_ = sample;
        columns_.clear();
        for (const auto& name : config_.modalities) {
            auto& columns = columns_.emplace_back();
            if (!open_->has(name)) continue;
            columns = inputs_.columns.empty()
                          ? features_in(open_->var(name), *inputs_.features.find(name))
                          : inputs_.columns[sample].at(name);
        }
    }
    return *open_;
}

core::CountsCsr RowSource::read_modality(std::int32_t sample, std::size_t modality,
                                         std::int64_t first, std::int64_t last) const {
    const std::string& name = config_.modalities[modality];
    const JointReader& reader = joint(sample);
    if (!reader.has(name)) {
        core::CountsCsr none;
        none.rows = last - first;
        none.cols = features_[modality];
        none.indptr.assign(last - first + 1, 0);
        return none;
    }
    core::CountsCsr rows = core::select_columns(reader.read_rows(name, first, last),
                                                columns_[modality], features_[modality]);
    refuse_non_finite(rows, samples_[sample], name);
    drop_zeros(rows);
    if (const auto& scales = scales_[modality]; !scales.empty())
        for (std::size_t i = 0; i < rows.values.size(); ++i)
            rows.values[i] /= scales[rows.indices[i]];
    if (name == kScaledModality && config_.sm_target > 0) {
        const auto& mask = measured_[sample][modality];
        const double share = mask.empty()
                                 ? 1.0
                                 : static_cast<double>(std::count(mask.begin(), mask.end(), 1)) /
                                       static_cast<double>(mask.size());
        scale_rows(rows, config_.sm_target * share);
    }
    return rows;
}

RowBatch RowSource::read(std::int32_t sample, std::int64_t first, std::int64_t last) const {
    RowBatch batch;
    for (std::int64_t row = first; row < last; ++row) {
        batch.keys.push_back({sample_keys_[sample], static_cast<std::uint64_t>(row)});
        batch.samples.push_back(sample);
        for (const auto& codes : codes_[sample])
            batch.codes.push_back(codes.size() == 1 ? codes[0] : codes[row]);
    }
    for (std::size_t m = 0; m < config_.modalities.size(); ++m)
        batch.modalities.push_back(read_modality(sample, m, first, last));
    return batch;
}

RowSet RowSet::draw(const RowSource& source, std::uint64_t seed, double from, double to) {
    RowSet set;
    for (const Shard& shard : source.shards()) {
        std::vector<std::int64_t> kept;
        std::int64_t rows = shard.rows;
        if (from > 0 || to < 1) {
            const std::uint64_t key = core::sample_key(source.samples()[shard.sample]);
            for (std::int64_t row = shard.first_row; row < shard.first_row + shard.rows; ++row) {
                const double draw = core::Philox(seed, core::DrawPurpose::Validation, 0,
                                                 {key, static_cast<std::uint64_t>(row)})
                                        .uniform(0);
                if (draw >= from && draw < to) kept.push_back(row);
            }
            rows = static_cast<std::int64_t>(kept.size());
        }
        set.shards_.push_back(shard);
        set.kept_.push_back(std::move(kept));
        set.first_number_.push_back(set.first_number_.back() + rows);
    }
    return set;
}

std::vector<std::int64_t> RowSet::shard_rows() const {
    std::vector<std::int64_t> rows;
    for (std::size_t s = 0; s < shards_.size(); ++s)
        rows.push_back(first_number_[s + 1] - first_number_[s]);
    return rows;
}

std::int64_t RowSet::row_in_sample(std::size_t s, std::int64_t number) const {
    const std::int64_t position = number - first_number_[s];
    return kept_[s].empty() ? shards_[s].first_row + position : kept_[s][position];
}

}  // namespace smeta::atlas

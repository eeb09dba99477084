#include "smeta/analysis/run_values.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <numeric>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "smeta/atlas/common_features.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

namespace smeta::analysis {
namespace {

/// The features of a modality of a sample as they travel: "MODALITY\0NAME\0" each.
void pack(const std::string& modality, const std::vector<std::string>& names, std::string& packed) {
    for (const auto& name : names)
        packed.append(modality).append(1, '\0').append(name).append(1, '\0');
}

/// Calls `visit(modality, name)` for every feature of pack.
template <class Visit>
void unpack_names(std::string_view packed, const Visit& visit) {
    for (std::size_t at = 0; at < packed.size();) {
        const auto middle = packed.find('\0', at);
        const auto end = packed.find('\0', middle + 1);
        visit(packed.substr(at, middle - at), packed.substr(middle + 1, end - middle - 1));
        at = end + 1;
    }
}

/// Features of all samples, ordered as ValueFeatures.
struct Union {
    std::map<std::string, std::set<std::string, std::less<>>, std::less<>> names;
};

/// sm, st, then others by name.
std::vector<std::string> in_order(const Union& all) {
    std::vector<std::string> order;
    for (const std::string first : {"sm", "st"})
        if (all.names.count(first) != 0) order.push_back(first);
    for (const auto& [name, features] : all.names)
        if (name != "sm" && name != "st") order.push_back(name);
    return order;
}

}  // namespace

bool is_log_normalised(std::string_view modality) {
    return modality == "st" || modality == "sm";
}

std::optional<std::int32_t> ValueFeatures::find(std::string_view modality_name,
                                                std::string_view name) const {
    for (std::size_t m = 0; m < modalities.size(); ++m) {
        if (modalities[m] != modality_name) continue;
        const auto begin = std::lower_bound(modality.begin(), modality.end(), m);
        const auto end = std::upper_bound(modality.begin(), modality.end(), m);
        const auto from = names.begin() + (begin - modality.begin());
        const auto to = names.begin() + (end - modality.begin());
        const auto found = std::lower_bound(from, to, name);
        if (found != to && *found == name) return static_cast<std::int32_t>(found - names.begin());
    }
    return std::nullopt;
}

RunValues::RunValues(const comm::Comm& comm, const atlas::Run& run,
                     std::vector<std::string> samples, FeatureScope scope, ValueSource source)
    : run_(run), samples_(std::move(samples)), source_(source) {
    core::check(source == ValueSource::Measured || scope == FeatureScope::Selected,
                "the model decodes the features that it was trained on");
    for (const auto& name : samples_)
        first_row_.push_back(first_row_.back() + run_.sample(name).rows());
    cut_rows(comm);
    gather_features(comm, scope);
    if (source == ValueSource::Measured) return;
    stored_values_ = rows() * features_.count();
    same_.resize(features_.count());
    std::iota(same_.begin(), same_.end(), 0);
    comm.root_or_throw([&] {
        for (const auto& name : samples_)
            if (!run_.has_reconstruction(name))
                throw core::ConfigError(
                    fmt::format("run '{}' has no reconstruction of sample '{}': smeta embed "
                                "--reconstruction --run {}",
                                run_.name(), name, run_.name()));
    });
}

void RunValues::cut_rows(const comm::Comm& comm) {
    const auto share = comm::even_share(rows(), comm.size(), comm.rank());
    for (std::size_t s = 0; s < samples_.size(); ++s) {
        const auto first = std::max(share.first, first_row_[s]) - first_row_[s];
        const auto last = std::min(share.last, first_row_[s + 1]) - first_row_[s];
        for (auto row = first; row < last; row += kBlockRows)
            parts_.push_back({static_cast<std::int32_t>(s), row, std::min(row + kBlockRows, last)});
    }
    rounds_ = comm.allreduce(static_cast<std::int64_t>(parts_.size()), comm::ReduceOp::Max);
}

void RunValues::gather_features(const comm::Comm& comm, FeatureScope scope) {
    std::vector<std::string> packed(samples_.size());
    const auto owner = [&](std::size_t s) { return static_cast<int>(s) % comm.size(); };
    comm.all_or_throw([&] {
        selected_ = run_.features();
        for (std::size_t s = 0; s < samples_.size(); ++s) {
            if (owner(s) != comm.rank()) continue;
            const auto reader = run_.open_joint(samples_[s]);
            for (const auto& modality : reader.modalities()) {
                pack(modality, names_of(reader, modality), packed[s]);
                stored_values_ += reader.stored_values(modality);
            }
        }
    });
    stored_values_ = comm.allreduce(stored_values_);
    Union all;
    for (std::size_t s = 0; s < samples_.size(); ++s) {
        comm.broadcast(packed[s], owner(s));
        if (scope == FeatureScope::Measured)
            unpack_names(packed[s], [&](std::string_view modality, std::string_view name) {
                all.names[std::string(modality)].emplace(name);
            });
    }
    if (scope == FeatureScope::Selected)
        for (const auto& modality : selected_.modalities)
            all.names[modality.name].insert(modality.names().begin(), modality.names().end());
    features_.modalities = in_order(all);
    for (std::size_t m = 0; m < features_.modalities.size(); ++m)
        for (const auto& name : all.names[features_.modalities[m]]) {
            features_.modality.push_back(static_cast<std::int32_t>(m));
            features_.names.push_back(name);
        }
    features_.is_measured.setZero(static_cast<Eigen::Index>(samples_.size()), features_.count());
    for (std::size_t s = 0; s < samples_.size(); ++s) {
        const auto row = static_cast<Eigen::Index>(s);
        if (s > 0 && packed[s] == packed[s - 1]) {
            features_.is_measured.row(row) = features_.is_measured.row(row - 1);
            continue;
        }
        unpack_names(packed[s], [&](std::string_view modality, std::string_view name) {
            const auto feature = features_.find(modality, name);
            if (feature) features_.is_measured(row, *feature) = 1;
        });
    }
}

std::vector<std::string> RunValues::names_of(const atlas::JointReader& joint,
                                             const std::string& modality) const {
    const atlas::ModalityFeatures* features = selected_.find(modality);
    return features == nullptr ? joint.var(modality).index
                               : atlas::names_in(joint.var(modality), *features);
}

const atlas::JointReader& RunValues::joint(std::int32_t sample) const {
    if (open_sample_ == sample) return *open_;
    open_.emplace(run_.open_joint(samples_[sample]));
    columns_.clear();
    for (const auto& modality : open_->modalities()) {
        auto& columns = columns_[modality];
        for (const auto& name : names_of(*open_, modality))
            columns.push_back(features_.find(modality, name).value_or(-1));
    }
    open_sample_ = sample;
    return *open_;
}

const io::AnnDataReader& RunValues::decoded(std::int32_t sample) const {
    if (open_sample_ == sample) return *open_decoded_;
    const auto file = run_.reconstruction_file(samples_[sample]).string();
    open_decoded_.emplace(file);
    const auto var = open_decoded_->var();
    const auto types = var.as_text("type", file);
    columns_.clear();
    for (const auto& name : features_.modalities) {
        std::string type = name;
        std::transform(type.begin(), type.end(), type.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        auto& columns = columns_[name];
        for (std::size_t c = 0; c < types.size(); ++c)
            columns.push_back(types[c] == type ? features_.find(name, var.index[c]).value_or(-1)
                                               : -1);
    }
    open_sample_ = sample;
    return *open_decoded_;
}

std::vector<RunValues::ModalityRows> RunValues::read_modalities(const Part& part,
                                                                ValueScale scale) const {
    const auto& reader = joint(part.sample);
    std::vector<ModalityRows> modalities;
    for (const auto& name : features_.modalities) {
        if (!reader.has(name)) continue;
        modalities.push_back({reader.read_rows(name, part.first, part.last), columns_.at(name)});
        if (scale == ValueScale::LogNormalised && is_log_normalised(name))
            log_normalise(modalities.back().rows);
    }
    return modalities;
}

std::vector<RunValues::ModalityRows> RunValues::decode_modalities(const Part& part,
                                                                  ValueScale scale) const {
    const auto rows = decoded(part.sample).x_rows(part.first, part.last);
    std::vector<ModalityRows> modalities;
    for (const auto& name : features_.modalities) {
        modalities.push_back(
            {core::select_columns(rows.view(), columns_.at(name), features_.count()), same_});
        if (scale == ValueScale::LogNormalised && is_log_normalised(name))
            log_normalise(modalities.back().rows);
    }
    return modalities;
}

/// Row `row` of all modalities, features ascending, zeros left out.
void RunValues::append_row(core::CountsCsr& values, const std::vector<ModalityRows>& modalities,
                           std::int64_t row) {
    const auto begin = values.indices.size();
    bool is_ascending = true;
    for (const auto& [rows, columns] : modalities)
        for (auto e = rows.indptr[row]; e < rows.indptr[row + 1]; ++e) {
            const auto feature = columns[rows.indices[e]];
            if (feature < 0 || rows.values[e] == 0) continue;
            if (values.indices.size() > begin && values.indices.back() > feature)
                is_ascending = false;
            values.indices.push_back(feature);
            values.values.push_back(rows.values[e]);
        }
    if (!is_ascending) {
        std::vector<std::pair<std::int32_t, float>> entries;
        for (auto e = begin; e < values.indices.size(); ++e)
            entries.emplace_back(values.indices[e], values.values[e]);
        std::sort(entries.begin(), entries.end());
        for (auto e = begin; e < values.indices.size(); ++e)
            std::tie(values.indices[e], values.values[e]) = entries[e - begin];
    }
    values.indptr.push_back(values.nnz());
    ++values.rows;
}

ValueBlock RunValues::read(std::int64_t round, ValueScale scale) const {
    ValueBlock block;
    block.values.cols = features_.count();
    if (round >= static_cast<std::int64_t>(parts_.size())) return block;
    const auto& part = parts_[round];
    block.sample = part.sample;
    block.first_row = first_row_[part.sample] + part.first;
    const auto modalities = source_ == ValueSource::Measured ? read_modalities(part, scale)
                                                             : decode_modalities(part, scale);
    std::int64_t stored = 0;
    for (const auto& modality : modalities) stored += modality.rows.nnz();
    block.values.indices.reserve(stored);
    block.values.values.reserve(stored);
    for (std::int64_t r = 0; r < part.last - part.first; ++r)
        append_row(block.values, modalities, r);
    return block;
}

void log_normalise(core::CountsCsr& rows, double total) {
    // Counts repeat within a row, and log1p would take most of the time.
    constexpr int kSmallCounts = 128;
#pragma omp parallel for schedule(static) num_threads(core::threads())
    for (std::int64_t r = 0; r < rows.rows; ++r) {
        double sum = 0;
        for (auto e = rows.indptr[r]; e < rows.indptr[r + 1]; ++e) sum += rows.values[e];
        const double factor = sum > 0 ? total / sum : 0;
        const auto normalised = [factor](float value) {
            return static_cast<float>(std::log1p(std::max(0.0, value * factor)));
        };
        std::array<float, kSmallCounts> known;
        known.fill(-1);
        for (auto e = rows.indptr[r]; e < rows.indptr[r + 1]; ++e) {
            auto& value = rows.values[e];
            const bool is_small = value >= 0 && value < kSmallCounts;
            const int count = is_small ? static_cast<int>(value) : 0;
            if (is_small && static_cast<float>(count) == value) {
                if (known[count] < 0) known[count] = normalised(value);
                value = known[count];
            } else {
                value = normalised(value);
            }
        }
    }
}

}  // namespace smeta::analysis

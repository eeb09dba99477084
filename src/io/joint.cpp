#include "smeta/io/joint.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/source_info.hpp"

namespace smeta::io {

namespace {

bool is_sm(std::string_view type) {
    return type == "SM" || type == "SM_pos" || type == "SM_neg";
}

std::optional<std::vector<std::string>> types_of(const AnnData& data, const std::string& file) {
    if (data.var.find("type") == nullptr) return std::nullopt;
    return data.var.as_text("type", file);
}

/// Columns `keep` (ascending) of the file as a modality with all rows.
AnnData take(const AnnData& data, const core::CountsCsr& x, const std::vector<std::int64_t>& keep) {
    std::vector<std::int32_t> new_column(x.cols, -1);
    for (std::size_t i = 0; i < keep.size(); ++i)
        new_column[keep[i]] = static_cast<std::int32_t>(i);
    AnnData part;
    part.obs = data.obs;
    part.obsm = data.obsm;
    part.float_obsm = data.float_obsm;
    part.uns = data.uns;
    part.var = data.var.select(keep);
    std::erase_if(part.var.columns, [](const auto& column) { return column.first == "type"; });
    part.x = core::select_columns(x, new_column, static_cast<std::int32_t>(keep.size()));
    return part;
}

}  // namespace

bool is_joint(const AnnData& data) {
    const ColumnValues* column = data.var.find("type");
    if (column == nullptr || (!std::holds_alternative<std::vector<std::string>>(*column) &&
                              !std::holds_alternative<Categorical>(*column)))
        return false;
    const auto types = types_of(data, "");
    return std::all_of(types->begin(), types->end(),
                       [](const std::string& type) { return type == "ST" || is_sm(type); });
}

JointModalities split_joint(const AnnData& data, const ValuePolicy& values,
                            const std::string& file) {
    const auto types = types_of(data, file);
    if (!types)
        throw core::FormatError(
            {file, "var", "a column 'type' with ST and SM", "no such column",
             "this is SpatialMETA's joint layout; give --st and --sm otherwise"});
    const auto counts = data.layers.find("counts");
    if (counts == data.layers.end() && !data.x)
        throw core::FormatError({file, "X", "counts and intensities", "no X", ""});
    const core::CountsCsr x = to_csr(counts != data.layers.end() ? counts->second : *data.x);
    check_unique(data.obs.index, "spot", file);
    std::vector<std::int64_t> st;
    std::vector<std::int64_t> sm;
    std::vector<std::string> polarity;
    for (std::size_t v = 0; v < types->size(); ++v) {
        const std::string& type = (*types)[v];
        if (type == "ST") {
            st.push_back(static_cast<std::int64_t>(v));
        } else if (is_sm(type)) {
            sm.push_back(static_cast<std::int64_t>(v));
            polarity.push_back(type == "SM" ? "" : type.substr(3));
        } else {
            throw core::FormatError({file, fmt::format("var['type'] of '{}'", data.var.index[v]),
                                     "ST, SM, SM_pos or SM_neg", fmt::format("'{}'", type), ""});
        }
    }
    JointModalities result;
    if (!st.empty()) {
        result.st = take(data, x, st);
        check_unique(result.st->var.index, "gene", file);
        apply_value_policy(*result.st, ValueKind::Counts, values, file);
    }
    if (!sm.empty()) {
        result.sm = take(data, x, sm);
        check_unique(result.sm->var.index, "metabolite", file);
        if (result.sm->var.find("polarity") == nullptr &&
            std::any_of(polarity.begin(), polarity.end(),
                        [](const std::string& text) { return !text.empty(); }))
            result.sm->var.set("polarity", polarity);
        add_mz_columns(result.sm->var, "");
        apply_value_policy(*result.sm, ValueKind::Intensities, values, file);
    }
    if (!result.st && !result.sm)
        throw core::FormatError({file, "var", "genes or metabolites", "no columns", ""});
    if (result.st && result.sm && result.st->obs.index != result.sm->obs.index) {
        // Dropping by value took different rows: both keep only those that both have.
        const auto keep_common = [](AnnData& part, const Frame& other) {
            const std::vector<std::string> sorted = [&] {
                std::vector<std::string> names = other.index;
                std::sort(names.begin(), names.end());
                return names;
            }();
            std::vector<std::int64_t> rows;
            for (std::size_t r = 0; r < part.obs.index.size(); ++r)
                if (std::binary_search(sorted.begin(), sorted.end(), part.obs.index[r]))
                    rows.push_back(static_cast<std::int64_t>(r));
            const auto lost = part.obs.rows() - static_cast<std::int64_t>(rows.size());
            select_observations(part, rows);
            note_dropped(part, "not_finite", lost);
        };
        keep_common(*result.st, result.sm->obs);
        keep_common(*result.sm, result.st->obs);
    }
    return result;
}

namespace {

struct Part {
    const AnnData* data;
    const char* type;
    std::vector<std::int64_t> order;  ///< columns in bytewise name order
};

core::CountsCsr join_columns(const std::vector<Part>& parts,
                             const std::vector<const MatrixValues*>& values) {
    std::vector<core::CountsCsr> sorted;
    for (std::size_t p = 0; p < parts.size(); ++p) {
        const core::CountsCsr x = to_csr(*values[p]);
        std::vector<std::int32_t> new_column(x.cols);
        for (std::size_t i = 0; i < parts[p].order.size(); ++i)
            new_column[parts[p].order[i]] = static_cast<std::int32_t>(i);
        sorted.push_back(core::select_columns(x, new_column, x.cols));
    }
    core::CountsCsr result;
    result.rows = sorted.front().rows;
    for (const core::CountsCsr& x : sorted) result.cols += x.cols;
    for (std::int64_t r = 0; r < result.rows; ++r) {
        std::int32_t first = 0;
        for (const core::CountsCsr& x : sorted) {
            for (const std::int32_t c : x.view().row_indices(r))
                result.indices.push_back(first + c);
            const auto row = x.view().row_values(r);
            result.values.insert(result.values.end(), row.begin(), row.end());
            first += x.cols;
        }
        result.indptr.push_back(static_cast<std::int64_t>(result.indices.size()));
    }
    return result;
}

bool is_text(const ColumnValues& values) {
    return std::holds_alternative<std::vector<std::string>>(values) ||
           std::holds_alternative<Categorical>(values);
}

/// A column of all parts: text if any of them has text, else double.
ColumnValues join_var_column(const std::vector<Part>& parts, const std::string& name) {
    bool text = false;
    for (const Part& part : parts)
        if (const ColumnValues* column = part.data->var.find(name)) text = text || is_text(*column);
    std::vector<std::string> texts;
    std::vector<double> numbers;
    for (const Part& part : parts) {
        const bool has = part.data->var.find(name) != nullptr;
        const std::size_t size = part.order.size();
        if (text) {
            const auto column = has ? part.data->var.as_text(name, "")
                                    : std::vector<std::string>(part.data->var.index.size());
            for (std::size_t i = 0; i < size; ++i) texts.push_back(column[part.order[i]]);
        } else {
            const auto column = has ? part.data->var.as_number(name, "")
                                    : std::vector<double>(part.data->var.index.size(),
                                                          std::numeric_limits<double>::quiet_NaN());
            for (std::size_t i = 0; i < size; ++i) numbers.push_back(column[part.order[i]]);
        }
    }
    if (text) return texts;
    return numbers;
}

}  // namespace

AnnData join_modalities(const AnnData* sm, const AnnData* st) {
    core::check(sm != nullptr || st != nullptr, "a modality to join");
    core::check(sm == nullptr || st == nullptr || sm->obs.index == st->obs.index,
                "modalities with the same rows");
    std::vector<Part> parts;
    for (const auto& [data, type] : {std::pair{sm, "SM"}, std::pair{st, "ST"}}) {
        if (data == nullptr) continue;
        Part part{data, type, std::vector<std::int64_t>(data->var.index.size())};
        std::iota(part.order.begin(), part.order.end(), 0);
        std::sort(part.order.begin(), part.order.end(), [d = data](std::int64_t a, std::int64_t b) {
            return d->var.index[a] < d->var.index[b];
        });
        parts.push_back(std::move(part));
    }
    const AnnData& main = *parts.back().data;
    AnnData result;
    result.obs = main.obs;
    result.obsm = main.obsm;
    result.float_obsm = main.float_obsm;
    result.uns = main.uns;
    std::vector<std::string> types;
    std::vector<std::string> columns;
    for (const Part& part : parts) {
        for (const std::int64_t v : part.order) result.var.index.push_back(part.data->var.index[v]);
        types.insert(types.end(), part.order.size(), part.type);
        for (const auto& [name, values] : part.data->var.columns)
            if (name != "type" && std::find(columns.begin(), columns.end(), name) == columns.end())
                columns.push_back(name);
    }
    result.var.set("type", std::move(types));
    for (const std::string& name : columns) result.var.set(name, join_var_column(parts, name));
    const auto join = [&](auto&& get) -> std::optional<MatrixValues> {
        std::vector<const MatrixValues*> values;
        for (const Part& part : parts) values.push_back(get(*part.data));
        if (std::find(values.begin(), values.end(), nullptr) != values.end()) return std::nullopt;
        return join_columns(parts, values);
    };
    result.x = join([](const AnnData& data) { return data.x ? &*data.x : nullptr; });
    for (const auto& [name, layer] : main.layers)
        if (auto joined = join([&n = name](const AnnData& data) {
                const auto it = data.layers.find(n);
                return it == data.layers.end() ? nullptr : &it->second;
            }))
            result.layers[name] = std::move(*joined);
    return result;
}

}  // namespace smeta::io

#include <algorithm>
#include <limits>

#include "smeta/core/error.hpp"

#include "joint_impl.hpp"

namespace smeta::align::detail {

namespace {

std::vector<std::int64_t> kept_positions(const io::Frame& table,
                                         const std::vector<std::string>& names,
                                         const std::string& object) {
    if (table.index != names)
        throw core::FormatError(
            {"", object, "the rows and features of the raw file", "others", "run smeta qc again"});
    const std::vector<double> kept = table.as_number("kept", object);
    std::vector<std::int64_t> rows;
    for (std::size_t i = 0; i < kept.size(); ++i)
        if (kept[i] != 0.0) rows.push_back(static_cast<std::int64_t>(i));
    return rows;
}

std::string type_of(const std::string& modality) {
    if (modality == "st") return "ST";
    return modality == "sm" ? "SM" : modality;
}

template <class T>
constexpr T missing_value() {
    if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::quiet_NaN();
    return T{};
}

template <class To, class From>
std::vector<To> take(const std::vector<From>& values, const std::vector<std::int64_t>& rows) {
    std::vector<To> result;
    result.reserve(rows.size());
    for (const std::int64_t row : rows)
        result.push_back(row < 0 ? missing_value<To>() : static_cast<To>(values[row]));
    return result;
}

}  // namespace

KeptModality keep(const std::string& name, const io::AnnData& raw, const io::AnnData& qc) {
    KeptModality kept;
    kept.name = name;
    kept.raw = &raw;
    kept.rows = kept_positions(qc.obs, raw.obs.index, "qc of " + name + " obs");
    const auto features = kept_positions(qc.var, raw.var.index, "qc of " + name + " var");
    core::check(raw.x.has_value(), "a raw modality has values");
    std::vector<std::int32_t> new_column(raw.var.rows(), -1);
    for (std::size_t f = 0; f < features.size(); ++f)
        new_column[features[f]] = static_cast<std::int32_t>(f);
    kept.x = core::select_columns(core::select_rows(io::to_csr(*raw.x), kept.rows), new_column,
                                  static_cast<std::int32_t>(features.size()));
    kept.var = raw.var.select(features);
    if (kept.var.find("type") == nullptr)
        kept.var.set("type", std::vector<std::string>(features.size(), type_of(name)));
    if (const auto points = raw.obsm.find("spatial"); points != raw.obsm.end()) {
        kept.points.resize(static_cast<Eigen::Index>(kept.rows.size()), 2);
        for (std::size_t i = 0; i < kept.rows.size(); ++i)
            kept.points.row(static_cast<Eigen::Index>(i)) =
                points->second.row(kept.rows[i]).head(2);
    }
    for (std::int64_t row = 0; row < raw.obs.rows(); ++row)
        kept.dropped.emplace(raw.obs.index[row], row);
    for (std::size_t i = 0; i < kept.rows.size(); ++i) {
        kept.position.emplace(raw.obs.index[kept.rows[i]], static_cast<std::int64_t>(i));
        kept.dropped.erase(raw.obs.index[kept.rows[i]]);
    }
    return kept;
}

io::ColumnValues pick(const io::ColumnValues& values, const std::vector<std::int64_t>& rows) {
    const bool complete = std::find(rows.begin(), rows.end(), -1) == rows.end();
    return std::visit(
        [&](const auto& column) -> io::ColumnValues {
            using Column = std::decay_t<decltype(column)>;
            if constexpr (std::is_same_v<Column, io::Categorical>) {
                io::Categorical result{{}, column.categories, column.ordered};
                for (const std::int64_t row : rows)
                    result.codes.push_back(row < 0 ? -1 : column.codes[row]);
                return result;
            } else {
                using T = typename Column::value_type;
                // Integers have no missing value: they become numbers with NaN.
                if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::int32_t>)
                    if (!complete) return take<double>(column, rows);
                return take<T>(column, rows);
            }
        },
        values);
}

core::CountsCsr pick(const core::CsrView& x, const std::vector<std::int64_t>& rows) {
    core::CountsCsr result;
    result.cols = x.cols;
    for (const std::int64_t row : rows) {
        if (row < 0)
            result.append_row({}, {});
        else
            result.append_row(x.row_indices(row), x.row_values(row));
    }
    return result;
}

}  // namespace smeta::align::detail

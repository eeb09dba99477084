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

KeptModality keep(const std::string& name, const io::AnnData& raw, const io::AnnData& qc,
                  RowReader read) {
    KeptModality kept;
    kept.name = name;
    kept.raw = &raw;
    kept.read = std::move(read);
    kept.rows = kept_positions(qc.obs, raw.obs.index, "qc of " + name + " obs");
    const auto features = kept_positions(qc.var, raw.var.index, "qc of " + name + " var");
    kept.new_column.assign(raw.var.rows(), -1);
    for (std::size_t f = 0; f < features.size(); ++f)
        kept.new_column[features[f]] = static_cast<std::int32_t>(f);
    kept.var = raw.var.select(features);
    if (kept.var.find("type") == nullptr)
        kept.var.set("type", std::vector<std::string>(features.size(), type_of(name)));
    if (qc.obs.find("total") != nullptr) {
        const std::vector<double> totals = qc.obs.as_number("total", "qc of " + name);
        for (const std::int64_t row : kept.rows) kept.totals.push_back(totals[row]);
    }
    if (const auto points = raw.obsm.find("spatial"); points != raw.obsm.end()) {
        kept.points.resize(static_cast<Eigen::Index>(kept.rows.size()), 2);
        for (std::size_t i = 0; i < kept.rows.size(); ++i)
            kept.points.row(static_cast<Eigen::Index>(i)) =
                points->second.row(kept.rows[i]).head(2);
    }
    return kept;
}

core::CountsCsr KeptModality::values(const std::vector<std::int64_t>& kept_rows) const {
    std::vector<std::int64_t> wanted;
    for (const std::int64_t row : kept_rows)
        if (row >= 0) wanted.push_back(rows[row]);
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    core::CountsCsr found =
        core::select_columns(read(wanted), new_column, static_cast<std::int32_t>(var.index.size()));
    const auto is_wanted = [&](std::int64_t row, std::int64_t raw_row) {
        return row >= 0 && rows[row] == raw_row;
    };
    if (std::equal(kept_rows.begin(), kept_rows.end(), wanted.begin(), wanted.end(), is_wanted))
        return found;
    core::CountsCsr result;
    result.cols = found.cols;
    for (const std::int64_t row : kept_rows) {
        if (row < 0) {
            result.append_row({}, {});
            continue;
        }
        const auto at = std::lower_bound(wanted.begin(), wanted.end(), rows[row]) - wanted.begin();
        result.append_row(found.view().row_indices(at), found.view().row_values(at));
    }
    return result;
}

io::ColumnValues pick(const io::ColumnValues& values, const std::vector<std::int64_t>& rows,
                      Gaps gaps) {
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
                    if (gaps == Gaps::Some) return take<double>(column, rows);
                return take<T>(column, rows);
            }
        },
        values);
}

}  // namespace smeta::align::detail

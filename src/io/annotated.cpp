#include "smeta/io/annotated.hpp"

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::io {

namespace {

core::FormatError missing_column(std::string_view name, const Frame& frame,
                                 const std::string& file) {
    std::string present;
    for (const auto& [column, values] : frame.columns)
        present += (present.empty() ? "" : ", ") + column;
    return core::FormatError({.file = file,
                              .object = fmt::format("column '{}'", name),
                              .expected = "a column of that name",
                              .found = present.empty() ? "no columns" : present,
                              .hint = ""});
}

template <class T>
std::vector<T> pick(const std::vector<T>& values, const std::vector<std::int64_t>& rows) {
    std::vector<T> result;
    result.reserve(rows.size());
    for (const std::int64_t row : rows) result.push_back(values.at(static_cast<std::size_t>(row)));
    return result;
}

/// A column as text: categories resolved, numbers formatted.
struct Writer {
    std::vector<std::string> operator()(const std::vector<std::string>& v) const { return v; }
    std::vector<std::string> operator()(const Categorical& v) const {
        std::vector<std::string> text;
        text.reserve(v.codes.size());
        for (const std::int32_t code : v.codes)
            text.push_back(code < 0 ? std::string()
                                    : v.categories.at(static_cast<std::size_t>(code)));
        return text;
    }
    std::vector<std::string> operator()(const std::vector<std::uint8_t>& v) const {
        std::vector<std::string> text;
        for (const auto flag : v) text.emplace_back(flag != 0 ? "True" : "False");
        return text;
    }
    std::vector<std::string> operator()(const auto& v) const {
        std::vector<std::string> text;
        text.reserve(v.size());
        for (const auto number : v) text.push_back(fmt::format("{}", number));
        return text;
    }
};

}  // namespace

const ColumnValues* Frame::find(std::string_view name) const {
    for (const auto& [column, values] : columns)
        if (column == name) return &values;
    return nullptr;
}

void Frame::set(std::string name, ColumnValues values) {
    for (auto& [column, held] : columns) {
        if (column != name) continue;
        held = std::move(values);
        return;
    }
    columns.emplace_back(std::move(name), std::move(values));
}

std::vector<std::string> Frame::as_text(std::string_view name, const std::string& file) const {
    const ColumnValues* column = find(name);
    if (column == nullptr) throw missing_column(name, *this, file);
    return std::visit(Writer{}, *column);
}

std::vector<double> Frame::as_number(std::string_view name, const std::string& file) const {
    const ColumnValues* column = find(name);
    if (column == nullptr) throw missing_column(name, *this, file);
    return std::visit(
        [&](const auto& values) -> std::vector<double> {
            using Values = std::decay_t<decltype(values)>;
            if constexpr (std::is_same_v<Values, Categorical> ||
                          std::is_same_v<Values, std::vector<std::string>>)
                throw core::FormatError({.file = file,
                                         .object = fmt::format("column '{}'", name),
                                         .expected = "numbers",
                                         .found = "text",
                                         .hint = ""});
            else
                return {values.begin(), values.end()};
        },
        *column);
}

Frame Frame::select(const std::vector<std::int64_t>& rows) const {
    Frame result;
    result.index = pick(index, rows);
    for (const auto& [name, values] : columns)
        result.columns.emplace_back(
            name,
            std::visit(
                [&](const auto& held) -> ColumnValues {
                    if constexpr (std::is_same_v<std::decay_t<decltype(held)>, Categorical>)
                        return Categorical{pick(held.codes, rows), held.categories, held.ordered};
                    else
                        return pick(held, rows);
                },
                values));
    return result;
}

std::int64_t rows(const MatrixValues& values) {
    if (const auto* csr = std::get_if<core::CountsCsr>(&values)) return csr->rows;
    return std::get<core::MatrixF>(values).rows();
}

std::int32_t cols(const MatrixValues& values) {
    if (const auto* csr = std::get_if<core::CountsCsr>(&values)) return csr->cols;
    return static_cast<std::int32_t>(std::get<core::MatrixF>(values).cols());
}

core::CountsCsr to_csr(const MatrixValues& values) {
    if (const auto* csr = std::get_if<core::CountsCsr>(&values)) return *csr;
    return core::from_dense(std::get<core::MatrixF>(values));
}

core::MatrixF to_dense(const MatrixValues& values) {
    if (const auto* csr = std::get_if<core::CountsCsr>(&values)) return core::to_dense(*csr);
    return std::get<core::MatrixF>(values);
}

const AnnData* MuData::find(std::string_view name) const {
    for (const auto& [modality, data] : modalities)
        if (modality == name) return &data;
    return nullptr;
}

}  // namespace smeta::io

#include "slices.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <type_traits>

#include "smeta/atlas/joint_reader.hpp"
#include "smeta/core/error.hpp"

namespace smeta::atlas::detail {

namespace {

/// The variant's alternative that can hold the columns of all parts: their common type, else text.
template <class T>
std::vector<T> joined(const std::vector<io::Frame>& parts, const std::string& name, T missing) {
    std::vector<T> values;
    for (const io::Frame& part : parts) {
        const io::ColumnValues* column = part.find(name);
        if (column == nullptr) {
            values.insert(values.end(), part.index.size(), missing);
            continue;
        }
        const auto& own = std::get<std::vector<T>>(*column);
        values.insert(values.end(), own.begin(), own.end());
    }
    return values;
}

io::Categorical joined_categories(const std::vector<io::Frame>& parts, const std::string& name) {
    io::Categorical result;
    std::map<std::string, std::int32_t> codes;
    bool first = true;
    for (const io::Frame& part : parts) {
        const io::ColumnValues* column = part.find(name);
        if (column == nullptr) {
            result.codes.insert(result.codes.end(), part.index.size(), -1);
            continue;
        }
        const auto& own = std::get<io::Categorical>(*column);
        result.ordered = first ? own.ordered : result.ordered && own.ordered;
        first = false;
        std::vector<std::int32_t> renumbered;
        for (const std::string& category : own.categories) {
            const auto [entry, is_new] =
                codes.try_emplace(category, static_cast<std::int32_t>(codes.size()));
            if (is_new) result.categories.push_back(category);
            renumbered.push_back(entry->second);
        }
        for (const std::int32_t code : own.codes)
            result.codes.push_back(code < 0 ? -1 : renumbered.at(code));
    }
    return result;
}

bool is_number(const io::ColumnValues& values) {
    return !std::holds_alternative<std::vector<std::string>>(values) &&
           !std::holds_alternative<io::Categorical>(values);
}

std::vector<double> joined_numbers(const std::vector<io::Frame>& parts, const std::string& name) {
    std::vector<double> values;
    for (const io::Frame& part : parts) {
        if (part.find(name) == nullptr) {
            values.insert(values.end(), part.index.size(),
                          std::numeric_limits<double>::quiet_NaN());
            continue;
        }
        const auto own = part.as_number(name, "");
        values.insert(values.end(), own.begin(), own.end());
    }
    return values;
}

std::vector<std::string> joined_texts(const std::vector<io::Frame>& parts,
                                      const std::string& name) {
    std::vector<std::string> values;
    for (const io::Frame& part : parts) {
        if (part.find(name) == nullptr) {
            values.insert(values.end(), part.index.size(), "");
            continue;
        }
        const auto own = part.as_text(name, "");
        values.insert(values.end(), own.begin(), own.end());
    }
    return values;
}

io::ColumnValues joined_column(const std::vector<io::Frame>& parts, const std::string& name) {
    bool everywhere = true;
    bool same_type = true;
    bool numbers = true;
    const io::ColumnValues* first = nullptr;
    for (const io::Frame& part : parts) {
        const io::ColumnValues* column = part.find(name);
        everywhere = everywhere && column != nullptr;
        if (column == nullptr) continue;
        if (first == nullptr) first = column;
        same_type = same_type && column->index() == first->index();
        numbers = numbers && is_number(*column);
    }
    core::check(first != nullptr, "the column is in a part");
    if (same_type && std::holds_alternative<io::Categorical>(*first))
        return joined_categories(parts, name);
    // Whole numbers and booleans have no value for "missing": such columns become double.
    if (same_type && everywhere && numbers)
        return std::visit(
            [&](const auto& values) -> io::ColumnValues {
                using Values = std::decay_t<decltype(values)>;
                if constexpr (std::is_same_v<Values, io::Categorical>)
                    return values;
                else
                    return joined<typename Values::value_type>(parts, name, {});
            },
            *first);
    if (numbers) return joined_numbers(parts, name);
    return joined_texts(parts, name);
}

std::vector<std::int64_t> numbers_of(comm::Range range) {
    std::vector<std::int64_t> rows(range.size());
    std::iota(rows.begin(), rows.end(), range.first);
    return rows;
}

io::MatrixValues slice_matrix(const io::MatrixValues& values, comm::Range range) {
    if (const auto* dense = std::get_if<core::MatrixF>(&values))
        return core::MatrixF(dense->middleRows(range.first, range.size()));
    return core::select_rows(std::get<core::CountsCsr>(values), numbers_of(range));
}

}  // namespace

std::int64_t joint_pieces(std::int64_t rows, std::int64_t file_rows) {
    return std::max<std::int64_t>(1, (rows + file_rows - 1) / file_rows);
}

comm::Range piece_range(std::int64_t rows, std::int64_t file_rows, std::int64_t piece) {
    return {piece * file_rows, std::min(rows, (piece + 1) * file_rows)};
}

void check_joint(const io::MuData& data) {
    core::check(!data.modalities.empty(), "joint data have a modality");
    for (const auto& [name, modality] : data.modalities)
        core::check(modality.obs.index == data.modalities.front().second.obs.index,
                    "every modality of joint data has the same observations");
}

io::AnnData row_slice(const io::AnnData& data, comm::Range range) {
    io::AnnData slice;
    slice.obs = data.obs.select(numbers_of(range));
    slice.var = data.var;
    if (data.x) slice.x = slice_matrix(*data.x, range);
    for (const auto& [name, layer] : data.layers)
        slice.layers.emplace(name, slice_matrix(layer, range));
    for (const auto& [name, values] : data.obsm)
        slice.obsm.emplace(name, values.middleRows(range.first, range.size()));
    slice.float_obsm = data.float_obsm;
    slice.uns = data.uns;
    return slice;
}

io::MuData row_slice(const io::MuData& data, comm::Range range) {
    io::MuData slice;
    for (const auto& [name, modality] : data.modalities)
        slice.modalities.emplace_back(name, row_slice(modality, range));
    // Data that have not been through a file may leave the observations to the modalities. A rank
    // without rows keeps the columns: all ranks write the same datasets.
    const bool absent = data.obs.index.empty() && range.size() > 0;
    if (!absent) slice.obs = data.obs.select(numbers_of(range));
    slice.uns = data.uns;
    return slice;
}

io::Frame concatenate_frames(const std::vector<io::Frame>& parts) {
    io::Frame result;
    std::vector<std::string> names;
    for (const io::Frame& part : parts) {
        result.index.insert(result.index.end(), part.index.begin(), part.index.end());
        for (const auto& [name, values] : part.columns)
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    for (const std::string& name : names)
        result.columns.emplace_back(name, joined_column(parts, name));
    return result;
}

io::MatrixValues concatenate_matrices(const std::vector<io::MatrixValues>& parts) {
    const bool all_dense = std::all_of(parts.begin(), parts.end(), [](const auto& part) {
        return std::holds_alternative<core::MatrixF>(part);
    });
    std::int64_t total = 0;
    for (const auto& part : parts) total += io::rows(part);
    if (all_dense) {
        core::MatrixF dense(total, io::cols(parts.front()));
        std::int64_t at = 0;
        for (const auto& part : parts) {
            dense.middleRows(at, io::rows(part)) = std::get<core::MatrixF>(part);
            at += io::rows(part);
        }
        return dense;
    }
    core::CountsCsr result;
    result.cols = io::cols(parts.front());
    for (const auto& part : parts) {
        const core::CountsCsr csr = io::to_csr(part);
        const std::int64_t before = result.nnz();
        for (std::int64_t row = 1; row <= csr.rows; ++row)
            result.indptr.push_back(before + csr.indptr[row]);
        result.indices.insert(result.indices.end(), csr.indices.begin(), csr.indices.end());
        result.values.insert(result.values.end(), csr.values.begin(), csr.values.end());
        result.rows += csr.rows;
    }
    return result;
}

io::AnnData concatenate(const std::vector<io::AnnData>& parts) {
    core::check(!parts.empty(), "there is a part");
    if (parts.size() == 1) return parts.front();
    const io::AnnData& first = parts.front();
    io::AnnData result;
    std::vector<io::Frame> frames;
    std::vector<io::MatrixValues> matrices;
    std::int64_t total = 0;
    for (const io::AnnData& part : parts) {
        core::check(part.var.index == first.var.index, "all parts have the same features");
        frames.push_back(part.obs);
        if (part.x) matrices.push_back(*part.x);
        total += part.obs.rows();
    }
    result.obs = concatenate_frames(frames);
    result.var = first.var;
    if (matrices.size() == parts.size()) result.x = concatenate_matrices(matrices);
    for (const auto& [name, unused] : first.layers) {
        matrices.clear();
        for (const io::AnnData& part : parts) matrices.push_back(part.layers.at(name));
        result.layers.emplace(name, concatenate_matrices(matrices));
    }
    for (const auto& [name, values] : first.obsm) {
        core::MatrixD all(total, values.cols());
        std::int64_t at = 0;
        for (const io::AnnData& part : parts) {
            all.middleRows(at, part.obs.rows()) = part.obsm.at(name);
            at += part.obs.rows();
        }
        result.obsm.emplace(name, std::move(all));
    }
    result.float_obsm = first.float_obsm;
    result.uns = first.uns;
    return result;
}

}  // namespace smeta::atlas::detail

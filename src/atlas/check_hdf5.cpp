#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/h5.hpp"

#include "layout.hpp"

namespace smeta::atlas::detail {

namespace {

constexpr std::int64_t kBlockElements = 1 << 20;

/// Calls `use(first, last)` for blocks of rows of about kBlockElements elements.
template <class Use>
void in_blocks(const io::H5Dataset& dataset, const Use& use) {
    const std::int64_t rows = dataset.shape().front();
    const std::int64_t row_elements =
        rows == 0 ? 1 : std::max<std::int64_t>(1, dataset.size() / rows);
    const std::int64_t step = std::max<std::int64_t>(1, kBlockElements / row_elements);
    for (std::int64_t first = 0; first < rows; first += step)
        use(first, std::min(rows, first + step));
}

void read_all(const io::H5Dataset& dataset) {
    if (dataset.is_null() || dataset.type() == io::H5Type::Other ||
        dataset.type() == io::H5Type::Compound)
        return;
    if (dataset.type() == io::H5Type::Text) {
        if (dataset.shape().size() == 1)
            in_blocks(dataset,
                      [&](auto first, auto last) { (void)dataset.read_texts(first, last); });
        else
            (void)dataset.read_texts();
        return;
    }
    if (dataset.shape().empty())
        (void)dataset.read<double>();
    else
        in_blocks(dataset,
                  [&](auto first, auto last) { (void)dataset.read_rows<double>(first, last); });
}

void check_finite(const io::H5Dataset& values) {
    in_blocks(values, [&](std::int64_t first, std::int64_t last) {
        for (const float value : values.read_rows<float>(first, last))
            if (!std::isfinite(value))
                throw values.error("finite values", fmt::format("{}", value));
    });
}

/// indptr of a compressed matrix: 0, ascending, ending at the number of stored values.
void check_indptr(const io::H5Dataset& indptr, std::int64_t lines, std::int64_t stored) {
    if (indptr.shape() != std::vector<std::int64_t>{lines + 1})
        throw indptr.error(fmt::format("{} entries", lines + 1), fmt::format("{}", indptr.size()));
    std::int64_t last_seen = 0;
    in_blocks(indptr, [&](std::int64_t first, std::int64_t last) {
        std::int64_t position = first;
        for (const std::int64_t value : indptr.read_rows<std::int64_t>(first, last)) {
            if (value < last_seen || value > stored || (position == 0 && value != 0))
                throw indptr.error("ascending from 0 to the number of values",
                                   fmt::format("{} at {}", value, position));
            last_seen = value;
            ++position;
        }
    });
    if (last_seen != stored)
        throw indptr.error(fmt::format("{} at the end", stored), fmt::format("{}", last_seen));
}

void check_compressed(const io::H5Group& group, bool by_row) {
    const auto shape = group.integers_attribute("shape");
    if (!shape || shape->size() != 2 || shape->at(0) < 0 || shape->at(1) < 0)
        throw group.error("attribute shape of two numbers", "none");
    const std::int64_t lines = shape->at(by_row ? 0 : 1);
    const std::int64_t width = shape->at(by_row ? 1 : 0);
    const io::H5Dataset data = group.dataset("data");
    const io::H5Dataset indices = group.dataset("indices");
    if (data.shape() != indices.shape() || data.shape().size() != 1)
        throw indices.error(fmt::format("{} entries, as data", data.size()),
                            fmt::format("{}", indices.size()));
    check_indptr(group.dataset("indptr"), lines, data.size());
    in_blocks(indices, [&](std::int64_t first, std::int64_t last) {
        for (const std::int64_t index : indices.read_rows<std::int64_t>(first, last))
            if (index < 0 || index >= width)
                throw indices.error(fmt::format("0 to {}", width - 1), fmt::format("{}", index));
    });
    check_finite(data);
}

void check_group(const io::H5Group& group, int depth) {
    constexpr int kDeepest = 16;
    if (depth > kDeepest) throw group.error(fmt::format("at most {} levels", kDeepest), "more");
    const std::string encoding = group.text_attribute("encoding-type").value_or("");
    if (encoding == "csr_matrix" || encoding == "csc_matrix") {
        check_compressed(group, encoding == "csr_matrix");
        return;
    }
    for (const std::string& name : group.links()) {
        if (group.kind(name) == io::H5Kind::Group) {
            check_group(group.group(name), depth + 1);
            continue;
        }
        const io::H5Dataset dataset = group.dataset(name);
        if (name == "X" && io::is_float(dataset.type()))
            check_finite(dataset);
        else
            read_all(dataset);
    }
}

}  // namespace

void check_hdf5(const std::filesystem::path& file) {
    const io::H5File opened = io::H5File::open(file.string());
    check_group(opened.root(), 0);
}

}  // namespace smeta::atlas::detail

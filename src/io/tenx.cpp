#include "smeta/io/tenx.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/version.hpp"
#include "smeta/io/h5.hpp"
#include "smeta/io/source_info.hpp"

#include "tenx_impl.hpp"

namespace smeta::io {

namespace detail {

AnnData assemble_tenx(TenxParts parts, const TenxOptions& options, const std::string& file) {
    check_unique(parts.barcodes, "barcode", file);
    std::vector<std::int32_t> new_column(parts.names.size(), -1);
    std::vector<std::string> names;
    std::vector<std::string> ids;
    for (std::size_t g = 0; g < parts.names.size(); ++g) {
        if (!options.feature_type.empty() && !parts.types.empty() &&
            parts.types[g] != options.feature_type)
            continue;
        new_column[g] = static_cast<std::int32_t>(names.size());
        names.push_back(parts.names[g]);
        ids.push_back(parts.ids[g]);
    }
    if (names.empty()) {
        const std::set<std::string> found(parts.types.begin(), parts.types.end());
        throw core::FormatError({file, "feature types", fmt::format("'{}'", options.feature_type),
                                 fmt::format("'{}'", fmt::join(found, "', '")), ""});
    }
    AnnData data;
    data.obs.index = std::move(parts.barcodes);
    data.var = gene_frame(names, ids, file);
    data.x = names.size() == parts.names.size()
                 ? std::move(parts.counts)
                 : core::select_columns(parts.counts, new_column,
                                        static_cast<std::int32_t>(names.size()));
    apply_value_policy(data, ValueKind::Counts, options.values, file);
    return data;
}

}  // namespace detail

namespace {

/// CSC of features x barcodes = CSR of barcodes x features. Checks everything before use; sorts
/// rows where needed.
core::CountsCsr read_counts(const H5Group& group, std::int64_t features, std::int64_t barcodes) {
    const H5Dataset indptr = group.dataset("indptr");
    const H5Dataset indices = group.dataset("indices");
    const H5Dataset values = group.dataset("data");
    const auto shape = group.dataset("shape").read<std::int64_t>();
    if (shape.size() != 2 || shape[0] != features || shape[1] != barcodes)
        throw group.error(fmt::format("shape ({}, {})", features, barcodes),
                          fmt::format("({})", fmt::join(shape, ", ")));
    core::CountsCsr x;
    x.rows = barcodes;
    x.cols = static_cast<std::int32_t>(features);
    x.indptr = indptr.read<std::int64_t>();
    if (static_cast<std::int64_t>(x.indptr.size()) != barcodes + 1 || x.indptr.front() != 0)
        throw indptr.error(fmt::format("{} entries from 0", barcodes + 1),
                           fmt::format("{} entries", x.indptr.size()));
    if (!std::is_sorted(x.indptr.begin(), x.indptr.end()))
        throw indptr.error("ascending entries", "entries that fall");
    if (x.indptr.back() != indices.size() || x.indptr.back() != values.size())
        throw group.error(fmt::format("{} entries in data and indices", x.indptr.back()),
                          fmt::format("{} and {}", values.size(), indices.size()));
    // Numbers that an int32 cannot hold are read as its limits, which no feature has.
    x.indices = indices.read<std::int32_t>();
    for (std::size_t k = 0; k < x.indices.size(); ++k)
        if (x.indices[k] < 0 || x.indices[k] >= features)
            throw indices.error(fmt::format("entries below {}", features),
                                fmt::format("{} at {}", x.indices[k], k));
    x.values = values.read<float>();
    return x;
}

void sort_rows(core::CountsCsr& x, const std::string& file, const std::vector<std::string>& names) {
    std::vector<std::pair<std::int32_t, float>> row;
    for (std::int64_t r = 0; r < x.rows; ++r) {
        const auto first = x.indptr[r];
        const auto last = x.indptr[r + 1];
        if (std::is_sorted(x.indices.begin() + first, x.indices.begin() + last,
                           [](std::int32_t a, std::int32_t b) { return a <= b; }))
            continue;
        row.clear();
        for (auto k = first; k < last; ++k) row.emplace_back(x.indices[k], x.values[k]);
        std::sort(row.begin(), row.end());
        for (std::size_t k = 0; k < row.size(); ++k) {
            if (k > 0 && row[k].first == row[k - 1].first)
                throw core::FormatError({file, fmt::format("barcode '{}'", names[r]),
                                         "every feature once", "a feature twice", ""});
            x.indices[first + static_cast<std::int64_t>(k)] = row[k].first;
            x.values[first + static_cast<std::int64_t>(k)] = row[k].second;
        }
    }
}

detail::TenxParts read_parts(const H5Group& matrix, const H5Group& features, const char* id,
                             const char* name, const std::string& path) {
    detail::TenxParts parts;
    parts.barcodes = matrix.dataset("barcodes").read_texts();
    parts.ids = features.dataset(id).read_texts();
    parts.names = features.dataset(name).read_texts();
    if (features.has("feature_type")) parts.types = features.dataset("feature_type").read_texts();
    const auto count = static_cast<std::int64_t>(parts.ids.size());
    if (parts.names.size() != parts.ids.size() ||
        (!parts.types.empty() && parts.types.size() != parts.ids.size()))
        throw features.error(fmt::format("{} names and types", count), "another number");
    if (count > std::numeric_limits<std::int32_t>::max())
        throw features.error("at most 2^31 features", fmt::format("{}", count));
    parts.counts = read_counts(matrix, count, static_cast<std::int64_t>(parts.barcodes.size()));
    sort_rows(parts.counts, path, parts.barcodes);
    return parts;
}

}  // namespace

AnnData read_tenx_h5(const std::string& path, const TenxOptions& options) {
    const H5File file = H5File::open(path);
    const H5Group root = file.root();
    if (root.kind("matrix") == H5Kind::Group) {
        const H5Group matrix = root.group("matrix");
        const H5Group features = matrix.group("features");
        return detail::assemble_tenx(read_parts(matrix, features, "id", "name", path), options,
                                     path);
    }
    std::vector<std::string> genomes;
    for (const std::string& name : root.links())
        if (root.kind(name) == H5Kind::Group && root.group(name).has("gene_names"))
            genomes.push_back(name);
    if (genomes.size() != 1)
        throw core::FormatError(
            {path, "/", "a group 'matrix' (version 3) or one group of a genome (version 2)",
             genomes.empty() ? fmt::format("{}", fmt::join(root.links(), ", "))
                             : fmt::format("genomes {}", fmt::join(genomes, ", ")),
             ""});
    const H5Group matrix = root.group(genomes.front());
    return detail::assemble_tenx(read_parts(matrix, matrix, "genes", "gene_names", path), options,
                                 path);
}

namespace {

/// Writes the numbers as what `convert` makes of them, one storage chunk at a time.
template <class From, class Convert>
void write_converted(H5Group& group, std::string_view name, const std::vector<From>& numbers,
                     const Convert& convert) {
    constexpr std::int64_t kChunk = 262'144;
    using To = std::invoke_result_t<Convert, From>;
    const auto size = static_cast<std::int64_t>(numbers.size());
    H5Dataset dataset = group.create_dataset(
        name, h5_type<To>(), std::span(&size, 1),
        size == 0 ? H5Storage::contiguous() : H5Storage::chunked({std::min(kChunk, size)}));
    std::vector<To> part;
    for (std::int64_t first = 0; first < size; first += kChunk) {
        const std::int64_t last = std::min(first + kChunk, size);
        part.clear();
        for (std::int64_t k = first; k < last; ++k) part.push_back(convert(numbers[k]));
        dataset.write_rows(first, last, std::span<const To>(part));
    }
}

}  // namespace

void write_tenx_h5(const std::string& path, const AnnData& data, const std::string& library) {
    core::check(data.x.has_value(), "counts to write");
    const auto* sparse = std::get_if<core::CountsCsr>(&*data.x);  // large: copied only when dense
    const core::CountsCsr converted = sparse == nullptr ? to_csr(*data.x) : core::CountsCsr{};
    const core::CountsCsr& x = sparse == nullptr ? converted : *sparse;
    const std::int64_t genes = x.cols;
    const auto count = [](float value) {
        core::check(value >= 0 && value < 2147483648.0F && value == std::floor(value),
                    "counts are whole numbers below 2^31");
        return static_cast<std::int32_t>(value);
    };
    const auto number = [](std::int32_t index) { return std::int64_t{index}; };
    H5File file = H5File::create(path);
    {
        H5Group root = file.root();
        root.set_attribute("filetype", "matrix");
        root.set_attribute("chemistry_description", "simulated");
        root.set_attribute("software_version", fmt::format("smeta-{}", core::kVersion));
        root.set_attribute("version", 2);
        root.set_bytes_attribute("library_ids", std::vector<std::string>{library});
        H5Group matrix = root.create_group("matrix");
        matrix.write_texts("barcodes", data.obs.index);
        write_converted(matrix, "data", x.values, count);
        write_converted(matrix, "indices", x.indices, number);
        matrix.write("indptr", x.indptr);
        matrix.write("shape", std::vector<std::int32_t>{x.cols, static_cast<std::int32_t>(x.rows)});
        H5Group features = matrix.create_group("features");
        features.write_texts("id", data.var.find("gene_id") != nullptr
                                       ? data.var.as_text("gene_id", path)
                                       : data.var.index);
        features.write_texts("name", data.var.index);
        features.write_texts("feature_type", std::vector<std::string>(genes, "Gene Expression"));
        features.write_texts("genome", std::vector<std::string>(genes, "unspecified"));
        features.write_texts("_all_tag_keys", std::vector<std::string>{"genome"});
    }
    file.close();
}

}  // namespace smeta::io

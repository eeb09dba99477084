#include <cmath>
#include <filesystem>
#include <limits>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/progress.hpp"
#include "smeta/io/text_table.hpp"
#include "smeta/io/value_policy.hpp"

#include "tenx_impl.hpp"

namespace smeta::io {

namespace {

/// The file of that name, plain or with .gz; empty if there is none.
std::string find_plain_or_gz(const std::string& folder, const std::string& name) {
    const std::filesystem::path path = std::filesystem::path(folder) / name;
    for (const char* suffix : {"", ".gz"})
        if (std::filesystem::exists(path.string() + suffix)) return path.string() + suffix;
    return {};
}

std::string require_file(const std::string& folder, const std::string& name) {
    std::string path = find_plain_or_gz(folder, name);
    if (path.empty())
        throw core::IoError(fmt::format("cannot open {}/{}[.gz]: no such file", folder, name));
    return path;
}

void read_features(const std::string& path, detail::TenxParts& parts) {
    TextTable table(path, '\t');
    std::vector<std::string_view> fields;
    while (table.next(fields)) {
        parts.ids.emplace_back(fields[0]);
        parts.names.emplace_back(fields.size() > 1 ? fields[1] : fields[0]);
        if (fields.size() > 2) parts.types.emplace_back(fields[2]);
    }
    if (!parts.types.empty() && parts.types.size() != parts.ids.size())
        throw core::FormatError({path, "", "a feature type in every line or in none",
                                 fmt::format("{} of {}", parts.types.size(), parts.ids.size()),
                                 ""});
}

struct Entry {
    std::int64_t barcode;
    std::int32_t feature;
    float value;
};

/// Matrix Market coordinate entries (features x barcodes, from 1).
std::vector<Entry> read_entries(const std::string& path, std::int64_t features,
                                std::int64_t barcodes) {
    LineReader lines(path);
    std::string_view line;
    const auto refuse = [&](std::string expected, std::string found) {
        throw core::FormatError(
            {path, fmt::format("line {}", lines.line_number()), std::move(expected),
             std::move(found),
             "is the file whole, and do features.tsv and barcodes.tsv belong to "
             "it?"});
    };
    if (!lines.next(line) || !line.starts_with("%%MatrixMarket matrix coordinate") ||
        line.find("general") == std::string_view::npos ||
        line.find("complex") != std::string_view::npos)
        refuse("%%MatrixMarket matrix coordinate integer general", std::string(line.substr(0, 60)));
    const bool pattern = line.find("pattern") != std::string_view::npos;
    const auto next_number = [&](std::string_view& rest) {
        const std::size_t begin = std::min(rest.find_first_not_of(" \t"), rest.size());
        const std::size_t end = std::min(rest.find_first_of(" \t", begin), rest.size());
        const auto value =
            begin == end ? std::nullopt : parse_number(rest.substr(begin, end - begin));
        if (!value) refuse("numbers", fmt::format("'{}'", line.substr(0, 60)));
        rest.remove_prefix(end);
        return *value;
    };
    do {
        if (!lines.next(line)) refuse("a line of sizes", "the end of the file");
    } while (line.starts_with('%') || line.empty());
    std::string_view rest = line;
    const double rows = next_number(rest);
    const double columns = next_number(rest);
    const double count = next_number(rest);
    if (rows != static_cast<double>(features) || columns != static_cast<double>(barcodes))
        refuse(fmt::format("{} features and {} barcodes", features, barcodes),
               fmt::format("{} by {}", rows, columns));
    if (!(count >= 0 && count <= rows * columns))
        refuse(fmt::format("at most {} entries", rows * columns), fmt::format("{}", count));
    std::vector<Entry> entries;
    core::Progress progress(fmt::format("reading {}", path), static_cast<std::int64_t>(count));
    while (lines.next(line)) {
        if (line.empty()) continue;
        rest = line;
        const double feature = next_number(rest);
        const double barcode = next_number(rest);
        if (!(feature >= 1 && feature <= rows && barcode >= 1 && barcode <= columns) ||
            feature != std::floor(feature) || barcode != std::floor(barcode))
            refuse("a position inside the matrix", fmt::format("'{}'", line.substr(0, 60)));
        entries.push_back({static_cast<std::int64_t>(barcode) - 1,
                           static_cast<std::int32_t>(feature) - 1,
                           pattern ? 1.0F : static_cast<float>(next_number(rest))});
        progress.advance();
    }
    if (static_cast<double>(entries.size()) != count)
        refuse(fmt::format("{} entries", count), fmt::format("{}", entries.size()));
    return entries;
}

core::CountsCsr to_counts(const std::vector<Entry>& entries, const detail::TenxParts& parts,
                          const std::string& path) {
    core::CountsCsr by_feature;  // counting sort by feature, then its transpose has sorted rows
    by_feature.rows = static_cast<std::int64_t>(parts.ids.size());
    by_feature.cols = static_cast<std::int32_t>(parts.barcodes.size());
    by_feature.indptr.assign(by_feature.rows + 1, 0);
    for (const Entry& entry : entries) ++by_feature.indptr[entry.feature + 1];
    for (std::int64_t f = 0; f < by_feature.rows; ++f)
        by_feature.indptr[f + 1] += by_feature.indptr[f];
    by_feature.indices.resize(entries.size());
    by_feature.values.resize(entries.size());
    std::vector<std::int64_t> next(by_feature.indptr.begin(), by_feature.indptr.end() - 1);
    for (const Entry& entry : entries) {
        const std::int64_t at = next[entry.feature]++;
        by_feature.indices[at] = static_cast<std::int32_t>(entry.barcode);
        by_feature.values[at] = entry.value;
    }
    core::CountsCsr counts = core::transpose(by_feature);
    for (std::int64_t r = 0; r < counts.rows; ++r)
        for (std::int64_t k = counts.indptr[r] + 1; k < counts.indptr[r + 1]; ++k)
            if (counts.indices[k] == counts.indices[k - 1])
                throw core::FormatError(
                    {path,
                     fmt::format("barcode '{}', feature '{}'", parts.barcodes[r],
                                 parts.ids[counts.indices[k]]),
                     "one entry", "several", ""});
    return counts;
}

}  // namespace

bool is_tenx_mtx(const std::string& folder) {
    return !find_plain_or_gz(folder, "matrix.mtx").empty();
}

AnnData read_tenx_mtx(const std::string& folder, const TenxOptions& options) {
    const std::string matrix = require_file(folder, "matrix.mtx");
    std::string features = find_plain_or_gz(folder, "features.tsv");
    if (features.empty()) features = require_file(folder, "genes.tsv");
    detail::TenxParts parts;
    const std::string barcodes = require_file(folder, "barcodes.tsv");
    LineReader lines(barcodes);
    for (std::string_view line; lines.next(line);)
        if (!line.empty()) parts.barcodes.emplace_back(line.substr(0, line.find('\t')));
    check_unique(parts.barcodes, "barcode", barcodes);
    read_features(features, parts);
    constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
    if (parts.ids.size() > kMost || parts.barcodes.size() > kMost)
        throw core::FormatError({matrix, "", "at most 2^31 features and barcodes", "more", ""});
    const std::vector<Entry> entries =
        read_entries(matrix, static_cast<std::int64_t>(parts.ids.size()),
                     static_cast<std::int64_t>(parts.barcodes.size()));
    parts.counts = to_counts(entries, parts, matrix);
    return detail::assemble_tenx(std::move(parts), options, matrix);
}

}  // namespace smeta::io

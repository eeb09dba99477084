#include "section_source.hpp"

#include <algorithm>
#include <memory>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

namespace smeta::align::detail {

namespace {

// Entries in memory beside those that are kept: 32 MB with their columns.
constexpr std::int64_t kBlockValues = std::int64_t{1} << 22;

core::CountsCsr read_rows(const io::AnnDataReader& reader, const std::vector<std::int64_t>& rows) {
    const std::int64_t row_values =
        reader.stored_values() / std::max<std::int64_t>(reader.rows(), 1) + 1;
    const std::int64_t block = std::max<std::int64_t>(kBlockValues / row_values, 1);
    core::CountsCsr result;
    result.cols = reader.cols();
    for (std::size_t at = 0; at < rows.size();) {
        const std::int64_t first = rows[at];
        const auto end = std::lower_bound(rows.begin() + static_cast<std::ptrdiff_t>(at),
                                          rows.end(), first + block);
        const auto count = static_cast<std::size_t>(end - rows.begin());
        const core::CountsCsr read = reader.x_rows(first, rows[count - 1] + 1);
        for (; at < count; ++at)
            result.append_row(read.view().row_indices(rows[at] - first),
                              read.view().row_values(rows[at] - first));
    }
    return result;
}

}  // namespace

SectionSource open_section(const std::string& path) {
    SectionSource source;
    source.tables = io::read_h5mu(path, io::Values::LeftOut);
    for (const auto& [name, data] : source.tables.modalities) {
        const auto reader = std::make_shared<io::AnnDataReader>(path, name);
        if (!reader->has_x())
            throw core::FormatError(
                {path, "mod/" + name + "/X", "a matrix", "none", "ingest the sample again"});
        source.readers[name] = [reader](const std::vector<std::int64_t>& rows) {
            return read_rows(*reader, rows);
        };
    }
    return source;
}

}  // namespace smeta::align::detail

#include <cmath>

#include <fmt/format.h>

#include "page.hpp"

namespace smeta::report {
namespace {

std::string count_or_dash(const std::optional<std::int64_t>& count) {
    return count ? std::to_string(*count) : "\u2013";
}

/// "390 (97.2 % of the total)".
std::string averaged_text(const ModalitySummary& modality) {
    std::string text = count_or_dash(modality.averaged);
    if (modality.averaged_share)
        text += fmt::format(" ({:.1f} % of the total)", 100 * *modality.averaged_share);
    return text;
}

std::string score(const std::optional<double>& value) {
    return value && !std::isnan(*value) ? fmt::format("{:.4f}", *value) : "";
}

std::string plain(std::string text) {
    for (char& c : text)
        if (c == '\t' || c == '\n' || c == '\r') c = ' ';
    return text;
}

}  // namespace

Table samples_table(const ReportData& data) {
    Table table{"samples",
                {"Sample", "Cohort", "Spots", "Modality", "Rows read", "Kept by QC", "Dropped",
                 "Averaged", "Features measured", "Of the run's features"},
                {false, false, true, false, true, true, true, true, true, true},
                {}};
    for (const auto& sample : data.samples)
        for (std::size_t m = 0; m < sample.modalities.size(); ++m) {
            const auto& modality = sample.modalities[m];
            std::optional<std::int64_t> dropped;
            if (modality.read && modality.kept) dropped = *modality.read - *modality.kept;
            table.rows.push_back({sample.name, sample.cohort, std::to_string(sample.spots),
                                  modality_label(modality.name), count_or_dash(modality.read),
                                  count_or_dash(modality.kept), count_or_dash(dropped),
                                  averaged_text(modality), std::to_string(modality.features),
                                  std::to_string(modality.selected)});
        }
    return table;
}

Table inputs_table(const ReportData& data) {
    Table table{"inputs", {"Sample", "File", "XXH3-128"}, {false, false, false}, {}};
    for (const auto& sample : data.samples)
        for (std::size_t f = 0; f < sample.files.size(); ++f)
            table.rows.push_back({sample.name, sample.files[f], sample.checksums.at(f)});
    return table;
}

Table composition_table(const ReportData& data) {
    Table table{"cluster_composition",
                {"Sample", "Cluster", "Spots", "Share"},
                {false, true, true, true},
                {}};
    for (const auto& map : data.maps) {
        std::vector<std::int64_t> sizes(data.clusters(), 0);
        for (const auto c : map.cluster)
            if (c >= 0) ++sizes[c];
        for (std::size_t c = 0; c < sizes.size() && !map.cluster.empty(); ++c)
            table.rows.push_back({map.name, std::to_string(c), std::to_string(sizes[c]),
                                  fmt::format("{:.4f}", static_cast<double>(sizes[c]) /
                                                            static_cast<double>(map.spots()))});
    }
    return table;
}

Table mixing_table(const ReportData& data) {
    Table table{"batch_mixing", {"Score", "Before", "After"}, {false, true, true}, {}};
    if (!data.mixing) return table;
    const auto& before = data.mixing->before;
    const auto& after = data.mixing->after;
    table.rows = {
        {"iLISI", score(before.ilisi), score(after.ilisi)},
        {"Batch silhouette", score(before.batch_asw), score(after.batch_asw)},
        {"Neighbour mixing", score(before.neighbor_mixing), score(after.neighbor_mixing)}};
    return table;
}

Table commands_table(const ReportData& data) {
    Table table{"commands",
                {"Command", "Finished", "Ranks", "Threads", "Seconds", "Version"},
                {false, false, true, true, true, false},
                {}};
    for (const auto& command : data.commands)
        table.rows.push_back({command.command, command.finished, std::to_string(command.ranks),
                              std::to_string(command.threads),
                              fmt::format("{:.2f}", command.seconds), command.version});
    return table;
}

Table timings_table(const ReportData& data) {
    Table table{"timings",
                {"Command", "Region", "Min s", "Average s", "Max s"},
                {false, false, true, true, true},
                {}};
    for (const auto& row : data.timings)
        table.rows.push_back({row.command, row.region, fmt::format("{:.3f}", row.min),
                              fmt::format("{:.3f}", row.average), fmt::format("{:.3f}", row.max)});
    return table;
}

std::string to_tsv(const Table& table) {
    std::string result;
    const auto add_row = [&](const std::vector<std::string>& cells) {
        for (std::size_t c = 0; c < cells.size(); ++c)
            result += (c > 0 ? "\t" : "") + plain(cells[c]);
        result += '\n';
    };
    add_row(table.columns);
    for (const auto& row : table.rows) add_row(row);
    return result;
}

std::string to_html(const Table& table, std::string_view caption) {
    std::string result = "<div class=\"scroll\"><table>\n";
    result += fmt::format("<caption>{}</caption>\n<thead><tr>", escape(caption));
    for (std::size_t c = 0; c < table.columns.size(); ++c)
        result += fmt::format("<th scope=\"col\"{}>{}</th>", table.numeric[c] ? " class=\"n\"" : "",
                              escape(table.columns[c]));
    result += "</tr></thead>\n<tbody>\n";
    for (const auto& row : table.rows) {
        result += "<tr>";
        for (std::size_t c = 0; c < row.size(); ++c)
            result += fmt::format("<td{}>{}</td>", table.numeric[c] ? " class=\"n\"" : "",
                                  escape(row[c]));
        result += "</tr>\n";
    }
    return result + "</tbody></table></div>\n";
}

}  // namespace smeta::report

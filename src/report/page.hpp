#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "smeta/report/report_data.hpp"

#include "figures.hpp"

namespace smeta::report {

/// A table of text, for HTML and TSV.
struct Table {
    std::string id;
    std::vector<std::string> columns;
    std::vector<bool> numeric;  ///< right-aligned columns
    std::vector<std::vector<std::string>> rows;
};

Table samples_table(const ReportData& data);
Table inputs_table(const ReportData& data);
Table composition_table(const ReportData& data);
Table mixing_table(const ReportData& data);
Table commands_table(const ReportData& data);
Table timings_table(const ReportData& data);

std::string to_tsv(const Table& table);
std::string to_html(const Table& table, std::string_view caption);

/// Figures in page order; `in_page` is false for those that are only files.
struct PlacedFigure {
    Figure figure;
    std::string section;  ///< "training", "clusters", "contribution", "mixing", "features"
    bool in_page = true;
};
std::vector<PlacedFigure> all_figures(const ReportData& data);

/// The whole page. Local.
std::string report_html(const ReportData& data, const std::vector<PlacedFigure>& figures);

}  // namespace smeta::report

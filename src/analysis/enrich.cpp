#include "smeta/analysis/enrich.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <string_view>
#include <tuple>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/text_table.hpp"
#include "smeta/stats/tests.hpp"

namespace smeta::analysis {
namespace {

std::vector<std::string_view> cells(std::string_view line) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto tab = line.find('\t');
        parts.push_back(line.substr(0, tab));
        if (tab == std::string_view::npos) return parts;
        line.remove_prefix(tab + 1);
    }
}

/// A description is a name unless it is an address or empty.
std::string name_of(std::string_view id, std::string_view description) {
    const bool is_name = !description.empty() && !description.starts_with("http") &&
                         description != "na" && description != "NA";
    return std::string(is_name ? description : id);
}

std::set<std::string> within(const std::set<std::string>& members,
                             const std::set<std::string>& background) {
    std::set<std::string> result;
    std::set_intersection(members.begin(), members.end(), background.begin(), background.end(),
                          std::inserter(result, result.end()));
    return result;
}

}  // namespace

std::vector<MemberSet> read_gmt(const std::vector<std::string>& paths) {
    std::map<std::string, MemberSet, std::less<>> sets;
    for (const auto& path : paths) {
        io::LineReader lines(path);
        std::string_view line;
        while (lines.next(line)) {
            if (line.empty()) continue;
            const auto parts = cells(line);
            if (parts.size() < 3 || parts[0].empty())
                throw core::FormatError({.file = path,
                                         .object = fmt::format("line {}", lines.line_number()),
                                         .expected = "identifier, description and members, "
                                                     "separated by tabs",
                                         .found = fmt::format("{} fields", parts.size()),
                                         .hint = "sets are read from gmt files"});
            auto& set = sets[std::string(parts[0])];
            set.id = parts[0];
            if (set.name.empty()) set.name = name_of(parts[0], parts[1]);
            for (std::size_t i = 2; i < parts.size(); ++i)
                if (!parts[i].empty()) set.members.emplace(parts[i]);
        }
    }
    std::vector<MemberSet> result;
    for (auto& [id, set] : sets) result.push_back(std::move(set));
    return result;
}

std::vector<Enrichment> enrich(const std::vector<HitList>& lists,
                               const std::vector<MemberSet>& sets,
                               const std::set<std::string>& background,
                               const EnrichOptions& options) {
    std::vector<std::set<std::string>> members;
    for (const auto& set : sets) members.push_back(within(set.members, background));
    std::vector<Enrichment> result;
    for (std::size_t l = 0; l < lists.size(); ++l) {
        const auto hits = within(lists[l].hits, background);
        for (std::size_t s = 0; s < sets.size(); ++s) {
            const auto size = static_cast<std::int64_t>(members[s].size());
            if (size < options.min_size || size > options.max_size) continue;
            const auto overlap = within(members[s], hits);
            Enrichment row;
            row.list = static_cast<std::int32_t>(l);
            row.set = static_cast<std::int32_t>(s);
            row.overlap = static_cast<std::int64_t>(overlap.size());
            row.hits = static_cast<std::int64_t>(hits.size());
            row.size = size;
            row.background = static_cast<std::int64_t>(background.size());
            row.p_value =
                stats::hypergeometric_tail(row.overlap, row.background, row.size, row.hits);
            row.members.assign(overlap.begin(), overlap.end());
            result.push_back(std::move(row));
        }
    }
    order_and_adjust(result);
    return result;
}

void order_and_adjust(std::vector<Enrichment>& rows) {
    std::sort(rows.begin(), rows.end(), [](const Enrichment& a, const Enrichment& b) {
        return std::tie(a.list, a.p_value, a.set) < std::tie(b.list, b.p_value, b.set);
    });
    for (std::size_t first = 0; first < rows.size();) {
        std::size_t last = first;
        std::vector<double> p_values;
        for (; last < rows.size() && rows[last].list == rows[first].list; ++last)
            p_values.push_back(rows[last].p_value);
        const auto adjusted = stats::benjamini_hochberg(p_values);
        for (auto i = first; i < last; ++i) rows[i].adjusted_p = adjusted[i - first];
        first = last;
    }
}

double combined_p(double a, double b) {
    const double product = a * b;
    return product > 0 ? std::min(1.0, product * (1 - std::log(product))) : 0;
}

}  // namespace smeta::analysis

#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace smeta::analysis {

/// A named set of genes or metabolites.
struct MemberSet {
    std::string id;
    std::string name;
    std::set<std::string> members;
};

/// Reads a gmt file (plain or gzip): identifier, description and members, separated by tabs. A set
/// that appears again, or in another file, is the union. FormatError for a line without members.
/// Local.
std::vector<MemberSet> read_gmt(const std::vector<std::string>& paths);

/// What was found in a group, and everything that could have been found.
struct HitList {
    std::string sample;
    std::string group;
    std::set<std::string> hits;
};

/// One set in one list.
struct Enrichment {
    std::int32_t list = 0;
    std::int32_t set = 0;
    std::int64_t overlap = 0;          ///< k: hits of the set
    std::int64_t hits = 0;             ///< n: hits of the list in the background
    std::int64_t size = 0;             ///< K: members of the set in the background
    std::int64_t background = 0;       ///< N
    double p_value = 1;                ///< P(X >= k), hypergeometric
    double adjusted_p = 1;             ///< Benjamini-Hochberg over the sets of a list
    std::vector<std::string> members;  ///< of the overlap
};

struct EnrichOptions {
    std::int64_t min_size = 3;  ///< members in the background
    std::int64_t max_size = 500;
};

/// Every set of a size within the limits, in every list, over the given background; hits and
/// members outside it do not count. By list, then p-value. Local.
std::vector<Enrichment> enrich(const std::vector<HitList>& lists,
                               const std::vector<MemberSet>& sets,
                               const std::set<std::string>& background,
                               const EnrichOptions& options);

/// Orders rows by list and p-value and sets adjusted_p, list by list. Local.
void order_and_adjust(std::vector<Enrichment>& rows);

/// Genes and metabolites of one pathway together: Fisher's combination of two p-values,
/// q (1 - ln q) with q their product.
double combined_p(double a, double b);

}  // namespace smeta::analysis

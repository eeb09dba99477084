#include <algorithm>
#include <map>

#include "leiden_impl.hpp"

namespace smeta::analysis {

std::vector<std::int32_t> leiden(const core::CsrView& weights, const LeidenOptions& options) {
    return order_by_size(detail::leiden_membership(weights, options));
}

std::vector<std::int32_t> order_by_size(const std::vector<std::int64_t>& labels) {
    struct Group {
        std::int64_t label;
        std::int64_t size;
        std::size_t first;
    };
    std::map<std::int64_t, std::size_t> position;
    std::vector<Group> groups;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const auto [entry, is_new] = position.try_emplace(labels[i], groups.size());
        if (is_new) groups.push_back({labels[i], 0, i});
        ++groups[entry->second].size;
    }
    std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
        return a.size != b.size ? a.size > b.size : a.first < b.first;
    });
    std::map<std::int64_t, std::int32_t> rank;
    for (std::size_t g = 0; g < groups.size(); ++g)
        rank[groups[g].label] = static_cast<std::int32_t>(g);
    std::vector<std::int32_t> result;
    result.reserve(labels.size());
    for (const auto label : labels) result.push_back(rank.at(label));
    return result;
}

}  // namespace smeta::analysis

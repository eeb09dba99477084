#include "metabolite_names.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "smeta/io/source_info.hpp"

namespace smeta::atlas {

namespace {

struct Member {
    MassBin bin;
    std::size_t sample = 0;
    std::string name = {};  ///< of a committed sample's bin
};

/// Names of groups, each given once.
class GroupNames {
  public:
    explicit GroupNames(std::set<std::string> used) : used_(std::move(used)) {}

    std::string name(const std::vector<Member>& group) {
        std::map<std::string, int> votes;
        for (const auto& member : group)
            if (!member.name.empty() && !given_.contains(member.name)) ++votes[member.name];
        const auto most =
            std::max_element(votes.begin(), votes.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; });
        const std::string name = most == votes.end() ? unused(group) : most->first;
        given_.insert(name);
        return name;
    }

  private:
    std::string unused(const std::vector<Member>& group) {
        double sum = 0;
        for (const auto& member : group) sum += member.bin.mz;
        const std::string base = io::metabolite_name(sum / static_cast<double>(group.size()),
                                                     group.front().bin.polarity);
        std::string name = base;
        for (int i = 1; !used_.insert(name).second; ++i) name = fmt::format("{}-{}", base, i);
        return name;
    }

    std::set<std::string> used_;
    std::set<std::string> given_;
};

std::vector<std::vector<Member>> groups_of(std::vector<Member> members, double ppm) {
    std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
        return a.bin != b.bin ? a.bin < b.bin : a.sample < b.sample;
    });
    std::vector<std::vector<Member>> groups;
    std::set<std::size_t> in_group;
    for (auto& member : members) {
        const MassBin* first = groups.empty() ? nullptr : &groups.back().front().bin;
        const bool near = first != nullptr && member.bin.polarity == first->polarity &&
                          member.bin.mz <= first->mz * (1 + 2 * ppm * 1e-6);
        if (!near || in_group.contains(member.sample)) {
            groups.emplace_back();
            in_group.clear();
        }
        in_group.insert(member.sample);
        groups.back().push_back(std::move(member));
    }
    return groups;
}

}  // namespace

std::vector<MassNames> common_names(const std::vector<std::vector<MassBin>>& samples, double ppm,
                                    const std::vector<MassNames>& committed) {
    std::set<std::string> used;
    std::vector<Member> members;
    for (std::size_t s = 0; s < samples.size(); ++s)
        for (const auto& bin : samples[s]) members.push_back({bin, s});
    for (std::size_t c = 0; c < committed.size(); ++c)
        for (const auto& [bin, name] : committed[c]) {
            members.push_back({bin, samples.size() + c, name});
            used.insert(name);
        }
    std::vector<MassNames> names(samples.size());
    GroupNames group_names(std::move(used));
    for (const auto& group : groups_of(std::move(members), ppm)) {
        const std::string name = group_names.name(group);
        for (const auto& member : group)
            if (member.sample < samples.size()) names[member.sample][member.bin] = name;
    }
    return names;
}

}  // namespace smeta::atlas

#include "metabolite_names.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "smeta/io/source_info.hpp"

namespace smeta::atlas {

namespace {

struct Known {
    double mz = 0;
    std::string name;
};

/// Known metabolites by polarity, ascending m/z. Only names of the form that ingest gives: those of
/// other sources stand for nothing but themselves.
std::map<std::string, std::vector<Known>> known_masses(const std::set<std::string>& names) {
    std::map<std::string, std::vector<Known>> known;
    for (const auto& name : names) {
        if (!name.starts_with("mz_")) continue;
        const auto mz = io::mz_from_name(name);
        if (!mz) continue;
        const std::string polarity = name.ends_with("_pos")   ? "pos"
                                     : name.ends_with("_neg") ? "neg"
                                                              : "";
        known[polarity].push_back({*mz, name});
    }
    for (auto& [polarity, list] : known)
        std::sort(list.begin(), list.end(), [](const Known& a, const Known& b) {
            return a.mz != b.mz ? a.mz < b.mz : a.name < b.name;
        });
    return known;
}

/// A possible pairing of a bin with a known name.
struct Pairing {
    double distance = 0;
    const MassBin* bin = nullptr;
    const Known* known = nullptr;
};

MassNames take_known(const std::vector<MassBin>& bins,
                     const std::map<std::string, std::vector<Known>>& known, double ppm) {
    std::vector<Pairing> pairings;
    for (const auto& bin : bins) {
        const auto list = known.find(bin.polarity);
        if (list == known.end()) continue;
        const double reach = bin.mz * ppm * 1e-6;
        auto it = std::lower_bound(list->second.begin(), list->second.end(), bin.mz - reach,
                                   [](const Known& k, double mz) { return k.mz < mz; });
        for (; it != list->second.end() && it->mz <= bin.mz + reach; ++it)
            pairings.push_back({std::abs(it->mz - bin.mz), &bin, &*it});
    }
    std::sort(pairings.begin(), pairings.end(), [](const Pairing& a, const Pairing& b) {
        if (a.distance != b.distance) return a.distance < b.distance;
        return *a.bin != *b.bin ? *a.bin < *b.bin : a.known->name < b.known->name;
    });
    MassNames names;
    std::set<std::string> taken;
    for (const auto& pairing : pairings)
        if (!names.contains(*pairing.bin) && taken.insert(pairing.known->name).second)
            names[*pairing.bin] = pairing.known->name;
    return names;
}

struct Member {
    MassBin bin;
    std::size_t sample = 0;
    std::string name = {};  ///< of a committed sample's bin
};

/// Names of groups, each given once.
class GroupNames {
  public:
    explicit GroupNames(std::set<std::string> known) : used_(std::move(known)) {}

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

std::vector<MassNames> common_names(const std::vector<std::vector<MassBin>>& samples,
                                    const std::set<std::string>& known, double ppm,
                                    const std::vector<MassNames>& committed) {
    std::set<std::string> others = known;
    std::vector<Member> members;
    for (std::size_t c = 0; c < committed.size(); ++c)
        for (const auto& [bin, name] : committed[c]) {
            members.push_back({bin, samples.size() + c, name});
            others.erase(name);
        }
    const auto masses = known_masses(others);
    std::vector<MassNames> names;
    for (std::size_t s = 0; s < samples.size(); ++s) {
        names.push_back(take_known(samples[s], masses, ppm));
        for (const auto& bin : samples[s])
            if (!names[s].contains(bin)) members.push_back({bin, s});
    }
    GroupNames group_names(known);
    for (const auto& group : groups_of(std::move(members), ppm)) {
        const std::string name = group_names.name(group);
        for (const auto& member : group)
            if (member.sample < samples.size()) names[member.sample][member.bin] = name;
    }
    return names;
}

}  // namespace smeta::atlas

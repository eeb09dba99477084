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
};

std::string unused_name(const std::vector<Member>& group, std::set<std::string>& used) {
    double sum = 0;
    for (const auto& member : group) sum += member.bin.mz;
    const std::string base =
        io::metabolite_name(sum / static_cast<double>(group.size()), group.front().bin.polarity);
    std::string name = base;
    for (int i = 1; !used.insert(name).second; ++i) name = fmt::format("{}-{}", base, i);
    return name;
}

}  // namespace

std::vector<MassNames> common_names(const std::vector<std::vector<MassBin>>& samples,
                                    const std::set<std::string>& known, double ppm) {
    const auto masses = known_masses(known);
    std::vector<MassNames> names;
    std::vector<Member> left;
    for (std::size_t s = 0; s < samples.size(); ++s) {
        names.push_back(take_known(samples[s], masses, ppm));
        for (const auto& bin : samples[s])
            if (!names[s].contains(bin)) left.push_back({bin, s});
    }
    std::sort(left.begin(), left.end(), [](const Member& a, const Member& b) {
        return a.bin != b.bin ? a.bin < b.bin : a.sample < b.sample;
    });
    std::set<std::string> used = known;
    std::vector<Member> group;
    std::set<std::size_t> in_group;
    const auto close = [&] {
        if (group.empty()) return;
        const std::string name = unused_name(group, used);
        for (const auto& member : group) names[member.sample][member.bin] = name;
        group.clear();
        in_group.clear();
    };
    for (const auto& member : left) {
        if (!group.empty()) {
            const auto& first = group.front().bin;
            const bool near = member.bin.polarity == first.polarity &&
                              member.bin.mz <= first.mz * (1 + 2 * ppm * 1e-6);
            if (!near || in_group.contains(member.sample)) close();
        }
        group.push_back(member);
        in_group.insert(member.sample);
    }
    close();
    return names;
}

}  // namespace smeta::atlas

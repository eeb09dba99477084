#include "pending.hpp"

#include <fmt/format.h>

#include "smeta/core/error.hpp"

#include "manifest_json.hpp"

namespace smeta::atlas::detail {

std::string to_json(const std::vector<PendingStage>& stages, const Registry& names) {
    Json list = Json::array();
    for (const PendingStage& stage : stages)
        list.push_back({{"sample", stage.sample},
                        {"cohort", stage.cohort},
                        {"stage", stage.stage},
                        {"replaces", stage.replaces},
                        {"entry", Json::parse(to_json(stage.entry))}});
    return Json{{"stages", std::move(list)}, {"names", names.modalities()}}.dump();
}

void add_from_json(const std::string& text, std::vector<PendingStage>& stages, Registry& names) {
    static const std::string kFile = "a rank's commit";
    const Json value = Json::parse(text);
    for (const Json& stage : value.at("stages"))
        stages.push_back({.sample = stage.at("sample"),
                          .cohort = stage.at("cohort"),
                          .stage = stage.at("stage"),
                          .entry = parse_stage({stage.at("entry"), kFile, ""}),
                          .temporaries = {},
                          .replaces = stage.at("replaces")});
    for (const auto& [modality, list] : value.at("names").items())
        names.add(modality, list.get<std::vector<std::string>>());
}

void check_against(const Manifest& manifest, const PendingStage& stage) {
    if (stage.sample.empty() || stage.replaces) return;
    const auto found = manifest.samples.find(stage.sample);
    if (found == manifest.samples.end()) {
        if (stage.cohort.empty())
            throw core::ConfigError(fmt::format(
                "the atlas has no sample '{}': it was removed, or never ingested", stage.sample));
        return;
    }
    const SampleEntry& known = found->second;
    const auto remove_first = [&](const std::string& what) {
        throw core::ConfigError(
            fmt::format("sample '{}' is in the atlas already with {}: take another name, or remove "
                        "it first (smeta atlas remove --sample {})",
                        stage.sample, what, stage.sample));
    };
    if (!stage.cohort.empty() && known.cohort != stage.cohort)
        remove_first(fmt::format("cohort '{}', not '{}'", known.cohort, stage.cohort));
    // What a sample was ingested as: raw data, or joint data (which then come with a cohort).
    const StageEntry* raw = known.find(kRaw);
    const bool joint_input = stage.stage == kJoint && !stage.cohort.empty();
    if (stage.stage == kRaw && raw == nullptr) remove_first("joint data of its own");
    if (stage.stage == kRaw && raw->key != stage.entry.key) remove_first("other raw data");
    if (joint_input && raw != nullptr) remove_first("raw data");
    if (joint_input && known.find(kJoint)->key != stage.entry.key) remove_first("other joint data");
}

bool merge(Manifest& manifest, const std::vector<PendingStage>& stages) {
    bool changed = false;
    for (const PendingStage& stage : stages) {
        if (stage.replaces && manifest.samples.erase(stage.sample) > 0) changed = true;
        auto& target =
            stage.sample.empty() ? manifest.stages : manifest.samples[stage.sample].stages;
        if (!stage.sample.empty() && !stage.cohort.empty())
            manifest.samples[stage.sample].cohort = stage.cohort;
        const auto known = target.find(stage.stage);
        if (known != target.end() && known->second.key == stage.entry.key) continue;
        target[stage.stage] = stage.entry;
        changed = true;
    }
    return changed;
}

}  // namespace smeta::atlas::detail

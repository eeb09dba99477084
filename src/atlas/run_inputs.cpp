#include <algorithm>

#include <fmt/format.h>

#include "smeta/atlas/names.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/core/error.hpp"

#include "manifest_json.hpp"

namespace smeta::atlas {

namespace {

using detail::Json;
using detail::JsonObject;

constexpr std::string_view kFormat = "smeta-run";
constexpr int kMajor = 1;
constexpr int kMinor = 0;

InputSample parse_sample(const JsonObject& object) {
    InputSample sample;
    sample.name = object.text("name");
    if (!is_valid_name(sample.name)) object.fail("name", "a name", sample.name);
    sample.cohort = object.text("cohort");
    if (!is_valid_name(sample.cohort)) object.fail("cohort", "a name", sample.cohort);
    StageEntry joint = detail::parse_stage(object);
    sample.joint_key = std::move(joint.key);
    sample.files = std::move(joint.files);
    sample.modalities = std::move(joint.modalities);
    return sample;
}

}  // namespace

std::int64_t InputSample::rows() const {
    std::int64_t total = 0;
    for (const FileEntry& file : files) total += file.rows;
    return total;
}

std::int64_t RunInputs::rows() const {
    std::int64_t total = 0;
    for (const InputSample& sample : samples) total += sample.rows();
    return total;
}

RunInputs parse_inputs(std::string_view json, const std::string& file) {
    const Json value = detail::parse_json(json, file);
    const JsonObject root(value, file, "");
    detail::check_version(root, kFormat, kMajor);
    RunInputs inputs;
    inputs.features = root.checksum("features_xxh3");
    for (const Json& entry : root.array("samples")) {
        const std::string place = fmt::format("samples/{}", inputs.samples.size());
        inputs.samples.push_back(parse_sample(root.member(place, entry)));
    }
    const auto out_of_order =
        std::adjacent_find(inputs.samples.begin(), inputs.samples.end(),
                           [](const auto& a, const auto& b) { return a.name >= b.name; });
    if (inputs.samples.empty()) root.fail("samples", "at least one sample", "none");
    if (out_of_order != inputs.samples.end())
        root.fail("samples", "names that ascend bytewise",
                  out_of_order->name + " before " + std::next(out_of_order)->name);
    return inputs;
}

std::string to_json(const RunInputs& inputs) {
    Json samples = Json::array();
    for (const InputSample& sample : inputs.samples) {
        const StageEntry joint{sample.joint_key, sample.files, sample.modalities, {}};
        Json& entry = samples.emplace_back(Json::parse(detail::to_json(joint)));
        entry["name"] = sample.name;
        entry["cohort"] = sample.cohort;
    }
    return detail::to_text({{"format", kFormat},
                            {"version", fmt::format("{}.{}", kMajor, kMinor)},
                            {"features_xxh3", core::to_hex(inputs.features)},
                            {"samples", std::move(samples)}});
}

}  // namespace smeta::atlas

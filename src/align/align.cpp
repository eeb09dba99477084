#include "smeta/align/align.hpp"

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/source_info.hpp"

namespace smeta::align {

bool needs_alignment(const io::MuData& raw) {
    const io::AnnData* sm = raw.find("sm");
    return raw.find("st") != nullptr && sm != nullptr && !atlas::is_paired(raw) &&
           sm->obsm.contains("spatial");
}

Alignment choose_alignment(const std::string& sample, const io::MuData& raw,
                           const AlignConfig& config) {
    const auto given = atlas::given_transform(raw);
    if (config.method == AlignMethod::Given && !given)
        throw core::ConfigError(fmt::format(
            "align.method = given, but sample '{}' was ingested without a transform; add "
            "align.transform to its entry in study.toml and ingest it again",
            sample));
    Alignment alignment{
        "identity", {}, io::unit(*raw.find("sm")), io::unit(*raw.find("st")), std::nullopt};
    if (given && config.method != AlignMethod::Identity) {
        alignment.method = "given";
        alignment.transform = *given;
    }
    return alignment;
}

}  // namespace smeta::align

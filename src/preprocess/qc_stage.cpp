#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/preprocess/qc.hpp"

namespace smeta::preprocess {

namespace {

std::vector<std::uint8_t> kept_mask(const Verdicts& verdicts) {
    std::vector<std::uint8_t> mask;
    for (const std::string& reason : verdicts.reason) mask.push_back(reason.empty() ? 1 : 0);
    return mask;
}

std::string describe(const Verdicts& verdicts) {
    std::string text = fmt::format("{} read = {} kept", verdicts.reason.size(), verdicts.kept());
    for (const auto& [reason, count] : verdicts.dropped())
        text += fmt::format(" + {} {}", count, reason);
    return text;
}

struct ModalityTables {
    io::AnnData tables;
    atlas::ModalityShape kept;
    std::string summary;
};

ModalityTables modality_tables(const std::string& name, const io::AnnData& data,
                               const QcConfig& config) {
    if (!data.x)
        throw core::FormatError(
            {"", "mod/" + name + "/X", "a matrix", "none", "ingest the sample again"});
    const auto* sparse = std::get_if<core::CountsCsr>(&*data.x);  // large: copied only when dense
    const core::CountsCsr converted = sparse == nullptr ? io::to_csr(*data.x) : core::CountsCsr{};
    const core::CsrView x = sparse == nullptr ? converted : *sparse;
    const ModalityQc qc = quality_control(name, x, data.var.index, config);
    io::AnnData tables;
    tables.obs.index = data.obs.index;
    tables.obs.set("kept", kept_mask(qc.rows));
    tables.obs.set("reason", qc.rows.reason);
    tables.obs.set("total", qc.total);
    tables.obs.set("mean", qc.mean);
    tables.obs.set("n_features", qc.n_features);
    if (!qc.mt_fraction.empty()) tables.obs.set("mt_fraction", qc.mt_fraction);
    tables.var.index = data.var.index;
    tables.var.set("kept", kept_mask(qc.features));
    tables.var.set("reason", qc.features.reason);
    tables.var.set("n_rows", qc.n_rows);
    const atlas::ModalityShape kept{qc.rows.kept(), static_cast<std::int32_t>(qc.features.kept()),
                                    qc.rows.dropped()};
    return {std::move(tables), kept,
            fmt::format("; {}: rows: {}, features: {}", name, describe(qc.rows),
                        describe(qc.features))};
}

std::string setting_of(const std::string& reason) {
    if (reason == "prefix") return "qc.drop_families or qc.drop_prefixes";
    if (reason == "few_pixels") return "qc.sm_min_pixels";
    if (reason == "many_pixels") return "qc.sm_max_pixels";
    return "qc.st_min_spots";
}

/// No stage after this one can work on a modality without features.
void refuse_without_features(const std::string& file, const io::MuData& tables) {
    for (const auto& [name, data] : tables.modalities) {
        const auto reasons = data.var.as_text("reason", "");
        std::set<std::string> settings;
        for (const auto& reason : reasons)
            settings.insert(reason.empty() ? std::string() : setting_of(reason));
        if (settings.empty() || settings.contains("")) continue;
        const auto text = fmt::format("{}", fmt::join(settings, ", "));
        throw core::FormatError({file, "mod/" + name, "a feature that passes " + text,
                                 fmt::format("none of {}", reasons.size()), "loosen " + text});
    }
}

}  // namespace

QcTables qc_tables(const io::MuData& raw, const QcConfig& config) {
    QcTables result;
    for (const auto& [name, data] : raw.modalities) {
        auto [tables, kept, summary] = modality_tables(name, data, config);
        result.kept[name] = std::move(kept);
        result.tables.modalities.emplace_back(name, std::move(tables));
        result.summary += summary;
    }
    result.tables.obs.index = raw.obs.index;
    return result;
}

void run_qc(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const QcConfig& config,
            const std::vector<std::string>& samples) {
    const std::string canonical = atlas::canonical_config(config, "qc.");
    atlas::CommitBatch batch(atlas);
    atlas::for_own_samples(comm, atlas.samples(samples), [&](const std::string& sample) {
        if (atlas.key(sample, atlas::kRaw).empty()) return std::string();
        const std::vector<std::string> inputs{atlas.key(sample, atlas::kRaw)};
        const std::string key = atlas::stage_key(atlas::kQc, kQcVersion, canonical, inputs);
        if (atlas.is_current(sample, atlas::kQc, key))
            return fmt::format("qc: {} is up to date", sample);
        const QcTables result = qc_tables(atlas.read_raw(sample), config);
        refuse_without_features(atlas.stage_file(sample, atlas::kRaw).string(), result.tables);
        batch.add_stage(
            sample, atlas::kQc, key,
            [&](const std::filesystem::path& path) {
                io::write_h5mu(path.string(), result.tables);
            },
            result.tables.obs.rows(), result.kept);
        return fmt::format("qc: {}{}", sample, result.summary);
    });
    if (any_filter(config)) atlas::warn_of_joint_files(atlas, atlas.samples(samples), "qc.*");
    batch.commit(comm, atlas);
}

}  // namespace smeta::preprocess

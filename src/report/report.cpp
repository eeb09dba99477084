#include "smeta/report/report.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "smeta/atlas/listed_file.hpp"
#include "smeta/core/error.hpp"

#include "page.hpp"

namespace smeta::report {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

template <class T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);  // NaN is written as null too
}

Json scores_json(const MixingScores& scores) {
    return {{"ilisi", or_null(scores.ilisi)},
            {"batch_asw", or_null(scores.batch_asw)},
            {"neighbor_mixing", or_null(scores.neighbor_mixing)}};
}

Json sample_json(const SampleSummary& sample) {
    Json files = Json::array();
    for (std::size_t f = 0; f < sample.files.size(); ++f)
        files.push_back({{"path", sample.files[f]}, {"xxh3_128", sample.checksums.at(f)}});
    Json modalities = Json::object();
    for (const auto& m : sample.modalities)
        modalities[m.name] = {
            {"rows_read", or_null(m.read)},
            {"rows_kept", or_null(m.kept)},
            {"rows_dropped", m.read && m.kept ? Json(*m.read - *m.kept) : Json(nullptr)},
            {"rows_averaged", or_null(m.averaged)},
            {"averaged_share", or_null(m.averaged_share)},
            {"features", m.features},
            {"selected_features", m.selected}};
    return {{"name", sample.name},
            {"cohort", sample.cohort},
            {"spots", sample.spots},
            {"modalities", std::move(modalities)},
            {"files", std::move(files)}};
}

Json clusters_json(const ReportData& data) {
    if (data.clusters() == 0) return nullptr;
    Json result = Json::object();
    std::vector<std::int64_t> all(data.clusters(), 0);
    Json by_sample = Json::object();
    for (const auto& map : data.maps) {
        std::vector<std::int64_t> sizes(data.clusters(), 0);
        for (const auto c : map.cluster)
            if (c >= 0) ++sizes[c];
        for (std::size_t c = 0; c < sizes.size(); ++c) all[c] += sizes[c];
        if (!map.cluster.empty()) by_sample[map.name] = sizes;
    }
    return {{"count", data.clusters()}, {"sizes", all}, {"sizes_by_sample", std::move(by_sample)}};
}

Json training_json(const ReportData& data) {
    if (data.metrics.empty()) return nullptr;
    double seconds = 0;
    for (const auto& row : data.metrics) seconds += row.seconds;
    const auto& last = data.metrics.back();
    return {{"epochs", last.epoch},
            {"seconds", seconds},
            {"spots_per_second", last.spots_per_second},
            {"first_loss", data.metrics.front().loss},
            {"last_loss", last.loss}};
}

}  // namespace

std::int32_t ReportData::clusters() const {
    std::int32_t count = 0;
    for (const auto& map : maps)
        for (const auto c : map.cluster) count = std::max(count, c + 1);
    return count;
}

std::string report_json(const ReportData& data) {
    Json samples = Json::array();
    for (const auto& sample : data.samples) samples.push_back(sample_json(sample));
    Json features = Json::object();
    for (const auto& modality : data.features) features[modality.name] = modality.features;
    Json commands = Json::array();
    for (const auto& c : data.commands)
        commands.push_back({{"command", c.command},
                            {"finished", c.finished},
                            {"ranks", c.ranks},
                            {"threads", c.threads},
                            {"seconds", c.seconds},
                            {"version", c.version}});
    Json timings = Json::array();
    for (const auto& t : data.timings)
        timings.push_back({{"command", t.command},
                           {"region", t.region},
                           {"min", t.min},
                           {"average", t.average},
                           {"max", t.max}});
    Json report = {{"format", "smeta report 1"},
                   {"run", data.run},
                   {"atlas", data.atlas},
                   {"created", data.created},
                   {"version", data.version},
                   {"revision", data.revision},
                   {"inputs_xxh3_128", data.inputs_checksum},
                   {"spots", data.spots()},
                   {"features", std::move(features)},
                   {"samples", std::move(samples)},
                   {"training", training_json(data)},
                   {"clusters", clusters_json(data)},
                   {"batch_mixing", data.mixing ? Json{{"spots", data.mixing->spots},
                                                       {"before", scores_json(data.mixing->before)},
                                                       {"after", scores_json(data.mixing->after)}}
                                                : Json(nullptr)},
                   {"commands", std::move(commands)},
                   {"timings", std::move(timings)},
                   {"notes", data.notes},
                   {"config", data.config}};
    return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_report(const ReportData& data, const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder / "figures", error);
    if (!error) fs::create_directories(folder / "tables", error);
    if (error) throw core::IoError::from_errno("create", folder.string(), error.value());
    const auto figures = all_figures(data);
    for (const auto& placed : figures)
        atlas::write_listed(folder, "figures/" + placed.figure.svg.id() + ".svg",
                            placed.figure.svg.file());
    for (const auto& table : {samples_table(data), inputs_table(data), composition_table(data),
                              mixing_table(data), commands_table(data), timings_table(data)})
        if (!table.rows.empty())
            atlas::write_listed(folder, "tables/" + table.id + ".tsv", to_tsv(table));
    atlas::write_listed(folder, "report.json", report_json(data));
    atlas::write_listed(folder, "report.html", report_html(data, figures));
}

}  // namespace smeta::report

#include "smeta/report/gather.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include <fmt/format.h>

#include "smeta/atlas/common_features.hpp"
#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/section_image.hpp"

namespace smeta::report {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kFeatureSamples = 3;  // samples whose reconstruction is shown
constexpr std::string_view kContribution = "contribution_";
constexpr std::string_view kStack = "stack";  // the stage of serial sections

/// uns[a][b]... or nullptr.
const io::UnsValue* find_uns(const io::UnsDict& uns, std::initializer_list<std::string_view> path) {
    const io::UnsDict* dict = &uns;
    const io::UnsValue* value = nullptr;
    for (const auto name : path) {
        if (dict == nullptr) return nullptr;
        const auto found = dict->find(std::string(name));
        if (found == dict->end()) return nullptr;
        value = &found->second;
        dict = std::get_if<io::UnsDict>(&value->value);
    }
    return value;
}

std::optional<double> number_in(const io::UnsValue* value) {
    if (value == nullptr) return std::nullopt;
    if (const auto* number = std::get_if<double>(&value->value)) return *number;
    if (const auto* whole = std::get_if<std::int64_t>(&value->value))
        return static_cast<double>(*whole);
    return std::nullopt;
}

std::optional<Histology> histology_in(const io::UnsDict& uns, const std::string& file) {
    auto found = io::section_image(uns, file, io::ImageSize::Low);
    if (!found) return std::nullopt;
    return Histology{std::move(found->image), found->scale};
}

/// Codes of the cluster column as the numbers that its categories are; -1 = none.
std::vector<std::int32_t> clusters_in(const io::Frame& obs) {
    const auto* column = obs.find("cluster");
    const auto* cluster = column == nullptr ? nullptr : std::get_if<io::Categorical>(column);
    return cluster == nullptr ? std::vector<std::int32_t>{} : cluster->codes;
}

/// Unit of the coordinates and tissue image: of the modality that has them, genes first (the joint
/// frame is theirs).
void describe_frame(SampleMap& map, const atlas::JointReader& joint) {
    auto modalities = joint.modalities();
    std::stable_partition(modalities.begin(), modalities.end(),
                          [](const std::string& name) { return name == "st"; });
    for (const auto& modality : modalities) {
        const auto uns = joint.uns(modality);
        const auto* unit = find_uns(uns, {"smeta", "unit"});
        const auto* text = unit == nullptr ? nullptr : std::get_if<std::string>(&unit->value);
        if (map.unit.empty() && text != nullptr) {
            map.unit = *text;
            map.microns_per_unit = number_in(find_uns(uns, {"smeta", "microns_per_unit"}));
        }
        if (!map.histology) map.histology = histology_in(uns, "sample " + map.name);
    }
}

/// What reassignment averaged of each modality, where it made the joint rows of the run.
void add_averaged(SampleSummary& summary, const atlas::ShardedAtlas& atlas,
                  const std::string& key) {
    const auto* stage = atlas.manifest().find(summary.name, atlas::kReassign);
    if (stage == nullptr || stage->key != key) return;
    const io::MuData tables =
        io::read_h5mu(atlas.stage_file(summary.name, atlas::kReassign).string());
    for (ModalitySummary& modality : summary.modalities) {
        const auto* table = tables.find(modality.name);
        const auto shape = stage->modalities.find(modality.name);
        if (table == nullptr || shape == stage->modalities.end()) continue;
        modality.averaged = shape->second.rows;
        modality.averaged_share =
            number_in(find_uns(table->uns, {"smeta", "reassign", "used_share"}));
    }
}

/// The block of a serial section; "" where the sample is none. `stage_file`: of smeta stack.
std::string block_in(const std::filesystem::path& stage_file) {
    const auto uns = io::read_h5ad(stage_file.string()).uns;
    const auto* block = find_uns(uns, {"smeta", "stack", "block"});
    const auto* text = block == nullptr ? nullptr : std::get_if<std::string>(&block->value);
    return text == nullptr ? std::string() : *text;
}

SampleSummary summarise_sample(const atlas::ShardedAtlas& atlas, const atlas::Run& run,
                               const atlas::FeatureSet& features, std::size_t index) {
    const auto& input = run.inputs().samples[index];
    SampleSummary summary;
    summary.name = input.name;
    summary.cohort = input.cohort;
    summary.spots = input.rows();
    for (const auto& file : input.files) {
        summary.files.push_back(file.path);
        summary.checksums.push_back(core::to_hex(file.checksum));
    }
    const auto* raw = atlas.manifest().find(input.name, atlas::kRaw);
    std::optional<io::MuData> qc;
    if (atlas.manifest().find(input.name, atlas::kQc) != nullptr)
        qc = io::read_h5mu(atlas.stage_file(input.name, atlas::kQc).string());
    if (atlas.manifest().find(input.name, atlas::kAlign) != nullptr)
        summary.alignment_file = atlas.stage_file(input.name, atlas::kAlign).string();
    for (const auto& [name, shape] : input.modalities) {
        ModalitySummary modality;
        modality.name = name;
        modality.features = shape.features;
        if (raw != nullptr && raw->modalities.count(name) != 0)
            modality.read = raw->modalities.at(name).rows;
        if (const auto* table = qc ? qc->find(name) : nullptr) {
            const auto kept = table->obs.as_number("kept", input.name);
            modality.kept = static_cast<std::int64_t>(std::count(kept.begin(), kept.end(), 1.0));
        }
        if (const auto* selected = features.find(name))
            for (std::size_t f = 0; f < selected->names().size(); ++f)
                modality.selected += selected->is_measured(static_cast<std::int64_t>(index),
                                                           static_cast<std::int64_t>(f));
        summary.modalities.push_back(std::move(modality));
    }
    add_averaged(summary, atlas, input.joint_key);
    return summary;
}

/// The run's features of one modality with the highest Moran's I in a sample, best first.
std::vector<std::string> top_features(const io::MuData& selection, const std::string& sample,
                                      const atlas::ModalityFeatures& features, std::int64_t count) {
    const auto* table = selection.find(features.name);
    const std::string column = "moran_" + sample;
    if (table == nullptr || table->var.find(column) == nullptr) return {};
    const auto moran = table->var.as_number(column, "features.h5");
    const auto position = atlas::positions_in(features.names(), table->var.index);
    std::vector<std::size_t> order;
    for (std::size_t f = 0; f < position.size(); ++f)
        if (position[f] >= 0 && !std::isnan(moran[position[f]])) order.push_back(f);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return moran[position[a]] > moran[position[b]];
    });
    std::vector<std::string> names;
    for (std::size_t i = 0; i < order.size() && static_cast<std::int64_t>(i) < count; ++i)
        names.push_back(features.names()[order[i]]);
    return names;
}

/// Measured values of some features as the model sees them: counts, and intensities scaled as
/// atlas::RowSource scales them.
core::MatrixF measured_values(const atlas::JointReader& joint,
                              const atlas::ModalityFeatures& features,
                              const std::vector<std::string>& wanted, double sm_target) {
    const auto selected_column = atlas::features_in(joint.var(features.name), features);
    const auto all =
        core::select_columns(joint.read_rows(features.name, 0, joint.rows()).view(),
                             selected_column, static_cast<std::int32_t>(features.names().size()));
    const auto sums = core::row_sums(all.view());
    std::vector<std::int32_t> column(features.names().size(), -1);
    for (std::size_t w = 0; w < wanted.size(); ++w)
        column[static_cast<std::size_t>(
            std::lower_bound(features.names().begin(), features.names().end(), wanted[w]) -
            features.names().begin())] = static_cast<std::int32_t>(w);
    auto values = core::to_dense(
        core::select_columns(all.view(), column, static_cast<std::int32_t>(wanted.size())).view());
    if (const auto scales = atlas::feature_scales(features); !scales.empty())
        for (std::size_t w = 0; w < wanted.size(); ++w)
            values.col(static_cast<Eigen::Index>(w)) /=
                scales[std::lower_bound(features.names().begin(), features.names().end(),
                                        wanted[w]) -
                       features.names().begin()];
    if (features.name == "sm" && sm_target > 0) {
        const auto measured = static_cast<double>(std::count_if(
            selected_column.begin(), selected_column.end(), [](auto f) { return f >= 0; }));
        const double target = sm_target * measured / static_cast<double>(features.names().size());
        for (Eigen::Index r = 0; r < values.rows(); ++r)
            if (sums[r] > 0) values.row(r) *= static_cast<float>(target / sums[r]);
    }
    return values;
}

std::vector<FeatureMap> read_features(const atlas::Run& run, const std::string& sample,
                                      const atlas::FeatureSet& features,
                                      const io::MuData& selection, const GatherOptions& options) {
    const auto reconstruction = run.read_reconstruction(sample);
    const auto joint = run.open_joint(sample);
    core::check(reconstruction.x.has_value(), "a reconstruction has values");
    const auto values = io::to_dense(*reconstruction.x);
    std::vector<FeatureMap> result;
    for (const auto& modality : features.modalities) {
        if (!joint.has(modality.name)) continue;
        const auto names = top_features(selection, sample, modality, options.features);
        if (names.empty()) continue;
        const auto measured = measured_values(joint, modality, names, options.sm_target);
        const auto column = atlas::positions_in(names, reconstruction.var.index);
        for (std::size_t f = 0; f < names.size(); ++f) {
            if (column[f] < 0) continue;
            FeatureMap map{names[f], modality.name, {}, {}};
            for (Eigen::Index r = 0; r < values.rows(); ++r) {
                map.measured.push_back(measured(r, static_cast<Eigen::Index>(f)));
                map.reconstructed.push_back(values(r, column[f]));
            }
            result.push_back(std::move(map));
        }
    }
    return result;
}

void add_features(ReportData& data, const atlas::ShardedAtlas& atlas, const atlas::Run& run,
                  const atlas::FeatureSet& features, const GatherOptions& options) {
    if (options.features == 0 || atlas.manifest().find("", atlas::kSelect) == nullptr) return;
    std::optional<io::MuData> selection;
    std::size_t shown = 0;
    for (auto& map : data.maps) {
        if (shown == kFeatureSamples || map.spots() == 0 || !run.has_reconstruction(map.name))
            continue;
        if (!selection) selection = io::read_h5mu(atlas.stage_file("", atlas::kSelect).string());
        map.features = read_features(run, map.name, features, *selection, options);
        ++shown;
    }
}

void add_notes(ReportData& data, const atlas::Run& run) {
    std::string without;
    for (const auto& map : data.maps)
        if (!run.has_result(map.name)) without += (without.empty() ? "" : ", ") + map.name;
    if (!without.empty()) data.notes.push_back("No result yet (run smeta embed): " + without + ".");
    if (data.metrics.empty()) data.notes.push_back("The run has no metrics.jsonl.");
}

}  // namespace

SampleMap read_sample_map(const atlas::Run& run, const std::string& sample) {
    SampleMap map;
    map.name = sample;
    map.cohort = run.sample(sample).cohort;
    if (!run.has_result(sample)) return map;
    const auto result = run.read_result(sample);
    const auto position = result.obsm.find("spatial");
    if (position == result.obsm.end() || position->second.cols() < 2) return map;
    for (Eigen::Index r = 0; r < position->second.rows(); ++r) {
        map.x.push_back(position->second(r, 0));
        map.y.push_back(position->second(r, 1));
    }
    if (const auto places = result.obsm.find("spatial_3d"); places != result.obsm.end())
        map.block_places = places->second;
    map.cluster = clusters_in(result.obs);
    for (const auto& [name, values] : result.obs.columns)
        if (name.starts_with(kContribution))
            map.contribution[name.substr(kContribution.size())] =
                result.obs.as_number(name, run.result_file(sample).string());
    describe_frame(map, run.open_joint(sample));
    return map;
}

ReportData gather(const atlas::ShardedAtlas& atlas, const atlas::Run& run,
                  const GatherOptions& options) {
    ReportData data;
    data.run = run.name();
    data.atlas = atlas.path().filename().string();
    data.inputs_checksum = core::to_hex(run.inputs_checksum());
    data.config = run.config_toml();
    const auto features = run.features();
    for (const auto& modality : features.modalities)
        data.features.push_back(
            {modality.name, static_cast<std::int64_t>(modality.names().size())});
    for (std::size_t s = 0; s < run.inputs().samples.size(); ++s) {
        data.samples.push_back(summarise_sample(atlas, run, features, s));
        const std::string& name = run.inputs().samples[s].name;
        data.maps.push_back(read_sample_map(run, name));
        if (atlas.manifest().find(name, kStack) != nullptr)
            data.maps.back().block = block_in(atlas.stage_file(name, kStack));
    }
    if (fs::exists(run.metrics_file()))
        data.metrics = parse_metrics(io::read_text_file(run.metrics_file().string()),
                                     run.metrics_file().string());
    if (fs::exists(run.history_file())) {
        auto history = parse_history(io::read_text_file(run.history_file().string()),
                                     run.history_file().string());
        data.commands = std::move(history.commands);
        data.timings = std::move(history.timings);
        if (!history.warning.empty()) data.notes.push_back("Training: " + history.warning + ".");
    }
    add_features(data, atlas, run, features, options);
    add_notes(data, run);
    return data;
}

}  // namespace smeta::report

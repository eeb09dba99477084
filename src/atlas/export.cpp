#include "smeta/atlas/export.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <unordered_set>

#include <fmt/format.h>

#include "smeta/atlas/common_features.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/joint.hpp"

#include "slices.hpp"

namespace smeta::atlas {

namespace {

constexpr std::int64_t kBlockRows = 4096;

int rank_of(const std::string& modality) {
    if (modality == "sm") return 0;
    return modality == "st" ? 1 : 2;
}

struct Section {
    std::string name;
    std::string cohort;
    JointReader joint;
    io::Frame obs;
    std::map<std::string, core::MatrixD> obsm;
};

/// First of the values, in order, of names that were not seen before.
io::Frame united_features(const std::vector<const io::Frame*>& vars) {
    std::unordered_set<std::string> seen;
    std::vector<io::Frame> parts;
    for (const io::Frame* var : vars) {
        std::vector<std::int64_t> fresh;
        for (std::int64_t i = 0; i < var->rows(); ++i)
            if (seen.insert(var->index[i]).second) fresh.push_back(i);
        if (!fresh.empty()) parts.push_back(var->select(fresh));
    }
    const io::Frame all = detail::concatenate_frames(parts);
    std::vector<std::int64_t> order(all.rows());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](auto a, auto b) { return all.index[a] < all.index[b]; });
    return all.select(order);
}

class Exporter {
  public:
    Exporter(const ShardedAtlas& atlas, const Run* run, ExportLayers layers)
        : run_(run), layers_(layers) {
        open_sections(atlas);
        if (run_ != nullptr) features_ = run_->features();
        add_columns();
        add_results();
        make_names_unique();
    }

    /// sm, st, others by name.
    std::vector<std::string> modalities() const {
        std::vector<std::string> names;
        if (run_ != nullptr) {
            for (const auto& modality : features_.modalities) names.push_back(modality.name);
            return names;
        }
        std::set<std::pair<int, std::string>> all;
        for (const Section& section : sections_)
            for (const auto& name : section.joint.modalities()) all.emplace(rank_of(name), name);
        for (const auto& [rank, name] : all) names.push_back(name);
        return names;
    }

    io::AnnData modality(const std::string& name, bool all_rows) const {
        io::AnnData data;
        data.var = features_of(name);
        std::vector<const Section*> members;
        for (const Section& section : sections_)
            if (all_rows || section.joint.has(name)) members.push_back(&section);
        std::vector<io::Frame> obs;
        for (const Section* section : members) obs.push_back(section->obs);
        data.obs = detail::concatenate_frames(obs);
        data.x = values(name, data.var, members);
        add_obsm(data, members);
        if (layers_ == ExportLayers::Reconstruction)
            data.layers.emplace("reconstruction", reconstruction(data.var, members));
        data.uns = uns(members);
        return data;
    }

    io::Frame obs() const {
        std::vector<io::Frame> all;
        for (const Section& section : sections_) all.push_back(section.obs);
        return detail::concatenate_frames(all);
    }

    ExportPlan plan() const {
        ExportPlan plan;
        plan.samples = static_cast<std::int64_t>(sections_.size());
        for (const std::string& name : modalities()) {
            plan.features[name] = features_of(name).rows();
            for (const Section& section : sections_)
                if (section.joint.has(name))
                    plan.stored_values += section.joint.stored_values(name);
        }
        for (const Section& section : sections_) plan.rows += section.obs.rows();
        return plan;
    }

  private:
    void open_sections(const ShardedAtlas& atlas) {
        if (run_ != nullptr) {
            for (const InputSample& sample : run_->inputs().samples)
                sections_.push_back(
                    {sample.name, sample.cohort, run_->open_joint(sample.name), {}, {}});
            return;
        }
        for (const auto& [name, entry] : atlas.manifest().samples)
            if (entry.find(kJoint) != nullptr)
                sections_.push_back({name, entry.cohort, atlas.open_joint(name), {}, {}});
        if (sections_.empty())
            throw core::ConfigError(
                fmt::format("no sample of {} has joint data yet: run smeta reassign first",
                            atlas.path().string()));
    }

    void add_columns() {
        for (Section& section : sections_) {
            section.obs = section.joint.obs();
            const std::size_t rows = section.obs.index.size();
            section.obs.set("sample", std::vector<std::string>(rows, section.name));
            section.obs.set("cohort", std::vector<std::string>(rows, section.cohort));
            if (section.obs.find("spot") == nullptr) section.obs.set("spot", section.obs.index);
            for (const char* places : {"spatial", "spatial_3d"})
                if (section.joint.has_obsm(places))
                    section.obsm[places] = section.joint.obsm(places);
        }
    }

    void add_results() {
        if (run_ == nullptr) return;
        const bool complete =
            std::all_of(sections_.begin(), sections_.end(),
                        [&](const Section& section) { return run_->has_result(section.name); });
        if (!complete) {
            core::log_warning("run '{}' has no results of some samples: none are exported",
                              run_->name());
            return;
        }
        for (Section& section : sections_) {
            const io::AnnData result = run_->read_result(section.name);
            if (result.obs.index != section.obs.index)
                throw core::FormatError({.file = run_->result_file(section.name).string(),
                                         .object = "obs",
                                         .expected = "the spots of the joint files",
                                         .found = "others",
                                         .hint = "run smeta embed again"});
            for (const auto& [name, column] : result.obs.columns) section.obs.set(name, column);
            for (const auto& [name, matrix] : result.obsm) section.obsm[name] = matrix;
            float_obsm_.insert(result.float_obsm.begin(), result.float_obsm.end());
        }
    }

    void make_names_unique() {
        std::unordered_set<std::string_view> seen;
        bool unique = true;
        for (const Section& section : sections_)
            for (const std::string& name : section.obs.index)
                unique = seen.insert(name).second && unique;
        if (unique) return;
        for (Section& section : sections_)
            for (std::string& name : section.obs.index) name += "-" + section.name;
    }

    io::Frame features_of(const std::string& name) const {
        if (run_ != nullptr) return features_.find(name)->var;
        std::vector<io::Frame> vars;
        for (const Section& section : sections_)
            if (section.joint.has(name)) vars.push_back(section.joint.var(name));
        return united_species(std::move(vars));
    }

    /// With the names that the files have where those of two species coincide.
    static io::Frame united_species(std::vector<io::Frame> vars) {
        std::vector<std::vector<std::string>> names;
        std::vector<io::Frame*> frames;
        for (io::Frame& var : vars) {
            names.push_back(var.index);
            frames.push_back(&var);
        }
        separate_species(frames);
        std::map<std::string, std::string> in_files;
        for (std::size_t s = 0; s < vars.size(); ++s)
            for (std::size_t f = 0; f < names[s].size(); ++f)
                if (names[s][f] != vars[s].index[f]) in_files[vars[s].index[f]] = names[s][f];
        io::Frame united = united_features({frames.begin(), frames.end()});
        if (in_files.empty()) return united;
        std::vector<std::string> others;
        for (const std::string& name : united.index) {
            const auto found = in_files.find(name);
            others.push_back(found == in_files.end() ? "" : found->second);
        }
        united.set(std::string(kOtherNames), std::move(others));
        return united;
    }

    static core::CountsCsr values(const std::string& name, const io::Frame& var,
                                  const std::vector<const Section*>& members) {
        core::CountsCsr all;
        all.cols = static_cast<std::int32_t>(var.rows());
        for (const Section* section : members) {
            const JointReader& joint = section->joint;
            if (!joint.has(name)) {
                all.indptr.insert(all.indptr.end(), joint.rows(), all.nnz());
                all.rows += joint.rows();
                continue;
            }
            const auto columns = features_in(joint.var(name), {name, var, {}});
            for (std::int64_t first = 0; first < joint.rows(); first += kBlockRows) {
                const std::int64_t last = std::min(joint.rows(), first + kBlockRows);
                const core::CountsCsr block =
                    core::select_columns(joint.read_rows(name, first, last), columns, all.cols);
                for (std::int64_t row = 0; row < block.rows; ++row)
                    all.append_row(block.view().row_indices(row), block.view().row_values(row));
            }
        }
        return all;
    }

    void add_obsm(io::AnnData& data, const std::vector<const Section*>& members) const {
        if (members.empty()) return;
        for (const auto& [name, first] : members.front()->obsm) {
            core::MatrixD all(data.obs.rows(), first.cols());
            std::int64_t at = 0;
            bool fits = true;
            for (const Section* section : members) {
                const auto part = section->obsm.find(name);
                fits = fits && part != section->obsm.end() && part->second.cols() == all.cols();
                if (!fits) break;
                all.middleRows(at, part->second.rows()) = part->second;
                at += part->second.rows();
            }
            if (!fits) continue;
            data.obsm.emplace(name, std::move(all));
            if (float_obsm_.count(name) != 0) data.float_obsm.push_back(name);
        }
    }

    core::MatrixF reconstruction(const io::Frame& var,
                                 const std::vector<const Section*>& members) const {
        std::int64_t rows = 0;
        for (const Section* section : members) rows += section->obs.rows();
        core::MatrixF all(rows, var.rows());
        std::int64_t at = 0;
        for (const Section* section : members) {
            const io::AnnData decoded = run_->read_reconstruction(section->name);
            const core::MatrixF part = io::to_dense(*decoded.x);
            const auto columns = positions_in(var.index, decoded.var.index);
            for (std::size_t f = 0; f < columns.size(); ++f) {
                if (columns[f] < 0)
                    throw core::FormatError(
                        {.file = run_->reconstruction_file(section->name).string(),
                         .object = "var",
                         .expected = var.index[f],
                         .found = "no such feature",
                         .hint = "run smeta embed --reconstruction again"});
                all.block(at, static_cast<std::int64_t>(f), part.rows(), 1) = part.col(columns[f]);
            }
            at += part.rows();
        }
        return all;
    }

    static const io::UnsDict* dict(const io::UnsDict& parent, const std::string& name) {
        const auto found = parent.find(name);
        return found == parent.end() ? nullptr : std::get_if<io::UnsDict>(&found->second.value);
    }

    /// The only image set of a section (any name), without the high-resolution image.
    static io::UnsDict images_of(const io::UnsDict& spatial) {
        io::UnsDict section = std::get<io::UnsDict>(spatial.begin()->second.value);
        if (const auto images = section.find("images"); images != section.end())
            if (auto* all = std::get_if<io::UnsDict>(&images->second.value);
                all != nullptr && all->count("lowres") != 0)
                all->erase("hires");
        return section;
    }

    static io::UnsDict uns(const std::vector<const Section*>& members) {
        io::UnsDict spatial;
        std::set<std::string> units;
        std::set<double> scales;
        for (const Section* section : members) {
            for (const std::string& modality : section->joint.modalities()) {
                const io::UnsDict own = section->joint.uns(modality);
                const io::UnsDict* images = dict(own, "spatial");
                if (images != nullptr && !images->empty() && spatial.count(section->name) == 0 &&
                    std::holds_alternative<io::UnsDict>(images->begin()->second.value))
                    spatial[section->name].value = images_of(*images);
                const io::UnsDict* ours = dict(own, "smeta");
                if (ours == nullptr) continue;
                if (const auto unit = ours->find("unit"); unit != ours->end())
                    if (const auto* text = std::get_if<std::string>(&unit->second.value))
                        units.insert(*text);
                if (const auto scale = ours->find("microns_per_unit"); scale != ours->end())
                    if (const auto* number = std::get_if<double>(&scale->second.value))
                        scales.insert(*number);
            }
        }
        io::UnsDict result;
        if (!spatial.empty()) result["spatial"].value = std::move(spatial);
        io::UnsDict smeta;
        if (units.size() == 1) smeta["unit"].value = *units.begin();
        if (scales.size() == 1) smeta["microns_per_unit"].value = *scales.begin();
        if (!smeta.empty()) result["smeta"].value = std::move(smeta);
        if (!members.empty()) result["spatialdata_attrs"].value = regions_of(members);
        return result;
    }
    /// How SpatialData finds the elements that a table describes: obs column sample names the
    /// region, spot the row in it.
    static io::UnsDict regions_of(const std::vector<const Section*>& members) {
        std::vector<std::string> names;
        for (const Section* section : members) names.push_back(section->name);
        io::UnsDict attributes;
        if (names.size() == 1)
            attributes["region"].value = names.front();
        else
            attributes["region"].value = std::move(names);
        attributes["region_key"].value = std::string("sample");
        attributes["instance_key"].value = std::string("spot");
        return attributes;
    }

    const Run* run_;
    ExportLayers layers_;
    std::vector<Section> sections_;
    FeatureSet features_;
    std::set<std::string> float_obsm_;
};

void check_layers(const Run* run, ExportLayers layers) {
    if (layers == ExportLayers::Reconstruction && run == nullptr)
        throw core::ConfigError("a reconstruction belongs to a run: name it with --run");
}

}  // namespace

ExportPlan plan_export(const ShardedAtlas& atlas, const Run* run) {
    return Exporter(atlas, run, ExportLayers::None).plan();
}

io::AnnData export_joint(const ShardedAtlas& atlas, const Run* run, ExportLayers layers) {
    check_layers(run, layers);
    const Exporter exporter(atlas, run, layers);
    std::optional<io::AnnData> sm;
    std::optional<io::AnnData> st;
    for (const std::string& name : exporter.modalities()) {
        if (rank_of(name) == 2)
            throw core::ConfigError(fmt::format(
                "the joint layout knows SM and ST only, not '{}': export to .h5mu instead", name));
        (name == "sm" ? sm : st) = exporter.modality(name, true);
    }
    return io::join_modalities(sm ? &*sm : nullptr, st ? &*st : nullptr);
}

io::MuData export_mudata(const ShardedAtlas& atlas, const Run* run, ExportLayers layers) {
    check_layers(run, layers);
    const Exporter exporter(atlas, run, layers);
    io::MuData data;
    for (const std::string& name : exporter.modalities())
        data.modalities.emplace_back(name, exporter.modality(name, false));
    data.obs = exporter.obs();
    return data;
}

}  // namespace smeta::atlas

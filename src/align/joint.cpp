#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "smeta/align/reassign.hpp"
#include "smeta/core/error.hpp"

#include "section_joint.hpp"

namespace smeta::align {

namespace detail {

namespace {

// Entries above this share make a dense matrix the smaller and faster one.
constexpr double kDenseShare = 0.4;

/// Column that counts the rows of a modality that a joint row averages.
std::string count_column(const std::string& modality) {
    return modality + (modality == "sm" ? "_pixels" : "_spots");
}

Gaps gaps(std::int64_t missing) {
    return missing > 0 ? Gaps::Some : Gaps::None;
}

io::MatrixValues stored_form(const std::string& modality, core::CountsCsr x, std::int64_t rows,
                             std::int64_t values) {
    const double size = static_cast<double>(rows) * x.cols;
    if (modality != "st" && static_cast<double>(values) > kDenseShare * size)
        return core::to_dense(x);
    return x;
}

}  // namespace

// Row of each of the share's rows in the observations of the whole raw file, -1 where it has none.
std::vector<std::int64_t> SectionJoint::rows_of_file() const {
    std::vector<std::int64_t> rows;
    if (raw_.obs.columns.empty()) return rows;
    std::unordered_map<std::string_view, std::int64_t> position;
    position.reserve(raw_.obs.index.size());
    for (std::int64_t row = 0; row < raw_.obs.rows(); ++row)
        position.emplace(raw_.obs.index[row], row);
    for (const std::string& name : rows_) {
        const auto found = position.find(name);
        rows.push_back(found == position.end() ? -1 : found->second);
    }
    return rows;
}

io::Frame SectionJoint::obs(const SectionTotals& all) const {
    io::Frame obs;
    obs.index = rows_;
    obs.set("sample", std::vector<std::string>(rows_.size(), sample_));
    obs.set("cohort", std::vector<std::string>(rows_.size(), cohort_));
    obs.set("spot", rows_);
    const auto add = [&obs](const io::Frame& table, const std::vector<std::int64_t>& rows,
                            std::int64_t missing) {
        for (const auto& [name, values] : table.columns)
            if (obs.find(name) == nullptr) obs.set(name, pick(values, rows, gaps(missing)));
    };
    for (std::size_t p = 0; p < parts_.size(); ++p) {
        const Part& part = parts_[p];
        if (!by_name(*part.source)) continue;
        std::vector<std::int64_t> rows;
        for (const std::int64_t row : part.kept_rows)
            rows.push_back(row < 0 ? -1 : part.source->rows[row]);
        add(part.source->raw->obs, rows, all.parts[p].missing);
    }
    if (grid_names_.empty()) {
        add(raw_.obs, rows_of_file(), all.rows.missing);
    } else {
        const spatial::ArrayPositions& array = frame_->grid().array;
        obs.set("array_row", pick(array.row, frame_rows_, Gaps::None));
        obs.set("array_col", pick(array.column, frame_rows_, Gaps::None));
    }
    for (std::size_t p = 0; p < parts_.size() && parts_.size() > 1; ++p) {
        const Part& part = parts_[p];
        const bool complete = all.parts[p].covered == all.rows.left;
        const bool averaged = !by_name(*part.source);
        if (p > 0 || !complete || averaged) obs.set(part.source->name + "_covered", part.covered);
        if (averaged) obs.set(count_column(part.source->name), part.pixels);
        if (averaged && config_.weights == ReassignWeights::Area)
            obs.set(part.source->name + "_overlap", part.overlap);
    }
    return obs;
}

io::MuData SectionJoint::as_mudata(const SectionTotals& all) {
    io::MuData data;
    data.obs = obs(all);
    // The coordinates are those of the spots, and so are unit and images, whatever the rows.
    const bool spots = raw_.find("st") != nullptr;
    const KeptModality& base = *std::find_if(
        kept_.begin(), kept_.end(),
        [&](const KeptModality& modality) { return !spots || modality.name == "st"; });
    const auto places = points();
    for (const auto& [name, unused] : raw_.modalities) {
        const auto part = std::find_if(parts_.begin(), parts_.end(),
                                       [&](const Part& p) { return p.source->name == name; });
        io::AnnData modality;
        modality.obs = data.obs;
        modality.var = part->source->var;
        modality.x = stored_form(name, std::move(part->x), all.rows.left,
                                 all.parts[part - parts_.begin()].values);
        if (places) modality.obsm["spatial"] = *places;
        if (places && !path_.empty()) modality.obsm["spatial_3d"] = in_block(path_, *places);
        // The images once, the unit everywhere.
        if (name == base.name)
            modality.uns = base.raw->uns;
        else if (const auto unit = base.raw->uns.find("smeta"); unit != base.raw->uns.end())
            modality.uns.insert(*unit);
        data.modalities.emplace_back(name, std::move(modality));
    }
    return data;
}

std::string SectionJoint::summary(const SectionTotals& all) const {
    std::string text = fmt::format("{} {}s", all.rows.left, noun());
    auto dropped = all.rows.dropped;
    dropped[static_cast<std::size_t>(DropReason::QualityControl)] = failed_;
    for (std::size_t r = 0; r < dropped.size(); ++r)
        if (dropped[r] > 0) text += fmt::format(", {} dropped by {}", dropped[r], kDropReasons[r]);
    for (std::size_t p = 1; p < parts_.size(); ++p)
        text += fmt::format(", {} covered by {}", all.parts[p].covered, parts_[p].source->name);
    return text;
}

std::string_view SectionJoint::noun() const {
    if (!frame_ || config_.target == ReassignTarget::St) return "spot";
    return config_.target == ReassignTarget::Sm ? "pixel" : "place";
}

void SectionJoint::refuse_apart(const KeptModality& modality) const {
    const bool area = config_.weights == ReassignWeights::Area;
    throw core::ConfigError(
        fmt::format("sample '{}': no {} has {} {}; are pixels and spots in the same frame? Give "
                    "align.transform with the sample (ST = A SM + t)",
                    sample_, noun(), modality.name == "sm" ? "an imaging pixel" : "a spot",
                    area ? std::string("on it") : fmt::format("within {:.6g}", frame_->radius())));
}

JointTable SectionJoint::finish(const SectionTotals& all) {
    for (std::size_t p = 0; p < parts_.size(); ++p)
        if (!by_name(*parts_[p].source) && all.rows.candidates > 0 && all.parts[p].reached == 0)
            refuse_apart(*parts_[p].source);
    if (all.rows.left == 0)
        throw core::ConfigError(
            fmt::format("sample '{}': quality control and reassignment leave no {}; loosen qc.* "
                        "or reassign.*",
                        sample_, noun()));
    std::int64_t accounted = all.rows.left;
    for (const std::int64_t count : all.rows.dropped) accounted += count;
    core::check(accounted == all.rows.candidates && accounted == candidates(),
                "spots = kept + dropped, each with a reason");
    JointTable result;
    result.summary = summary(all);
    auto dropped = all.rows.dropped;
    dropped[static_cast<std::size_t>(DropReason::QualityControl)] = failed_;
    for (std::size_t r = 0; r < dropped.size(); ++r)
        if (dropped[r] > 0) result.dropped[std::string(kDropReasons[r])] = dropped[r];
    result.data = as_mudata(all);
    return result;
}

std::vector<AveragedRows> SectionJoint::averaged_rows(const std::vector<RowUses>& uses) const {
    std::vector<AveragedRows> result;
    for (const RowUses& use : uses) {
        const auto& modality =
            *std::find_if(kept_.begin(), kept_.end(),
                          [&](const KeptModality& kept) { return kept.name == use.modality; });
        std::vector<std::int64_t> unused;
        for (std::size_t r = 0; r < use.joint_rows.size(); ++r)
            if (use.joint_rows[r] == 0) unused.push_back(static_cast<std::int64_t>(r));
        std::vector<std::string> names;
        for (const std::int64_t row : modality.rows) names.push_back(modality.raw->obs.index[row]);
        result.push_back(detail::averaged_rows(use.modality, std::move(names), use.joint_rows,
                                               frame_->in_reach(use.modality, unused),
                                               modality.totals));
        result.back().features = static_cast<std::int32_t>(modality.var.index.size());
    }
    return result;
}

}  // namespace detail

JointTable build_joint(const std::string& sample, const std::string& cohort, const io::MuData& raw,
                       const io::MuData& qc, const std::optional<SpatialTransform>& transform,
                       const ReassignConfig& config) {
    std::map<std::string, detail::RowReader> readers;
    for (const auto& [name, data] : raw.modalities) {
        core::check(data.x.has_value(), "a raw modality has values");
        readers[name] = [&x = *data.x](const std::vector<std::int64_t>& rows) {
            if (const auto* csr = std::get_if<core::CountsCsr>(&x))
                return core::select_rows(*csr, rows);
            return core::select_rows(io::to_csr(x), rows);
        };
    }
    detail::SectionJoint joint(sample, cohort, raw, qc, readers, transform, config);
    joint.take({0, joint.candidates()});
    return joint.finish(joint.totals());
}

}  // namespace smeta::align

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "smeta/align/align.hpp"
#include "smeta/align/reassign.hpp"
#include "smeta/core/error.hpp"
#include "smeta/spatial/knn.hpp"

#include "joint_impl.hpp"

namespace smeta::align {

namespace {

using detail::KeptModality;

// Entries above this share make a dense matrix the smaller and faster one.
constexpr double kDenseShare = 0.4;

// A modality over the joint rows.
struct Part {
    const KeptModality* source = nullptr;
    core::CountsCsr x;
    std::vector<std::uint8_t> covered;
    std::vector<std::int64_t> pixels;  ///< of averaged modalities, else empty
    std::vector<std::int64_t>
        kept_rows;  ///< kept row of each joint row or -1; empty for averaged modalities
};

struct Assembly {
    std::vector<std::string> names;
    std::vector<Part> parts;  ///< the base modality first
    std::map<std::string, std::int64_t> dropped;

    void filter(const std::vector<std::uint8_t>& keep);
};

template <class T>
void keep_only(std::vector<T>& values, const std::vector<std::uint8_t>& keep) {
    if (values.empty()) return;
    std::size_t at = 0;
    for (std::size_t i = 0; i < keep.size(); ++i)
        if (keep[i] != 0) values[at++] = values[i];
    values.resize(at);
}

void Assembly::filter(const std::vector<std::uint8_t>& keep) {
    std::vector<std::int64_t> rows;
    for (std::size_t i = 0; i < keep.size(); ++i)
        if (keep[i] != 0) rows.push_back(static_cast<std::int64_t>(i));
    keep_only(names, keep);
    for (Part& part : parts) {
        part.x = core::select_rows(part.x, rows);
        keep_only(part.covered, keep);
        keep_only(part.pixels, keep);
        keep_only(part.kept_rows, keep);
    }
}

Part named_rows(const KeptModality& modality, const std::vector<std::string>& names) {
    Part part;
    part.source = &modality;
    for (const std::string& name : names) {
        const auto found = modality.position.find(name);
        part.kept_rows.push_back(found == modality.position.end() ? -1 : found->second);
        part.covered.push_back(found == modality.position.end() ? 0 : 1);
    }
    part.x = detail::pick(modality.x, part.kept_rows);
    return part;
}

/// The scale of the section: the smallest distance between two spots; of a single spot that between
/// two pixels, and without any no limit: what there is belongs together.
double spacing_of(const std::string& sample, const core::MatrixD& spots,
                  const core::MatrixD& pixels) {
    if (spots.rows() == 1) {
        const double spacing = spatial::minimum_distance(pixels);
        return spacing > 0.0 ? spacing : std::numeric_limits<double>::max();
    }
    const double spacing = spatial::minimum_distance(spots);
    if (!(spacing > 0.0))
        throw core::FormatError({"raw file of " + sample, "mod/st/obsm/spatial",
                                 "spots at distinct places",
                                 fmt::format("smallest distance {}", spacing), ""});
    return spacing;
}

Part averaged(const std::string& sample, const KeptModality& st, const KeptModality& sm,
              const std::optional<AffineTransform>& transform, const ReassignConfig& config) {
    core::check(transform.has_value(), "pixels with coordinates of their own have a transform");
    const auto spots = st.raw->obsm.find("spatial");
    if (spots == st.raw->obsm.end())
        throw core::FormatError({"raw file of " + sample, "mod/st/obsm/spatial",
                                 "coordinates of the spots", "none",
                                 "ingest the sample with positions"});
    const core::MatrixD places = apply(*transform, sm.points);
    const double radius =
        config.radius_factor * spacing_of(sample, spots->second.leftCols(2), places);
    Part part;
    part.source = &sm;
    SpotValues values = average_nearest(sm.x, places, st.points, config.neighbors, radius);
    part.x = std::move(values.values);
    part.pixels = std::move(values.pixels);
    for (const std::int64_t pixels : part.pixels) part.covered.push_back(pixels > 0 ? 1 : 0);
    if (!part.covered.empty() &&
        std::find(part.covered.begin(), part.covered.end(), 1) == part.covered.end())
        throw core::ConfigError(fmt::format(
            "sample '{}': no spot has an imaging pixel within {:.6g}; are pixels and spots in the "
            "same frame? Give align.transform with the sample (ST = A SM + t)",
            sample, radius));
    return part;
}

bool joined_by_name(const io::MuData& raw, const KeptModality& modality) {
    return modality.name != "sm" || !needs_alignment(raw);
}

// Names of the joint rows: those of the base modality, then those that only modalities joined by
// name have. A spot that any of them dropped is out.
std::vector<std::string> joint_names(const io::MuData& raw, const std::vector<KeptModality>& kept,
                                     std::map<std::string, std::int64_t>& dropped) {
    std::vector<std::string> names;
    std::set<std::string, std::less<>> seen;
    std::int64_t out = 0;
    for (const KeptModality& modality : kept) {
        if (!joined_by_name(raw, modality)) continue;
        for (const std::string& name : modality.raw->obs.index) {
            if (!seen.insert(name).second) continue;
            const bool fails =
                std::any_of(kept.begin(), kept.end(), [&](const KeptModality& other) {
                    return joined_by_name(raw, other) && other.dropped.contains(name);
                });
            if (fails)
                ++out;
            else
                names.push_back(name);
        }
    }
    if (out > 0) dropped["quality control"] = out;
    return names;
}

// Coordinates of the joint rows from the first modality that has them.
std::optional<core::MatrixD> joint_points(const Assembly& joint) {
    core::MatrixD points = core::MatrixD::Constant(static_cast<Eigen::Index>(joint.names.size()), 2,
                                                   std::numeric_limits<double>::quiet_NaN());
    bool any = false;
    for (const Part& part : joint.parts) {
        if (part.kept_rows.empty() || part.source->points.cols() == 0) continue;
        any = true;
        for (Eigen::Index i = 0; i < points.rows(); ++i)
            if (part.kept_rows[i] >= 0 && std::isnan(points(i, 0)))
                points.row(i) = part.source->points.row(part.kept_rows[i]);
    }
    if (!any) return std::nullopt;
    return points;
}

void apply_thresholds(const ReassignConfig& config, Assembly& joint) {
    std::vector<std::uint8_t> keep(joint.names.size(), 1);
    const auto drop = [&](const std::string& reason, const auto& fails) {
        for (std::size_t i = 0; i < keep.size(); ++i) {
            if (keep[i] == 0 || !fails(i)) continue;
            keep[i] = 0;
            ++joint.dropped[reason];
        }
    };
    if (const auto points = joint_points(joint))
        drop("missing position", [&](std::size_t i) {
            return !points->row(static_cast<Eigen::Index>(i)).array().isFinite().all();
        });
    for (const Part& part : joint.parts) {
        const std::vector<double> totals = core::row_sums(part.x);
        if (part.source->name == "sm") {
            if (config.drop_uncovered && joint.parts.size() > 1)
                drop("uncovered", [&](std::size_t i) { return part.covered[i] == 0; });
            if (config.min_intensity)
                drop("low intensity",
                     [&](std::size_t i) { return totals[i] < *config.min_intensity; });
        }
        if (part.source->name == "st" && config.max_counts)
            drop("high counts", [&](std::size_t i) { return totals[i] > *config.max_counts; });
    }
    joint.filter(keep);
}

io::Frame joint_obs(const std::string& sample, const std::string& cohort, const io::MuData& raw,
                    const Assembly& joint) {
    io::Frame obs;
    obs.index = joint.names;
    obs.set("sample", std::vector<std::string>(joint.names.size(), sample));
    obs.set("cohort", std::vector<std::string>(joint.names.size(), cohort));
    obs.set("spot", joint.names);
    const auto add = [&obs](const io::Frame& table, const std::vector<std::int64_t>& rows) {
        for (const auto& [name, values] : table.columns)
            if (obs.find(name) == nullptr) obs.set(name, detail::pick(values, rows));
    };
    for (const Part& part : joint.parts) {
        if (part.kept_rows.empty()) continue;
        std::vector<std::int64_t> rows;
        for (const std::int64_t row : part.kept_rows)
            rows.push_back(row < 0 ? -1 : part.source->rows[row]);
        add(part.source->raw->obs, rows);
    }
    std::map<std::string_view, std::int64_t> position;
    for (std::int64_t row = 0; row < raw.obs.rows(); ++row)
        position.emplace(raw.obs.index[row], row);
    std::vector<std::int64_t> rows;
    for (const std::string& name : joint.names) {
        const auto found = position.find(name);
        rows.push_back(found == position.end() ? -1 : found->second);
    }
    add(raw.obs, rows);
    for (std::size_t p = 0; p < joint.parts.size() && joint.parts.size() > 1; ++p) {
        const Part& part = joint.parts[p];
        const bool complete =
            std::find(part.covered.begin(), part.covered.end(), 0) == part.covered.end();
        if (p > 0 || !complete) obs.set(part.source->name + "_covered", part.covered);
        if (!part.pixels.empty()) obs.set(part.source->name + "_pixels", part.pixels);
    }
    return obs;
}

io::MatrixValues stored_form(const std::string& modality, core::CountsCsr x) {
    const double size = static_cast<double>(x.rows) * x.cols;
    if (modality != "st" && static_cast<double>(x.nnz()) > kDenseShare * size)
        return core::to_dense(x);
    return x;
}

io::MuData as_mudata(const std::string& sample, const std::string& cohort, const io::MuData& raw,
                     Assembly joint) {
    io::MuData data;
    data.obs = joint_obs(sample, cohort, raw, joint);
    const KeptModality& base = *joint.parts[0].source;
    const auto points = joint_points(joint);
    for (const auto& [name, unused] : raw.modalities) {
        const auto part = std::find_if(joint.parts.begin(), joint.parts.end(),
                                       [&](const Part& p) { return p.source->name == name; });
        io::AnnData modality;
        modality.obs = data.obs;
        modality.var = part->source->var;
        modality.x = stored_form(name, std::move(part->x));
        if (points) modality.obsm["spatial"] = *points;
        // The images once; the unit of the coordinates, which are those of the spots, everywhere.
        if (name == base.name)
            modality.uns = base.raw->uns;
        else if (const auto unit = base.raw->uns.find("smeta"); unit != base.raw->uns.end())
            modality.uns.insert(*unit);
        data.modalities.emplace_back(name, std::move(modality));
    }
    return data;
}

}  // namespace

JointTable build_joint(const std::string& sample, const std::string& cohort, const io::MuData& raw,
                       const io::MuData& qc, const std::optional<AffineTransform>& transform,
                       const ReassignConfig& config) {
    std::vector<KeptModality> kept;
    for (const auto& [name, data] : raw.modalities) {
        const io::AnnData* tables = qc.find(name);
        if (tables == nullptr)
            throw core::FormatError(
                {"qc of " + sample, "mod/" + name, "a table", "none", "run smeta qc again"});
        kept.push_back(detail::keep(name, data, *tables));
    }
    // The spots of ST are the rows; without ST those of the first modality.
    std::stable_partition(kept.begin(), kept.end(),
                          [](const KeptModality& modality) { return modality.name == "st"; });
    Assembly joint;
    joint.names = joint_names(raw, kept, joint.dropped);
    const auto read = static_cast<std::int64_t>(joint.names.size());
    for (const KeptModality& modality : kept)
        joint.parts.push_back(joined_by_name(raw, modality)
                                  ? named_rows(modality, joint.names)
                                  : averaged(sample, kept[0], modality, transform, config));
    apply_thresholds(config, joint);
    if (joint.names.empty())
        throw core::ConfigError(
            fmt::format("sample '{}': quality control and reassignment leave no spot; loosen qc.* "
                        "or reassign.*",
                        sample));
    JointTable result;
    result.summary = fmt::format("{} spots", joint.names.size());
    for (const auto& [reason, count] : joint.dropped)
        result.summary += fmt::format(", {} dropped by {}", count, reason);
    for (std::size_t p = 1; p < joint.parts.size(); ++p)
        result.summary +=
            fmt::format(", {} covered by {}",
                        std::count(joint.parts[p].covered.begin(), joint.parts[p].covered.end(), 1),
                        joint.parts[p].source->name);
    std::int64_t accounted = static_cast<std::int64_t>(joint.names.size());
    for (const auto& [reason, count] : joint.dropped)
        if (reason != "quality control") accounted += count;
    core::check(accounted == read, "spots = kept + dropped, each with a reason");
    result.data = as_mudata(sample, cohort, raw, std::move(joint));
    return result;
}

}  // namespace smeta::align

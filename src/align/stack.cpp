#include "smeta/align/stack.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "smeta/align/affine.hpp"
#include "smeta/atlas/names.hpp"
#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/source_info.hpp"
#include "smeta/io/text_table.hpp"

#include "contributions.hpp"
#include "section_source.hpp"
#include "stack_file.hpp"

namespace smeta::align {

namespace {

constexpr std::int64_t kBlockRows = 4096;

/// A sample of a block.
struct Member {
    std::string sample;
    double z = 0;
};
/// By name; sections lowest first.
using Blocks = std::map<std::string, std::vector<Member>>;

/// The level of a sample: one text for all rows; "" where it has none.
std::string level_of(const std::string& sample, const io::MuData& raw, const std::string& level) {
    std::set<std::string> values;
    for (const auto& [name, modality] : raw.modalities) {
        if (modality.obs.find(level) == nullptr) continue;
        const auto texts = modality.obs.as_text(level, "raw file of " + sample);
        values.insert(texts.begin(), texts.end());
    }
    if (values.size() > 1)
        throw core::FormatError({"raw file of " + sample, "obs/" + level,
                                 "one value for the whole sample",
                                 fmt::format("'{}' and '{}'", *values.begin(), *values.rbegin()),
                                 "give levels of samples as [[sample]] obs in study.toml"});
    return values.empty() ? std::string() : *values.begin();
}

/// "sample<tab>block<tab>z", or nothing for a sample of no block.
std::string membership(const atlas::ShardedAtlas& atlas, const std::string& sample,
                       const StackConfig& config) {
    if (atlas.key(sample, atlas::kRaw).empty()) return {};
    const std::string path = atlas.stage_file(sample, atlas::kRaw).string();
    const io::MuData raw = io::read_h5mu(path, io::Values::LeftOut);
    const std::string block = level_of(sample, raw, config.block);
    if (block.empty()) return {};
    if (!atlas::is_valid_name(block))
        throw core::ConfigError(fmt::format(
            "sample '{}': its block '{}' (level '{}') is to be a name of [A-Za-z0-9_.-]", sample,
            block, config.block));
    const auto z = io::parse_number(level_of(sample, raw, config.z));
    if (!z || !std::isfinite(*z))
        throw core::ConfigError(fmt::format(
            "sample '{}' of block '{}' has no height: its level '{}' must be a number of "
            "micrometres (obs = {{{} = \"{}\", {} = 10}} in its [[sample]] of study.toml, or "
            "stack.z = another level)",
            sample, block, config.z, config.block, block, config.z));
    return fmt::format("{}\t{}\t{}\n", sample, block, *z);
}

/// All blocks of the atlas. Each rank reads its share of the samples. Collective.
Blocks find_blocks(const comm::Comm& comm, const atlas::ShardedAtlas& atlas,
                   const StackConfig& config) {
    const std::vector<std::string> samples = atlas.samples();
    std::string mine;
    comm.all_or_throw([&] {
        for (std::size_t i = comm.rank(); i < samples.size(); i += comm.size())
            mine += membership(atlas, samples[i], config);
    });
    Blocks blocks;
    for (const std::string& part : comm.allgather(mine)) {
        for (std::size_t at = 0; at < part.size();) {
            const std::size_t end = part.find('\n', at);
            const std::size_t first = part.find('\t', at);
            const std::size_t second = part.rfind('\t', end);
            blocks[part.substr(first + 1, second - first - 1)].push_back(
                {part.substr(at, first - at),
                 *io::parse_number(part.substr(second + 1, end - second - 1))});
            at = end + 1;
        }
    }
    for (auto& [name, members] : blocks) {
        std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
            return a.z != b.z ? a.z < b.z : a.sample < b.sample;
        });
        for (std::size_t m = 1; m < members.size(); ++m)
            if (members[m].z == members[m - 1].z)
                throw core::ConfigError(fmt::format(
                    "samples '{}' and '{}' of block '{}' have the same height {} ({}): sections "
                    "of one block lie at different ones",
                    members[m - 1].sample, members[m].sample, name, members[m].z, config.z));
    }
    return blocks;
}

/// A section as the fit sees it.
struct Section {
    SectionRaster raster;
    std::string unit;
    double microns_per_unit = 0;
};

Section read_section(const atlas::ShardedAtlas& atlas, const std::string& sample) {
    const detail::SectionSource source =
        detail::open_section(atlas.stage_file(sample, atlas::kRaw).string());
    const io::MuData qc = io::read_h5mu(atlas.stage_file(sample, atlas::kQc).string());
    const std::string name =
        source.tables.find("st") != nullptr ? "st" : source.tables.modalities.front().first;
    const io::AnnData& table = *source.tables.find(name);
    const detail::KeptModality kept =
        detail::keep(name, table, *qc.find(name), source.readers.at(name));
    if (kept.points.cols() == 0)
        throw core::FormatError({"raw file of " + sample, "mod/" + name + "/obsm/spatial",
                                 "coordinates", "none", "ingest the sample with positions"});
    const std::vector<std::int64_t> rows = detail::placed(kept.points);
    const core::MatrixD points = detail::select(kept.points, rows);
    const RasterOptions options;
    Section section{
        rasterise(points, options, fmt::format("stack: sample '{}', modality {}", sample, name)),
        io::unit(table), io::microns_per_unit(table).value_or(0)};
    SectionContent content(section.raster, points, static_cast<std::int32_t>(kept.var.rows()),
                           options);
    const auto read = [&](const auto& take) {
        for (std::size_t first = 0; first < rows.size(); first += kBlockRows) {
            const auto last = std::min(rows.size(), first + kBlockRows);
            const core::CountsCsr block =
                kept.values({rows.begin() + static_cast<std::ptrdiff_t>(first),
                             rows.begin() + static_cast<std::ptrdiff_t>(last)});
            take(static_cast<std::int64_t>(first), block.view());
        }
    };
    read([&](std::int64_t, const core::CsrView& block) { content.measure(block); });
    read([&](std::int64_t first, const core::CsrView& block) { content.add(first, block); });
    content.finish();
    return section;
}

/// A section to be laid on its neighbour.
struct Task {
    StackStep step;  ///< without map and outline
    std::string key;
};

/// Those of one block that are not up to date, by sample. A section's key holds its neighbour's, so
/// that it says all of its path.
std::map<std::string, Task> plan(const atlas::ShardedAtlas& atlas, const StackConfig& config,
                                 const std::string& block, const std::vector<Member>& members) {
    const std::string canonical = atlas::canonical_config(config, "stack.");
    const std::size_t middle = (members.size() - 1) / 2;
    std::map<std::string, Task> all;
    const auto add = [&](std::size_t m, const Task* towards) {
        const Member& member = members[m];
        if (atlas.key(member.sample, atlas::kQc).empty())
            throw core::ConfigError(fmt::format(
                "sample '{}' of block '{}' has not been through quality control; run smeta qc "
                "first",
                member.sample, block));
        Task task;
        task.step.block = block;
        task.step.z = member.z;
        task.step.level = static_cast<std::int64_t>(m);
        std::vector<std::string> inputs{atlas.key(member.sample, atlas::kRaw),
                                        atlas.key(member.sample, atlas::kQc), block,
                                        fmt::format("{} {}", m, member.z)};
        if (towards != nullptr) {
            task.step.neighbour = members[m < middle ? m + 1 : m - 1].sample;
            inputs.push_back(task.step.neighbour);
            inputs.push_back(towards->key);
        }
        task.key = atlas::stage_key(kStack, kStackVersion, canonical, inputs);
        return &all.insert_or_assign(member.sample, std::move(task)).first->second;
    };
    const Task* reference = add(middle, nullptr);
    const Task* towards = reference;
    for (std::size_t m = middle; m-- > 0;) towards = add(m, towards);
    towards = reference;
    for (std::size_t m = middle + 1; m < members.size(); ++m) towards = add(m, towards);
    return all;
}

/// Lays the section on its neighbour; returns what the log says.
std::string fit_step(const atlas::ShardedAtlas& atlas, const std::string& sample,
                     const StackConfig& config, StackStep& step) {
    const Section own = read_section(atlas, sample);
    step.microns_per_unit = own.microns_per_unit;
    step.outline = outline(own.raster);
    step.map.method = "identity";
    step.map.from_unit = own.unit;
    step.map.to_unit = own.unit;
    if (step.neighbour.empty())
        return fmt::format("stack: {}: reference of block {}", sample, step.block);
    const Section other = read_section(atlas, step.neighbour);
    FitOptions options;
    options.deformation = config.deformation;
    options.mirror = config.mirror;
    options.candidates = config.candidates;
    step.map.method = "fit";
    step.map.to_unit = other.unit;
    step.map.fit = fit_sections(own.raster, other.raster, options);
    Fit& fit = *step.map.fit;
    if (own.microns_per_unit > 0 && other.microns_per_unit > 0)
        fit.size_ratio = std::sqrt(std::abs(determinant(fit.transform.affine))) *
                         other.microns_per_unit / own.microns_per_unit;
    step.map.transform = std::move(fit.transform);
    fit.transform = {};
    if (fit.ambiguous)
        core::log_warning(
            "stack: {} on {}: ambiguous: another orientation fits about as well; settle it with "
            "stack.mirror, or look at smeta stack --figures",
            sample, step.neighbour);
    return fmt::format("stack: {} on {}: outlines overlap by {:.3f}, confidence {:.2f}{}", sample,
                       step.neighbour, fit.overlap, fit.candidates.front().confidence,
                       fit.ambiguous ? ", ambiguous" : "");
}

}  // namespace

void bind(core::ConfigTable& table, StackConfig& config) {
    table
        .add("stack.block", config.block,
             "level of the samples ([[sample]] obs in study.toml) that names the block of which "
             "they are serial sections; unset: no stacks")
        .add("stack.z", config.z, "level that holds the height of a section in micrometres")
        .add("stack.deformation", config.deformation,
             "what the fit of a section to its neighbour may do: affine, diffeomorphic")
        .add("stack.mirror", config.mirror,
             "whether a section may be mirrored against its neighbour: auto searches")
        .add("stack.candidates", config.candidates, "poses that a fit compares",
             core::ConfigRange{1, 100});
}

void run_stack(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const StackConfig& config,
               const std::vector<std::string>& samples) {
    const std::vector<std::string> wanted = atlas.samples(samples);
    if (config.block.empty()) return;
    const Blocks blocks = find_blocks(comm, atlas, config);
    if (blocks.empty())
        core::log_warning("stack: no sample has the level '{}' (stack.block): there is no stack",
                          config.block);
    std::map<std::string, Task> tasks;
    for (const auto& [block, members] : blocks) {
        if (std::none_of(members.begin(), members.end(), [&](const Member& member) {
                return std::binary_search(wanted.begin(), wanted.end(), member.sample);
            }))
            continue;
        tasks.merge(plan(atlas, config, block, members));
    }
    std::vector<std::string> names;
    for (const auto& [sample, task] : tasks) {
        if (!atlas.is_current(sample, kStack, task.key))
            names.push_back(sample);
        else
            core::log_info("stack: {} is up to date", sample);
    }
    atlas::CommitBatch batch(atlas);
    atlas::for_own_samples(comm, names, [&](const std::string& sample) {
        Task& task = tasks.at(sample);
        std::string line = fit_step(atlas, sample, config, task.step);
        batch.add_stage(sample, kStack, task.key, [&](const std::filesystem::path& path) {
            detail::write_stack_step(path, task.step);
        });
        return line;
    });
    batch.commit(comm, atlas);
}

StackPath read_stack_path(const atlas::ShardedAtlas& atlas, const std::string& sample) {
    StackPath path;
    for (std::string next = sample; !next.empty(); next = path.back().neighbour) {
        const std::filesystem::path file = atlas.stage_file(next, kStack);
        path.push_back(detail::read_stack_step(file));
        if (path.size() > atlas.manifest().samples.size())
            throw core::FormatError({file.string(), "uns/smeta/stack/neighbour",
                                     "a way to the reference", "a circle",
                                     "run smeta stack again"});
    }
    return path;
}

core::MatrixD in_block(const StackPath& path, const core::MatrixD& points) {
    core::MatrixD at = points;
    for (const StackStep& step : path) at = apply(step.map.transform, at);
    if (path.back().microns_per_unit > 0) at *= path.back().microns_per_unit;
    core::MatrixD result(at.rows(), 3);
    result.leftCols(2) = at;
    result.col(2).setConstant(path.front().z);
    return result;
}

std::vector<StackDrawing> stack_drawings(const atlas::ShardedAtlas& atlas) {
    std::map<std::string, StackDrawing> drawings;
    for (const std::string& sample : atlas.samples()) {
        if (atlas.key(sample, kStack).empty()) continue;
        const StackPath path = read_stack_path(atlas, sample);
        StackDrawing& drawing = drawings[path.front().block];
        drawing.block = path.front().block;
        if (path.back().microns_per_unit > 0) drawing.unit = io::kUnitMicron;
        core::MatrixD outline = path.front().outline;
        for (const Eigen::Index end : {0, 2})
            outline.middleCols(end, 2) =
                in_block(path, core::MatrixD(outline.middleCols(end, 2))).leftCols(2);
        drawing.sections.push_back({sample, path.front().z, std::move(outline)});
    }
    std::vector<StackDrawing> result;
    for (auto& [name, drawing] : drawings) {
        std::sort(drawing.sections.begin(), drawing.sections.end(),
                  [](const auto& a, const auto& b) { return a.z < b.z; });
        result.push_back(std::move(drawing));
    }
    return result;
}

}  // namespace smeta::align

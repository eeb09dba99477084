#include <cerrno>
#include <fstream>

#include <fmt/format.h>

#include "smeta/align/affine.hpp"
#include "smeta/align/align.hpp"
#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/text_table.hpp"

namespace smeta::align {

namespace {

constexpr double kPoorOverlap = 0.6;
constexpr double kLargestSizeRatio = 1.5;
constexpr double kLandmarkMisfit = 0.1;  // of the length of the ST tissue

/// A fit depends on quality control and on the text of the landmarks, too.
std::vector<std::string> stage_inputs(const atlas::ShardedAtlas& atlas, const std::string& sample,
                                      const AlignConfig& config) {
    std::vector<std::string> inputs{atlas.key(sample, atlas::kRaw)};
    if (config.method != AlignMethod::Fit) return inputs;
    inputs.push_back(atlas.key(sample, atlas::kQc));
    if (!config.landmarks.empty())
        inputs.push_back(core::to_hex(io::file_checksum(config.landmarks)));
    return inputs;
}

/// Says on the log what a fit may have wrong.
void flag(const std::string& sample, const Fit& fit, const std::optional<HistologyFit>& histology) {
    if (histology && histology->disagrees())
        core::log_warning(
            "align: {}: image and coordinates disagree: {}: {}; the fit did without it. Is it this "
            "section's image, unturned, with the right scale?",
            sample, histology->image, histology->objection);
    if (fit.ambiguous)
        core::log_warning(
            "align: {}: ambiguous: another orientation fits about as well (see the candidates in "
            "the figure of smeta align --figures); settle it with align.mirror, align.rotation or "
            "align.landmarks",
            sample);
    if (fit.overlap < kPoorOverlap)
        core::log_warning(
            "align: {}: the outlines overlap only by {:.2f} (intersection over union): the two "
            "sections may not belong together",
            sample, fit.overlap);
    if (fit.smallest_determinant <= 0)
        core::log_warning(
            "align: {}: the fitted map folds the tissue; use align.deformation=affine", sample);
    if (fit.size_ratio > 0 && std::max(fit.size_ratio, 1 / fit.size_ratio) > kLargestSizeRatio)
        core::log_warning(
            "align: {}: by the declared units of both sections the imaging section is made {:.3g} "
            "times as long: one of the units may be wrong",
            sample, fit.size_ratio);
    if (fit.landmark_misfit > kLandmarkMisfit)
        core::log_warning(
            "align: {}: after the fit the landmarks are {:.0f} % of the tissue's length away from "
            "their partners (root mean square): some may be exchanged or of another section",
            sample, 100 * fit.landmark_misfit);
}

std::string summary(const std::string& sample, const Alignment& alignment) {
    const double area = determinant(alignment.transform.affine);
    if (!alignment.fit)
        return fmt::format("align: {}: {} (determinant {:.6g})", sample, alignment.method, area);
    const Fit& fit = *alignment.fit;
    flag(sample, fit, alignment.histology);
    std::string image;
    if (alignment.histology)
        image = alignment.histology->disagrees()
                    ? ", image disagrees"
                    : fmt::format(", image's tissue by {:.3f}", alignment.histology->overlap);
    return fmt::format(
        "align: {}: fit (outlines overlap by {:.3f}{}, confidence {:.2f} among {} poses{}, "
        "determinant {:.6g})",
        sample, fit.overlap, image, fit.candidates.front().confidence, fit.candidates.size(),
        fit.ambiguous ? ", ambiguous" : "", area);
}

}  // namespace

void run_align(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const AlignConfig& config,
               const std::vector<std::string>& samples) {
    const std::string canonical = atlas::canonical_config(config, "align.");
    atlas::CommitBatch batch(atlas);
    atlas::for_own_samples(comm, atlas.samples(samples), [&](const std::string& sample) {
        const atlas::StageEntry* source = atlas.sample(sample).find(atlas::kRaw);
        if (source == nullptr || source->modalities.size() < 2)
            return fmt::format("align: {} needs none", sample);
        const std::vector<std::string> inputs = stage_inputs(atlas, sample, config);
        const std::string key = atlas::stage_key(atlas::kAlign, kAlignVersion, canonical, inputs);
        if (atlas.is_current(sample, atlas::kAlign, key))
            return fmt::format("align: {} is up to date", sample);
        const io::MuData raw =
            io::read_h5mu(atlas.stage_file(sample, atlas::kRaw).string(), io::Values::LeftOut);
        if (!needs_alignment(raw))
            return fmt::format("align: {} needs none: its modalities share their spots", sample);
        const Alignment alignment = config.method == AlignMethod::Fit
                                        ? fit_alignment(atlas, sample, config)
                                        : choose_alignment(sample, raw, config);
        batch.add_stage(sample, atlas::kAlign, key, [&](const std::filesystem::path& path) {
            write_alignment(path, alignment);
        });
        return summary(sample, alignment);
    });
    batch.commit(comm, atlas);
}

void apply_to_table(const atlas::ShardedAtlas& atlas, const std::string& sample,
                    const std::string& points, const std::string& out) {
    const Alignment alignment = read_alignment(atlas.stage_file(sample, atlas::kAlign));
    const io::TextColumns table = io::read_text_columns(points);
    const std::size_t x = table.column("x");
    const std::size_t y = table.column("y");
    core::MatrixD from(static_cast<Eigen::Index>(table.rows.size()), 2);
    for (Eigen::Index i = 0; i < from.rows(); ++i) {
        const std::int64_t line = i + 2;
        from(i, 0) = io::require_number(table.rows[i][x], points, line, "x");
        from(i, 1) = io::require_number(table.rows[i][y], points, line, "y");
    }
    const core::MatrixD to = apply(alignment.transform, from);
    std::string text = fmt::format("{}\n", fmt::join(table.header, "\t"));
    for (Eigen::Index i = 0; i < to.rows(); ++i) {
        std::vector<std::string> fields = table.rows[i];
        fields[x] = fmt::format("{}", to(i, 0));
        fields[y] = fmt::format("{}", to(i, 1));
        text += fmt::format("{}\n", fmt::join(fields, "\t"));
    }
    errno = 0;
    std::ofstream file(out, std::ios::binary);
    file << text;
    file.close();
    if (!file) throw core::IoError::from_errno("write", out, errno);
}

}  // namespace smeta::align

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "smeta/align/affine.hpp"
#include "smeta/align/align.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/source_info.hpp"
#include "smeta/io/text_table.hpp"

#include "feature_model.hpp"
#include "histology_stage.hpp"
#include "joint_impl.hpp"
#include "section_source.hpp"

namespace smeta::align {

namespace {

constexpr std::int64_t kBlockRows = 4096;

/// Rows that have a place, and their places.
struct PlacedRows {
    std::vector<std::int64_t> rows;
    core::MatrixD points;
};

PlacedRows placed(const detail::KeptModality& modality) {
    PlacedRows result;
    result.points.resize(modality.points.rows(), 2);
    for (Eigen::Index r = 0; r < modality.points.rows(); ++r) {
        if (!modality.points.row(r).allFinite()) continue;
        result.points.row(static_cast<Eigen::Index>(result.rows.size())) = modality.points.row(r);
        result.rows.push_back(r);
    }
    result.points.conservativeResize(static_cast<Eigen::Index>(result.rows.size()), 2);
    return result;
}

/// A section whose tissue is known and whose content is not yet.
struct PlacedSection {
    detail::KeptModality kept;
    PlacedRows rows;
    SectionRaster raster;
    detail::FeatureRows features;  ///< all, of features = vae
};

PlacedSection place(const std::string& sample, const detail::SectionSource& source,
                    const io::MuData& qc, const std::string& modality,
                    const RasterOptions& options) {
    PlacedSection section{detail::keep(modality, *source.tables.find(modality), *qc.find(modality),
                                       source.readers.at(modality)),
                          {},
                          {},
                          {}};
    section.rows = placed(section.kept);
    section.raster = rasterise(section.rows.points, options,
                               fmt::format("align: sample '{}', modality {}", sample, modality));
    return section;
}

/// Rows on the raster: spots may lie off the tissue of their image.
PlacedRows rows_on(const RasterGrid& grid, const PlacedRows& all) {
    PlacedRows result;
    result.points.resize(all.points.rows(), 2);
    for (Eigen::Index r = 0; r < all.points.rows(); ++r) {
        const double x = all.points(r, 0);
        const double y = all.points(r, 1);
        if (!(x >= grid.x0 && x < grid.x(grid.nx - 1) && y >= grid.y0 && y < grid.y(grid.ny - 1)))
            continue;
        result.points.row(static_cast<Eigen::Index>(result.rows.size())) = all.points.row(r);
        result.rows.push_back(all.rows[r]);
    }
    result.points.conservativeResize(static_cast<Eigen::Index>(result.rows.size()), 2);
    return result;
}

/// Channels from the rows, read in blocks, twice.
void stream_content(const PlacedRows& rows, const RasterOptions& options, PlacedSection& section) {
    SectionContent content(section.raster, rows.points,
                           static_cast<std::int32_t>(section.kept.var.rows()), options);
    const auto read = [&](const auto& take) {
        for (std::size_t first = 0; first < rows.rows.size(); first += kBlockRows) {
            const auto last = std::min(rows.rows.size(), first + kBlockRows);
            const core::CountsCsr block =
                section.kept.values({rows.rows.begin() + static_cast<std::ptrdiff_t>(first),
                                     rows.rows.begin() + static_cast<std::ptrdiff_t>(last)});
            take(static_cast<std::int64_t>(first), block.view());
        }
    };
    read([&](std::int64_t, const core::CsrView& block) { content.measure(block); });
    read([&](std::int64_t first, const core::CsrView& block) { content.add(first, block); });
    content.finish();
}

/// Sets the channels of both sections, or leaves them without any.
void read_content(const AlignConfig& config, const RasterOptions& options, PlacedSection& sm,
                  PlacedSection& st) {
    if (config.weight_features == 0) return;
    for (PlacedSection* section : {&sm, &st}) {
        const PlacedRows rows = rows_on(section->raster.grid, section->rows);
        if (config.features == Features::Vae)
            section->features = {rows.points, section->kept.values(rows.rows)};
        else
            stream_content(rows, options, *section);
    }
    if (config.features == Features::Pca) return;
    detail::FeatureModelOptions model;
    model.latent = static_cast<std::int32_t>(config.vae_latent);
    model.epochs = config.vae_epochs;
    detail::set_latent_channels(sm.features, st.features, model, options, sm.raster, st.raster);
}

Landmarks read_landmarks(const std::string& path, const std::string& sample) {
    if (path.empty()) return {};
    const io::TextColumns table = io::read_text_columns(path);
    const std::array<std::size_t, 4> columns{table.column("sm_x"), table.column("sm_y"),
                                             table.column("st_x"), table.column("st_y")};
    const auto name = std::find(table.header.begin(), table.header.end(), "sample");
    std::vector<std::array<double, 4>> found;
    for (std::size_t r = 0; r < table.rows.size(); ++r) {
        if (name != table.header.end() && table.rows[r][name - table.header.begin()] != sample)
            continue;
        std::array<double, 4> row{};
        for (int c = 0; c < 4; ++c)
            row[c] = io::require_number(table.rows[r][columns[c]], path,
                                        static_cast<std::int64_t>(r) + 2, table.header[columns[c]]);
        found.push_back(row);
    }
    const auto n = static_cast<Eigen::Index>(found.size());
    Landmarks landmarks{core::MatrixD(n, 2), core::MatrixD(n, 2),
                        fmt::format("{}, sample '{}'", path, sample)};
    for (Eigen::Index r = 0; r < n; ++r) {
        landmarks.sm.row(r) << found[r][0], found[r][1];
        landmarks.st.row(r) << found[r][2], found[r][3];
    }
    return landmarks;
}

FitOptions fit_options(const AlignConfig& config, const std::string& sample) {
    FitOptions options;
    options.deformation = config.deformation;
    options.candidates = config.candidates;
    options.mirror = config.mirror;
    options.rotation = config.rotation;
    options.landmarks = read_landmarks(config.landmarks, sample);
    options.landmark_error = config.landmark_error;
    options.weight_outline = config.weight_outline;
    options.weight_features = config.weight_features;
    options.point_norm = config.point_norm;
    return options;
}

}  // namespace

Alignment fit_alignment(const atlas::ShardedAtlas& atlas, const std::string& sample,
                        const AlignConfig& config) {
    if (atlas.key(sample, atlas::kQc).empty())
        throw core::ConfigError(
            fmt::format("align.method = fit: sample '{}' has not been through quality control; "
                        "run smeta qc first",
                        sample));
    const detail::SectionSource source =
        detail::open_section(atlas.stage_file(sample, atlas::kRaw).string());
    const io::MuData qc = io::read_h5mu(atlas.stage_file(sample, atlas::kQc).string());
    const FitOptions options = fit_options(config, sample);
    const io::AnnData& sm_table = *source.tables.find("sm");
    const io::AnnData& st_table = *source.tables.find("st");
    RasterOptions raster;
    raster.outline = config.outline;
    PlacedSection sm = place(sample, source, qc, "sm", raster);
    PlacedSection st = place(sample, source, qc, "st", raster);
    auto histology = detail::look_at_image(sample, st_table, st.rows.points, st.raster, config);
    if (histology && histology->fit.gave_outline) st.raster = histology->tissue;
    read_content(config, raster, sm, st);
    if (histology && histology->fit.weight > 0)
        join_stains(st.raster, rasterise_image(histology->image, histology->mask, st.raster.grid),
                    histology->fit.weight);
    Alignment alignment;
    alignment.method = "fit";
    alignment.from_unit = io::unit(sm_table);
    alignment.to_unit = io::unit(st_table);
    alignment.fit = fit_sections(sm.raster, st.raster, options);
    if (histology)
        alignment.histology = detail::finish_histology(
            std::move(*histology), alignment.fit->transform, sm.raster, *alignment.fit);
    const auto from = io::microns_per_unit(sm_table);
    const auto to = io::microns_per_unit(st_table);
    if (from && to)
        alignment.fit->size_ratio =
            std::sqrt(std::abs(determinant(alignment.fit->transform.affine))) * *to / *from;
    alignment.transform = std::move(alignment.fit->transform);
    alignment.fit->transform = {};
    return alignment;
}

}  // namespace smeta::align

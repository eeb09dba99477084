#include <cerrno>
#include <fstream>

#include <fmt/format.h>

#include "smeta/align/align.hpp"
#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/text_table.hpp"

namespace smeta::align {

void run_align(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const AlignConfig& config,
               const std::vector<std::string>& samples) {
    const std::string canonical = atlas::canonical_config(config, "align.");
    atlas::CommitBatch batch(atlas);
    atlas::for_own_samples(comm, atlas.samples(samples), [&](const std::string& sample) {
        const atlas::StageEntry* source = atlas.sample(sample).find(atlas::kRaw);
        if (source == nullptr || source->modalities.size() < 2)
            return fmt::format("align: {} needs none", sample);
        const std::vector<std::string> inputs{source->key};
        const std::string key = atlas::stage_key(atlas::kAlign, kAlignVersion, canonical, inputs);
        if (atlas.is_current(sample, atlas::kAlign, key))
            return fmt::format("align: {} is up to date", sample);
        const io::MuData raw =
            io::read_h5mu(atlas.stage_file(sample, atlas::kRaw).string(), io::Values::LeftOut);
        if (!needs_alignment(raw))
            return fmt::format("align: {} needs none: its modalities share their spots", sample);
        const Alignment alignment = choose_alignment(sample, raw, config);
        batch.add_stage(sample, atlas::kAlign, key, [&](const std::filesystem::path& path) {
            write_alignment(path, alignment);
        });
        return fmt::format("align: {}: {} (determinant {:.6g})", sample, alignment.method,
                           determinant(alignment.transform));
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

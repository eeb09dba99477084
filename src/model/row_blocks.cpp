#include "row_blocks.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/model/run_model.hpp"

namespace smeta::model {

std::vector<comm::Range> blocks_of(const atlas::RowSource& source, std::int32_t sample) {
    std::vector<comm::Range> blocks;
    for (const auto& shard : source.shards()) {
        if (shard.sample != sample) continue;
        const std::int64_t end = shard.first_row + shard.rows;
        for (std::int64_t first = shard.first_row; first < end; first += kBlockRows)
            blocks.push_back({first, std::min(first + kBlockRows, end)});
    }
    return blocks;
}

atlas::RowSourceConfig source_config(const LoadedModel& model) {
    atlas::RowSourceConfig config;
    for (const auto& block : model.cvae.options().blocks) config.modalities.push_back(block.name);
    config.batch_keys = model.context.batch_keys;
    config.sm_target = model.context.sm_target;
    return config;
}

void put_side_by_side(const Encoded<float>& encoded, const PosteriorColumns& columns,
                      core::MatrixF& rows) {
    rows.leftCols(columns.latent) = encoded.latent;
    rows.middleCols(columns.sd(), columns.latent) = encoded.sd;
    for (std::int64_t m = 0; m < columns.modalities; ++m)
        rows.middleCols(columns.single(m), columns.latent) = encoded.single[m];
    rows.middleCols(columns.contribution(), columns.modalities) = encoded.contribution;
}

void add_posterior(const core::MatrixF& rows, const NetworkOptions& network, io::AnnData& result) {
    const PosteriorColumns columns(network);
    const auto put = [&](const std::string& key, std::int64_t first) {
        result.obsm[key] = rows.middleCols(first, columns.latent).cast<double>();
        result.float_obsm.push_back(key);
    };
    put("X_smeta", 0);
    put("X_smeta_sd", columns.sd());
    for (std::int64_t m = 0; m < columns.modalities; ++m) {
        const std::string& modality = network.blocks[m].name;
        put("X_smeta_" + modality, columns.single(m));
        const auto column = rows.col(columns.contribution() + m);
        result.obs.set("contribution_" + modality,
                       std::vector<float>(column.begin(), column.end()));
    }
}

Chunk read_chunk(const atlas::RowSource& source, std::int32_t sample, const comm::Range& block) {
    const auto batch = source.read(sample, block.first, block.last);
    return to_chunk(batch, 0, batch.rows());
}

std::vector<double> libraries_of(const ModalityRows& present, std::int64_t rows) {
    std::vector<double> libraries(rows, 0.0);
    for (std::size_t i = 0; i < present.rows.size(); ++i)
        libraries[present.rows[i]] = present.libraries[i];
    return libraries;
}

std::vector<float> work_on_blocks(const atlas::RowSource& source, std::int32_t sample,
                                  std::span<const comm::Range> blocks, const ChunkWork& work) {
    std::vector<float> values;
    const auto group = static_cast<std::size_t>(4 * core::threads());
    for (std::size_t begin = 0; begin < blocks.size(); begin += group) {
        const auto part = blocks.subspan(begin, std::min(group, blocks.size() - begin));
        // HDF5 is not thread-safe.
        std::vector<Chunk> chunks;
        for (const auto& block : part) chunks.push_back(read_chunk(source, sample, block));
        std::vector<core::MatrixF> results(chunks.size());
#pragma omp parallel for schedule(dynamic) num_threads(core::threads())
        for (std::size_t i = 0; i < chunks.size(); ++i) results[i] = work(chunks[i]);
        for (const auto& rows : results)
            values.insert(values.end(), rows.data(), rows.data() + rows.size());
    }
    return values;
}

core::MatrixF work_on_sample(const comm::Comm& comm, const atlas::RowSource& source,
                             std::int32_t sample, std::int64_t width, int writer,
                             const ChunkWork& work) {
    const auto blocks = blocks_of(source, sample);
    const comm::Range mine =
        comm::even_share(static_cast<std::int64_t>(blocks.size()), comm.size(), comm.rank());
    std::vector<float> values;
    comm.all_or_throw([&] {
        values = work_on_blocks(source, sample, std::span(blocks).subspan(mine.first, mine.size()),
                                work);
    });
    const auto parts = comm.gather(std::span<const float>(values), writer);
    core::MatrixF all;
    if (comm.rank() != writer) return all;
    all.resize(source.sample_rows(sample), width);
    float* at = all.data();
    for (const auto& part : parts) at = std::copy(part.begin(), part.end(), at);
    core::check(at == all.data() + all.size(), "the gathered blocks are the whole sample");
    return all;
}

LoadedModel load_model(const comm::Comm& comm, const std::filesystem::path& file) {
    std::optional<LoadedModel> model;
    comm.all_or_throw([&] { model = read_model(file); });
    return std::move(*model);
}

void check_fits(const NetworkOptions& network, const atlas::RowSource& source,
                const std::string& file) {
    for (std::size_t m = 0; m < network.blocks.size(); ++m)
        if (network.blocks[m].features != source.features()[m])
            throw core::FormatError(
                {.file = file,
                 .object = "modalities/" + std::to_string(m),
                 .expected = fmt::format("{} features of {} as in features.h5",
                                         source.features()[m], network.blocks[m].name),
                 .found = fmt::format("{}", network.blocks[m].features),
                 .hint = "train the run again"});
}

}  // namespace smeta::model

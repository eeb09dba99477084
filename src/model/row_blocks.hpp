#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "smeta/atlas/row_source.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/core/timing.hpp"
#include "smeta/io/annotated.hpp"
#include "smeta/model/cvae.hpp"
#include "smeta/model/model_file.hpp"

/// A model applied to the rows of samples in fixed blocks: every bit depends on model and rows
/// alone.
namespace smeta::model {

inline constexpr std::int64_t kBlockRows = 256;

/// Blocks of one sample: no block spans two joint files.
std::vector<comm::Range> blocks_of(const atlas::RowSource& source, std::int32_t sample);

/// How rows are read for a model. `known`: categories that the codes index, see RowSourceConfig.
atlas::RowSourceConfig source_config(const LoadedModel& model);

/// Posterior of rows side by side: latent, sd, each single mean, contributions.
struct PosteriorColumns {
    std::int64_t latent = 0;
    std::int64_t modalities = 0;

    explicit PosteriorColumns(const NetworkOptions& network)
        : latent(network.latent), modalities(static_cast<std::int64_t>(network.blocks.size())) {}
    std::int64_t width() const { return latent * (2 + modalities) + modalities; }
    std::int64_t sd() const { return latent; }
    std::int64_t single(std::int64_t m) const { return latent * (2 + m); }
    std::int64_t contribution() const { return latent * (2 + modalities); }
};

/// The posterior in the first columns of `rows`.
void put_side_by_side(const Encoded<float>& encoded, const PosteriorColumns& columns,
                      core::MatrixF& rows);
/// Adds obsm X_smeta, X_smeta_sd, X_smeta_<mod> and obs contribution_<mod> from rows of
/// `put_side_by_side`.
void add_posterior(const core::MatrixF& rows, const NetworkOptions& network, io::AnnData& result);

/// Rows [block.first, block.last) of a sample as the network takes them. Local.
Chunk read_chunk(const atlas::RowSource& source, std::int32_t sample, const comm::Range& block);

/// Sum of each row's values of a modality; 0 where the row lacks it.
std::vector<double> libraries_of(const ModalityRows& present, std::int64_t rows);

/// What is computed of a chunk: one row a row of it, the same width in every chunk. Called by
/// several threads at once.
using ChunkWork = std::function<core::MatrixF(const Chunk&)>;

/// `work` on the given blocks: one thread reads, all compute. Row after row. Local.
std::vector<float> work_on_blocks(const atlas::RowSource& source, std::int32_t sample,
                                  std::span<const comm::Range> blocks, const ChunkWork& work);
/// `work` on a sample, its blocks shared out over the ranks: rows x width on rank `writer`, an
/// empty matrix elsewhere. Collective.
core::MatrixF work_on_sample(const comm::Comm& comm, const atlas::RowSource& source,
                             std::int32_t sample, std::int64_t width, int writer,
                             const ChunkWork& work);

/// model.h5 on every rank. Collective.
LoadedModel load_model(const comm::Comm& comm, const std::filesystem::path& file);

/// FormatError naming `file` unless the model's blocks have the source's features.
void check_fits(const NetworkOptions& network, const atlas::RowSource& source,
                const std::string& file);

}  // namespace smeta::model

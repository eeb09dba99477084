#pragma once

#include "smeta/atlas/row_source.hpp"
#include "smeta/model/model_file.hpp"

#include "row_blocks.hpp"

/// What `map_query` computes of a chunk of rows.
namespace smeta::model {

/// Predicted and observed counts of a spot sum to this.
inline constexpr double kPredictedTotal = 1e4;

/// Posterior and, after it, the fit of each modality.
core::MatrixF posterior_and_fit(const LoadedModel& model, const atlas::RowSource& source,
                                const Chunk& chunk);

/// Modality `target` decoded from the others; the last column is 1 for a row that has one of them,
/// whose prediction stands before it.
core::MatrixF predict(const LoadedModel& model, std::int32_t target, const Chunk& chunk);
/// Modality `target` decoded from all that the row has, the target too.
core::MatrixF reconstruct(const LoadedModel& model, std::int32_t target, const Chunk& chunk);

inline std::span<const float> row_of(const core::MatrixF& values, std::int64_t row) {
    return {values.data() + row * values.cols(), static_cast<std::size_t>(values.cols())};
}

}  // namespace smeta::model

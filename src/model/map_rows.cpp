#include "map_rows.hpp"

#include <limits>

#include "fit.hpp"

namespace smeta::model {

core::MatrixF posterior_and_fit(const LoadedModel& model, const atlas::RowSource& source,
                                const Chunk& chunk) {
    const PosteriorColumns columns(model.cvae.options());
    const std::int64_t rows = chunk.rows();
    core::MatrixF out(rows, columns.width() + columns.modalities);
    const Encoded<float> encoded = model.cvae.encode(chunk);
    put_side_by_side(encoded, columns, out);
    out.rightCols(columns.modalities).setConstant(std::numeric_limits<float>::quiet_NaN());
    for (std::int64_t m = 0; m < columns.modalities; ++m) {
        const ModalityRows& present = chunk.modalities[m];
        if (present.rows.empty()) continue;
        const Decoded<float> decoded =
            model.cvae.decode(static_cast<std::int32_t>(m), encoded.latent, chunk.codes,
                              chunk.samples, libraries_of(present, rows));
        const core::CsrView view = present.values.view();
        for (std::size_t i = 0; i < present.rows.size(); ++i) {
            const std::int32_t row = present.rows[i];
            const auto at = static_cast<std::int64_t>(i);
            out(row, columns.width() + m) = static_cast<float>(
                fit_of_row(view.row_indices(at), view.row_values(at), row_of(decoded.mean, row),
                           source.measured(chunk.samples[row], m)));
        }
    }
    return out;
}

core::MatrixF reconstruct(const LoadedModel& model, std::int32_t target, const Chunk& chunk) {
    return model.cvae
        .decode(target, model.cvae.encode(chunk).latent, chunk.codes, {},
                std::vector<double>(chunk.rows(), kPredictedTotal))
        .mean;
}

core::MatrixF predict(const LoadedModel& model, std::int32_t target, const Chunk& chunk) {
    const ModalityBlock& block = model.cvae.options().blocks[target];
    Chunk others = chunk;
    others.modalities[target] = ModalityRows(block.features);
    core::MatrixF out = core::MatrixF::Zero(chunk.rows(), block.features + 1);
    for (const ModalityRows& present : others.modalities)
        for (const std::int32_t row : present.rows) out(row, block.features) = 1;
    const core::MatrixF decoded = reconstruct(model, target, others);
    for (std::int64_t row = 0; row < chunk.rows(); ++row)
        if (out(row, block.features) != 0) out.row(row).head(block.features) = decoded.row(row);
    return out;
}

}  // namespace smeta::model

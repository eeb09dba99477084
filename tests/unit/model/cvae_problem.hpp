#pragma once

#include <string>
#include <vector>

#include "smeta/core/random.hpp"
#include "smeta/model/cvae.hpp"

/// Small random networks and mini-batches for the tests of Cvae.
namespace smeta::test {

/// What a mini-batch is made of.
struct ProblemSpec {
    model::NetworkOptions network;
    std::int64_t rows = 26;
    std::int32_t samples = 2;
    bool missing_modalities = false;  ///< some rows lack one
    std::uint64_t seed = 2;
};

inline model::ModalityBlock counts_block(const std::string& name, std::int32_t features,
                                         model::Likelihood likelihood) {
    return {
        name, features, likelihood, model::InputTransform::Log1p, model::MeanHead::SoftmaxLibrary,
        1.5,  0.7};
}

inline model::ModalityBlock intensity_block(const std::string& name, std::int32_t features,
                                            model::Likelihood likelihood) {
    return {name, features, likelihood, model::InputTransform::None, model::MeanHead::Linear,
            0.8,  1.2};
}

/// Rows of the spec in `parts` chunks of consecutive rows; values do not depend on `parts`.
inline std::vector<model::Chunk> make_chunks(const ProblemSpec& spec, std::int64_t parts) {
    std::vector<model::Chunk> chunks(static_cast<std::size_t>(parts));
    const std::size_t blocks = spec.network.blocks.size();
    for (std::int64_t c = 0; c < parts; ++c) {
        model::Chunk& chunk = chunks[c];
        for (const auto& block : spec.network.blocks) chunk.modalities.emplace_back(block.features);
        for (std::int64_t r = spec.rows * c / parts; r < spec.rows * (c + 1) / parts; ++r) {
            const core::RowKey key{spec.seed, static_cast<std::uint64_t>(r)};
            const core::Philox draws(spec.seed, core::DrawPurpose::Test, 0, key);
            const auto position = static_cast<std::int32_t>(chunk.keys.size());
            chunk.keys.push_back(key);
            chunk.samples.push_back(static_cast<std::int32_t>(r * spec.samples / spec.rows));
            for (std::size_t level = 0; level < spec.network.batch_categories.size(); ++level)
                chunk.codes.push_back(static_cast<std::int32_t>(
                    draws.below(1000 + level, spec.network.batch_categories[level])));
            for (std::size_t b = 0; b < blocks; ++b) {
                if (spec.missing_modalities && r % 5 == static_cast<std::int64_t>(b)) continue;
                const auto& block = spec.network.blocks[b];
                std::vector<std::int32_t> columns;
                std::vector<float> values;
                for (std::int32_t f = 0; f < block.features; ++f) {
                    const std::uint64_t draw = 10000 * (b + 1) + 2 * f;
                    columns.push_back(f);
                    const bool zero = draws.uniform(draw) < 0.5;
                    const double value =
                        block.mean_head == model::MeanHead::SoftmaxLibrary
                            ? 1 + static_cast<double>(draws.below(draw + 1, 1 + f % 7 * 8))
                            : 3 * draws.uniform(draw + 1);
                    values.push_back(zero ? 0.0F : static_cast<float>(value));
                }
                values[0] = 2;  // no row without values
                chunk.modalities[b].add(position, columns, values);
            }
        }
    }
    return chunks;
}

/// Sample 1 did not measure every third feature of every block.
inline std::vector<std::vector<model::Unmeasured>> make_unmeasured(
    const model::NetworkOptions& network, std::int32_t samples) {
    std::vector<std::vector<model::Unmeasured>> result(
        static_cast<std::size_t>(samples), std::vector<model::Unmeasured>(network.blocks.size()));
    for (std::size_t b = 0; b < network.blocks.size(); ++b) {
        model::Unmeasured& lacks = result[1][b];
        for (std::int32_t f = 0; f < network.blocks[b].features; ++f) {
            lacks.measured.push_back(f % 3 == 1 ? 0 : 1);
            lacks.mean_input.push_back(0.3F + 0.1F * static_cast<float>(f));
        }
    }
    return result;
}

/// Takes the unmeasured features' values out of the chunks.
inline void drop_unmeasured(std::vector<model::Chunk>& chunks,
                            const std::vector<std::vector<model::Unmeasured>>& unmeasured) {
    for (model::Chunk& chunk : chunks)
        for (std::size_t b = 0; b < chunk.modalities.size(); ++b) {
            const model::ModalityRows old = chunk.modalities[b];
            model::ModalityRows& block = chunk.modalities[b] = model::ModalityRows(old.values.cols);
            for (std::size_t i = 0; i < old.rows.size(); ++i) {
                const auto columns = old.values.view().row_indices(static_cast<std::int64_t>(i));
                const auto values = old.values.view().row_values(static_cast<std::int64_t>(i));
                const auto& lacks = unmeasured[chunk.samples[old.rows[i]]][b];
                std::vector<std::int32_t> kept;
                std::vector<float> kept_values;
                for (std::size_t k = 0; k < columns.size(); ++k)
                    if (lacks.measured.empty() || lacks.measured[columns[k]] != 0) {
                        kept.push_back(columns[k]);
                        kept_values.push_back(values[k]);
                    }
                block.add(old.rows[i], kept, kept_values);
            }
        }
}

}  // namespace smeta::test

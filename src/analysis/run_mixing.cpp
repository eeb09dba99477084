#include "smeta/analysis/run_mixing.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "smeta/analysis/normalised.hpp"
#include "smeta/core/random.hpp"
#include "smeta/stats/pca.hpp"

namespace smeta::analysis {
namespace {

constexpr std::int32_t kComponents = 50;

/// The drawn rows of each sample, ascending.
struct Draw {
    std::vector<std::vector<std::int64_t>> rows;
    std::int64_t total = 0;
};

/// The `most` rows with the smallest keys; a row's key depends on its sample's name and its number
/// alone.
Draw draw_rows(const atlas::Run& run, std::int64_t most, std::uint64_t seed) {
    struct Candidate {
        double key;
        std::size_t sample;
        std::int64_t row;
    };
    std::vector<Candidate> all;
    const auto& samples = run.inputs().samples;
    for (std::size_t s = 0; s < samples.size(); ++s) {
        const auto name_key = core::sample_key(samples[s].name);
        for (std::int64_t r = 0; r < samples[s].rows(); ++r) {
            const core::Philox random(seed, core::DrawPurpose::Cluster, 0,
                                      {name_key, static_cast<std::uint64_t>(r)});
            all.push_back({random.uniform(0), s, r});
        }
    }
    Draw draw;
    draw.total = std::min<std::int64_t>(most, static_cast<std::int64_t>(all.size()));
    std::nth_element(all.begin(), all.begin() + draw.total, all.end(),
                     [](const Candidate& a, const Candidate& b) {
                         return a.key != b.key         ? a.key < b.key
                                : a.sample != b.sample ? a.sample < b.sample
                                                       : a.row < b.row;
                     });
    draw.rows.resize(samples.size());
    for (std::int64_t i = 0; i < draw.total; ++i) draw.rows[all[i].sample].push_back(all[i].row);
    for (auto& rows : draw.rows) std::sort(rows.begin(), rows.end());
    return draw;
}

/// Log-normalised values of one modality for the drawn rows, those below 0 as 0 (feature selection
/// takes them so, too); rows of samples without it are marked absent.
struct Block {
    core::MatrixF values;
    std::vector<std::uint8_t> present;
};

Block read_block(const atlas::Run& run, const Draw& draw, const atlas::ModalityFeatures& features) {
    const auto width = static_cast<std::int32_t>(features.names().size());
    Block block{core::MatrixF::Zero(draw.total, width),
                std::vector<std::uint8_t>(static_cast<std::size_t>(draw.total), 0)};
    std::int64_t out = 0;
    const auto& samples = run.inputs().samples;
    for (std::size_t s = 0; s < samples.size(); ++s) {
        const auto reader = run.open_joint(samples[s].name);
        if (!reader.has(features.name)) {
            out += static_cast<std::int64_t>(draw.rows[s].size());
            continue;
        }
        constexpr std::int64_t kRowsAtOnce = 4096;
        for (std::size_t next = 0; next < draw.rows[s].size();) {
            const std::int64_t first = draw.rows[s][next];
            const std::int64_t last = std::min(first + kRowsAtOnce, reader.rows());
            const auto rows = normalised_rows(reader, features, first, last);
            for (; next < draw.rows[s].size() && draw.rows[s][next] < last; ++next, ++out) {
                const auto r = draw.rows[s][next] - first;
                block.present[out] = 1;
                const auto columns = rows.view().row_indices(r);
                const auto values = rows.view().row_values(r);
                for (std::size_t e = 0; e < columns.size(); ++e)
                    block.values(out, columns[e]) = values[e];
            }
        }
    }
    return block;
}

/// Centres on the rows that are present, leaves 0 (the mean) in the others and scales to a total
/// variance of 1.
void standardise(Block& block) {
    const auto count = std::count(block.present.begin(), block.present.end(), 1);
    if (count == 0) return;
    const Eigen::RowVectorXd mean =
        block.values.cast<double>().colwise().sum() / static_cast<double>(count);
    double squares = 0;
    for (Eigen::Index r = 0; r < block.values.rows(); ++r) {
        if (block.present[r] == 0) continue;
        block.values.row(r) -= mean.cast<float>();
        squares += block.values.row(r).cast<double>().squaredNorm();
    }
    if (squares > 0)
        block.values *= static_cast<float>(1 / std::sqrt(squares / static_cast<double>(count)));
}

}  // namespace

std::optional<RunMixing> run_mixing(const atlas::Run& run, std::int64_t most_spots,
                                    std::uint64_t seed) {
    const auto& samples = run.inputs().samples;
    if (samples.size() < 2 || most_spots == 0) return std::nullopt;
    const Draw draw = draw_rows(run, most_spots, seed);

    std::vector<std::int32_t> batches;
    std::vector<std::int32_t> labels;
    core::MatrixD latent;
    std::int64_t out = 0;
    for (std::size_t s = 0; s < samples.size(); ++s) {
        const auto result = run.read_result(samples[s].name);
        const auto* column = result.obs.find("cluster");
        const auto* cluster = column == nullptr ? nullptr : std::get_if<io::Categorical>(column);
        const auto found = result.obsm.find("X_smeta");
        if (cluster == nullptr || found == result.obsm.end()) return std::nullopt;
        if (latent.size() == 0) latent.resize(draw.total, found->second.cols());
        for (const auto r : draw.rows[s]) {
            batches.push_back(static_cast<std::int32_t>(s));
            labels.push_back(std::max(cluster->codes[r], 0));
            latent.row(out++) = found->second.row(r);
        }
    }

    std::vector<Block> blocks;
    Eigen::Index width = 0;
    for (const auto& modality : run.features().modalities) {
        blocks.push_back(read_block(run, draw, modality));
        standardise(blocks.back());
        width += blocks.back().values.cols();
    }
    core::MatrixF data(draw.total, width);
    Eigen::Index column = 0;
    for (auto& block : blocks) {
        data.middleCols(column, block.values.cols()) = block.values;
        column += block.values.cols();
        block.values.resize(0, 0);
    }
    const auto components = stats::principal_components(std::move(data), kComponents, seed);
    RunMixing result;
    result.spots = draw.total;
    result.before = batch_mixing(components.scores, batches, labels);
    result.after = batch_mixing(latent, batches, labels);
    return result;
}

}  // namespace smeta::analysis

#include "map_reference.hpp"

#include <algorithm>

#include "smeta/core/error.hpp"
#include "smeta/model/run_model.hpp"

#include "map_rows.hpp"

namespace smeta::model {

namespace {

/// A block of rows and those of them that are wanted.
struct Block {
    std::int32_t sample = 0;
    comm::Range rows;
    std::vector<std::int64_t> wanted;  ///< rows in the sample
};

/// [sample][row]: 1 for rows that the run was not trained on.
std::vector<std::vector<std::uint8_t>> marks_of(const atlas::RowSource& source,
                                                const atlas::RowSet& rows) {
    std::vector<std::vector<std::uint8_t>> marks;
    for (std::size_t s = 0; s < source.samples().size(); ++s)
        marks.emplace_back(source.sample_rows(static_cast<std::int32_t>(s)), 0);
    for (std::size_t s = 0; s < rows.shards(); ++s)
        for (std::int64_t number = rows.first_number(s); number < rows.first_number(s + 1);
             ++number)
            marks[rows.shard(s).sample][rows.row_in_sample(s, number)] = 1;
    return marks;
}

/// Blocks at equal steps over the run that have about `wanted` rows of the set.
std::vector<Block> choose_blocks(const atlas::RowSource& source, const atlas::RowSet& rows,
                                 std::int64_t wanted) {
    const auto marks = marks_of(source, rows);
    const std::int64_t step = std::max<std::int64_t>(1, rows.rows() / wanted);
    std::vector<Block> blocks;
    std::int64_t number = 0;
    for (std::size_t s = 0; s < marks.size(); ++s)
        for (const auto& range : blocks_of(source, static_cast<std::int32_t>(s))) {
            if (number++ % step != 0) continue;
            Block block{static_cast<std::int32_t>(s), range, {}};
            for (std::int64_t row = range.first; row < range.last; ++row)
                if (marks[s][row] != 0) block.wanted.push_back(row);
            if (!block.wanted.empty()) blocks.push_back(std::move(block));
        }
    return blocks;
}

std::vector<std::int64_t> first_rows(const atlas::RowSource& source) {
    std::vector<std::int64_t> first = {0};
    for (std::size_t s = 0; s < source.samples().size(); ++s)
        first.push_back(first.back() + source.sample_rows(static_cast<std::int32_t>(s)));
    return first;
}

class ReferenceFits {
  public:
    ReferenceFits(const LoadedModel& model, const atlas::RowSource& source,
                  const std::vector<std::uint8_t>& unseen)
        : model_(model), source_(source), unseen_(unseen), columns_(model.cvae.options()) {}

    /// The fits of the block's wanted rows, one after the other.
    std::vector<float> of(const Block& block) const {
        const auto values = work_on_blocks(
            source_, block.sample, std::span(&block.rows, 1), [this](const Chunk& chunk) {
                return posterior_and_fit(model_, source_, disguised(chunk));
            });
        const std::int64_t width = columns_.width() + columns_.modalities;
        std::vector<float> fits;
        for (const std::int64_t row : block.wanted) {
            const auto end = values.begin() + (row - block.rows.first + 1) * width;
            fits.insert(fits.end(), end - columns_.modalities, end);
        }
        return fits;
    }

  private:
    /// The rows as if their categories were as unknown as the query's.
    Chunk disguised(const Chunk& chunk) const {
        Chunk result = chunk;
        const std::size_t levels = unseen_.size();
        for (std::size_t i = 0; i < result.codes.size(); ++i)
            if (unseen_[i % levels] != 0)
                result.codes[i] = model_.cvae.options().batch_categories[i % levels] - 1;
        return result;
    }

    const LoadedModel& model_;
    const atlas::RowSource& source_;
    const std::vector<std::uint8_t>& unseen_;
    PosteriorColumns columns_;
};

}  // namespace

ReferenceRows reference_rows(const comm::Comm& comm, const atlas::Run& run, LoadedModel& model,
                             const std::vector<std::uint8_t>& unseen, const MapOptions& options) {
    const atlas::RowSource source(comm, run, source_config(model));
    check_fits(model.cvae.options(), source, run.model_file().string());
    model.cvae.set_unmeasured(unmeasured_features(source, model.context.mean_inputs));
    ReferenceRows result;
    auto set = atlas::RowSet::draw(source, options.seed, 0, options.validation);
    result.held_out = set.rows() >= options.least_held_out;
    if (!result.held_out) set = atlas::RowSet::draw(source, options.seed, 0, 1);
    const std::vector<Block> blocks = choose_blocks(source, set, options.reference_rows);
    const std::vector<std::int64_t> first = first_rows(source);
    for (const Block& block : blocks)
        for (const std::int64_t row : block.wanted)
            result.rows.push_back(first[block.sample] + row);
    const ReferenceFits reference(model, source, unseen);
    const comm::Range mine =
        comm::even_share(static_cast<std::int64_t>(blocks.size()), comm.size(), comm.rank());
    std::vector<float> fits;  // rows x modalities
    comm.all_or_throw([&] {
        for (std::int64_t b = mine.first; b < mine.last; ++b) {
            const auto part = reference.of(blocks[b]);
            fits.insert(fits.end(), part.begin(), part.end());
        }
    });
    const auto& network = model.cvae.options();
    for (const auto& part : comm.allgather(std::span<const float>(fits)))
        for (std::size_t i = 0; i < part.size(); ++i)
            result.fit[network.blocks[i % network.blocks.size()].name].push_back(part[i]);
    return result;
}

}  // namespace smeta::model

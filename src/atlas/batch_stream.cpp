#include "smeta/atlas/batch_stream.hpp"

#include <algorithm>
#include <cmath>

#include "smeta/comm/spot_partition.hpp"
#include "smeta/core/error.hpp"

namespace smeta::atlas {

namespace {

// Rows read from a joint file at a time: 16 storage chunks.
constexpr std::int64_t kReadRows = 4096;

}  // namespace

BatchStream::BatchStream(const RowSource& source, const RowSet& rows, const BatchPlan& plan,
                         comm::Range lanes)
    : source_(source), rows_(rows), plan_(plan), lanes_(lanes), order_(lanes.size()) {
    for (std::int64_t lane = lanes.first; lane < lanes.last; ++lane)
        for (const auto& block : plan.lane_blocks(static_cast<int>(lane)))
            blocks_.push_back({block, 0});
    std::sort(blocks_.begin(), blocks_.end(),
              [](const auto& a, const auto& b) { return a.numbers.first < b.numbers.first; });
    std::int64_t local = 0;
    for (auto& block : blocks_) {
        block.first_local = local;
        local += block.numbers.size();
    }
}

void BatchStream::load() {
    store_ = RowBatch{};
    for (const std::int32_t features : source_.features()) {
        store_.modalities.emplace_back();
        store_.modalities.back().cols = features;
    }
    std::size_t next_block = 0;
    for (std::size_t shard = 0; shard < rows_.shards(); ++shard) load_shard(shard, next_block);
}

void BatchStream::load_shard(std::size_t shard, std::size_t& next_block) {
    const std::int64_t end_number =
        shard + 1 < rows_.shards() ? rows_.first_number(shard + 1) : rows_.rows();
    std::vector<std::int64_t> wanted;  // rows in the sample, ascending
    for (; next_block < blocks_.size() && blocks_[next_block].numbers.first < end_number;
         ++next_block) {
        const auto& numbers = blocks_[next_block].numbers;
        for (std::int64_t number = numbers.first; number < numbers.last; ++number)
            wanted.push_back(rows_.row_in_sample(shard, number));
    }
    for (std::size_t i = 0; i < wanted.size();) {
        const std::int64_t first = wanted[i];
        const auto part_end = std::lower_bound(wanted.begin() + static_cast<std::ptrdiff_t>(i),
                                               wanted.end(), first + kReadRows) -
                              wanted.begin();
        const RowBatch read =
            source_.read(rows_.shard(shard).sample, first, wanted[part_end - 1] + 1);
        for (; i < static_cast<std::size_t>(part_end); ++i) store_.append(read, wanted[i] - first);
    }
}

std::int64_t BatchStream::bytes() const {
    std::int64_t total = store_.rows() * (sizeof(core::RowKey) + sizeof(std::int32_t));
    total += static_cast<std::int64_t>(store_.codes.size() * sizeof(std::int32_t));
    for (const auto& matrix : store_.modalities)
        total += matrix.nnz() * (sizeof(std::int32_t) + sizeof(float)) +
                 matrix.rows * sizeof(std::int64_t);
    return total;
}

std::int64_t BatchStream::rows_without(std::size_t modality) const {
    const auto& matrix = store_.modalities[modality];
    std::int64_t count = 0;
    for (std::int64_t row = 0; row < matrix.rows; ++row)
        count += matrix.indptr[row] == matrix.indptr[row + 1] ? 1 : 0;
    return count;
}

std::int64_t BatchStream::local_row(std::int64_t number) const {
    const auto after = std::upper_bound(
        blocks_.begin(), blocks_.end(), number,
        [](std::int64_t wanted, const OwnBlock& block) { return wanted < block.numbers.first; });
    const OwnBlock& block = *std::prev(after);
    return block.first_local + (number - block.numbers.first);
}

void BatchStream::begin_epoch(std::int64_t epoch) {
    for (std::int64_t lane = lanes_.first; lane < lanes_.last; ++lane)
        order_[lane - lanes_.first] = plan_.epoch_order(static_cast<int>(lane), epoch);
}

RowBatch BatchStream::batch(int lane, std::int64_t step) const {
    RowBatch result;
    for (const auto& matrix : store_.modalities) {
        result.modalities.emplace_back();
        result.modalities.back().cols = matrix.cols;
    }
    const comm::Range part = plan_.step_rows(lane, step);
    const auto& order = order_[lane - lanes_.first];
    for (std::int64_t i = part.first; i < part.last; ++i)
        result.append(store_, local_row(order[i]));
    return result;
}

std::vector<std::vector<float>> mean_inputs(const comm::Comm& comm, const RowSource& source,
                                            const BatchStream& stream, const BatchPlan& plan,
                                            const std::vector<bool>& log1p) {
    const std::size_t modalities = source.features().size();
    std::vector<std::vector<float>> means(modalities);
    const comm::SpotPartition partition(plan.config().lanes, comm.size(), plan.lane_rows());
    const comm::Range mine = partition.lanes_of(comm.rank());
    for (std::size_t m = 0; m < modalities; ++m) {
        bool all_measured = true;
        for (std::size_t s = 0; s < source.samples().size(); ++s)
            all_measured &= source.measured(static_cast<std::int32_t>(s), m).empty();
        if (all_measured) continue;
        // Per lane: sums of the inputs, then the number of rows that measured each feature.
        const auto features = static_cast<std::size_t>(source.features()[m]);
        std::vector<std::vector<double>> lanes(mine.size(), std::vector<double>(2 * features));
        for (std::int64_t lane = mine.first; lane < mine.last; ++lane) {
            auto& sums = lanes[lane - mine.first];
            stream.for_each_row(
                static_cast<int>(lane), [&](const RowBatch& store, std::int64_t row) {
                    const auto view = store.modalities[m].view();
                    const auto columns = view.row_indices(row);
                    const auto values = view.row_values(row);
                    if (columns.empty()) return;
                    for (std::size_t i = 0; i < columns.size(); ++i)
                        sums[columns[i]] +=
                            log1p[m] ? std::log1p(std::max(0.0, double{values[i]})) : values[i];
                    const auto& mask = source.measured(store.samples[row], m);
                    for (std::size_t f = 0; f < features; ++f)
                        sums[features + f] += mask.empty() || mask[f] != 0 ? 1 : 0;
                });
        }
        const std::vector<std::span<double>> parts(lanes.begin(), lanes.end());
        std::vector<double> total(2 * features);
        comm::lane_tree_sum<double>(comm, partition, parts, total);
        means[m].resize(features);
        for (std::size_t f = 0; f < features; ++f)
            means[m][f] =
                total[features + f] > 0 ? static_cast<float>(total[f] / total[features + f]) : 0.0F;
    }
    return means;
}

}  // namespace smeta::atlas

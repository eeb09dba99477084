#include "smeta/atlas/batch_stream.hpp"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "smeta/comm/spot_partition.hpp"
#include "smeta/core/error.hpp"

#include "scratch_rows.hpp"

namespace smeta::atlas {

namespace {

// Rows read from a joint file at a time: 4 storage chunks.
constexpr std::int64_t kReadRows = 1024;
// Rows of others between own ones that are rather read than left out.
constexpr std::int64_t kGapRows = 64;

}  // namespace

/// Reads windows from the scratch file on a thread of its own, in the order of the requests.
struct BatchStream::Reader {
    /// Of one lane: (epoch, window).
    using Key = std::pair<std::int64_t, std::int64_t>;
    struct Window {
        std::vector<std::size_t> blocks;
        std::future<RowBatch> coming;
        std::optional<RowBatch> rows;
    };

    Reader(const std::filesystem::path& folder, std::int64_t lanes)
        : scratch(folder), windows(lanes), thread([this] { work(); }) {}
    ~Reader() {
        {
            const std::lock_guard lock(mutex);
            stopped = true;
        }
        wake.notify_one();
        thread.join();
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    std::future<RowBatch> read(std::vector<std::size_t> blocks) {
        std::packaged_task<RowBatch()> task(
            [this, blocks = std::move(blocks)] { return scratch.read(blocks); });
        auto result = task.get_future();
        {
            const std::lock_guard lock(mutex);
            tasks.push_back(std::move(task));
        }
        wake.notify_one();
        return result;
    }

    void work() {
        std::unique_lock lock(mutex);
        while (true) {
            wake.wait(lock, [this] { return stopped || !tasks.empty(); });
            if (stopped) return;
            auto task = std::move(tasks.front());
            tasks.pop_front();
            lock.unlock();
            task();
            lock.lock();
        }
    }

    detail::ScratchRows scratch;
    std::vector<std::map<Key, Window>> windows;  ///< [own lane]
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<std::packaged_task<RowBatch()>> tasks;
    bool stopped = false;
    std::thread thread;  // last: it uses the others
};

BatchStream::BatchStream(const RowSource& source, const RowSet& rows, const BatchPlan& plan,
                         comm::Range lanes, BatchStreamOptions options)
    : source_(source),
      rows_(rows),
      plan_(plan),
      lanes_(lanes),
      options_(std::move(options)),
      order_(lanes.size()) {
    for (std::int64_t lane = lanes.first; lane < lanes.last; ++lane)
        for (const auto& block : plan.lane_blocks(static_cast<int>(lane))) blocks_.push_back(block);
    std::sort(blocks_.begin(), blocks_.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
}

BatchStream::~BatchStream() = default;

void BatchStream::load() {
    without_.assign(source_.features().size(), 0);
    store_.clear();
    places_.assign(blocks_.size(), {});
    if (options_.place == RowPlace::Scratch)
        reader_ = std::make_unique<Reader>(options_.scratch, lanes_.size());
    else
        store_.reserve(blocks_.size());
    block_ = RowBatch{};
    std::size_t next_block = 0;
    for (std::size_t shard = 0; shard < rows_.shards(); ++shard) load_shard(shard, next_block);
}

void BatchStream::load_shard(std::size_t shard, std::size_t& next_block) {
    const std::int64_t end_number =
        shard + 1 < rows_.shards() ? rows_.first_number(shard + 1) : rows_.rows();
    std::vector<std::int64_t> wanted;  // rows in the sample, ascending
    std::vector<std::int64_t> ends;    // of the blocks, in `wanted`
    for (; next_block < blocks_.size() && blocks_[next_block].first < end_number; ++next_block) {
        const auto& numbers = blocks_[next_block];
        for (std::int64_t number = numbers.first; number < numbers.last; ++number)
            wanted.push_back(rows_.row_in_sample(shard, number));
        ends.push_back(static_cast<std::int64_t>(wanted.size()));
    }
    auto block_end = ends.begin();
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(wanted.size());) {
        const std::int64_t first = wanted[i];
        std::int64_t part_end = i + 1;
        while (part_end < static_cast<std::int64_t>(wanted.size()) &&
               wanted[part_end] < first + kReadRows &&
               wanted[part_end] - wanted[part_end - 1] <= kGapRows)
            ++part_end;
        const RowBatch read =
            source_.read(rows_.shard(shard).sample, first, wanted[part_end - 1] + 1);
        for (; i < part_end; ++i) {
            add_row(read, wanted[i] - first);
            if (i + 1 != *block_end) continue;
            end_block();
            ++block_end;
        }
    }
}

void BatchStream::add_row(const RowBatch& read, std::int64_t row) {
    block_.append(read, row);
    for (std::size_t m = 0; m < without_.size(); ++m) {
        const auto& indptr = read.modalities[m].indptr;
        without_[m] += indptr[row] == indptr[row + 1] ? 1 : 0;
    }
}

void BatchStream::end_block() {
    if (reader_) {
        reader_->scratch.append(block_);
    } else {
        store_.push_back(block_);  // a copy has no slack
        places_[store_.size() - 1] = {&store_.back(), 0};
    }
    block_ = RowBatch{};
}

std::int64_t BatchStream::bytes() const {
    if (reader_) return reader_->scratch.bytes();
    std::int64_t total = 0;
    for (const RowBatch& block : store_) {
        total += block.rows() * (sizeof(core::RowKey) + sizeof(std::int32_t));
        total += static_cast<std::int64_t>(block.codes.size() * sizeof(std::int32_t));
        for (const auto& matrix : block.modalities)
            total += matrix.nnz() * (sizeof(std::int32_t) + sizeof(float)) +
                     (matrix.rows + 1) * sizeof(std::int64_t);
    }
    return total;
}

std::size_t BatchStream::block_of(std::int64_t number) const {
    const auto after = std::upper_bound(
        blocks_.begin(), blocks_.end(), number,
        [](std::int64_t wanted, const comm::Range& block) { return wanted < block.first; });
    return static_cast<std::size_t>(after - blocks_.begin()) - 1;
}

const RowBatch& BatchStream::block_rows(std::int64_t first_number, RowBatch& read) const {
    const std::size_t block = block_of(first_number);
    if (!reader_) return store_[block];
    read = reader_->scratch.read({&block, 1});
    return read;
}

std::int64_t BatchStream::Windows::of(std::int64_t row) const {
    return std::upper_bound(ends.begin(), ends.end(), row) - ends.begin();
}

BatchStream::Windows BatchStream::windows(int lane, std::int64_t epoch) const {
    Windows result;
    result.blocks = plan_.epoch_blocks(lane, epoch);
    std::int64_t rows = 0;
    for (std::size_t b = 0; b < result.blocks.size(); ++b) {
        rows += result.blocks[b].size();
        if ((b + 1) % BatchPlan::kWindowBlocks == 0 || b + 1 == result.blocks.size())
            result.ends.push_back(rows);
    }
    return result;
}

void BatchStream::begin_epoch(std::int64_t epoch, std::int64_t first_step) {
    const bool follows = options_.next == NextEpoch::Follows && epoch == epoch_ + 1;
    epoch_ = epoch;
    first_step_ = first_step;
    for (std::int64_t lane = lanes_.first; lane < lanes_.last; ++lane)
        order_[lane - lanes_.first] = plan_.epoch_order(static_cast<int>(lane), epoch);
    if (!reader_) return;
    windows_.clear();
    for (int lane = 0; lane < plan_.config().lanes; ++lane)
        windows_.push_back(windows(lane, epoch));
    if (follows) return;
    for (auto& lane : reader_->windows) lane.clear();
}

comm::Range BatchStream::windows_of_step(int lane, std::int64_t step) const {
    const comm::Range rows = plan_.step_rows(lane, step);
    const std::int64_t first = windows_[lane].of(rows.first);
    return {first, rows.size() == 0 ? first : windows_[lane].of(rows.last - 1) + 1};
}

bool BatchStream::needs_fetch(std::int64_t step) const {
    if (options_.place == RowPlace::Memory) return false;
    if (step == first_step_) return true;
    for (int lane = 0; lane < plan_.config().lanes; ++lane)
        if (windows_of_step(lane, step) != windows_of_step(lane, step - 1)) return true;
    return false;
}

void BatchStream::fetch(std::int64_t step) {
    if (!reader_) return;
    for (std::int64_t lane = lanes_.first; lane < lanes_.last; ++lane)
        release_before(static_cast<int>(lane), step);
    for (std::int64_t lane = lanes_.first; lane < lanes_.last; ++lane)
        request(static_cast<int>(lane), windows_of_step(static_cast<int>(lane), step));
    // What comes after a step that has one window; a step of more has as much memory as there is.
    for (std::int64_t lane = lanes_.first; lane < lanes_.last; ++lane) {
        const comm::Range now = windows_of_step(static_cast<int>(lane), step);
        request(static_cast<int>(lane), {now.last, std::max(now.last, now.first + 2)});
    }
    for (std::int64_t lane = lanes_.first; lane < lanes_.last; ++lane)
        take(static_cast<int>(lane), step);
}

void BatchStream::release_before(int lane, std::int64_t step) {
    auto& held = reader_->windows[lane - lanes_.first];
    const Reader::Key first{epoch_, windows_of_step(lane, step).first};
    while (!held.empty() && held.begin()->first < first) {
        for (const std::size_t block : held.begin()->second.blocks) places_[block] = {};
        held.erase(held.begin());
    }
}

void BatchStream::take(int lane, std::int64_t step) {
    const comm::Range now = windows_of_step(lane, step);
    for (std::int64_t window = now.first; window < now.last; ++window) {
        auto& taken = reader_->windows[lane - lanes_.first].at({epoch_, window});
        if (taken.rows) continue;
        taken.rows = taken.coming.get();
        std::int64_t first = 0;
        for (const std::size_t block : taken.blocks) {
            places_[block] = {&*taken.rows, first};
            first += blocks_[block].size();
        }
    }
}

void BatchStream::request(int lane, comm::Range wanted) {
    const auto count = static_cast<std::int64_t>(windows_[lane].ends.size());
    for (std::int64_t window = wanted.first; window < wanted.last; ++window) {
        if (window < count)
            request_window(lane, epoch_, window);
        else if (window == count && count > 0 && options_.next == NextEpoch::Follows)
            request_window(lane, epoch_ + 1, 0);
    }
}

void BatchStream::request_window(int lane, std::int64_t epoch, std::int64_t window) {
    auto& held = reader_->windows[lane - lanes_.first];
    if (held.contains({epoch, window})) return;
    const Windows next = epoch == epoch_ ? windows_[lane] : windows(lane, epoch);
    const auto begin = static_cast<std::size_t>(window * BatchPlan::kWindowBlocks);
    const std::size_t end =
        std::min<std::size_t>(begin + BatchPlan::kWindowBlocks, next.blocks.size());
    Reader::Window asked;
    for (std::size_t b = begin; b < end; ++b)
        asked.blocks.push_back(block_of(next.blocks[b].first));
    asked.coming = reader_->read(asked.blocks);
    held.emplace(Reader::Key{epoch, window}, std::move(asked));
}

RowBatch BatchStream::batch(int lane, std::int64_t step) const {
    RowBatch result;
    for (const std::int32_t features : source_.features()) {
        result.modalities.emplace_back();
        result.modalities.back().cols = features;
    }
    const comm::Range part = plan_.step_rows(lane, step);
    const auto& order = order_[lane - lanes_.first];
    for (std::int64_t i = part.first; i < part.last; ++i) {
        const std::size_t block = block_of(order[i]);
        const Place& place = places_[block];
        core::check(place.rows != nullptr, "the rows of a step are fetched before it");
        result.append(*place.rows, place.first + (order[i] - blocks_[block].first));
    }
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
        // Per lane: sums of the inputs, then the number of rows that measured each feature.
        const auto features = static_cast<std::size_t>(source.features()[m]);
        std::vector<std::vector<double>> lanes(mine.size(), std::vector<double>(2 * features));
        for (std::int64_t lane = mine.first; lane < mine.last; ++lane) {
            auto& sums = lanes[lane - mine.first];
            double complete = 0;  // rows that measured everything
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
                    if (mask.empty()) ++complete;
                    for (std::size_t f = 0; f < mask.size(); ++f) sums[features + f] += mask[f];
                });
            for (std::size_t f = 0; f < features; ++f) sums[features + f] += complete;
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

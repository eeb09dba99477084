#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <mpi.h>

#include "smeta/io/h5.hpp"

#include "h5_impl.hpp"

namespace smeta::io {

using detail::H5Id;

void detail::H5FileState::vote(const std::string& problem) {
    // A rank that failed gives the others some seconds; they wait for it as long as they work.
    constexpr double kPatienceSeconds = 20;
    const bool here = failed || !problem.empty();
    const auto anywhere = communicator->max_within(
        here ? 1 : 0, here ? kPatienceSeconds : std::numeric_limits<double>::infinity());
    if (anywhere == 0) return;
    const std::string_view reason =
        !problem.empty() ? std::string_view(problem)
                         : (here ? "an earlier write failed" : "a write failed on another rank");
    const std::string message = fmt::format("cannot write {}: {}", path, reason);
    failed = true;
    if (!anywhere) throw comm::OutOfStepError(message);
    throw ParallelWriteError(message);
}

void H5File::together(const std::function<void()>& work) const {
    core::check(state_->communicator.has_value(), "the file was opened with a communicator");
    std::string problem;
    try {
        work();
    } catch (const core::FormatError& error) {
        // The file is our own: what cannot be read was not written.
        problem = fmt::format("{}: {}", error.problem().object, error.problem().found);
    } catch (const std::exception& error) {
        problem = error.what();
    }
    state_->vote(problem);
}

namespace {

// Buffers of one call stay far below MPI's int counts.
constexpr std::int64_t kMaxCallBytes = std::int64_t{1} << 28;

/// Rows a rank may write in one call.
std::int64_t rows_per_call(const H5Dataset& dataset, std::span<const std::int64_t> chunk,
                           std::int64_t element_bytes, int ranks) {
    std::int64_t row_chunks = 1;
    std::int64_t row_bytes = element_bytes;
    for (std::size_t d = 1; d < chunk.size(); ++d) {
        row_chunks *= (dataset.shape()[d] + chunk[d] - 1) / chunk[d];
        row_bytes *= dataset.shape()[d];
    }
    const std::int64_t by_chunks =
        H5Dataset::kMaxChunks / ranks / std::max<std::int64_t>(row_chunks, 1);
    const std::int64_t by_bytes = kMaxCallBytes / std::max<std::int64_t>(row_bytes * chunk[0], 1);
    return std::max<std::int64_t>(1, std::min(by_chunks, by_bytes)) * chunk[0];
}

}  // namespace

std::string H5Dataset::write_collective_part(std::int64_t first, std::int64_t last,
                                             const void* values) {
    const Block block = rows_block(first, last);
    H5Id file_space(H5Dget_space(id_.get()));
    std::int64_t elements = 1;
    for (const std::int64_t extent : block.count) elements *= extent;
    // A rank with nothing still takes part, with empty selections of its own.
    // Of the block's shape: HDF5 goes through selections of different ranks element by element.
    const H5Id memory_space =
        detail::make_space(elements == 0 ? std::vector<hsize_t>{1} : detail::to_hsize(block.count));
    if (elements == 0) {
        H5Sselect_none(file_space.get());
        H5Sselect_none(memory_space.get());
    } else {
        const auto start = detail::to_hsize(block.offset);
        const auto count = detail::to_hsize(block.count);
        H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(),
                            nullptr);
    }
    const H5Id transfer(H5Pcreate(H5P_DATASET_XFER));
    H5Pset_dxpl_mpio(transfer.get(), H5FD_MPIO_COLLECTIVE);
    const H5Id memory_type = detail::make_type(type_);
    if (H5Dwrite(id_.get(), memory_type.get(), memory_space.get(), file_space.get(), transfer.get(),
                 values) < 0)
        return detail::take_write_problem();
    std::uint32_t local_cause = 0;
    std::uint32_t global_cause = 0;
    H5Pget_mpio_no_collective_cause(transfer.get(), &local_cause, &global_cause);
    if (local_cause == 0 && global_cause == 0) return {};
    return fmt::format("the write was not collective (cause {} here, {} anywhere)", local_cause,
                       global_cause);
}

void H5Dataset::write_collective(H5Type type, std::int64_t first, std::int64_t last,
                                 const void* values, std::size_t size_given) {
    core::check(state_->communicator.has_value(), "the file was opened with a communicator");
    const comm::Comm& comm = *state_->communicator;
    const auto chunk_shape = chunk();
    core::check(!chunk_shape.empty(), "collective writes go to chunked datasets");
    std::int64_t chunks = 1;
    for (std::size_t d = 0; d < chunk_shape.size(); ++d)
        chunks *= (shape_[d] + chunk_shape[d] - 1) / chunk_shape[d];
    core::check(chunks <= kMaxDatasetChunks, "a dataset written collectively has few chunks");
    const bool boolean = type_ == H5Type::Bool && type == H5Type::UInt8;
    core::check(type == type_ || boolean, "values are written as the dataset's own type");
    const Block mine = rows_block(first, last);
    const H5Id memory_type = detail::make_type(type_);
    const auto element_bytes = static_cast<std::int64_t>(H5Tget_size(memory_type.get()));
    std::int64_t row_elements = 1;
    for (std::size_t d = 1; d < shape_.size(); ++d) row_elements *= shape_[d];
    core::check(static_cast<std::int64_t>(size_given) == (last - first) * row_elements,
                "the buffer has as many elements as are written");

    const std::int64_t step = rows_per_call(*this, chunk_shape, element_bytes, comm.size());
    // Pieces end on multiples of `step`, a multiple of the chunk: only the ends of a rank's range
    // share chunks.
    const std::int64_t my_rounds = last > first ? (last - 1) / step - first / step + 1 : 0;
    const std::int64_t rounds = comm.allreduce(my_rounds, comm::ReduceOp::Max);
    const auto* bytes = static_cast<const std::byte*>(values);
    std::int64_t from = first;
    for (std::int64_t round = 0; round < rounds; ++round) {
        const std::int64_t to = round < my_rounds ? std::min(last, (from / step + 1) * step) : from;
        const std::string problem =
            write_collective_part(from, to, bytes + (from - first) * row_elements * element_bytes);
        state_->vote(problem.empty() ? problem : fmt::format("{}: {}", path_, problem));
        from = to;
    }
}

}  // namespace smeta::io

#include "smeta/comm/comm.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <numeric>
#include <thread>

#include <fmt/format.h>
#include <mpi.h>

#include "smeta/core/error.hpp"

#include "checked.hpp"
#include "datatype.hpp"

namespace smeta::comm {

namespace {

// MPI counts are int: larger buffers travel in parts of this many elements.
constexpr std::size_t kMaxCount = std::size_t{1} << 30U;

MPI_Op operation(ReduceOp op) {
    switch (op) {
        case ReduceOp::Sum:
            return MPI_SUM;
        case ReduceOp::Min:
            return MPI_MIN;
        case ReduceOp::Max:
            return MPI_MAX;
        case ReduceOp::LogicalOr:
            return MPI_LOR;
    }
    return MPI_OP_NULL;
}

// Byte counts and displacements as MPI wants them; throws when the total exceeds int.
struct Layout {
    std::vector<int> counts;
    std::vector<int> offsets;
    std::vector<std::byte> buffer;

    explicit Layout(const std::vector<std::int64_t>& sizes)
        : counts(sizes.size()), offsets(sizes.size()) {
        std::int64_t total = 0;
        for (std::size_t r = 0; r < sizes.size(); ++r) {
            core::check(total + sizes[r] <= std::numeric_limits<int>::max(),
                        "gathered bytes fit MPI's int counts");
            counts[r] = static_cast<int>(sizes[r]);
            offsets[r] = static_cast<int>(total);
            total += sizes[r];
        }
        buffer.resize(total);
    }
    std::vector<std::vector<std::byte>> parts() const {
        std::vector<std::vector<std::byte>> result;
        for (std::size_t r = 0; r < counts.size(); ++r)
            result.emplace_back(buffer.begin() + offsets[r],
                                buffer.begin() + offsets[r] + counts[r]);
        return result;
    }
};

}  // namespace

void checked(int code, std::source_location where) {
    if (code == MPI_SUCCESS) return;
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    MPI_Error_string(code, text.data(), &length);
    throw core::MpiError(fmt::format("MPI error in {}: {}", where.function_name(),
                                     std::string_view(text.data(), length)));
}

namespace {

// A process that no launcher started is alone. OpenMPI would start a daemon for it and look for
// networks, which takes longer than many a command, and give it a folder that all such processes
// share and remove for each other; what the user has set stays.
void spare_what_one_process_does_not_need() {
    constexpr std::array launchers{"PMIX_NAMESPACE", "PMI_RANK", "PMI_FD", "OMPI_COMM_WORLD_SIZE",
                                   "SLURM_STEP_ID"};
    if (std::any_of(launchers.begin(), launchers.end(),
                    [](const char* name) { return std::getenv(name) != nullptr; }))
        return;
    constexpr int kKeep = 0;
    setenv("OMPI_MCA_ess_singleton_isolated", "1", kKeep);
    setenv("OMPI_MCA_orte_create_session_dirs", "0", kKeep);
    setenv("OMPI_MCA_pml", "ob1", kKeep);
    setenv("OMPI_MCA_btl", "self", kKeep);
}

}  // namespace

Environment::Environment(int& argc, char**& argv) {
    spare_what_one_process_does_not_need();
    int provided = 0;
    checked(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided));
    core::check(provided >= MPI_THREAD_FUNNELED, "MPI grants MPI_THREAD_FUNNELED");
    checked(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
}

Environment::~Environment() {
    MPI_Finalize();
}

struct Comm::Handle {
    MPI_Comm comm = MPI_COMM_NULL;
    explicit Handle(MPI_Comm owned) : comm(owned) {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() {
        int finalized = 0;
        MPI_Finalized(&finalized);
        if (finalized == 0 && comm != MPI_COMM_NULL) MPI_Comm_free(&comm);
    }
};

Comm::Comm(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {
    checked(MPI_Comm_set_errhandler(handle_->comm, MPI_ERRORS_RETURN));
    checked(MPI_Comm_rank(handle_->comm, &rank_));
    checked(MPI_Comm_size(handle_->comm, &size_));
}

Comm::~Comm() = default;
Comm::Comm(Comm&&) noexcept = default;
Comm& Comm::operator=(Comm&&) noexcept = default;

const void* Comm::native() const {
    return &handle_->comm;
}

Comm Comm::duplicate(const void* mpi_comm) {
    MPI_Comm copy = MPI_COMM_NULL;
    checked(MPI_Comm_dup(mpi_handle(mpi_comm), &copy));
    return Comm(std::make_unique<Handle>(copy));
}

Comm Comm::world() {
    const MPI_Comm comm = MPI_COMM_WORLD;
    return duplicate(&comm);
}

Comm Comm::self() {
    const MPI_Comm comm = MPI_COMM_SELF;
    return duplicate(&comm);
}

Comm Comm::duplicate() const {
    return duplicate(native());
}

Comm Comm::split(int color, int key) const {
    MPI_Comm part = MPI_COMM_NULL;
    checked(MPI_Comm_split(handle_->comm, color, key, &part));
    return Comm(std::make_unique<Handle>(part));
}

void Comm::barrier() const {
    checked(MPI_Barrier(handle_->comm));
}

Comm Comm::on_node() const {
    MPI_Comm node = MPI_COMM_NULL;
    checked(MPI_Comm_split_type(handle_->comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
    return Comm(std::make_unique<Handle>(node));
}

std::optional<int> Comm::max_within(int value, double seconds) const {
    int largest = value;
    MPI_Request request = MPI_REQUEST_NULL;
    checked(MPI_Iallreduce(MPI_IN_PLACE, &largest, 1, MPI_INT, MPI_MAX, handle_->comm, &request));
    const auto start = std::chrono::steady_clock::now();
    for (int done = 0;;) {
        checked(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
        if (done != 0) return largest;
        const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - start;
        // The request stays pending: the caller can only abort.
        if (waited.count() > seconds) return std::nullopt;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

void Comm::abort(int exit_code) const {
    // mpirun ends a job of which a rank exits before MPI_Finalize. MPI_Abort has it print a notice,
    // too, over which mpirun 4.1.4 with PMIx 4.2.2 hangs for ever in one job of a hundred.
    if (std::getenv("OMPI_COMM_WORLD_RANK") != nullptr) {
        std::fflush(nullptr);
        std::_Exit(exit_code);
    }
    MPI_Abort(handle_->comm, exit_code);
    std::terminate();
}

void Comm::broadcast_bytes(std::span<std::byte> data, int root) const {
    if (size_ == 1) return;
    for (std::size_t at = 0; at < data.size(); at += kMaxCount) {
        const auto part = data.subspan(at, std::min(kMaxCount, data.size() - at));
        checked(
            MPI_Bcast(part.data(), static_cast<int>(part.size()), MPI_BYTE, root, handle_->comm));
    }
}

void Comm::broadcast(std::string& text, int root) const {
    auto size = static_cast<std::int64_t>(text.size());
    broadcast(size, root);
    text.resize(size);
    broadcast(std::span<char>(text), root);
}

template <Arithmetic T>
void Comm::allreduce(std::span<T> data, ReduceOp op) const {
    if (size_ == 1) {
        if (op == ReduceOp::LogicalOr)
            for (T& value : data) value = static_cast<T>(value != T{});
        return;
    }
    for (std::size_t at = 0; at < data.size(); at += kMaxCount) {
        const auto part = data.subspan(at, std::min(kMaxCount, data.size() - at));
        checked(MPI_Allreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()),
                              datatype<T>(), operation(op), handle_->comm));
    }
}

template void Comm::allreduce<float>(std::span<float>, ReduceOp) const;
template void Comm::allreduce<double>(std::span<double>, ReduceOp) const;
template void Comm::allreduce<std::int32_t>(std::span<std::int32_t>, ReduceOp) const;
template void Comm::allreduce<std::int64_t>(std::span<std::int64_t>, ReduceOp) const;
template void Comm::allreduce<std::uint64_t>(std::span<std::uint64_t>, ReduceOp) const;

std::vector<std::vector<std::byte>> Comm::allgather_bytes(std::span<const std::byte> mine) const {
    if (size_ == 1) return {{mine.begin(), mine.end()}};
    const auto size = static_cast<std::int64_t>(mine.size());
    std::vector<std::int64_t> sizes(size_);
    checked(MPI_Allgather(&size, 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T, handle_->comm));
    Layout layout(sizes);
    checked(MPI_Allgatherv(mine.data(), static_cast<int>(size), MPI_BYTE, layout.buffer.data(),
                           layout.counts.data(), layout.offsets.data(), MPI_BYTE, handle_->comm));
    return layout.parts();
}

std::vector<std::vector<std::byte>> Comm::gather_bytes(std::span<const std::byte> mine,
                                                       int root) const {
    const auto size = static_cast<std::int64_t>(mine.size());
    std::vector<std::int64_t> sizes(size_);
    checked(MPI_Allgather(&size, 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T, handle_->comm));
    // Part by part, so that the root may receive more than 2^31 bytes in all.
    if (rank_ != root) {
        send_bytes(mine, root, 0);
        return {};
    }
    std::vector<std::vector<std::byte>> parts(size_);
    for (int r = 0; r < size_; ++r) {
        parts[r].resize(sizes[r]);
        if (r == root)
            std::copy(mine.begin(), mine.end(), parts[r].begin());
        else
            receive_bytes(parts[r], r, 0);
    }
    return parts;
}

std::vector<std::vector<std::byte>> Comm::alltoall_bytes(
    const std::vector<std::span<const std::byte>>& parts) const {
    core::check(static_cast<int>(parts.size()) == size_, "alltoall has one part a rank");
    std::vector<std::int64_t> send_sizes(size_);
    for (int r = 0; r < size_; ++r) send_sizes[r] = static_cast<std::int64_t>(parts[r].size());
    std::vector<std::int64_t> sizes(size_);
    checked(MPI_Alltoall(send_sizes.data(), 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T,
                         handle_->comm));
    Layout outgoing(send_sizes);
    for (int r = 0; r < size_; ++r)
        std::copy(parts[r].begin(), parts[r].end(), outgoing.buffer.begin() + outgoing.offsets[r]);
    Layout incoming(sizes);
    checked(MPI_Alltoallv(outgoing.buffer.data(), outgoing.counts.data(), outgoing.offsets.data(),
                          MPI_BYTE, incoming.buffer.data(), incoming.counts.data(),
                          incoming.offsets.data(), MPI_BYTE, handle_->comm));
    return incoming.parts();
}

void Comm::send_bytes(std::span<const std::byte> data, int to, int tag) const {
    for (std::size_t at = 0; at < data.size(); at += kMaxCount) {
        const auto part = data.subspan(at, std::min(kMaxCount, data.size() - at));
        checked(
            MPI_Send(part.data(), static_cast<int>(part.size()), MPI_BYTE, to, tag, handle_->comm));
    }
}

void Comm::receive_bytes(std::span<std::byte> data, int from, int tag) const {
    for (std::size_t at = 0; at < data.size(); at += kMaxCount) {
        const auto part = data.subspan(at, std::min(kMaxCount, data.size() - at));
        MPI_Status status;
        checked(MPI_Recv(part.data(), static_cast<int>(part.size()), MPI_BYTE, from, tag,
                         handle_->comm, &status));
        int received = 0;
        checked(MPI_Get_count(&status, MPI_BYTE, &received));
        core::check(received == static_cast<int>(part.size()), "a message has the expected length");
    }
}

std::vector<std::string> Comm::allgather(const std::string& mine) const {
    std::vector<std::string> all;
    for (const auto& part : allgather(std::span<const char>(mine)))
        all.emplace_back(part.begin(), part.end());
    return all;
}

void Comm::all_or_throw(const std::function<void()>& work) const {
    std::exception_ptr mine;
    std::string message;
    int exit_code = core::kExitInternal;
    try {
        work();
    } catch (const OutOfStepError&) {
        throw;
    } catch (const core::Error& error) {
        mine = std::current_exception();
        message = error.what();
        exit_code = error.exit_code();
    } catch (const std::filesystem::filesystem_error& error) {
        const core::IoError refused(error.what());
        mine = std::make_exception_ptr(refused);
        message = refused.what();
        exit_code = refused.exit_code();
    } catch (const std::exception& error) {
        mine = std::current_exception();
        message = error.what();
    }
    const int failed = allreduce<std::int32_t>(mine ? rank_ : size_, ReduceOp::Min);
    if (failed == size_) return;
    broadcast(message, failed);
    broadcast(exit_code, failed);
    if (mine) std::rethrow_exception(mine);
    throw core::MpiError(message, exit_code);
}

void Comm::root_or_throw(const std::function<void()>& work, int root) const {
    all_or_throw([&] {
        if (rank_ == root) work();
    });
}

Range even_share(std::int64_t items, int ranks, int rank) {
    core::check(items >= 0 && ranks >= 1 && rank >= 0 && rank < ranks, "a valid share");
    const std::int64_t base = items / ranks;
    const std::int64_t extra = items % ranks;
    const std::int64_t first = base * rank + std::min<std::int64_t>(rank, extra);
    return {first, first + base + (rank < extra ? 1 : 0)};
}

std::map<std::string, Spread> summarise(const Comm& comm,
                                        const std::map<std::string, double, std::less<>>& values) {
    std::string names;
    for (const auto& [name, value] : values) names += name + "\n";
    std::map<std::string, Spread> result;
    for (const auto& list : comm.allgather(names)) {
        std::size_t begin = 0;
        for (std::size_t end; (end = list.find('\n', begin)) != std::string::npos; begin = end + 1)
            result.emplace(list.substr(begin, end - begin), Spread{});
    }
    for (auto& [name, spread] : result) {
        const auto at = values.find(name);
        const auto all = comm.allgather(at == values.end() ? 0.0 : at->second);
        const auto largest = std::max_element(all.begin(), all.end());
        spread.min = *std::min_element(all.begin(), all.end());
        spread.max = *largest;
        spread.max_rank = static_cast<int>(largest - all.begin());
        spread.average = std::accumulate(all.begin(), all.end(), 0.0) / comm.size();
    }
    return result;
}

}  // namespace smeta::comm

#pragma once

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "smeta/core/error.hpp"

namespace smeta::comm {

/// Element types that travel; everything else is sent as bytes of trivially copyable structs.
template <class T>
concept Arithmetic = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;
template <class T>
concept Transferable = std::is_trivially_copyable_v<T>;

enum class ReduceOp { Sum, Min, Max, LogicalOr };

/// A rank failed in a step in which the others wait for it inside a library: no vote can reach
/// them. all_or_throw lets it pass; the executable prints it and ends the job with Comm::abort.
class OutOfStepError : public core::IoError {
  public:
    using core::IoError::IoError;
};

/// Initialises MPI with MPI_THREAD_FUNNELED and finalises it. One per process, made by the
/// executable (or test main).
class Environment {
  public:
    Environment(int& argc, char**& argv);
    ~Environment();
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
};

/// A communicator of our own: a duplicate, so that our messages never meet the caller's. Move-only;
/// the destructor frees it (collective). Only the main thread calls it. Functions marked collective
/// must be called by every rank of the communicator in the same order. Buffers may be longer than
/// 2^31 elements: they are sent in parts. Every function throws MpiError when MPI reports an error.
class Comm {
  public:
    /// Duplicate of MPI_COMM_WORLD, of MPI_COMM_SELF. Collective over the respective communicator.
    static Comm world();
    static Comm self();
    /// Takes an MPI_Comm passed as a pointer to it (keeps mpi.h out of this header); duplicates it.
    /// Collective.
    static Comm duplicate(const void* mpi_comm);
    ~Comm();
    Comm(Comm&&) noexcept;
    Comm& operator=(Comm&&) noexcept;

    int rank() const { return rank_; }
    int size() const { return size_; }
    bool is_root() const { return rank_ == 0; }
    /// Pointer to the MPI_Comm, for src/comm and src/io.
    const void* native() const;

    Comm duplicate() const;
    /// Ranks with equal colour form a communicator, ordered by key then rank. Collective.
    Comm split(int color, int key = 0) const;
    void barrier() const;
    /// The ranks of this communicator that share this rank's node (memory). Collective.
    Comm on_node() const;
    /// The largest `value` over all ranks if every rank calls this within `seconds`, else nothing:
    /// tells whether ranks are still in step. After an empty answer the only legal call is abort().
    std::optional<int> max_within(int value, double seconds) const;
    /// Ends all ranks at once; only for states in which ranks may be out of step.
    [[noreturn]] void abort(int exit_code) const;

    template <Transferable T>
    void broadcast(std::span<T> data, int root = 0) const {
        broadcast_bytes(std::as_writable_bytes(data), root);
    }
    template <Transferable T>
    void broadcast(T& value, int root = 0) const {
        broadcast(std::span<T>(&value, 1), root);
    }
    /// Resizes on the other ranks. Collective.
    void broadcast(std::string& text, int root = 0) const;
    template <Transferable T>
    void broadcast(std::vector<T>& data, int root = 0) const {
        auto size = static_cast<std::int64_t>(data.size());
        broadcast(size, root);
        data.resize(size);
        broadcast(std::span<T>(data), root);
    }

    /// Element-wise reduction to all ranks, in place. The order of additions is MPI's: not
    /// reproducible across rank counts.
    template <Arithmetic T>
    void allreduce(std::span<T> data, ReduceOp op = ReduceOp::Sum) const;
    template <Arithmetic T>
    T allreduce(T value, ReduceOp op = ReduceOp::Sum) const {
        allreduce(std::span<T>(&value, 1), op);
        return value;
    }

    /// Every rank's vector, in rank order, on every rank. Lengths may differ. Collective.
    template <Transferable T>
    std::vector<std::vector<T>> allgather(std::span<const T> mine) const {
        return unpack<T>(allgather_bytes(std::as_bytes(mine)));
    }
    template <Transferable T>
    std::vector<T> allgather(const T& mine) const {
        std::vector<T> all;
        for (auto& part : allgather(std::span<const T>(&mine, 1))) all.push_back(part.at(0));
        return all;
    }
    /// As allgather, but only `root` receives (others get an empty result). Collective.
    template <Transferable T>
    std::vector<std::vector<T>> gather(std::span<const T> mine, int root = 0) const {
        return unpack<T>(gather_bytes(std::as_bytes(mine), root));
    }
    std::vector<std::string> allgather(const std::string& mine) const;
    /// parts[r] goes to rank r; the result's entry r came from rank r. Collective.
    template <Transferable T>
    std::vector<std::vector<T>> alltoall(const std::vector<std::vector<T>>& parts) const {
        std::vector<std::span<const std::byte>> views;
        for (const auto& part : parts) views.push_back(std::as_bytes(std::span(part)));
        return unpack<T>(alltoall_bytes(views));
    }

    /// Blocking point-to-point; lengths must match. Local to the two ranks.
    template <Transferable T>
    void send(std::span<const T> data, int to, int tag = 0) const {
        send_bytes(std::as_bytes(data), to, tag);
    }
    template <Transferable T>
    void receive(std::span<T> data, int from, int tag = 0) const {
        receive_bytes(std::as_writable_bytes(data), from, tag);
    }

    /// Runs `work` on every rank, then votes: if it threw anywhere, every rank throws. The failing
    /// rank rethrows its own exception; the others throw MpiError with the lowest failing rank's
    /// message and exit code; OutOfStepError is thrown on at once. `work` must contain no
    /// collective of this communicator. Collective.
    void all_or_throw(const std::function<void()>& work) const;
    /// Runs `work` on `root` alone and votes as above. Collective.
    void root_or_throw(const std::function<void()>& work, int root = 0) const;

  private:
    struct Handle;
    explicit Comm(std::unique_ptr<Handle> handle);

    template <class T>
    static std::vector<std::vector<T>> unpack(const std::vector<std::vector<std::byte>>& parts);
    void broadcast_bytes(std::span<std::byte> data, int root) const;
    std::vector<std::vector<std::byte>> allgather_bytes(std::span<const std::byte> mine) const;
    std::vector<std::vector<std::byte>> gather_bytes(std::span<const std::byte> mine,
                                                     int root) const;
    std::vector<std::vector<std::byte>> alltoall_bytes(
        const std::vector<std::span<const std::byte>>& parts) const;
    void send_bytes(std::span<const std::byte> data, int to, int tag) const;
    void receive_bytes(std::span<std::byte> data, int from, int tag) const;

    std::unique_ptr<Handle> handle_;
    int rank_ = 0;
    int size_ = 1;
};

template <class T>
std::vector<std::vector<T>> Comm::unpack(const std::vector<std::vector<std::byte>>& parts) {
    std::vector<std::vector<T>> result(parts.size());
    for (std::size_t r = 0; r < parts.size(); ++r) {
        result[r].resize(parts[r].size() / sizeof(T));
        if (!parts[r].empty())
            __builtin_memcpy(static_cast<void*>(result[r].data()), parts[r].data(),
                             parts[r].size());
    }
    return result;
}

/// [first, last) of a contiguous range of items.
struct Range {
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::int64_t size() const { return last - first; }
    bool operator==(const Range&) const = default;
};

/// Share of `rank` when `items` are cut into contiguous parts: items / ranks each, the remainder to
/// the first ranks. 10 items on 4 ranks: [0,3) [3,6) [6,8) [8,10). Local, no communication.
Range even_share(std::int64_t items, int ranks, int rank);

/// Minimum, average and maximum over ranks of each named number and the rank with the maximum;
/// names that a rank lacks count as 0 there. The same result on every rank. Collective.
struct Spread {
    double min = 0;
    double average = 0;
    double max = 0;
    int max_rank = 0;
};
std::map<std::string, Spread> summarise(const Comm& comm,
                                        const std::map<std::string, double, std::less<>>& values);

}  // namespace smeta::comm

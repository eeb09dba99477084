// FILE LIMIT...: writes FILE from all ranks, each under its limit on file sizes (bytes; 0: none),
// and ends the way the executable does: exit code 0, or that of the error after Comm::abort.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <sys/resource.h>

#include "smeta/comm/comm.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/h5.hpp"
#include "smeta/io/mudata_parallel.hpp"

int main(int argc, char** argv) {
    using namespace smeta;
    const comm::Environment environment(argc, argv);
    const comm::Comm comm = comm::Comm::world();
    std::signal(SIGXFSZ, SIG_IGN);
    if (argc < 2 + comm.size()) return 1;
    if (const auto limit = std::strtoull(argv[2 + comm.rank()], nullptr, 10); limit > 0) {
        const rlimit file_size{limit, limit};
        if (setrlimit(RLIMIT_FSIZE, &file_size) != 0) return 1;
    }
    constexpr std::int64_t kRows = 4000;
    constexpr std::int32_t kColumns = 500;
    io::AnnData data;
    for (std::int32_t c = 0; c < kColumns; ++c) data.var.index.push_back("m" + std::to_string(c));
    core::MatrixF values(kRows, kColumns);
    for (std::int64_t r = 0; r < kRows; ++r) {
        data.obs.index.push_back(std::to_string(comm.rank()) + "_" + std::to_string(r));
        for (std::int32_t c = 0; c < kColumns; ++c)  // does not compress
            values(r, c) = static_cast<float>((r * 7919 + c * 104729 + r * c) % 1000003) + 0.1F;
    }
    data.x = std::move(values);
    io::MuData joint;
    joint.obs = data.obs;
    joint.modalities.emplace_back("sm", std::move(data));
    try {
        io::write_h5mu(comm, argv[1], joint);
    } catch (const io::ParallelWriteError& error) {
        std::fprintf(stderr, "rank %d: %s\n", comm.rank(), error.what());
        comm.barrier();
        comm.abort(error.exit_code());
    } catch (const comm::OutOfStepError& error) {
        std::fprintf(stderr, "rank %d, out of step: %s\n", comm.rank(), error.what());
        comm.abort(error.exit_code());
    } catch (const core::Error& error) {
        std::fprintf(stderr, "rank %d: another error: %s\n", comm.rank(), error.what());
        comm.barrier();
        if (io::h5_is_broken()) comm.abort(error.exit_code());
        return error.exit_code();
    }
    return 0;
}

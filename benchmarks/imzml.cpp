// Opening an imzML image (its header and the places of all spectra) against bare Expat, with
// handlers that do nothing, on the same file in the same run; on several ranks, each its own copy
// as in ingest, against one rank alone.
//     bench_imzml [--spectra 900000]        mpirun -n 2 --bind-to core bench_imzml
// One JSON object a repetition from rank 0, and one with the medians of the ratios.
#include "smeta/io/imzml.hpp"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include <CLI/CLI.hpp>
#include <expat.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "smeta/comm/comm.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/version.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/imzml_writer.hpp"

#include "stopwatch.hpp"

namespace {

using namespace smeta;
namespace fs = std::filesystem;
constexpr double kPatience = 600;

struct Options {
    std::int32_t spectra = 900'000;
    int repetitions = 5;
    std::string folder = fs::temp_directory_path().string();
};

void write_image(const std::string& path, std::int32_t spectra) {
    constexpr std::int32_t kWidth = 1000;
    io::ImzmlWriter writer(path, {.polarity = io::Polarity::Positive});
    const double mz = 500;
    const float intensity = 1;
    for (std::int32_t i = 0; i < spectra; ++i)
        writer.add(1 + i % kWidth, 1 + i / kWidth, std::span(&mz, 1), std::span(&intensity, 1));
    writer.finish();
}

void XMLCALL ignore_start(void*, const XML_Char*, const XML_Char**) {}
void XMLCALL ignore_end(void*, const XML_Char*) {}

void bare_expat(const std::string& path) {
    constexpr int kBlock = 1 << 20;
    const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> xml(
        XML_ParserCreate(nullptr), &XML_ParserFree);
    XML_SetElementHandler(xml.get(), ignore_start, ignore_end);
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    for (ssize_t got = 1; got > 0;) {
        got = ::read(file, XML_GetBuffer(xml.get(), kBlock), kBlock);
        if (got < 0 || XML_ParseBuffer(xml.get(), static_cast<int>(got), got == 0) != XML_STATUS_OK)
            throw std::runtime_error("Expat cannot read " + path);
    }
    ::close(file);
}

void open_image(const std::string& path, std::int32_t spectra) {
    const io::ImzmlReader reader(path, {.verify_checksum = false});
    core::check(std::ssize(reader.spectra()) == spectra && reader.spectra().back().mz.length == 1,
                "every spectrum was found");
}

nlohmann::json object(const bench::Seconds& seconds) {
    return {{"wall", seconds.wall}, {"processor", seconds.processor}};
}

void run(const comm::Comm& world, const Options& options, const fs::path& folder) {
    const std::string path = (folder / fmt::format("{}.imzML", world.rank())).string();
    write_image(path, options.spectra);
    std::vector<double> shares, processor_shares, gains;
    for (int repetition = 0; repetition < options.repetitions; ++repetition) {
        bench::Seconds bare, one;
        if (world.is_root()) {
            bare = bench::timed([&] { bare_expat(path); });
            one = bench::timed([&] { open_image(path, options.spectra); });
        }
        world.max_within(0, kPatience);  // the others wait without using a processor
        world.barrier();
        const auto mine = bench::timed([&] { open_image(path, options.spectra); });
        const double slowest = world.allreduce(mine.wall, comm::ReduceOp::Max);
        if (!world.is_root()) continue;
        shares.push_back(bare.wall / one.wall);
        processor_shares.push_back(bare.processor / one.processor);
        gains.push_back(world.size() * one.wall / slowest);
        const nlohmann::json line = {
            {"bench", "imzml"},       {"spectra", options.spectra}, {"bytes", fs::file_size(path)},
            {"expat", object(bare)},  {"open", object(one)},        {"ranks", world.size()},
            {"slowest_rank", slowest}};
        std::puts(line.dump().c_str());
        std::fflush(stdout);
    }
    if (!world.is_root()) return;
    const nlohmann::json line = {{"bench", "imzml_median"},
                                 {"git", core::kGitRevision},
                                 {"share_of_expat", bench::median(shares)},
                                 {"share_of_expat_processor", bench::median(processor_shares)},
                                 {"ranks", world.size()},
                                 {"gain", bench::median(gains)}};
    std::puts(line.dump().c_str());
}

}  // namespace

int main(int argc, char** argv) {
    const comm::Environment environment(argc, argv);
    Options options;
    CLI::App app("Opening imzML images against bare Expat");
    app.add_option("--spectra", options.spectra)->check(CLI::PositiveNumber);
    app.add_option("--repetitions", options.repetitions)->check(CLI::PositiveNumber);
    app.add_option("--folder", options.folder)->check(CLI::ExistingDirectory);
    CLI11_PARSE(app, argc, argv);
    const comm::Comm world = comm::Comm::world();
    const fs::path folder = io::temporary_name((fs::path(options.folder) / "bench").string());
    int code = 0;
    try {
        fs::create_directory(folder);
        run(world, options, folder);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_imzml: %s\n", error.what());
        code = 1;
    }
    fs::remove_all(folder);
    return code;
}

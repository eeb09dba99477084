// Feeds damaged files to one parser (docs/testing.md, "Fuzzing").
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "smeta/comm/comm.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"

#include "parsers.hpp"
#include "support/support.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>

// A small file must not ask for much memory: larger requests end the process with a report. Those
// of C libraries get nothing instead, which they must bear. Leaks are another suite's.
extern "C" const char* __asan_default_options() {
    return "max_allocation_size_mb=256:hard_rss_limit_mb=2048:allocator_may_return_null=1:"
           "detect_leaks=0";
}
#endif

namespace smeta::fuzz {

std::string read_file(const Folder& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const Folder& path, const std::string& bytes) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
}

namespace {

constexpr int kCpuSeconds = 5;                    // of one input
constexpr std::size_t kAddressSpace = 4UL << 30;  // without AddressSanitizer, which needs more

struct Options {
    std::string parser;
    double seconds = 60;
    std::int64_t iterations = -1;
    std::int64_t only = -1;
    std::uint64_t seed = 1;
    std::string keep = "fuzz-faults";
};

/// What the process is doing, for the message when it dies.
std::string now;

void say_where() {
    const auto ignored = write(STDERR_FILENO, now.data(), now.size());
    static_cast<void>(ignored);
}

void on_death(int signal) {
    say_where();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

void on_time_out(int) {
    say_where();
    constexpr char kMessage[] = "HANG: more processor time than one input may take\n";
    const auto ignored = write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
    static_cast<void>(ignored);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_print_stack_trace();
#endif
    _exit(1);
}

void watch() {
    std::signal(SIGPROF, on_time_out);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_set_death_callback(say_where);
#else
    for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE}) std::signal(signal, on_death);
    const rlimit limit{kAddressSpace, kAddressSpace};
    setrlimit(RLIMIT_AS, &limit);
#endif
}

void allow_time() {
    const itimerval limit{{0, 0}, {kCpuSeconds, 0}};
    setitimer(ITIMER_PROF, &limit, nullptr);
}

using Files = std::map<std::string, std::string>;

/// Bytes of every file of the sound input.
Files make_seed(const std::function<void(const Folder&)>& write, const Folder& folder) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    write(folder);
    Files files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
        if (entry.is_regular_file())
            files[entry.path().lexically_relative(folder).string()] = read_file(entry.path());
    return files;
}

void place(const Files& files, const Folder& folder) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    for (const auto& [name, bytes] : files) write_file(folder / name, bytes);
}

/// One file of the input, as its kind needs.
void damage_file(const Files& files, const Folder& folder, Random& random) {
    auto file = files.begin();
    std::advance(file, random.below(files.size()));
    const Folder path = folder / file->first;
    const std::string kind = path.extension().string();
    if (random.one_in(200)) {
        std::filesystem::remove(path);
        return;
    }
    if (kind.starts_with(".h5") && !random.one_in(20)) {
        mutate_h5(path, random);
        return;
    }
    std::string bytes = file->second;
    if (kind.starts_with(".h5"))  // a file cut short; other bytes are the library's to judge
        bytes.resize(random.below(bytes.size()));
    else if (kind == ".ibd" || kind == ".png" || kind == ".ckpt" || bytes.starts_with("\x1F\x8B"))
        mutate_bytes(bytes, random);
    else
        mutate_text(bytes, random);
    write_file(path, bytes);
}

struct Tally {
    std::int64_t inputs = 0;
    std::int64_t accepted = 0;
    std::set<std::string> faults;  ///< each kind once
};

/// Numbers and paths left out: two inputs with the same kind of fault say it once.
std::string kind_of(const std::string& message) {
    std::string kind;
    for (const char c : message.substr(0, 200))
        if (std::isdigit(static_cast<unsigned char>(c)) == 0) kind += c;
    return kind;
}

void run_one(const Parser& parser, const Options& options, const std::vector<Files>& seeds,
             std::int64_t iteration, const Folder& folder, Tally& tally) {
    Random random(options.seed * 0x9E3779B97F4A7C15ULL + static_cast<std::uint64_t>(iteration));
    const Files& files = random.pick(seeds);
    now = fmt::format("\nfuzz {}: seed {}, iteration {}; the input is in {}\n", parser.name,
                      options.seed, iteration, folder.string());
    place(files, folder);
    if (parser.damage)
        parser.damage(folder, random);
    else
        damage_file(files, folder, random);
    ++tally.inputs;
    allow_time();
    std::string fault;
    try {
        parser.parse(folder, random);
        ++tally.accepted;
    } catch (const core::Error& error) {
        if (error.exit_code() != core::kExitUserInput) fault = error.what();
        if (std::string_view(error.what()).empty()) fault = "an empty message";
    } catch (const std::exception& error) {
        fault = fmt::format("{}: {}", typeid(error).name(), error.what());
    }
    if (fault.empty() || !tally.faults.insert(kind_of(fault)).second) return;
    const Folder kept =
        Folder(options.keep) / fmt::format("{}-{}-{}", parser.name, options.seed, iteration);
    std::filesystem::create_directories(kept);
    std::filesystem::copy(folder, kept,
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
    fmt::print("{}FAULT: {}\nkept in {}\n", now, fault, kept.string());
    std::fflush(stdout);
}

/// Exit code: 0 no fault, 1 faults.
int fuzz(const Parser& parser, const Options& options) {
    const Folder folder = Folder(options.keep) / (parser.name + ".input");
    std::vector<Files> seeds;
    for (const auto& write : parser.seeds) {
        seeds.push_back(make_seed(write, folder));
        Random random(options.seed);
        parser.parse(folder, random);  // a sound input that is refused would make this suite blind
    }
    Tally tally;
    const auto start = std::chrono::steady_clock::now();
    const auto seconds = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    std::int64_t iteration = std::max<std::int64_t>(options.only, 0);
    while (options.only < 0 ? (options.iterations < 0 ? seconds() < options.seconds
                                                      : iteration < options.iterations)
                            : iteration == options.only)
        run_one(parser, options, seeds, iteration++, folder, tally);
    fmt::print("{}: seed {}, {} inputs in {:.0f} s, {} read, {} refused, {} kinds of fault\n",
               parser.name, options.seed, tally.inputs, seconds(), tally.accepted,
               tally.inputs - tally.accepted, tally.faults.size());
    if (options.only < 0) std::filesystem::remove_all(folder);
    return tally.faults.empty() ? 0 : 1;
}

}  // namespace

}  // namespace smeta::fuzz

int main(int argc, char** argv) {
    using namespace smeta::fuzz;
    const smeta::comm::Environment environment(argc, argv);
    Options options;
    CLI::App app{
        "Feeds damaged files to one parser; prints what it refuses in another way than "
        "documented."};
    app.add_option("parser", options.parser, "which; `list` names them")->required();
    app.add_option("--seconds", options.seconds, "how long");
    app.add_option("--iterations", options.iterations, "how many inputs, in place of a time");
    app.add_option("--only", options.only, "this iteration alone; its input is left");
    app.add_option("--seed", options.seed, "another seed, other inputs");
    app.add_option("--keep", options.keep, "folder of inputs that made a fault");
    CLI11_PARSE(app, argc, argv);

    std::vector<Parser> parsers = source_parsers();
    for (auto& parser : atlas_parsers()) parsers.push_back(std::move(parser));
    if (options.parser == "list") {
        for (const auto& parser : parsers) fmt::print("{}\n", parser.name);
        return 0;
    }
    const auto found = std::find_if(parsers.begin(), parsers.end(),
                                    [&](const Parser& p) { return p.name == options.parser; });
    if (found == parsers.end()) {
        fmt::print(stderr, "no parser '{}'\n", options.parser);
        return 2;
    }
    watch();
    return fuzz(*found, options);
}

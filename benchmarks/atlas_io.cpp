// What the atlas costs beyond the bytes: writing and reading one joint shard against a plain
// program that shuffles, deflates, writes and syncs the same chunks; opening an atlas of many
// samples and adding one more to it against one of ten.
//     bench_atlas_io [--spots 20000] [--samples 10000] [--folder DIR]
// One JSON object a repetition, and one with the medians of the ratios. One thread.
#include <cstdio>
#include <filesystem>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "smeta/atlas/atlas.hpp"
#include "smeta/core/version.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/h5.hpp"

#include "plain_shard.hpp"
#include "stopwatch.hpp"

namespace {

using namespace smeta;
namespace fs = std::filesystem;
constexpr const char* kKey = "00000000000000aa";

struct Options {
    std::int64_t spots = 20'000;
    std::int32_t genes = 2'000;
    double density = 0.15;
    int samples = 10'000;
    int repetitions = 7;
    std::string folder = fs::temp_directory_path().string();
};

/// Counts as sequencing gives them: most are small.
core::CountsCsr counts(const Options& options) {
    core::CountsCsr x;
    x.cols = options.genes;
    std::uint64_t state = 7;
    const auto uniform = [&] {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<double>(state >> 11U) * 0x1p-53;
    };
    for (std::int64_t row = 0; row < options.spots; ++row) {
        std::vector<std::int32_t> columns;
        std::vector<float> values;
        for (std::int32_t gene = 0; gene < options.genes; ++gene)
            if (uniform() < options.density) {
                columns.push_back(gene);
                values.push_back(static_cast<float>(1 + static_cast<int>(1 / (uniform() + 0.02))));
            }
        x.append_row(columns, values);
    }
    return x;
}

io::MuData section(core::CountsCsr x) {
    io::AnnData st;
    for (std::int64_t row = 0; row < x.rows; ++row)
        st.obs.index.push_back(fmt::format("spot{}", row));
    for (std::int32_t gene = 0; gene < x.cols; ++gene)
        st.var.index.push_back(fmt::format("gene{}", gene));
    st.x = std::move(x);
    io::MuData data;
    data.obs = st.obs;
    data.modalities.emplace_back("st", std::move(st));
    return data;
}

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
    return std::as_bytes(std::span(values));
}
template <class T>
std::span<std::byte> writable_bytes_of(std::vector<T>& values) {
    return std::as_writable_bytes(std::span(values));
}

nlohmann::json object(const bench::Seconds& seconds) {
    return {{"wall", seconds.wall}, {"processor", seconds.processor}};
}

/// Ratios of several repetitions, by name.
class Ratios {
  public:
    void add(const std::string& name, const bench::Seconds& plain, const bench::Seconds& ours) {
        wall_[name].push_back(plain.wall / ours.wall);
        processor_[name].push_back(plain.processor / ours.processor);
    }
    nlohmann::json medians() const {
        nlohmann::json result = {{"bench", "atlas_io_median"}, {"git", core::kGitRevision}};
        for (const auto& [name, values] : wall_) result[name] = bench::median(values);
        for (const auto& [name, values] : processor_)
            result[name + "_processor"] = bench::median(values);
        return result;
    }

  private:
    std::map<std::string, std::vector<double>> wall_;
    std::map<std::string, std::vector<double>> processor_;
};

void print(const nlohmann::json& line) {
    std::puts(line.dump().c_str());
    std::fflush(stdout);
}

void shards(const Options& options, const fs::path& folder) {
    const io::MuData data = section(counts(options));
    const auto& x = std::get<core::CountsCsr>(*data.modalities.front().second.x);
    const std::vector<std::int32_t> indptr(x.indptr.begin(), x.indptr.end());
    const std::string shard = (folder / "shard.h5mu").string();
    io::write_h5mu(shard, data);
    const std::int64_t chunk =
        io::H5File::open(shard).root().dataset("mod/st/X/data").chunk().front();
    bench::PlainShard plain((folder / "plain").string(), chunk);
    Ratios ratios;
    for (int repetition = 0; repetition < options.repetitions; ++repetition) {
        const auto plain_write = bench::timed([&] {
            plain.write({bytes_of(x.values), bytes_of(x.indices), bytes_of(indptr)});
        });
        const auto write = bench::timed([&] {
            io::write_h5mu(shard, data);
            io::sync_file(shard);
        });
        auto atlas = atlas::ShardedAtlas::create(folder / fmt::format("shards{}", repetition));
        const auto commit = bench::timed([&] { atlas.commit_joint("S", "c", kKey, data); });

        std::vector<float> values(x.values.size());
        std::vector<std::int32_t> indices(x.indices.size());
        std::vector<std::int32_t> starts(indptr.size());
        const auto plain_read = bench::timed([&] {
            plain.read(
                {writable_bytes_of(values), writable_bytes_of(indices), writable_bytes_of(starts)});
        });
        core::CountsCsr back;
        const auto read =
            bench::timed([&] { back = atlas.open_joint("S").read_rows("st", 0, options.spots); });
        core::check(values == x.values && back.values == x.values && back.indices == x.indices &&
                        indices == x.indices && back.indptr == x.indptr,
                    "what was written comes back");
        ratios.add("write", plain_write, write);
        ratios.add("commit", plain_write, commit);
        ratios.add("read", plain_read, read);
        print({{"bench", "shard"},
               {"nonzeros", x.nnz()},
               {"plain_write", object(plain_write)},
               {"write", object(write)},
               {"commit", object(commit)},
               {"plain_read", object(plain_read)},
               {"read", object(read)}});
    }
    print(ratios.medians());
}

/// Makes an atlas of `samples` whose manifest says of all but the first what it says of that.
atlas::ShardedAtlas grown(const fs::path& path, int samples, const io::MuData& data) {
    auto atlas = atlas::ShardedAtlas::create(path);
    atlas.commit_joint("S", "c", kKey, data);
    atlas::Manifest manifest = atlas.manifest();
    const atlas::SampleEntry first = manifest.samples.at("S");
    for (int i = 1; i < samples; ++i) {
        const std::string name = fmt::format("T{:06}", i);
        atlas::SampleEntry entry = first;
        for (const char* stage : {"raw", "qc", "align", "joint"}) {
            entry.stages[stage] = first.stages.at("joint");
            entry.stages[stage].files.front().path = fmt::format("{}/{}.h5mu", stage, name);
        }
        manifest.samples[name] = std::move(entry);
    }
    io::write_atomically((path / "manifest.json").string(), to_json(manifest));
    return atlas::ShardedAtlas::open(path);
}

void many_samples(const Options& options, const fs::path& folder) {
    Options small = options;
    small.spots = 200;
    small.genes = 100;
    const io::MuData data = section(counts(small));
    std::vector<double> opened;
    std::vector<double> dearer;
    auto few = grown(folder / "few", 10, data);
    auto many = grown(folder / "many", options.samples, data);
    for (int repetition = 0; repetition < options.repetitions; ++repetition) {
        const std::string name = fmt::format("new{}", repetition);
        const auto open = bench::timed([&] { (void)atlas::ShardedAtlas::open(many.path()); });
        const auto add_few = bench::timed(
            [&] { atlas::ShardedAtlas::open(few.path()).commit_joint(name, "c", kKey, data); });
        const auto add_many = bench::timed(
            [&] { atlas::ShardedAtlas::open(many.path()).commit_joint(name, "c", kKey, data); });
        core::check(atlas::ShardedAtlas::open(many.path()).manifest().samples.contains(name),
                    "the sample was added");
        opened.push_back(open.wall);
        dearer.push_back(add_many.wall - add_few.wall);
        print({{"bench", "manifest"},
               {"samples", options.samples},
               {"open", object(open)},
               {"add_to_10", object(add_few)},
               {"add", object(add_many)}});
    }
    print({{"bench", "manifest_median"},
           {"git", core::kGitRevision},
           {"samples", options.samples},
           {"open_seconds", bench::median(opened)},
           {"add_seconds_more_than_to_10", bench::median(dearer)}});
}

}  // namespace

int main(int argc, char** argv) {
    const comm::Environment environment(argc, argv);
    Options options;
    CLI::App app("Shards and manifests against plain programs");
    app.add_option("--spots", options.spots)->check(CLI::PositiveNumber);
    app.add_option("--genes", options.genes)->check(CLI::PositiveNumber);
    app.add_option("--density", options.density)->check(CLI::Range(0.0, 1.0));
    app.add_option("--samples", options.samples)->check(CLI::PositiveNumber);
    app.add_option("--repetitions", options.repetitions)->check(CLI::PositiveNumber);
    app.add_option("--folder", options.folder, "on the file system to measure")
        ->check(CLI::ExistingDirectory);
    CLI11_PARSE(app, argc, argv);
    const fs::path folder = io::temporary_name((fs::path(options.folder) / "bench").string());
    fs::create_directory(folder);
    int code = 0;
    try {
        shards(options, folder);
        many_samples(options, folder);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_atlas_io: %s\n", error.what());
        code = 1;
    }
    fs::remove_all(folder);
    return code;
}

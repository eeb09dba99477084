#include "stage_options.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

namespace smeta::drivers {

void add_stage_options(CLI::App& command, StageOptions& options) {
    command.add_option("--atlas", options.atlas, "folder of the atlas")->required();
    command.add_option("--sample", options.samples, "only this sample (repeatable; default: all)");
}

atlas::ShardedAtlas open_atlas(const Context& context, const StageOptions& options) {
    return atlas::ShardedAtlas::open(context.comm, options.atlas);
}

double mebibytes(double bytes) {
    return bytes / (1024.0 * 1024.0);
}

PlanSums::PlanSums(const Context& context, std::filesystem::path folder)
    : context_(context), folder_(std::move(folder)), ranks_(context.comm.size()) {}

int PlanSums::add(double memory, double disk) {
    const auto rank = static_cast<int>(dealt_++ % ranks_.size());
    ++ranks_[rank].samples;
    ranks_[rank].memory = std::max(ranks_[rank].memory, memory);
    disk_ += disk;
    return rank;
}

void PlanSums::add_shared(const std::vector<double>& memory, double disk) {
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
        ++ranks_[rank].samples;
        ranks_[rank].memory = std::max(ranks_[rank].memory, memory.at(rank));
    }
    disk_ += disk;
}

std::string PlanSums::text() const {
    std::string text = "rank\tsamples\tMiB\n";
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
        const Rank& mine = ranks_[rank];
        text += fmt::format("{}\t{}\t{:.1f}\n", rank, mine.samples, mebibytes(mine.memory));
        if (context_.memory && mine.memory > static_cast<double>(*context_.memory))
            throw core::ConfigError(fmt::format(
                "rank {} needs about {:.1f} MiB for its largest sample, --mem allows "
                "{:.1f} MiB",
                rank, mebibytes(mine.memory), mebibytes(static_cast<double>(*context_.memory))));
    }
    std::filesystem::path there = std::filesystem::absolute(folder_);
    while (!std::filesystem::exists(there)) there = there.parent_path();
    const auto free = static_cast<double>(std::filesystem::space(there).available);
    text +=
        fmt::format("\ndisk MiB\t{:.1f}\nfree MiB\t{:.1f}\n", mebibytes(disk_), mebibytes(free));
    if (disk_ > free)
        throw core::ConfigError(
            fmt::format("{}: about {:.1f} MiB would be written, {:.1f} are free", folder_.string(),
                        mebibytes(disk_), mebibytes(free)));
    return text;
}

namespace {

/// What makes up a sample, summed over its files and modalities.
struct SampleSize {
    double values = 0;  ///< stored
    double names = 0;   ///< of rows and features
    double rows = 0;    ///< of the largest modality
};

SampleSize size_of(const atlas::ShardedAtlas& atlas, const atlas::StageEntry& entry) {
    SampleSize size;
    for (const auto& [modality, shape] : entry.modalities) {
        for (const auto& file : entry.files) {
            const io::AnnDataReader reader(atlas.checked_file(file).string(), modality);
            size.values += static_cast<double>(reader.stored_values());
            size.names += static_cast<double>(reader.rows() + reader.cols());
        }
        size.rows = std::max(size.rows, static_cast<double>(shape.rows));
    }
    return size;
}

/// Bytes in memory of rank 0 and of each other rank when `ranks` ranks make the sample.
std::vector<double> bytes_in_memory(const SampleSize& size, const StageCost& cost, int ranks) {
    constexpr double kBytesPerValue = 8;
    const double share = 1.0 / ranks;
    std::vector<double> bytes(ranks, cost.copies * kBytesPerValue * size.values * share +
                                         cost.table_bytes * size.names +
                                         cost.result_bytes * size.rows * share);
    // Rank 0 writes the names of one file at a time.
    const double file_rows = std::min(size.rows, static_cast<double>(atlas::kJointFileRows));
    bytes.front() += cost.result_bytes * std::max(0.0, file_rows - size.rows * share);
    return bytes;
}

double bytes_on_disk(const atlas::StageEntry& entry, const StageCost& cost) {
    constexpr double kBytesOfAFile = 65536;  // HDF5's own
    double bytes = kBytesOfAFile;
    for (const auto& file : entry.files) bytes += cost.written * static_cast<double>(file.bytes);
    for (const auto& [modality, shape] : entry.modalities)
        bytes += cost.bytes_per_name * static_cast<double>(shape.rows + shape.features);
    return bytes;
}

std::string stage_plan(const Context& context, const atlas::ShardedAtlas& atlas,
                       const StageOptions& options, const StageCost& cost) {
    std::string text = "sample\tmodality\trows\tfeatures\tMiB\trank\n";
    PlanSums sums(context, atlas.path());
    for (const std::string& name : atlas.samples(options.samples)) {
        const atlas::SampleEntry& sample = atlas.sample(name);
        const atlas::StageEntry* entry = sample.find(cost.reads);
        // What came as a joint file has been through these stages.
        const bool passes = entry == nullptr && cost.reads == atlas::kRaw;
        if (passes) entry = sample.find(atlas::kJoint);
        if (entry == nullptr)
            throw core::ConfigError(
                fmt::format("sample '{}' has no joint file; run smeta reassign first", name));
        if (!passes && !cost.needs.empty() && sample.find(cost.needs) == nullptr)
            throw core::ConfigError(fmt::format("sample '{}' lacks {}; run smeta {} first", name,
                                                cost.needs, cost.needs));
        const SampleSize size = passes ? SampleSize{} : size_of(atlas, *entry);
        const double disk = passes ? 0 : bytes_on_disk(*entry, cost);
        const int ranks =
            size.rows > static_cast<double>(cost.shared_above) ? context.comm.size() : 1;
        const std::vector<double> memory = bytes_in_memory(size, cost, ranks);
        std::string rank = "all";
        if (ranks > 1)
            sums.add_shared(memory, disk);
        else
            rank = std::to_string(sums.add(memory.front(), disk));
        for (const auto& [modality, shape] : entry->modalities)
            text += fmt::format("{}\t{}\t{}\t{}\t{:.1f}\t{}\n", name, modality, shape.rows,
                                shape.features, mebibytes(memory.front()), rank);
    }
    return text + "\n" + sums.text();
}

}  // namespace

void print_stage_plan(const Context& context, const atlas::ShardedAtlas& atlas,
                      const StageOptions& options, const StageCost& cost) {
    std::string text;
    context.comm.root_or_throw([&] { text = stage_plan(context, atlas, options, cost); });
    print(context, text);
}

}  // namespace smeta::drivers

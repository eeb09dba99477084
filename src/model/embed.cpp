#include "smeta/model/embed.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/progress.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/model/model_file.hpp"
#include "smeta/model/run_model.hpp"

namespace smeta::model {

namespace {

constexpr std::int64_t kBlockRows = 256;
constexpr const char* kCommand = "embed";
constexpr int kVersion = 1;

/// Posterior of a sample's rows side by side: latent, sd, each single mean, contributions.
struct Columns {
    std::int64_t latent = 0;
    std::int64_t modalities = 0;
    std::int64_t width() const { return latent * (2 + modalities) + modalities; }
    std::int64_t sd() const { return latent; }
    std::int64_t single(std::int64_t m) const { return latent * (2 + m); }
    std::int64_t contribution() const { return latent * (2 + modalities); }
};

// Blocks of one sample: no block spans two joint files.
std::vector<comm::Range> blocks_of(const atlas::RowSource& source, std::int32_t sample) {
    std::vector<comm::Range> blocks;
    for (const auto& shard : source.shards()) {
        if (shard.sample != sample) continue;
        const std::int64_t end = shard.first_row + shard.rows;
        for (std::int64_t first = shard.first_row; first < end; first += kBlockRows)
            blocks.push_back({first, std::min(first + kBlockRows, end)});
    }
    return blocks;
}

core::MatrixF side_by_side(const Encoded<float>& encoded, const Columns& columns) {
    core::MatrixF rows(encoded.latent.rows(), columns.width());
    rows.leftCols(columns.latent) = encoded.latent;
    rows.middleCols(columns.sd(), columns.latent) = encoded.sd;
    for (std::int64_t m = 0; m < columns.modalities; ++m)
        rows.middleCols(columns.single(m), columns.latent) = encoded.single[m];
    rows.rightCols(columns.modalities) = encoded.contribution;
    return rows;
}

class Embedder {
  public:
    Embedder(const comm::Comm& comm, const atlas::Run& run, const LoadedModel& model,
             std::string key, core::Timings& timings)
        : comm_(comm),
          run_(run),
          model_(model),
          key_(std::move(key)),
          timings_(timings),
          source_(comm, run, source_config(model)) {
        columns_.latent = model.cvae.options().latent;
        columns_.modalities = static_cast<std::int64_t>(model.cvae.options().blocks.size());
        check_fits();
    }

    const atlas::RowSource& source() const { return source_; }

    /// The sample's posterior on the rank that writes it, an empty matrix elsewhere. Collective.
    core::MatrixF encode(std::int32_t sample, int writer) const {
        const auto blocks = blocks_of(source_, sample);
        const comm::Range mine =
            comm::even_share(static_cast<std::int64_t>(blocks.size()), comm_.size(), comm_.rank());
        std::vector<float> values;
        comm_.all_or_throw([&] {
            const core::Timings::Scope scope(timings_, "embed/encode");
            values = encode_blocks(sample, std::span(blocks).subspan(mine.first, mine.size()));
        });
        const auto parts = comm_.gather(std::span<const float>(values), writer);
        core::MatrixF all;
        if (comm_.rank() != writer) return all;
        all.resize(source_.sample_rows(sample), columns_.width());
        float* at = all.data();
        for (const auto& part : parts) at = std::copy(part.begin(), part.end(), at);
        core::check(at == all.data() + all.size(), "the gathered blocks are the whole sample");
        return all;
    }

    void write_result(std::int32_t sample, const core::MatrixF& rows) const {
        const std::string& name = source_.samples()[sample];
        const atlas::JointReader joint = run_.open_joint(name);
        io::AnnData result;
        result.obs = joint.obs();
        const auto put = [&](const std::string& key, std::int64_t first) {
            result.obsm[key] = rows.middleCols(first, columns_.latent).cast<double>();
            result.float_obsm.push_back(key);
        };
        put("X_smeta", 0);
        put("X_smeta_sd", columns_.sd());
        for (std::int64_t m = 0; m < columns_.modalities; ++m) {
            const std::string& modality = model_.cvae.options().blocks[m].name;
            put("X_smeta_" + modality, columns_.single(m));
            const auto column = rows.col(columns_.contribution() + m);
            result.obs.set("contribution_" + modality,
                           std::vector<float>(column.begin(), column.end()));
        }
        result.obsm["spatial"] = joint.obsm("spatial");
        atlas::set_key(result.uns, kCommand, key_);
        run_.write_result(name, result);
    }

    void write_reconstruction(std::int32_t sample, const core::MatrixF& rows) const {
        const std::string& name = source_.samples()[sample];
        io::AnnData result;
        result.obs.index = run_.open_joint(name).obs().index;
        std::vector<std::string> types;
        const atlas::FeatureSet features = run_.features();
        for (const auto& block : model_.cvae.options().blocks)
            for (const auto& feature : features.find(block.name)->names()) {
                result.var.index.push_back(feature);
                types.push_back(type_of(block.name));
            }
        result.var.set("type", std::move(types));
        atlas::set_key(result.uns, kCommand, key_);
        const auto blocks = blocks_of(source_, sample);
        std::size_t held = blocks.size();  // the block whose rows are in `values`
        core::MatrixF values;
        io::XStream x;
        x.rows = rows.rows();
        x.cols = result.var.rows();
        x.read = [&](std::int64_t first, std::int64_t last) {
            core::MatrixF part(last - first, x.cols);
            for (std::int64_t at = first; at < last;) {
                const auto after = std::upper_bound(
                    blocks.begin(), blocks.end(), at,
                    [](std::int64_t row, const comm::Range& block) { return row < block.first; });
                const std::size_t b = after - blocks.begin() - 1;
                if (b != held) values = reconstruct(sample, blocks[b], rows);
                held = b;
                const std::int64_t end = std::min(last, blocks[b].last);
                part.middleRows(at - first, end - at) =
                    values.middleRows(at - blocks[b].first, end - at);
                at = end;
            }
            return part;
        };
        run_.write_reconstruction(name, result, x);
    }

  private:
    static atlas::RowSourceConfig source_config(const LoadedModel& model) {
        atlas::RowSourceConfig config;
        for (const auto& block : model.cvae.options().blocks)
            config.modalities.push_back(block.name);
        config.batch_keys = model.context.batch_keys;
        config.sm_target = model.context.sm_target;
        return config;
    }

    static std::string type_of(const std::string& modality) {
        std::string type = modality;
        std::transform(type.begin(), type.end(), type.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        return type;
    }

    void check_fits() const {
        const auto& blocks = model_.cvae.options().blocks;
        for (std::size_t m = 0; m < blocks.size(); ++m)
            if (blocks[m].features != source_.features()[m])
                throw core::FormatError(
                    {.file = run_.model_file().string(),
                     .object = "modalities/" + std::to_string(m),
                     .expected = fmt::format("{} features of {} as in features.h5",
                                             source_.features()[m], blocks[m].name),
                     .found = fmt::format("{}", blocks[m].features),
                     .hint = "train the run again"});
        core::check(source_.categories() == model_.context.categories,
                    "the model knows this run's batch categories");
    }

    // Decoded means of a block of rows, every modality side by side.
    core::MatrixF reconstruct(std::int32_t sample, const comm::Range& block,
                              const core::MatrixF& rows) const {
        const Chunk chunk = read_chunk(sample, block);
        const core::MatrixF latent = rows.block(block.first, 0, block.size(), columns_.latent);
        std::vector<core::MatrixF> means;
        std::int64_t columns = 0;
        for (std::size_t m = 0; m < chunk.modalities.size(); ++m) {
            std::vector<double> libraries(block.size(), 0.0);
            const ModalityRows& present = chunk.modalities[m];
            for (std::size_t i = 0; i < present.rows.size(); ++i)
                libraries[present.rows[i]] = present.libraries[i];
            means.push_back(model_.cvae
                                .decode(static_cast<std::int32_t>(m), latent, chunk.codes,
                                        chunk.samples, libraries)
                                .mean);
            columns += means.back().cols();
        }
        core::MatrixF values(block.size(), columns);
        std::int64_t column = 0;
        for (const core::MatrixF& mean : means) {
            values.middleCols(column, mean.cols()) = mean;
            column += mean.cols();
        }
        return values;
    }

    Chunk read_chunk(std::int32_t sample, const comm::Range& block) const {
        const auto batch = source_.read(sample, block.first, block.last);
        return to_chunk(batch, 0, batch.rows());
    }

    // One thread reads (HDF5 is not thread-safe), then each thread encodes a block.
    std::vector<float> encode_blocks(std::int32_t sample,
                                     std::span<const comm::Range> blocks) const {
        std::vector<float> values;
        const auto group = static_cast<std::size_t>(4 * core::threads());
        for (std::size_t begin = 0; begin < blocks.size(); begin += group) {
            const auto part = blocks.subspan(begin, std::min(group, blocks.size() - begin));
            std::vector<Chunk> chunks;
            for (const auto& block : part) chunks.push_back(read_chunk(sample, block));
            std::vector<core::MatrixF> encoded(chunks.size());
#pragma omp parallel for schedule(dynamic) num_threads(core::threads())
            for (std::size_t i = 0; i < chunks.size(); ++i)
                encoded[i] = side_by_side(model_.cvae.encode(chunks[i]), columns_);
            for (const auto& rows : encoded)
                values.insert(values.end(), rows.data(), rows.data() + rows.size());
        }
        return values;
    }

    const comm::Comm& comm_;
    const atlas::Run& run_;
    const LoadedModel& model_;
    std::string key_;
    core::Timings& timings_;
    atlas::RowSource source_;
    Columns columns_;
};

/// Checksum of what the results are made of: the model and the run's rows. Collective.
std::string results_key(const comm::Comm& comm, const atlas::Run& run) {
    std::string key;
    comm.root_or_throw([&] {
        if (!std::filesystem::exists(run.model_file()))
            throw core::ConfigError(fmt::format("run '{}' has no model yet: smeta train --run {}",
                                                run.name(), run.name()));
        key = core::to_hex(
            core::hash128(fmt::format("{} {} {} {}", kCommand, kVersion,
                                      core::to_hex(io::file_checksum(run.model_file().string())),
                                      core::to_hex(run.inputs_checksum()))));
    });
    comm.broadcast(key);
    return key;
}

/// Whether a file carries this key; a damaged one does not.
bool is_current(const std::filesystem::path& file, const std::string& key) {
    if (!std::filesystem::exists(file)) return false;
    try {
        return atlas::key_in(io::AnnDataReader(file.string()).uns(), kCommand) == key;
    } catch (const core::Error& error) {
        core::log_warning("{} counts as missing: {}", file.string(), error.what());
        return false;
    }
}

/// What one sample lacks.
struct Missing {
    std::int32_t sample = 0;
    bool result = false;
    bool reconstruction = false;
};

/// The samples that lack something, the same on every rank. Collective.
std::vector<Missing> find_missing(const comm::Comm& comm, const atlas::Run& run,
                                  Reconstruction reconstruction, const std::string& key) {
    const auto samples = run.samples();
    std::vector<std::int32_t> lacks(2 * samples.size(), 0);
    comm.all_or_throw([&] {
        for (std::size_t s = comm.rank(); s < samples.size(); s += comm.size()) {
            lacks[2 * s] = is_current(run.result_file(samples[s]), key) ? 0 : 1;
            lacks[2 * s + 1] = reconstruction == Reconstruction::Write &&
                                       !is_current(run.reconstruction_file(samples[s]), key)
                                   ? 1
                                   : 0;
        }
    });
    comm.allreduce(std::span<std::int32_t>(lacks), comm::ReduceOp::Max);
    std::vector<Missing> missing;
    for (std::size_t s = 0; s < samples.size(); ++s)
        if (lacks[2 * s] + lacks[2 * s + 1] > 0)
            missing.push_back(
                {static_cast<std::int32_t>(s), lacks[2 * s] != 0, lacks[2 * s + 1] != 0});
    return missing;
}

LoadedModel load(const comm::Comm& comm, const atlas::Run& run) {
    std::optional<LoadedModel> model;
    comm.all_or_throw([&] { model = read_model(run.model_file()); });
    return std::move(*model);
}

}  // namespace

void require_results(const comm::Comm& comm, const atlas::Run& run) {
    const auto missing = find_missing(comm, run, Reconstruction::Skip, results_key(comm, run));
    if (missing.empty()) return;
    const std::string sample = run.samples()[missing.front().sample];
    throw core::ConfigError(fmt::format(
        "run '{}': the results of {} of {} samples ('{}' is the first) are missing or not of its "
        "present model: smeta embed --run {}",
        run.name(), missing.size(), run.samples().size(), sample, run.name()));
}

std::int64_t embed(const comm::Comm& comm, const atlas::Run& run, Reconstruction reconstruction,
                   core::Timings& timings) {
    const std::string key = results_key(comm, run);
    const auto missing = find_missing(comm, run, reconstruction, key);
    const auto count = static_cast<std::int64_t>(missing.size());
    if (count == 0) return 0;
    LoadedModel model = load(comm, run);
    const Embedder embedder(comm, run, model, key, timings);
    model.cvae.set_unmeasured(unmeasured_features(embedder.source(), model.context.mean_inputs));
    core::Progress progress("embed", count);
    // As many samples at a time as there are ranks: each rank writes one of them.
    for (std::int64_t first = 0; first < count; first += comm.size()) {
        const std::int64_t last = std::min<std::int64_t>(first + comm.size(), count);
        const std::int64_t own = first + comm.rank();
        core::MatrixF rows;
        for (std::int64_t i = first; i < last; ++i) {
            core::MatrixF gathered =
                embedder.encode(missing[i].sample, static_cast<int>(i - first));
            if (i == own) rows = std::move(gathered);
        }
        comm.all_or_throw([&] {
            if (own >= last) return;
            const core::Timings::Scope scope(timings, "embed/write");
            const Missing& sample = missing[own];
            // A result that stands has columns of other commands.
            if (sample.result) embedder.write_result(sample.sample, rows);
            if (sample.reconstruction) embedder.write_reconstruction(sample.sample, rows);
        });
        progress.advance(last - first);
    }
    return count;
}

}  // namespace smeta::model

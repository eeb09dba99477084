#include "smeta/model/embed.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/progress.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/model/model_file.hpp"
#include "smeta/model/run_model.hpp"

#include "row_blocks.hpp"

namespace smeta::model {

namespace {

constexpr const char* kCommand = "embed";
constexpr int kVersion = 1;

class Embedder {
  public:
    Embedder(const comm::Comm& comm, const atlas::Run& run, const LoadedModel& model,
             std::string key, core::Timings& timings)
        : comm_(comm),
          run_(run),
          model_(model),
          key_(std::move(key)),
          timings_(timings),
          source_(comm, run, source_config(model)),
          columns_(model.cvae.options()) {
        check_fits(model_.cvae.options(), source_, run_.model_file().string());
        core::check(source_.categories() == model_.context.categories,
                    "the model knows this run's batch categories");
    }

    const atlas::RowSource& source() const { return source_; }

    /// The sample's posterior on the rank that writes it, an empty matrix elsewhere. Collective.
    core::MatrixF encode(std::int32_t sample, int writer) const {
        const core::Timings::Scope scope(timings_, "embed/encode");
        return work_on_sample(comm_, source_, sample, columns_.width(), writer,
                              [this](const Chunk& chunk) {
                                  core::MatrixF rows(chunk.rows(), columns_.width());
                                  put_side_by_side(model_.cvae.encode(chunk), columns_, rows);
                                  return rows;
                              });
    }

    void write_result(std::int32_t sample, const core::MatrixF& rows) const {
        const std::string& name = source_.samples()[sample];
        const atlas::JointReader joint = run_.open_joint(name);
        io::AnnData result;
        result.obs = joint.obs();
        add_posterior(rows, model_.cvae.options(), result);
        for (const char* places : {"spatial", "spatial_3d"})
            if (joint.has_obsm(places)) result.obsm[places] = joint.obsm(places);
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
    static std::string type_of(const std::string& modality) {
        std::string type = modality;
        std::transform(type.begin(), type.end(), type.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        return type;
    }

    // Decoded means of a block of rows, every modality side by side.
    core::MatrixF reconstruct(std::int32_t sample, const comm::Range& block,
                              const core::MatrixF& rows) const {
        const Chunk chunk = read_chunk(source_, sample, block);
        const core::MatrixF latent = rows.block(block.first, 0, block.size(), columns_.latent);
        std::vector<core::MatrixF> means;
        std::int64_t columns = 0;
        for (std::size_t m = 0; m < chunk.modalities.size(); ++m) {
            means.push_back(model_.cvae
                                .decode(static_cast<std::int32_t>(m), latent, chunk.codes,
                                        chunk.samples,
                                        libraries_of(chunk.modalities[m], block.size()))
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

    const comm::Comm& comm_;
    const atlas::Run& run_;
    const LoadedModel& model_;
    std::string key_;
    core::Timings& timings_;
    atlas::RowSource source_;
    PosteriorColumns columns_;
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
    LoadedModel model = load_model(comm, run.model_file());
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

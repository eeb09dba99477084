#include "smeta/atlas/ingest.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/progress.hpp"

#include "read_sample.hpp"
#include "source_key.hpp"

namespace smeta::atlas {

namespace {

/// One source on its way into the atlas.
struct Item {
    SampleSource source;
    std::string key = {};
    bool current = false;    ///< the atlas has it, unchanged
    bool companion = false;  ///< only its m/z are looked at
    bool committed = false;  ///< a companion that the atlas has
};

bool is_mine(const comm::Comm& comm, std::size_t item) {
    return static_cast<int>(item % comm.size()) == comm.rank();
}

std::vector<Item> sorted_items(const ShardedAtlas& atlas, const std::vector<SampleSource>& sources,
                               const std::vector<SampleSource>& companions) {
    std::vector<Item> items;
    std::set<std::string> names;
    for (const auto& source : sources) {
        check_source(source);
        if (!source.name.empty() && !names.insert(source.name).second)
            throw core::ConfigError(
                fmt::format("{}: sample '{}' is named twice", source.origin, source.name));
        items.push_back({source});
    }
    for (const auto& source : companions)
        if (!names.contains(source.name))
            items.push_back({.source = source,
                             .companion = true,
                             .committed = atlas.manifest().samples.contains(source.name)});
    std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
        return std::tie(a.source.name, a.source.joint) < std::tie(b.source.name, b.source.joint);
    });
    return items;
}

/// Keys of all items on every rank; each rank reads the bytes of its own. Collective.
void find_keys(const comm::Comm& comm, const ShardedAtlas& atlas, const IngestConfig& config,
               std::vector<Item>& items) {
    std::string mine;
    comm.all_or_throw([&] {
        for (std::size_t i = 0; i < items.size(); ++i)
            if (is_mine(comm, i))
                mine += (items[i].companion ? "" : source_key(items[i].source, config)) + "\n";
    });
    std::vector<std::size_t> position(comm.size(), 0);
    const auto all = comm.allgather(mine);
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::size_t owner = i % comm.size();
        const auto end = all[owner].find('\n', position[owner]);
        items[i].key = all[owner].substr(position[owner], end - position[owner]);
        position[owner] = end + 1;
        const auto& source = items[i].source;
        items[i].current =
            !items[i].companion && source.joint.empty() &&
            atlas.is_current(source.name, kRaw, items[i].key) &&
            atlas.cohort(source.name) == (source.cohort.empty() ? "default" : source.cohort);
    }
}

/// The m/z of an item, with their names where the atlas has the sample. A companion whose source
/// cannot be read is its own ingest's error; the atlas's own files must be sound.
MassNames masses_of(const Item& item, const ShardedAtlas& atlas, const IngestConfig& config) {
    const auto read = [&] {
        if (item.current || item.committed) return committed_names(atlas, item.source.name);
        MassNames masses;
        for (const auto& bin : mass_bins(item.source, config)) masses[bin];
        return masses;
    };
    if (!item.companion || item.committed) return read();
    try {
        return read();
    } catch (const core::Error& error) {
        core::log_warning("sample '{}' takes no part in the names of metabolites: {}",
                          item.source.name, error.what());
        return {};
    }
}

/// Names of the metabolites of every item, the same on every rank. Collective.
std::vector<MassNames> find_names(const comm::Comm& comm, const ShardedAtlas& atlas,
                                  const IngestConfig& config, const std::vector<Item>& items) {
    const auto is_named = [](const Item& item) {
        return !item.current && !item.companion && has_images(item.source);
    };
    if (std::none_of(items.begin(), items.end(), is_named))
        return std::vector<MassNames>(items.size());
    nlohmann::json mine = nlohmann::json::object();
    comm.all_or_throw([&] {
        core::Progress progress("m/z of the images", static_cast<std::int64_t>(items.size()));
        for (std::size_t i = 0; i < items.size(); ++i) {
            progress.advance();
            if (!is_mine(comm, i) || !has_images(items[i].source)) continue;
            auto& list = mine[std::to_string(i)] = nlohmann::json::array();
            for (const auto& [bin, name] : masses_of(items[i], atlas, config))
                list.push_back({bin.polarity, bin.mz, name});  // doubles survive JSON exactly
        }
    });
    std::vector<std::vector<MassBin>> bins(items.size());
    std::vector<MassNames> committed(items.size());
    for (const auto& text : comm.allgather(mine.dump())) {
        const auto part = nlohmann::json::parse(text);
        for (const auto& [key, list] : part.items()) {
            const std::size_t i = std::stoul(key);
            for (const auto& row : list) {
                const MassBin bin{row[0].get<std::string>(), row[1].get<double>()};
                if (items[i].current || items[i].committed)
                    committed[i][bin] = row[2].get<std::string>();
                else
                    bins[i].push_back(bin);
            }
        }
    }
    return common_names(bins, config.source.mz_ppm, committed);
}

/// What one rank has read and not yet added.
struct ReadSample {
    std::string name;
    std::string cohort;
    std::string key;
    io::MuData data;
    bool joint = false;
};

std::map<std::string, ModalityShape> shapes(const io::MuData& data) {
    std::map<std::string, ModalityShape> result;
    for (const auto& [name, modality] : data.modalities)
        result[name] = {modality.obs.rows(), static_cast<std::int32_t>(modality.var.rows())};
    return result;
}

std::vector<ReadSample> read_item(const Item& item, const MassNames& names,
                                  const IngestConfig& config) {
    const auto& source = item.source;
    std::vector<ReadSample> samples;
    if (source.joint.empty()) {
        samples.push_back({source.name, source.cohort.empty() ? "default" : source.cohort, item.key,
                           read_sample(source, names, config), false});
        return samples;
    }
    for (auto& sample : read_joint_samples(source, config)) {
        const std::vector<std::string> inputs{item.key, sample.name, sample.cohort};
        samples.push_back({sample.name, sample.cohort, stage_key(kJoint, 1, "", inputs),
                           std::move(sample.data), true});
    }
    return samples;
}

void add(CommitBatch& batch, const ReadSample& sample) {
    if (sample.joint)
        batch.add_joint(sample.name, sample.key, sample.data, sample.cohort);
    else
        batch.add_raw(sample.name, sample.cohort, sample.data, sample.key);
}

std::vector<IngestedSample> gather_outcomes(const comm::Comm& comm,
                                            const std::vector<IngestedSample>& mine) {
    nlohmann::json json = nlohmann::json::array();
    for (const auto& sample : mine) {
        nlohmann::json modalities = nlohmann::json::object();
        for (const auto& [name, shape] : sample.modalities)
            modalities[name] = {shape.rows, shape.features};
        json.push_back({sample.name, sample.cohort, static_cast<int>(sample.outcome), modalities});
    }
    std::vector<IngestedSample> all;
    for (const auto& part : comm.allgather(json.dump()))
        for (const auto& row : nlohmann::json::parse(part)) {
            IngestedSample sample{
                row[0], row[1], static_cast<IngestOutcome>(row[2].get<int>()), {}};
            for (const auto& [name, shape] : row[3].items())
                sample.modalities[name] = {shape[0].get<std::int64_t>(),
                                           shape[1].get<std::int32_t>()};
            all.push_back(sample);
        }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return all;
}

/// Reads this rank's items: what is new goes into the batch at once, what replaces a sample stays
/// in memory until the old one is removed.
class RankReader {
  public:
    RankReader(const ShardedAtlas& atlas, CommitBatch& batch, ExistingSample existing)
        : atlas_(atlas), batch_(batch), existing_(existing) {}

    void take(const Item& item, std::vector<ReadSample> samples) {
        for (auto& sample : samples) {
            const std::string_view stage = sample.joint ? kJoint : kRaw;
            IngestedSample outcome{sample.name, sample.cohort, IngestOutcome::Added,
                                   shapes(sample.data)};
            if (!atlas_.manifest().samples.contains(sample.name)) {
                add(batch_, sample);
            } else if (atlas_.is_current(sample.name, stage, sample.key) &&
                       atlas_.cohort(sample.name) == sample.cohort) {
                outcome.outcome = IngestOutcome::Unchanged;
            } else if (existing_ == ExistingSample::Refuse) {
                throw core::ConfigError(fmt::format(
                    "{}: sample '{}' is in the atlas with other data, cohort or ingest settings; "
                    "--replace puts this one in its place",
                    item.source.origin, sample.name));
            } else {
                outcome.outcome = IngestOutcome::Replaced;
                batch_.replace(sample.name);
                add(batch_, sample);
            }
            outcomes_.push_back(std::move(outcome));
        }
    }
    void take_current(const Item& item) {
        const auto& entry = atlas_.sample(item.source.name);
        outcomes_.push_back({item.source.name, entry.cohort, IngestOutcome::Unchanged,
                             entry.find(kRaw)->modalities});
    }

    const std::vector<IngestedSample>& outcomes() const { return outcomes_; }

  private:
    const ShardedAtlas& atlas_;
    CommitBatch& batch_;
    ExistingSample existing_;
    std::vector<IngestedSample> outcomes_;
};

void refuse_repeated(const std::vector<IngestedSample>& samples) {
    for (std::size_t i = 1; i < samples.size(); ++i)
        if (samples[i].name == samples[i - 1].name)
            throw core::ConfigError(
                fmt::format("sample '{}' is in two of the sources", samples[i].name));
}

}  // namespace

std::vector<IngestedSample> ingest(const comm::Comm& comm, ShardedAtlas& atlas,
                                   const std::vector<SampleSource>& sources,
                                   const IngestConfig& config, ExistingSample existing,
                                   const std::vector<SampleSource>& companions) {
    auto items = sorted_items(atlas, sources, companions);
    find_keys(comm, atlas, config, items);
    const auto names = find_names(comm, atlas, config, items);
    CommitBatch batch(atlas);
    RankReader reader(atlas, batch, existing);
    comm.all_or_throw([&] {
        core::Progress progress("ingest", static_cast<std::int64_t>(items.size()));
        for (std::size_t i = 0; i < items.size(); ++i) {
            progress.advance(1, items[i].source.name);
            if (!is_mine(comm, i) || items[i].companion) continue;
            if (items[i].current)
                reader.take_current(items[i]);
            else
                reader.take(items[i], read_item(items[i], names[i], config));
        }
    });
    const auto outcomes = gather_outcomes(comm, reader.outcomes());
    refuse_repeated(outcomes);
    batch.commit(comm, atlas);
    return outcomes;
}

}  // namespace smeta::atlas

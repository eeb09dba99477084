#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/joint_reader.hpp"
#include "smeta/atlas/lock.hpp"
#include "smeta/atlas/manifest.hpp"
#include "smeta/atlas/registry.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::atlas {

/// Writes one file at the given path (a temporary name; the atlas moves it to its own).
using FileWriter = std::function<void(const std::filesystem::path&)>;

/// The sharded atlas on disk (docs/atlas_format.md). A value: the folder and the manifest as it was
/// last read. Readers need no lock: every file that a manifest names is complete and never changes.
/// Local unless it says collective.
class ShardedAtlas {
  public:
    /// Makes the folders and an empty manifest; ConfigError when there is an atlas already or the
    /// folder has other content.
    static ShardedAtlas create(const std::filesystem::path& path);
    /// ConfigError when there is no manifest; FormatError when it is damaged or of a newer major
    /// version.
    static ShardedAtlas open(const std::filesystem::path& path);
    /// Any number of processes may call it at once for one new atlas: one makes it, all open it.
    static ShardedAtlas open_or_create(const std::filesystem::path& path);
    /// Rank 0 reads (or creates), all get the same manifest. Collective.
    static ShardedAtlas open(const comm::Comm& comm, const std::filesystem::path& path);
    static ShardedAtlas open_or_create(const comm::Comm& comm, const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    const Manifest& manifest() const { return manifest_; }
    /// Reads the manifest again.
    void refresh();
    void refresh(const comm::Comm& comm);  ///< Collective.

    /// Canonical order.
    std::vector<std::string> samples() const;
    /// The wanted samples in canonical order, all when empty; ConfigError (with the closest name)
    /// on an unknown one.
    std::vector<std::string> samples(const std::vector<std::string>& wanted) const;
    /// ConfigError when unknown.
    const SampleEntry& sample(const std::string& name) const;
    const std::string& cohort(const std::string& sample) const {
        return this->sample(sample).cohort;
    }

    /// True when the stage stands in the manifest with this key. An empty sample means atlas-wide.
    bool is_current(const std::string& sample, std::string_view stage, std::string_view key) const;
    /// The stage's key, or "" when it was not done: input keys of the stages after it.
    std::string key(const std::string& sample, std::string_view stage) const;
    /// The stage's single file. ConfigError saying which command to run when the stage was not
    /// done; FormatError when the file is gone or has another size.
    std::filesystem::path stage_file(const std::string& sample, std::string_view stage) const;
    /// Absolute path of an entry after the same checks.
    std::filesystem::path checked_file(const FileEntry& file) const;

    /// raw/SAMPLE.h5mu: modalities "st" and/or "sm", each with its own observations and
    /// coordinates.
    io::MuData read_raw(const std::string& sample) const;
    /// All joint rows in memory: the same obs in every modality.
    io::MuData read_joint(const std::string& sample) const;
    JointReader open_joint(const std::string& sample) const;
    Registry registry() const { return Registry::read(path_ / "registry.h5"); }

    /// Names of the runs (folders with an inputs.json), bytewise.
    std::vector<std::string> runs() const;

    // One stage of one sample at a time, alone: short for a CommitBatch with one entry.
    void commit_raw(const std::string& sample, const std::string& cohort, const io::MuData& data,
                    const std::string& key = {});
    void commit_stage(const std::string& sample, std::string_view stage, const std::string& key,
                      const FileWriter& write, std::int64_t rows = 0);
    void commit_joint(const std::string& sample, const std::string& key, const io::MuData& data);
    void commit_joint(const std::string& sample, const std::string& cohort, const std::string& key,
                      const io::MuData& data);
    void commit_atlas_stage(std::string_view stage, const std::string& key,
                            const FileWriter& write);

  private:
    friend class CommitBatch;
    friend class IngestSession;
    enum class IfThere { Refuse, Open };
    static ShardedAtlas make(const std::filesystem::path& path, IfThere if_there);
    explicit ShardedAtlas(std::filesystem::path path) : path_(std::move(path)) {}
    /// Takes the manifest's text, unless it is that of the manifest at hand.
    void take(const std::string& text);
    std::filesystem::path path_;
    Manifest manifest_;
    core::Hash128 text_;  ///< of the text that manifest_ was read from
};

/// One commit: files are written under temporary names, read back and checked as they are added;
/// `commit` lets all ranks agree, moves the files to their names and then replaces the manifest,
/// which is the instant at which everything becomes visible. A batch that is destroyed without
/// commit removes its temporary files; after a crash `verify` reports them.
///
/// Committing what stands in the manifest already (the same key; for raw the same bytes) changes
/// nothing. A sample that exists with other raw data or another cohort is a ConfigError, unless it
/// is to be replaced: files are never rewritten.
class CommitBatch {
  public:
    /// `file_rows`: rows of a joint file, at which larger sections are cut.
    explicit CommitBatch(const ShardedAtlas& atlas, std::int64_t file_rows = kJointFileRows);
    ~CommitBatch();
    CommitBatch(const CommitBatch&) = delete;
    CommitBatch& operator=(const CommitBatch&) = delete;

    // Adding is local: each rank adds the samples it owns.
    /// `key`: of the source and its options; empty: derived from the file's bytes.
    void add_raw(const std::string& sample, const std::string& cohort, const io::MuData& data,
                 const std::string& key = {});
    /// The file stages/STAGE/SAMPLE.KEY8.h5.
    void add_stage(const std::string& sample, std::string_view stage, const std::string& key,
                   const FileWriter& write, std::int64_t rows = 0,
                   const std::map<std::string, ModalityShape>& modalities = {});
    /// Every modality has the same observations. Cut into files of file_rows rows. `cohort`:
    /// needed only for a sample that the atlas does not have (joint input without raw data).
    void add_joint(const std::string& sample, const std::string& key, const io::MuData& data,
                   const std::string& cohort = {});
    /// The same for a section that several ranks hold: consecutive rows in rank order of `section`,
    /// each rank its own part (maybe none, but with every modality's var). uns is taken from rank
    /// 0. The files are equal to those of a single rank, byte for byte in every dataset. Collective
    /// over `section`.
    void add_joint(const comm::Comm& section, const std::string& sample, const std::string& key,
                   const io::MuData& mine, const std::string& cohort = {});
    /// Rows that the stage just added left out, by reason; nothing on ranks that did not add it.
    void note_dropped(const std::string& sample, std::string_view stage,
                      const std::map<std::string, std::int64_t>& dropped);
    /// Raw or joint data of `sample` added from here on take the place of all that the atlas has of
    /// it, in the instant of the commit: until then, and after any error, the old sample is there.
    /// ConfigError, here or at the commit, when a run names the sample. Local.
    void replace(const std::string& sample);
    /// The file stages/STAGE/features.KEY8.h5.
    void add_atlas_stage(std::string_view stage, const std::string& key, const FileWriter& write);

    /// Commits what this process added; `atlas` gets the new manifest.
    void commit(ShardedAtlas& atlas);
    /// Commits what all ranks added; every rank calls it, also one that added nothing. Collective.
    void commit(const comm::Comm& comm, ShardedAtlas& atlas);

  private:
    struct Pending;
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace smeta::atlas

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/atlas.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/io/annotated.hpp"
#include "smeta/io/x_stream.hpp"

namespace smeta::atlas {

/// Features of one modality in model order.
struct ModalityFeatures {
    std::string name;  ///< "sm", "st", others
    io::Frame var;  ///< index: feature names, ascending bytewise; further columns (mz, gene_id) as
                    ///< selected
    /// samples (order of RunInputs) by features: 1 where the sample's joint files have the feature.
    /// Empty: all measured.
    core::Matrix<std::uint8_t> measured;

    const std::vector<std::string>& names() const { return var.index; }
    bool is_measured(std::int64_t sample, std::int64_t feature) const {
        return measured.size() == 0 || measured(sample, feature) != 0;
    }
};

/// What a run's model sees. Modality order: sm, st, then others by name.
struct FeatureSet {
    std::vector<ModalityFeatures> modalities;
    const ModalityFeatures* find(std::string_view name) const;
};

/// Column of a run's var: what the values of a feature are divided by before the model sees them
/// (root mean square over the run's rows). Modalities without it are taken as they are.
inline constexpr std::string_view kScaleColumn = "smeta_scale";
/// The column as numbers; empty where the modality has none.
std::vector<float> feature_scales(const ModalityFeatures& features);

/// Position of each feature in a sample's var, -1 where the sample has not measured it.
std::vector<std::int32_t> positions_in(const std::vector<std::string>& features,
                                       const std::vector<std::string>& var_names);

struct InputSample {
    std::string name;
    std::string cohort;
    std::string joint_key;
    std::vector<FileEntry> files;
    std::map<std::string, ModalityShape> modalities;
    std::int64_t rows() const;
    bool operator==(const InputSample&) const = default;
};

/// inputs.json: the samples a run trains on, frozen at its first start. Samples ascend bytewise.
struct RunInputs {
    std::vector<InputSample> samples;
    core::Hash128 features;  ///< checksum of features.h5
    std::int64_t rows() const;
    bool operator==(const RunInputs&) const = default;
};

enum class InputCheck { Sizes, Checksums };

/// The joint files of the wanted samples (all of the atlas when empty) as they are at this moment.
/// ConfigError for a sample without them. Local.
RunInputs joint_inputs(const ShardedAtlas& atlas, const std::vector<std::string>& samples);

/// runs/NAME/ of an atlas. A run exists when its inputs.json does; growth of the atlas never
/// changes it. Local unless it says collective.
class Run {
  public:
    struct Setup {
        std::vector<std::string> samples;  ///< all of the atlas when empty
        std::string config_toml;           ///< effective configuration
        FeatureSet features;               ///< `measured` is derived here and may be left empty
        /// Modalities whose features get a scale of the run's rows, unless `features` has one.
        std::vector<std::string> scaled = {};
        /// Run whose model training starts from; empty: from random weights.
        std::string from = {};
    };
    /// Freezes features.h5, config.toml, for a start `from` another run copies of that one's
    /// model.h5 and features.h5, and, last, inputs.json from the joint files of the atlas of this
    /// moment. ConfigError when the run exists, a sample has no joint files, or a modality's
    /// feature is in no sample.
    static Run create(const ShardedAtlas& atlas, const std::string& name, const Setup& setup);
    /// ConfigError when there is no such run (with the closest name), FormatError when damaged.
    static Run open(const ShardedAtlas& atlas, const std::string& name);
    static bool exists(const ShardedAtlas& atlas, const std::string& name);
    // Rank 0 does it, all get the run. Collective.
    static Run create(const comm::Comm& comm, const ShardedAtlas& atlas, const std::string& name,
                      const Setup& setup);
    static Run open(const comm::Comm& comm, const ShardedAtlas& atlas, const std::string& name);
    /// Moves the run's folder to NAME.old-N (N = 1, 2, ...: the first free) and returns that name;
    /// nothing when absent.
    static std::optional<std::string> move_aside(const ShardedAtlas& atlas,
                                                 const std::string& name);

    const std::string& name() const { return name_; }
    const std::filesystem::path& atlas_path() const { return atlas_path_; }
    const RunInputs& inputs() const { return inputs_; }
    /// XXH3 of inputs.json as it is on disk: part of the checkpoint's identity.
    const core::Hash128& inputs_checksum() const { return inputs_checksum_; }
    std::vector<std::string> samples() const;
    /// ConfigError when the run has no such sample.
    const InputSample& sample(const std::string& name) const;
    /// Reads features.h5; FormatError when it differs from inputs.json's checksum.
    FeatureSet features() const;
    /// The effective configuration, as text.
    std::string config_toml() const;
    /// Replaces it, when a run goes on with settings that may change. Under the run's lock.
    void write_config(const std::string& toml) const;
    std::filesystem::path config_file() const { return folder_ / "config.toml"; }

    /// Every frozen joint file is there with its size (and bytes); FormatError naming the first
    /// that is not.
    void check_inputs(InputCheck check) const;
    /// The files dealt over ranks; all ranks throw alike. Collective.
    void check_inputs(const comm::Comm& comm, InputCheck check) const;
    JointReader open_joint(const std::string& sample) const;

    const std::filesystem::path& folder() const { return folder_; }
    std::filesystem::path checkpoints() const { return folder_ / "checkpoints"; }
    std::filesystem::path metrics_file() const { return folder_ / "metrics.jsonl"; }
    std::filesystem::path model_file() const { return folder_ / "model.h5"; }
    std::filesystem::path neighbors_file() const { return folder_ / "neighbors.h5"; }
    std::filesystem::path scores_file() const { return folder_ / "scores.json"; }
    std::filesystem::path report_json() const { return folder_ / "report.json"; }
    std::filesystem::path report_html() const { return folder_ / "report.html"; }
    std::filesystem::path history_file() const { return folder_ / "history.jsonl"; }
    std::filesystem::path tables() const { return folder_ / "tables"; }
    std::filesystem::path figures() const { return folder_ / "figures"; }
    /// What training starts from, in place of random weights: the name of that run, its model and
    /// its features; nothing for most runs.
    struct WarmStart {
        std::string run;
        std::filesystem::path model;
        std::filesystem::path features;
    };
    std::optional<WarmStart> warm_start() const;

    std::filesystem::path map_folder(const std::string& query) const;
    /// map/QUERY/SAMPLE.h5ad: a query's sample as the model sees it.
    std::filesystem::path map_file(const std::string& query, const std::string& sample) const;
    /// map/QUERY/prediction/MODALITY/SAMPLE.h5ad.
    std::filesystem::path prediction_file(const std::string& query, const std::string& modality,
                                          const std::string& sample) const;
    /// Creates or replaces a file below map/ atomically.
    void write_mapped(const std::filesystem::path& file, const io::AnnData& data) const;
    /// Makes the folder map/`made` the query's; an earlier one of the query then has the name
    /// `made`, for the caller to remove. Local.
    void put_mapped(const std::string& made, const std::string& query) const;
    std::filesystem::path result_file(const std::string& sample) const;
    std::filesystem::path reconstruction_file(const std::string& sample) const;

    bool has_result(const std::string& sample) const;
    /// ConfigError saying to run `smeta embed` when absent.
    io::AnnData read_result(const std::string& sample) const;
    /// Creates or replaces results/SAMPLE.h5ad atomically. obs must be the sample's spots.
    void write_result(const std::string& sample, const io::AnnData& result) const;
    /// Reads, lets `change` add columns, and replaces the file atomically, under a lock of that
    /// sample's result: commands that run at the same time lose nothing.
    void update_result(const std::string& sample,
                       const std::function<void(io::AnnData&)>& change) const;
    bool has_reconstruction(const std::string& sample) const;
    io::AnnData read_reconstruction(const std::string& sample) const;
    void write_reconstruction(const std::string& sample, const io::AnnData& values) const;
    /// The same with X part by part.
    void write_reconstruction(const std::string& sample, const io::AnnData& values,
                              const io::XStream& x) const;

    /// The run's lock, for commands that may not run twice at a time (training); IoError naming the
    /// holder. One rank takes it for all.
    FileLock lock() const;
    /// Appends one line to history.jsonl and syncs it; `json` is one object without line breaks.
    void append_history(std::string_view json) const;

  private:
    Run(std::filesystem::path atlas_path, std::string name, const std::string& inputs_json);
    std::filesystem::path atlas_path_;
    std::filesystem::path folder_;
    std::string name_;
    RunInputs inputs_;
    core::Hash128 inputs_checksum_;
};

/// Features of a features.h5. FormatError. Local.
FeatureSet read_feature_set(const std::filesystem::path& file);
/// Parses and checks inputs.json; FormatError naming `file`.
RunInputs parse_inputs(std::string_view json, const std::string& file);
std::string to_json(const RunInputs& inputs);

}  // namespace smeta::atlas

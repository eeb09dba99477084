#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/core/random.hpp"

namespace smeta::atlas {

/// Rows of a run as the model takes them: features restricted to the run's and in its order,
/// intensities scaled.
struct RowBatch {
    std::vector<core::RowKey> keys;     ///< identity of each row
    std::vector<std::int32_t> samples;  ///< position of each row's sample in the run's list
    std::vector<std::int32_t> codes;    ///< rows x levels: category of each batch level
    std::vector<core::CountsCsr>
        modalities;  ///< one a modality of the run; a row without entries lacks it

    std::int64_t rows() const { return static_cast<std::int64_t>(keys.size()); }
    /// Appends row `row` of another batch with the same modalities and levels.
    void append(const RowBatch& other, std::int64_t row);
};

/// Consecutive rows of a sample that lie in one joint file.
struct Shard {
    std::int32_t sample = 0;     ///< position in the run's sample list
    std::int64_t first_row = 0;  ///< in the sample
    std::int64_t rows = 0;
};

struct RowSourceConfig {
    std::vector<std::string> modalities;  ///< in model order
    std::vector<std::string> batch_keys;  ///< obs columns, one a batch level
    double sm_target = 1e3;               ///< sum of a row's selected intensities; 0: as they are
    /// Known categories, one list a level: another value of the column, or no such column, gets the
    /// code after the last. Empty: the categories are those that the samples have.
    std::vector<std::vector<std::string>> categories = {};
};

/// What a RowSource reads: joint files, and the features that a model takes of them.
struct RowInputs {
    std::filesystem::path root;        ///< the files' paths begin here
    std::vector<InputSample> samples;  ///< ascend bytewise
    FeatureSet features;               ///< with `measured`
    /// [sample][modality]: the feature of each column of the joint files, -1 for none. Empty: by
    /// name.
    std::vector<std::map<std::string, std::vector<std::int32_t>>> columns = {};
};
/// A run's frozen inputs. Local; throws as Run::features.
RowInputs row_inputs(const Run& run);

/// Reads rows of joint files. What it knows of them (shards, categories, masks) is equal
/// on every rank; `read` is local (serial HDF5) and any rank may read any row. Rows of modality
/// "sm" are scaled to sum to sm_target * measured / selected over the selected metabolites that
/// their sample measured (sums of absolute values, in double, in feature order); values of
/// modalities with a scale column (kScaleColumn) are divided by it; others are left as they are.
/// Values that are not finite are refused.
class RowSource {
  public:
    /// Collective: samples' obs tables are read by the ranks in turn. Throws ConfigError for a
    /// batch key that a sample's obs lacks, FormatError and IoError as the files do.
    RowSource(const comm::Comm& comm, const Run& run, RowSourceConfig config);
    /// The same of any joint files; `inputs` are equal on every rank. Collective.
    RowSource(const comm::Comm& comm, RowInputs inputs, RowSourceConfig config);
    ~RowSource();
    RowSource(const RowSource&) = delete;
    RowSource& operator=(const RowSource&) = delete;

    const RowSourceConfig& config() const { return config_; }
    const std::vector<std::string>& samples() const { return samples_; }
    const std::vector<Shard>& shards() const { return shards_; }
    std::int64_t sample_rows(std::int32_t sample) const { return sample_rows_[sample]; }
    /// Features of each modality.
    const std::vector<std::int32_t>& features() const { return features_; }
    /// Names of the categories of each batch level, bytewise; codes index them.
    const std::vector<std::vector<std::string>>& categories() const { return categories_; }
    /// Categories of a sample that are none of the configured ones, by level; "" for a sample
    /// without the column.
    const std::vector<std::vector<std::string>>& unseen(std::int32_t sample) const {
        return unseen_[sample];
    }
    /// 1 or 0 a feature; empty when the sample measured all of them.
    const std::vector<std::uint8_t>& measured(std::int32_t sample, std::size_t modality) const {
        return measured_[sample][modality];
    }

    /// Rows [first, last) of a sample. Local.
    RowBatch read(std::int32_t sample, std::int64_t first, std::int64_t last) const;

  private:
    void read_masks();
    /// [own sample][level]: the category of each row. Local.
    std::map<std::size_t, std::vector<std::vector<std::string>>> own_categories(
        const comm::Comm& comm) const;
    void read_categories(const comm::Comm& comm);
    void share_categories(const comm::Comm& comm, std::size_t level,
                          const std::map<std::size_t, std::vector<std::vector<std::string>>>& mine);
    /// The sample's reader and, in columns_, where its features go; the last one stays open.
    const JointReader& joint(std::int32_t sample) const;
    core::CountsCsr read_modality(std::int32_t sample, std::size_t modality, std::int64_t first,
                                  std::int64_t last) const;

    RowInputs inputs_;
    RowSourceConfig config_;
    std::vector<std::string> samples_;
    std::vector<std::uint64_t> sample_keys_;
    std::vector<std::int64_t> sample_rows_;
    std::vector<Shard> shards_;
    std::vector<std::int32_t> features_;
    std::vector<std::vector<float>> scales_;  ///< [modality]: empty, or one a feature
    std::vector<std::vector<std::string>> categories_;
    std::vector<std::vector<std::vector<std::string>>> unseen_;  ///< [sample][level]
    /// [sample][level]: one code a row, or a single one when all rows agree.
    std::vector<std::vector<std::vector<std::int32_t>>> codes_;
    std::vector<std::vector<std::vector<std::uint8_t>>> measured_;
    mutable std::unique_ptr<JointReader> open_;
    mutable std::int32_t open_sample_ = -1;
    mutable std::vector<std::vector<std::int32_t>> columns_;
};

/// Some rows of a run's shards, numbered 0..N-1 in canonical order: what a BatchPlan plans over.
class RowSet {
  public:
    /// Rows whose draw keyed by (seed, sample name, row) is at least `from` and below `to` (0, 1:
    /// all). Local, pure.
    static RowSet draw(const RowSource& source, std::uint64_t seed, double from, double to);

    std::int64_t rows() const { return first_number_.back(); }
    /// Rows in each shard.
    std::vector<std::int64_t> shard_rows() const;
    std::size_t shards() const { return shards_.size(); }
    const Shard& shard(std::size_t s) const { return shards_[s]; }
    /// Number of the first row of a shard.
    std::int64_t first_number(std::size_t s) const { return first_number_[s]; }
    /// Row in its sample of the row with this number, which lies in shard `s`.
    std::int64_t row_in_sample(std::size_t s, std::int64_t number) const;

  private:
    std::vector<Shard> shards_;
    std::vector<std::int64_t> first_number_{0};
    /// [shard]: rows in the sample, ascending; empty for a shard of which all rows belong.
    std::vector<std::vector<std::int64_t>> kept_;
};

}  // namespace smeta::atlas

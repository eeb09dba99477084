#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/io/anndata.hpp"

namespace smeta::analysis {

/// Which features of the joint files are looked at: all that were measured, or those that the run's
/// model was trained on.
enum class FeatureScope { Measured, Selected };

/// Where values come from: the joint files, or the run's reconstruction of them (the decoded mean
/// of every feature that the model was trained on: `smeta embed --reconstruction`).
enum class ValueSource { Measured, Denoised };

/// The features of a run's samples, modality by modality in the run's order, names ascending.
struct ValueFeatures {
    std::vector<std::string> modalities;
    std::vector<std::int32_t> modality;      ///< of each feature, position in `modalities`
    std::vector<std::string> names;          ///< of each feature
    core::Matrix<std::uint8_t> is_measured;  ///< samples x features

    std::int32_t count() const { return static_cast<std::int32_t>(names.size()); }
    /// Position of a feature, or nothing.
    std::optional<std::int32_t> find(std::string_view modality_name, std::string_view name) const;
};

/// Some rows of one sample: values of all features, as stored or log-normalised.
struct ValueBlock {
    std::int32_t sample = 0;     ///< position in RunValues::samples()
    std::int64_t first_row = 0;  ///< over all samples, in canonical order
    core::CountsCsr values;      ///< rows x features
};

enum class ValueScale { Stored, LogNormalised };

/// Whether ValueScale::LogNormalised changes a modality: st and sm; others are taken as stored.
bool is_log_normalised(std::string_view modality);

/// Streams the joint rows of some samples of a run: each rank has a share of consecutive rows and
/// reads it block by block. LogNormalised: rows of the modalities st and sm scaled to a sum of 1e4
/// over all measured features of the modality (in double, in feature order), then log1p, values
/// below 0 as 0, rounded to float; other modalities as stored.
class RunValues {
  public:
    /// Rows of a block at most.
    static constexpr std::int64_t kBlockRows = 1024;
    /// The features are gathered over ranks. Denoised values are those of FeatureScope::Selected.
    /// Collective; throws as JointReader does, and ConfigError where a reconstruction is absent.
    RunValues(const comm::Comm& comm, const atlas::Run& run, std::vector<std::string> samples,
              FeatureScope scope, ValueSource source = ValueSource::Measured);

    ValueSource source() const { return source_; }
    const std::vector<std::string>& samples() const { return samples_; }
    /// First row of each sample; one more entry, the number of rows.
    const std::vector<std::int64_t>& first_row() const { return first_row_; }
    std::int64_t rows() const { return first_row_.back(); }
    const ValueFeatures& features() const { return features_; }
    /// Stored values of all samples' modalities.
    std::int64_t stored_values() const { return stored_values_; }

    /// Number of blocks of the rank that has most; the same on every rank.
    std::int64_t rounds() const { return rounds_; }
    /// This rank's block of a round; without rows when it has none. Local; main thread only.
    ValueBlock read(std::int64_t round, ValueScale scale) const;

  private:
    struct Part {
        std::int32_t sample;
        std::int64_t first;  ///< in the sample
        std::int64_t last;
    };
    void cut_rows(const comm::Comm& comm);
    void gather_features(const comm::Comm& comm, FeatureScope scope);
    const atlas::JointReader& joint(std::int32_t sample) const;
    const io::AnnDataReader& decoded(std::int32_t sample) const;
    /// Some rows of one modality, and the feature of each column.
    struct ModalityRows {
        core::CountsCsr rows;
        const std::vector<std::int32_t>& columns;
    };
    std::vector<ModalityRows> read_modalities(const Part& part, ValueScale scale) const;
    std::vector<ModalityRows> decode_modalities(const Part& part, ValueScale scale) const;
    static void append_row(core::CountsCsr& values, const std::vector<ModalityRows>& modalities,
                           std::int64_t row);
    std::vector<std::string> names_of(const atlas::JointReader& joint,
                                      const std::string& modality) const;

    const atlas::Run& run_;
    std::vector<std::string> samples_;
    std::vector<std::int64_t> first_row_{0};
    ValueFeatures features_;
    /// Common names of the run's features by modality and other name.
    atlas::FeatureSet selected_;
    std::int64_t stored_values_ = 0;
    std::int64_t rounds_ = 0;
    std::vector<Part> parts_;
    mutable std::int32_t open_sample_ = -1;
    mutable std::optional<atlas::JointReader> open_;
    mutable std::optional<io::AnnDataReader> open_decoded_;
    /// Of the open sample: the feature of each column of each modality, -1 for none.
    mutable std::map<std::string, std::vector<std::int32_t>> columns_;
    ValueSource source_;
    std::vector<std::int32_t> same_;  ///< 0, 1, ... as many as there are features
};

/// Rows scaled to a sum of `total` (sums in double, in feature order), log1p, values below 0 as 0,
/// in place. Rows that sum to 0 or less become 0. Local.
void log_normalise(core::CountsCsr& rows, double total = 1e4);

}  // namespace smeta::analysis

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/core/random.hpp"
#include "smeta/model/network.hpp"
#include "smeta/nn/arena.hpp"

namespace smeta::model {

/// The rows of a chunk that have one modality.
struct ModalityRows {
    std::vector<std::int32_t> rows;  ///< positions in the chunk, ascending
    core::CountsCsr values;          ///< one row an entry of `rows`, columns = the block's features
    std::vector<double> libraries;   ///< sum of each row

    explicit ModalityRows(std::int32_t features = 0) { values.cols = features; }
    /// Appends the chunk's row `position`, without entries that are zero. A row without any other
    /// is left out: it counts as not having the modality. Returns whether the row was taken.
    bool add(std::int32_t position, std::span<const std::int32_t> columns,
             std::span<const float> row_values);
};

/// Rows that are computed by one thread in one kernel call: a lane, or a slice of a rank's rows.
struct Chunk {
    std::vector<core::RowKey> keys;  ///< identity of each row, for dropout and noise
    std::vector<std::int32_t>
        samples;  ///< position in the sample list given to `Cvae::set_unmeasured`
    std::vector<std::int32_t> codes;       ///< rows x levels: category of each batch level
    std::vector<ModalityRows> modalities;  ///< one a block of the network, in its order

    std::int64_t rows() const { return static_cast<std::int64_t>(keys.size()); }
};

/// Features that a sample did not measure. Empty vectors: all are measured.
struct Unmeasured {
    std::vector<std::uint8_t> measured;  ///< 1 or 0 a feature
    std::vector<float> mean_input;  ///< a feature: mean input (after the transform) over the rows
                                    ///< that measured it; read at 0s
};

/// Latent means of a chunk's rows, for the MMD.
template <class R>
struct LatentPart {
    std::span<const R> latent;  ///< rows x latent
    std::span<const std::int32_t>
        codes;  ///< rows x levels; -1 throughout a row without any modality
    std::int64_t rows = 0;
};

/// Latent means of all rows of the mini-batch, chunk after chunk in the run's order.
template <class R>
struct GatheredLatents {
    std::vector<R> latent;
    std::vector<std::int32_t> codes;
    std::vector<std::int64_t>
        first_row;  ///< of each of the chunks that were given, in the gathered order
};

/// How the chunks of a group combine: one after the other, or (a group of 2^k chunks) in a binary
/// tree over them.
enum class Combine { InOrder, Tree };

/// How results of chunks combine into those of the mini-batch, over the chunks given and those of
/// other ranks. Each function is collective; every rank calls them in the same order with the same
/// lengths. `parts` may be overwritten. The order of additions is the reducer's choice.
template <class R>
struct StepReducer {
    /// `parts` has one entry a chunk, in order.
    std::function<void(const std::vector<std::span<double>>& parts, std::span<double> total)> sum;
    /// Gradients are added up group by group while they are computed; `sum_gradients` gets one part
    /// a group, the first of which is `total` itself. Afterwards `total` holds the sum in this
    /// rank's share (reducers.hpp); what the rest holds is not specified.
    Combine combine = Combine::InOrder;
    std::vector<comm::Range> groups;  ///< of chunks; empty: all are one
    std::function<void(const std::vector<std::span<R>>& parts, std::span<R> total)> sum_gradients;
    /// Fills `all`, whose buffers are reused.
    std::function<void(const std::vector<LatentPart<R>>& parts, GatheredLatents<R>& all)> gather;
};

/// A reducer for one process: sums in chunk order.
template <class R>
StepReducer<R> local_reducer();

/// What changes from step to step.
struct StepSettings {
    std::uint64_t seed = 0;
    std::uint64_t epoch = 0;  ///< with the row's key: the key of dropout and noise
    double kl_weight = 1.0;
    double total_divisor = 1.0;  ///< the published loss divides the weighted sum once more by the
                                 ///< mini-batch's rows; ours does not
};

/// Unweighted losses: sums over the mini-batch's rows divided by their number.
struct LossTerms {
    double rows = 0;   ///< of the mini-batch, over all ranks
    double total = 0;  ///< weighted sum / total_divisor
    double kl = 0;
    double mmd = 0;
    std::vector<double> reconstruction;  ///< a block, from the latent
    std::vector<double> corr;            ///< a block, from its own mean (all 0 with one modality)
};

/// Posterior of rows in evaluation mode (spec A9).
template <class R>
struct Encoded {
    core::Matrix<R>
        latent;          ///< q_mu, or the mean of the single means of a row that lacks a modality
    core::Matrix<R> sd;  ///< sqrt(q_var); 0 for a row that lacks a modality
    std::vector<core::Matrix<R>>
        single;  ///< a block: mean from this modality alone; 0 where the row lacks it
    core::Matrix<R> contribution;  ///< rows x blocks; 0 for a modality that the row lacks
};

/// How much each modality contributes to one spot's latent (spec A9): of two, 1/2 plus the
/// difference of their angular similarities to it; of more, their shares of the sum. `single`: mean
/// from each modality alone, empty and 0 where the spot lacks it. Local.
std::vector<double> contributions(std::span<const double> latent,
                                  const std::vector<std::vector<double>>& single);

/// Heads of one block in evaluation mode, rows x features.
template <class R>
struct Decoded {
    core::Matrix<R> mean;       ///< softmax times library, or the linear mean
    core::Matrix<R> log_scale;  ///< log theta or log sd; empty for Mse
    core::Matrix<R> gate;       ///< logits of the zero inflation; empty without one
};

/// Posterior of one chunk's rows in the last step, rows x latent. Rows that lack a modality have
/// variance 0 and z = latent.
template <class R>
struct Posterior {
    core::Matrix<R> latent;
    core::Matrix<R> variance;
    core::Matrix<R> z;  ///< what the decoders got
};

template <class R>
class CvaeWorkspace;

/// The conditional variational autoencoder of SpatialMETA (spec A7) as a list of modality blocks
/// and one joint block, with hand-written gradients (docs/numerics.md). Threads run over chunks;
/// within a chunk everything is one thread, and whatever combines rows of different chunks goes
/// through the reducer, so bits depend on the chunks and the reducer only. Local apart from the
/// reducer's functions. R is float; double in tests.
template <class R>
class Cvae {
  public:
    /// Throws ConfigError for options that make no network. Values are zero until `initialise` or a
    /// load.
    explicit Cvae(NetworkOptions options);
    ~Cvae();
    Cvae(Cvae&&) noexcept;
    Cvae& operator=(Cvae&&) noexcept;

    /// U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for weights and biases, gamma 1, beta 0, embeddings N(0,
    /// 1), running mean 0 and variance 1; each number keyed by (seed, tensor name, position).
    void initialise(std::uint64_t seed);

    const NetworkOptions& options() const { return options_; }
    /// Parameters: NAME.encoder.I.{weight,bias,gamma,beta},
    /// joint.{mean,log_variance}.{weight,bias}, single.mean.{weight,bias},
    /// NAME.decoder.{weight,bias,gamma,beta,embedding.K},
    /// NAME.head.{mean,log_scale,gate}.{weight,bias}. Weights are (in, out).
    nn::ParameterArena<R>& values() { return values_; }
    const nn::ParameterArena<R>& values() const { return values_; }
    /// BatchNorm running statistics: NAME.{encoder.I,decoder}.running_{mean,var}.
    nn::ParameterArena<R>& running() { return running_; }
    const nn::ParameterArena<R>& running() const { return running_; }
    /// Gradient of the total loss from the last `train_step`, over the whole mini-batch.
    const nn::ParameterArena<R>& gradient() const { return gradient_; }

    /// `unmeasured[s][b]`: what sample s lacks of block b. Without a call every sample measured
    /// everything.
    void set_unmeasured(std::vector<std::vector<Unmeasured>> unmeasured);

    /// Forward and backward over one mini-batch; updates the running statistics, leaves the
    /// gradient in `gradient()`. Collective through the reducer. Throws nothing for NaN: the caller
    /// checks `total`. The result stands until the next step. No memory is allocated once the
    /// buffers have the sizes of the chunks (apart from what messages between ranks need).
    const LossTerms& train_step(std::span<const Chunk> chunks, const StepSettings& settings,
                                const StepReducer<R>& reducer);

    /// As the forward half of `train_step`, in evaluation mode: running statistics, no dropout, z =
    /// q_mu. Collective.
    const LossTerms& evaluate(std::span<const Chunk> chunks, const StepSettings& settings,
                              const StepReducer<R>& reducer);

    /// Posterior of the chunk's rows. Local; may be called from several threads at once.
    Encoded<R> encode(const Chunk& chunk) const;
    /// Heads of block `block` for `latent` (rows x latent), with `codes` (rows x levels). `samples`
    /// (position of each row's sample) may be empty when nothing is unmeasured; `libraries` (sums
    /// of the rows) is read for MeanHead::SoftmaxLibrary. Local; may be called from several threads
    /// at once.
    Decoded<R> decode(std::int32_t block, const core::Matrix<R>& latent,
                      std::span<const std::int32_t> codes, std::span<const std::int32_t> samples,
                      std::span<const double> libraries) const;

    /// Of chunk `chunk` of the last `train_step` or `evaluate`. Local.
    Posterior<R> posterior(std::size_t chunk) const;

    /// For tests: noise given a chunk (rows x latent), in the place of the keyed draws; empty:
    /// keyed draws.
    void set_noise(std::vector<core::Matrix<R>> noise) { noise_ = std::move(noise); }

  private:
    friend class CvaeWorkspace<R>;
    NetworkOptions options_;
    nn::ParameterArena<R> values_;
    nn::ParameterArena<R> running_;
    nn::ParameterArena<R> gradient_;
    std::vector<std::vector<Unmeasured>> unmeasured_;
    std::vector<core::Matrix<R>> noise_;
    std::unique_ptr<CvaeWorkspace<R>> workspace_;
};

extern template class Cvae<float>;
extern template class Cvae<double>;

}  // namespace smeta::model

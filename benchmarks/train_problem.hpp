#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "smeta/comm/comm.hpp"
#include "smeta/comm/spot_partition.hpp"
#include "smeta/model/cvae.hpp"
#include "smeta/nn/adamw.hpp"

namespace smeta::bench {

/// Sizes of the training benchmarks: 1,841 genes at 30 % density and 1,000 metabolites from 5
/// samples, weights of the published workflow.
struct ProblemSize {
    std::int64_t batch = 128;  ///< over all ranks
    std::int32_t genes = 1841;
    std::int32_t metabolites = 1000;
    std::int32_t samples = 5;
    double density = 0.3;
    int lanes = 8;

    /// Of the dense network, forward and backward, per spot: first layers and heads (13.0 at the
    /// default sizes).
    double mega_flop() const;
};

/// A model and some mini-batches of this rank's lanes.
class Problem {
  public:
    /// `reduction` is "fast" or "fixed_tree", as in train.reduction; `comm` must outlive the
    /// object. Collective.
    Problem(const comm::Comm& comm, const ProblemSize& size, const std::string& reduction,
            int threads);
    /// Forward, losses, gradients, AdamW. Collective.
    void step();
    /// Throws NumericError unless the loss is finite and has fallen: a rate of steps that learn
    /// nothing is none.
    void check() const;
    double loss() const { return loss_; }
    const ProblemSize& size() const { return size_; }

  private:
    const comm::Comm& comm_;
    ProblemSize size_;
    comm::SpotPartition partition_;
    model::Cvae<float> cvae_;
    nn::AdamW<float> optimiser_;
    model::StepReducer<float> reducer_;
    model::StepSettings settings_;
    std::vector<std::vector<model::Chunk>> batches_;
    double first_loss_ = 0;
    double loss_ = 0;
};

}  // namespace smeta::bench

#pragma once

#include "smeta/comm/comm.hpp"
#include "smeta/comm/spot_partition.hpp"
#include "smeta/core/timing.hpp"
#include "smeta/model/cvae.hpp"
#include "smeta/nn/adamw.hpp"

namespace smeta::model {

/// The elements of an arena whose summed gradient a rank gets from its reducer. It updates them and
/// gives them to the others with `gather_arena`: the optimiser's work is shared out as in ZeRO
/// stage 1 (Rajbhandari et al. 2020). Whole blocks of the gradient's norm.
nn::ArenaPart arena_share(const nn::ParameterLayout& layout, const comm::Comm& comm);
/// Every rank's share of `arena` to every rank. Collective; throws MpiError.
void gather_arena(const comm::Comm& comm, nn::ParameterArena<float>& arena);

/// `train.reduction = fixed_tree`: one chunk a lane; sums in one binary tree over lane numbers, so
/// bits do not depend on ranks or threads. Latents are gathered in lane order. The arguments must
/// outlive the result; its functions are collective over `comm`.
StepReducer<float> fixed_tree_reducer(const comm::Comm& comm, const comm::SpotPartition& partition);

/// `train.reduction = fast`: any number of chunks a rank; sums in chunk order, then over ranks.
StepReducer<float> fast_reducer(const comm::Comm& comm);

/// The same, adding the time spent in its functions (messages, and waiting for slower ranks) to the
/// region "train/wait" of `timings`, which must outlive the result.
StepReducer<float> timed(StepReducer<float> reducer, core::Timings& timings);

}  // namespace smeta::model

#pragma once

#include "smeta/comm/comm.hpp"
#include "smeta/comm/spot_partition.hpp"
#include "smeta/model/cvae.hpp"

namespace smeta::model {

/// `train.reduction = fixed_tree`: one chunk a lane; sums in one binary tree over lane numbers, so
/// bits do not depend on ranks or threads. Latents are gathered in lane order. The arguments must
/// outlive the result; its functions are collective over `comm`.
StepReducer<float> fixed_tree_reducer(const comm::Comm& comm, const comm::SpotPartition& partition);

/// `train.reduction = fast`: any number of chunks a rank; sums in chunk order, then one blocking
/// allreduce.
StepReducer<float> fast_reducer(const comm::Comm& comm);

}  // namespace smeta::model

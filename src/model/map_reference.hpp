#pragma once

#include <vector>

#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/model/map.hpp"
#include "smeta/model/model_file.hpp"

namespace smeta::model {

/// The rows of the run that queries are compared with, and their fits. `model` has an unseen
/// category (grow.hpp), which rows get for the levels of `unseen` (1 or 0 a level); its unmeasured
/// features are set to the run's. Collective.
ReferenceRows reference_rows(const comm::Comm& comm, const atlas::Run& run, LoadedModel& model,
                             const std::vector<std::uint8_t>& unseen, const MapOptions& options);

}  // namespace smeta::model

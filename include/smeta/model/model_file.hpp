#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "smeta/model/cvae.hpp"

namespace smeta::model {

/// What a model needs beside its weights to be applied to rows.
struct ModelContext {
    std::vector<std::string> batch_keys;               ///< obs column of each batch level
    std::vector<std::vector<std::string>> categories;  ///< of each batch level, in code order
    double sm_target = 0;                              ///< see RowSourceConfig
    std::vector<std::vector<float>> mean_inputs;       ///< a modality; empty where all was measured
};

/// model.h5: /parameters/NAME and /running/NAME (float32, rows x cols as in Cvae::values),
/// /modalities/I (name, features, likelihood, ... as attributes), /batch/I (key, categories), the
/// network's options as attributes of the root. Equal models give equal bytes. Written atomically.
/// Local.
void write_model(const std::filesystem::path& path, const Cvae<float>& cvae,
                 const ModelContext& context);

struct LoadedModel {
    Cvae<float> cvae;
    ModelContext context;
};
/// Throws IoError when it cannot be read, FormatError when it is no sound model. Local.
LoadedModel read_model(const std::filesystem::path& path);

}  // namespace smeta::model

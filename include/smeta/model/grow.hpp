#pragma once

#include <string>
#include <vector>

#include "smeta/model/cvae.hpp"
#include "smeta/model/model_file.hpp"

namespace smeta::model {

/// What the rows and columns of a network's tensors stand for.
struct NetworkNames {
    std::vector<std::vector<std::string>> features;    ///< a block
    std::vector<std::string> batch_keys;               ///< a level
    std::vector<std::vector<std::string>> categories;  ///< a level, in code order
};

/// Gives `to`, which is initialised, the weights of `from` for all that both have by name:
/// modalities, features, batch levels and their categories. What is new begins so that the old rows
/// keep their latent and their reconstruction:
/// - a new feature: its row of the first encoder layer is 0, its columns of the heads are the mean
///   of those of the old features;
/// - a new category of a level: the mean of the level's old categories (embedding, or the rows of
///   the one-hot code in the decoder);
/// - a new level: 0 in the decoders;
/// - a new modality: its share of the joint layer is 0; its own encoder and decoder stay as they
///   are. Two modalities that grow from one: single.mean begins as joint.mean of the old one.
/// Throws ConfigError naming the key when model.hidden, model.latent, model.batch_embedding or
/// model.embedding_size differ, or no modality is common. Local.
void start_from(const Cvae<float>& from, const NetworkNames& from_names, Cvae<float>& to,
                const NetworkNames& to_names);

/// The model with one more category at the end of every batch level, for rows of a category that it
/// was not trained on: the mean of the trained ones. Local.
LoadedModel with_unseen_category(LoadedModel model);

}  // namespace smeta::model

#include "smeta/model/grow.hpp"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/core/error.hpp"

namespace smeta::model {

namespace {

using Arena = nn::ParameterArena<float>;
using Positions = std::vector<std::int32_t>;

/// Where each of `names` is in `old`, -1 where it is not.
Positions positions(const std::vector<std::string>& names, const std::vector<std::string>& old) {
    std::unordered_map<std::string_view, std::int32_t> known;
    for (std::size_t i = 0; i < old.size(); ++i)
        known.emplace(old[i], static_cast<std::int32_t>(i));
    Positions result;
    for (const auto& name : names) {
        const auto found = known.find(name);
        result.push_back(found == known.end() ? -1 : found->second);
    }
    return result;
}

const char* name_of(BatchEncoding encoding) {
    return encoding == BatchEncoding::OneHot ? "onehot" : "embedding";
}

void check_same(const NetworkOptions& from, const NetworkOptions& to) {
    const auto refuse = [](const char* key, const std::string& old, const std::string& now) {
        throw core::ConfigError(fmt::format(
            "{}: the run to start from has {}, this one {}; set it to the same", key, old, now));
    };
    if (from.hidden != to.hidden)
        refuse("model.hidden", fmt::format("{}", from.hidden), fmt::format("{}", to.hidden));
    if (from.latent != to.latent)
        refuse("model.latent", fmt::format("{}", from.latent), fmt::format("{}", to.latent));
    if (from.batch_categories.empty() || to.batch_categories.empty()) return;
    if (from.batch_encoding != to.batch_encoding)
        refuse("model.batch_embedding", name_of(from.batch_encoding), name_of(to.batch_encoding));
    if (from.batch_encoding == BatchEncoding::Embedding && from.embedding_size != to.embedding_size)
        refuse("model.embedding_size", fmt::format("{}", from.embedding_size),
               fmt::format("{}", to.embedding_size));
}

class Transfer {
  public:
    Transfer(const Cvae<float>& from, const NetworkNames& from_names, Cvae<float>& to,
             const NetworkNames& to_names)
        : from_(from), from_names_(from_names), to_(to), to_names_(to_names) {
        std::vector<std::string> old_blocks;
        std::vector<std::string> new_blocks;
        for (const auto& block : from.options().blocks) old_blocks.push_back(block.name);
        for (const auto& block : to.options().blocks) new_blocks.push_back(block.name);
        blocks_ = positions(new_blocks, old_blocks);
        levels_ = positions(to_names.batch_keys, from_names.batch_keys);
        if (std::ranges::max(blocks_) < 0)
            throw core::ConfigError(fmt::format(
                "the run to start from has the modalities {}, this one {}: none in common",
                fmt::join(old_blocks, ", "), fmt::join(new_blocks, ", ")));
    }

    void run() {
        for (std::size_t b = 0; b < blocks_.size(); ++b)
            if (blocks_[b] >= 0) copy_block(b);
        copy_joint();
    }

  private:
    bool one_hot() const { return to_.options().batch_encoding == BatchEncoding::OneHot; }

    void copy(const Arena& from, Arena& to, const std::string& name) {
        to.tensor(name) = from.tensor(name);
    }

    void copy_block(std::size_t b) {
        const ModalityBlock& block = to_.options().blocks[b];
        const Positions features =
            positions(to_names_.features[b], from_names_.features[blocks_[b]]);
        copy_rows(block.name + ".encoder.0.weight", features);
        for (std::size_t layer = 0; layer < to_.options().hidden.size(); ++layer)
            copy_layer(fmt::format("{}.encoder.{}", block.name, layer), layer > 0);
        copy_layer(block.name + ".decoder", false);
        copy_decoder_weight(block.name);
        if (!one_hot()) copy_embeddings(block.name);
        for (const char* head : {"mean", "log_scale", "gate"}) {
            const std::string name = fmt::format("{}.head.{}", block.name, head);
            if (to_.values().layout().find(name + ".weight") < 0 ||
                from_.values().layout().find(name + ".weight") < 0)
                continue;
            copy_columns(name + ".weight", features);
            copy_columns(name + ".bias", features);
        }
    }

    void copy_layer(const std::string& name, bool weight) {
        if (weight) copy(from_.values(), to_.values(), name + ".weight");
        for (const char* part : {".bias", ".gamma", ".beta"})
            copy(from_.values(), to_.values(), name + part);
        for (const char* part : {".running_mean", ".running_var"})
            copy(from_.running(), to_.running(), name + part);
    }

    void copy_rows(const std::string& name, const Positions& rows) {
        const auto old = from_.values().tensor(name);
        auto now = to_.values().tensor(name);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const auto row = static_cast<std::int64_t>(i);
            if (rows[i] >= 0)
                now.row(row) = old.row(rows[i]);
            else
                now.row(row).setZero();
        }
    }

    void copy_columns(const std::string& name, const Positions& columns) {
        const auto old = from_.values().tensor(name);
        auto now = to_.values().tensor(name);
        const core::MatrixF mean = old.rowwise().mean();
        for (std::size_t i = 0; i < columns.size(); ++i)
            now.col(static_cast<std::int64_t>(i)) =
                columns[i] >= 0 ? core::MatrixF(old.col(columns[i])) : mean;
    }

    /// First row of a level's code in the decoder's weight.
    std::int64_t code_row(const NetworkOptions& options, std::int32_t level) const {
        std::int64_t row = options.latent;
        for (std::int32_t l = 0; l < level; ++l)
            row += one_hot() ? options.batch_categories[l] : options.embedding_size;
        return row;
    }

    void copy_decoder_weight(const std::string& block) {
        const auto old = from_.values().tensor(block + ".decoder.weight");
        auto now = to_.values().tensor(block + ".decoder.weight");
        const NetworkOptions& options = to_.options();
        now.topRows(options.latent) = old.topRows(options.latent);
        for (std::size_t level = 0; level < levels_.size(); ++level) {
            const std::int64_t first = code_row(options, static_cast<std::int32_t>(level));
            const std::int32_t categories = options.batch_categories[level];
            const std::int64_t width = one_hot() ? categories : options.embedding_size;
            if (levels_[level] < 0) {
                now.middleRows(first, width).setZero();
                continue;
            }
            const std::int64_t from = code_row(from_.options(), levels_[level]);
            if (!one_hot())
                now.middleRows(first, width) = old.middleRows(from, width);
            else
                now.middleRows(first, width) = grown(
                    old.middleRows(from, from_.options().batch_categories[levels_[level]]), level);
        }
    }

    void copy_embeddings(const std::string& block) {
        for (std::size_t level = 0; level < levels_.size(); ++level) {
            if (levels_[level] < 0) continue;
            const auto name = [&](auto l) {
                return fmt::format("{}.decoder.embedding.{}", block, l);
            };
            to_.values().tensor(name(level)) =
                grown(from_.values().tensor(name(levels_[level])), level);
        }
    }

    /// Rows of the old categories of a level in their new places, their mean for new ones.
    core::MatrixF grown(const core::MatrixF& old, std::size_t level) const {
        const Positions places =
            positions(to_names_.categories[level], from_names_.categories[levels_[level]]);
        const core::MatrixF mean = old.colwise().mean();
        core::MatrixF now(static_cast<std::int64_t>(places.size()), old.cols());
        for (std::size_t c = 0; c < places.size(); ++c)
            now.row(static_cast<std::int64_t>(c)) =
                places[c] >= 0 ? core::MatrixF(old.row(places[c])) : mean;
        return now;
    }

    void copy_joint() {
        const std::int64_t top = to_.options().hidden.back();
        for (const std::string name : {"joint.mean", "joint.log_variance"}) {
            const auto old = from_.values().tensor(name + ".weight");
            auto now = to_.values().tensor(name + ".weight");
            now.setZero();
            for (std::size_t b = 0; b < blocks_.size(); ++b)
                if (blocks_[b] >= 0)
                    now.middleRows(static_cast<std::int64_t>(b) * top, top) =
                        old.middleRows(blocks_[b] * top, top);
            copy(from_.values(), to_.values(), name + ".bias");
        }
        if (to_.options().blocks.size() < 2) return;
        const std::string single = from_.options().blocks.size() > 1 ? "single.mean" : "joint.mean";
        for (const char* part : {".weight", ".bias"})
            to_.values().tensor(std::string("single.mean") + part) =
                from_.values().tensor(single + part);
    }

    const Cvae<float>& from_;
    const NetworkNames& from_names_;
    Cvae<float>& to_;
    const NetworkNames& to_names_;
    Positions blocks_;  ///< of each new block in the old network
    Positions levels_;
};

}  // namespace

void start_from(const Cvae<float>& from, const NetworkNames& from_names, Cvae<float>& to,
                const NetworkNames& to_names) {
    check_same(from.options(), to.options());
    Transfer(from, from_names, to, to_names).run();
}

LoadedModel with_unseen_category(LoadedModel model) {
    if (model.context.categories.empty()) return model;
    NetworkOptions options = model.cvae.options();
    NetworkNames names;
    for (const auto& block : options.blocks) {
        auto& features = names.features.emplace_back();
        for (std::int32_t f = 0; f < block.features; ++f) features.push_back(std::to_string(f));
    }
    names.batch_keys = model.context.batch_keys;
    names.categories = model.context.categories;
    NetworkNames grown = names;
    // No category has this name: HDF5 text holds no zero byte.
    for (auto& level : grown.categories) level.emplace_back(1, '\0');
    for (auto& categories : options.batch_categories) ++categories;
    LoadedModel result{Cvae<float>(std::move(options)), model.context};
    start_from(model.cvae, names, result.cvae, grown);
    return result;
}

}  // namespace smeta::model

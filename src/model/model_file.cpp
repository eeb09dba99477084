#include "smeta/model/model_file.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/h5.hpp"
#include "smeta/io/sealed_file.hpp"

namespace smeta::model {

namespace {

constexpr std::int64_t kFormatVersion = 1;

template <class E>
struct Names;
template <>
struct Names<Likelihood> {
    static constexpr std::array<std::pair<Likelihood, const char*>, 5> kList = {
        {{Likelihood::Zinb, "zinb"},
         {Likelihood::Nb, "nb"},
         {Likelihood::Gaussian, "g"},
         {Likelihood::ZeroInflatedGaussian, "zg"},
         {Likelihood::Mse, "mse"}}};
};
template <>
struct Names<InputTransform> {
    static constexpr std::array<std::pair<InputTransform, const char*>, 2> kList = {
        {{InputTransform::None, "none"}, {InputTransform::Log1p, "log1p"}}};
};
template <>
struct Names<MeanHead> {
    static constexpr std::array<std::pair<MeanHead, const char*>, 2> kList = {
        {{MeanHead::SoftmaxLibrary, "softmax_library"}, {MeanHead::Linear, "linear"}}};
};
template <>
struct Names<BatchEncoding> {
    static constexpr std::array<std::pair<BatchEncoding, const char*>, 2> kList = {
        {{BatchEncoding::OneHot, "onehot"}, {BatchEncoding::Embedding, "embedding"}}};
};

template <class E>
const char* name_of(E value) {
    for (const auto& [enumerator, name] : Names<E>::kList)
        if (enumerator == value) return name;
    return "";
}

template <class T>
T required(const io::H5Object& object, const std::string& name, std::optional<T> value) {
    if (!value)
        throw object.error("attribute '" + name + "'", "none", "train the run again with --fresh");
    return *value;
}

std::int64_t integer(const io::H5Object& object, const std::string& name) {
    return required(object, name, object.integer_attribute(name));
}
double number(const io::H5Object& object, const std::string& name) {
    return required(object, name, object.number_attribute(name));
}
std::string text(const io::H5Object& object, const std::string& name) {
    return required(object, name, object.text_attribute(name));
}

/// A width of the network. No tensor of a sound file has more elements than the file has floats.
std::int32_t width(const io::H5Object& object, const std::string& name, std::int64_t found) {
    const auto most = std::min<std::int64_t>(
        static_cast<std::int64_t>(std::filesystem::file_size(object.file()) / sizeof(float)),
        std::numeric_limits<std::int32_t>::max());
    if (found < 0 || found > most)
        throw object.error(fmt::format("'{}' from 0 to {}", name, most), fmt::format("{}", found));
    return static_cast<std::int32_t>(found);
}
std::int32_t width(const io::H5Object& object, const std::string& name) {
    return width(object, name, integer(object, name));
}

/// Refuses a network whose tensors are larger than the file before memory is taken for them.
void check_sizes(const io::H5Group& root, const NetworkOptions& network) {
    check_network(network);
    const auto fits = [&](const std::string& name, std::int64_t in, std::int64_t out) {
        const std::int64_t most =
            static_cast<std::int64_t>(std::filesystem::file_size(root.file()) / sizeof(float));
        if (out != 0 && in > most / out)
            throw root.error(fmt::format("{} of at most {} elements", name, most),
                             fmt::format("{} x {}", in, out));
    };
    for (std::size_t i = 1; i < network.hidden.size(); ++i)
        fits("a hidden layer", network.hidden[i - 1], network.hidden[i]);
    for (const ModalityBlock& block : network.blocks) {
        fits("encoder of " + block.name, block.features, network.hidden.front());
        fits("decoder of " + block.name, block.features, network.hidden.back());
    }
    std::int64_t code = network.latent;
    for (const std::int32_t categories : network.batch_categories) {
        const bool one_hot = network.batch_encoding == BatchEncoding::OneHot;
        if (!one_hot) fits("a batch embedding", categories, network.embedding_size);
        code += one_hot ? categories : network.embedding_size;
    }
    fits("the latent layer", code, network.hidden.back());
}

template <class E>
E choice(const io::H5Object& object, const std::string& name) {
    const std::string found = text(object, name);
    for (const auto& [enumerator, known] : Names<E>::kList)
        if (found == known) return enumerator;
    throw object.error("a known value of '" + name + "'", found);
}

void write_arena(io::H5Group group, const nn::ParameterArena<float>& arena) {
    for (const auto& spec : arena.layout().tensors()) {
        const std::array<std::int64_t, 2> shape = {spec.rows, spec.cols};
        group.write<float>(spec.name, shape, arena.data().subspan(spec.offset, spec.size()));
    }
}

void read_arena(const io::H5Group& group, nn::ParameterArena<float>& arena) {
    for (const auto& spec : arena.layout().tensors()) {
        const io::H5Dataset dataset = group.dataset(spec.name);
        if (dataset.shape() != std::vector<std::int64_t>{spec.rows, spec.cols})
            throw dataset.error(fmt::format("shape ({}, {})", spec.rows, spec.cols),
                                "another shape");
        dataset.read<float>(arena.data().subspan(spec.offset, spec.size()));
    }
}

void write_network(io::H5Group& root, const NetworkOptions& network) {
    root.set_attribute("latent", static_cast<std::int64_t>(network.latent));
    const std::vector<std::int64_t> hidden(network.hidden.begin(), network.hidden.end());
    root.set_attribute("hidden", std::span<const std::int64_t>(hidden));
    root.set_attribute("dropout", network.dropout);
    root.set_attribute("batch_encoding", name_of(network.batch_encoding));
    root.set_attribute("embedding_size", static_cast<std::int64_t>(network.embedding_size));
    root.set_attribute("mmd_weight", network.mmd_weight);
    io::H5Group modalities = root.create_group("modalities");
    for (std::size_t m = 0; m < network.blocks.size(); ++m) {
        const ModalityBlock& block = network.blocks[m];
        io::H5Group group = modalities.create_group(std::to_string(m));
        group.set_attribute("name", block.name);
        group.set_attribute("features", static_cast<std::int64_t>(block.features));
        group.set_attribute("likelihood", name_of(block.likelihood));
        group.set_attribute("transform", name_of(block.transform));
        group.set_attribute("mean_head", name_of(block.mean_head));
        group.set_attribute("weight", block.weight);
        group.set_attribute("corr_weight", block.corr_weight);
    }
}

NetworkOptions read_network(const io::H5Group& root) {
    NetworkOptions network;
    network.latent = width(root, "latent");
    const auto hidden = required(root, "hidden", root.integers_attribute("hidden"));
    network.hidden.clear();
    for (const std::int64_t units : hidden) network.hidden.push_back(width(root, "hidden", units));
    network.dropout = number(root, "dropout");
    network.batch_encoding = choice<BatchEncoding>(root, "batch_encoding");
    network.embedding_size = width(root, "embedding_size");
    network.mmd_weight = number(root, "mmd_weight");
    const io::H5Group modalities = root.group("modalities");
    for (std::size_t m = 0; m < modalities.links().size(); ++m) {
        const io::H5Group group = modalities.group(std::to_string(m));
        ModalityBlock block;
        block.name = text(group, "name");
        block.features = width(group, "features");
        block.likelihood = choice<Likelihood>(group, "likelihood");
        block.transform = choice<InputTransform>(group, "transform");
        block.mean_head = choice<MeanHead>(group, "mean_head");
        block.weight = number(group, "weight");
        block.corr_weight = number(group, "corr_weight");
        network.blocks.push_back(std::move(block));
    }
    return network;
}

void write_content(io::H5Group root, const Cvae<float>& cvae, const ModelContext& context) {
    root.set_attribute("smeta_model_version", kFormatVersion);
    write_network(root, cvae.options());
    root.set_attribute("sm_target", context.sm_target);
    io::H5Group batch = root.create_group("batch");
    for (std::size_t level = 0; level < context.categories.size(); ++level) {
        io::H5Group group = batch.create_group(std::to_string(level));
        group.set_attribute("key", context.batch_keys[level]);
        group.write_texts("categories", context.categories[level]);
    }
    io::H5Group means = root.create_group("mean_inputs");
    for (std::size_t m = 0; m < context.mean_inputs.size(); ++m)
        if (!context.mean_inputs[m].empty())
            means.write<float>(std::to_string(m), context.mean_inputs[m]);
    write_arena(root.create_group("parameters"), cvae.values());
    write_arena(root.create_group("running"), cvae.running());
}

}  // namespace

void write_model(const std::filesystem::path& path, const Cvae<float>& cvae,
                 const ModelContext& context) {
    io::replace_file(path.string(), [&](const std::string& temporary) {
        {
            io::H5File file = io::H5File::create(temporary);
            write_content(file.root(), cvae, context);
            file.close();
        }
        // On a full disk HDF5 closes without an error: only what can be read back was written.
        const LoadedModel back = read_model(temporary);
        if (!std::ranges::equal(back.cvae.values().data(), cvae.values().data()) ||
            !std::ranges::equal(back.cvae.running().data(), cvae.running().data()))
            throw core::IoError("cannot write " + path.string() + ": other bytes came back");
        io::seal_file(temporary);
    });
}

LoadedModel read_model(const std::filesystem::path& path) {
    const io::H5File file = io::H5File::open(path.string());
    const io::H5Group root = file.root();
    const std::int64_t version = integer(root, "smeta_model_version");
    if (version != kFormatVersion)
        throw root.error(fmt::format("smeta_model_version {}", kFormatVersion),
                         fmt::format("{}", version), "use the smeta that wrote it");
    ModelContext context;
    context.sm_target = number(root, "sm_target");
    NetworkOptions network = read_network(root);
    const io::H5Group batch = root.group("batch");
    for (std::size_t level = 0; level < batch.links().size(); ++level) {
        const io::H5Group group = batch.group(std::to_string(level));
        context.batch_keys.push_back(text(group, "key"));
        context.categories.push_back(group.dataset("categories").read_texts());
        network.batch_categories.push_back(
            static_cast<std::int32_t>(context.categories.back().size()));
    }
    const io::H5Group means = root.group("mean_inputs");
    for (std::size_t m = 0; m < network.blocks.size(); ++m) {
        const std::string name = std::to_string(m);
        context.mean_inputs.push_back(means.has(name) ? means.dataset(name).read<float>()
                                                      : std::vector<float>{});
    }
    check_sizes(root, network);
    for (std::size_t m = 0; m < network.blocks.size(); ++m)
        if (const auto size = context.mean_inputs[m].size();
            size != 0 && size != static_cast<std::size_t>(network.blocks[m].features))
            throw means.error(fmt::format("{} means in '{}'", network.blocks[m].features, m),
                              fmt::format("{}", size));
    LoadedModel loaded{Cvae<float>(std::move(network)), std::move(context)};
    read_arena(root.group("parameters"), loaded.cvae.values());
    read_arena(root.group("running"), loaded.cvae.running());
    return loaded;
}

}  // namespace smeta::model

#include "smeta/model/cvae.hpp"

#include <cmath>

#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"

#include "cvae_workspace.hpp"

namespace smeta::model {

bool ModalityRows::add(std::int32_t position, std::span<const std::int32_t> columns,
                       std::span<const float> row_values) {
    const std::size_t before = values.indices.size();
    double library = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (row_values[i] == 0) continue;
        values.indices.push_back(columns[i]);
        values.values.push_back(row_values[i]);
        library += static_cast<double>(row_values[i]);
    }
    if (values.indices.size() == before) return false;
    rows.push_back(position);
    libraries.push_back(library);
    values.indptr.push_back(static_cast<std::int64_t>(values.indices.size()));
    ++values.rows;
    return true;
}

namespace detail {

namespace {

LinearIndex add_linear(nn::ParameterLayout& values, const std::string& name, std::int32_t in,
                       std::int32_t out, nn::Trained bias) {
    const std::int32_t weight = values.add(name + ".weight", in, out, nn::Trained::Yes);
    return {weight, values.add(name + ".bias", 1, out, bias)};
}

/// The Linear's bias is cancelled by the BatchNorm behind it: its gradient is exactly zero.
LayerIndex add_layer(nn::ParameterLayout& values, nn::ParameterLayout& running,
                     const std::string& name, std::int32_t in, std::int32_t out) {
    const LinearIndex linear = add_linear(values, name, in, out, nn::Trained::No);
    LayerIndex layer{linear.weight, linear.bias};
    layer.gamma = values.add(name + ".gamma", 1, out, nn::Trained::Yes);
    layer.beta = values.add(name + ".beta", 1, out, nn::Trained::Yes);
    layer.running_mean = running.add(name + ".running_mean", 1, out, nn::Trained::No);
    layer.running_var = running.add(name + ".running_var", 1, out, nn::Trained::No);
    return layer;
}

BlockIndex add_block(const NetworkOptions& options, const ModalityBlock& block,
                     nn::ParameterLayout& values, nn::ParameterLayout& running) {
    BlockIndex index;
    std::int32_t in = block.features;
    for (std::size_t layer = 0; layer < options.hidden.size(); ++layer) {
        const std::int32_t out = options.hidden[layer];
        index.encoder.push_back(
            add_layer(values, running, block.name + ".encoder." + std::to_string(layer), in, out));
        in = out;
    }
    const std::int32_t top = options.hidden.back();
    index.decoder = add_layer(values, running, block.name + ".decoder",
                              options.latent + code_width(options), top);
    if (options.batch_encoding == BatchEncoding::Embedding)
        for (std::size_t level = 0; level < options.batch_categories.size(); ++level)
            index.embedding.push_back(values.add(
                block.name + ".decoder.embedding." + std::to_string(level),
                options.batch_categories[level], options.embedding_size, nn::Trained::Yes));
    const auto head = [&](const char* name) {
        return add_linear(values, block.name + ".head." + name, top, block.features,
                          nn::Trained::Yes);
    };
    index.mean = head("mean");
    if (block.likelihood != Likelihood::Mse) index.log_scale = head("log_scale");
    if (block.likelihood == Likelihood::Zinb ||
        block.likelihood == Likelihood::ZeroInflatedGaussian)
        index.gate = head("gate");
    return index;
}

}  // namespace

NetworkIndex make_index(const NetworkOptions& options, nn::ParameterLayout& values,
                        nn::ParameterLayout& running) {
    NetworkIndex index;
    for (const ModalityBlock& block : options.blocks)
        index.blocks.push_back(add_block(options, block, values, running));
    const std::int32_t top = options.hidden.back();
    const auto blocks = static_cast<std::int32_t>(options.blocks.size());
    index.joint_mean =
        add_linear(values, "joint.mean", blocks * top, options.latent, nn::Trained::Yes);
    index.joint_log_variance =
        add_linear(values, "joint.log_variance", blocks * top, options.latent, nn::Trained::Yes);
    // Its bias shifts all rows of a decoder's pass alike, which the BatchNorm there takes away.
    if (blocks > 1)
        index.single_mean = add_linear(values, "single.mean", top, options.latent, nn::Trained::No);
    return index;
}

}  // namespace detail

template <class R>
Cvae<R>::Cvae(NetworkOptions options)
    : options_(std::move(options)), workspace_(std::make_unique<CvaeWorkspace<R>>()) {
    check_network(options_);
    auto values = std::make_shared<nn::ParameterLayout>();
    auto running = std::make_shared<nn::ParameterLayout>();
    workspace_->index = detail::make_index(options_, *values, *running);
    values_ = nn::ParameterArena<R>(values);
    gradient_ = nn::ParameterArena<R>(values);
    running_ = nn::ParameterArena<R>(running);
}

template <class R>
Cvae<R>::~Cvae() = default;
template <class R>
Cvae<R>::Cvae(Cvae&&) noexcept = default;
template <class R>
Cvae<R>& Cvae<R>::operator=(Cvae&&) noexcept = default;

template <class R>
void Cvae<R>::initialise(std::uint64_t seed) {
    double bound = 0;  // of a Linear: the weight comes before its bias in the layout
    for (const nn::TensorSpec& spec : values_.layout().tensors()) {
        R* value = values_.data().data() + spec.offset;
        const core::Philox draws(seed, core::DrawPurpose::Initialise, 0,
                                 {core::hash64(spec.name), 0});
        const bool embedding = spec.name.find(".embedding.") != std::string::npos;
        if (spec.name.ends_with(".weight")) bound = 1 / std::sqrt(static_cast<double>(spec.rows));
        for (std::int64_t i = 0; i < spec.size(); ++i) {
            if (embedding)
                value[i] = static_cast<R>(draws.normal(i));
            else if (spec.name.ends_with(".gamma"))
                value[i] = 1;
            else if (spec.name.ends_with(".beta"))
                value[i] = 0;
            else
                value[i] = static_cast<R>(bound * (2 * draws.uniform(i) - 1));
        }
    }
    for (const nn::TensorSpec& spec : running_.layout().tensors())
        running_.tensor(spec.name).setConstant(spec.name.ends_with("_var") ? R(1) : R(0));
}

template <class R>
void Cvae<R>::set_unmeasured(std::vector<std::vector<Unmeasured>> unmeasured) {
    for (const auto& sample : unmeasured) {
        core::check(sample.size() == options_.blocks.size(), "one entry a block");
        for (std::size_t b = 0; b < sample.size(); ++b) {
            if (sample[b].measured.empty()) continue;
            const auto features = static_cast<std::size_t>(options_.blocks[b].features);
            core::check(
                sample[b].measured.size() == features && sample[b].mean_input.size() == features,
                "one entry a feature");
        }
    }
    unmeasured_ = std::move(unmeasured);
}

template class Cvae<float>;
template class Cvae<double>;

}  // namespace smeta::model

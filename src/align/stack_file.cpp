#include "stack_file.hpp"

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

namespace smeta::align::detail {

namespace {

template <class T>
const T& at(const io::UnsDict& parent, const std::string& key, const std::string& file) {
    const auto found = parent.find(key);
    const T* value = found == parent.end() ? nullptr : std::get_if<T>(&found->second.value);
    if (value == nullptr)
        throw core::FormatError({file, "uns/smeta/stack/" + key, "part of a section's place",
                                 "something else", "run smeta stack again"});
    return *value;
}

}  // namespace

void write_stack_step(const std::filesystem::path& path, const StackStep& step) {
    write_alignment(path, step.map);
    io::AnnData data = io::read_h5ad(path.string());
    io::UnsDict stack;
    stack["block"].value = step.block;
    stack["z"].value = step.z;
    stack["level"].value = step.level;
    stack["neighbour"].value = step.neighbour;
    stack["microns_per_unit"].value = step.microns_per_unit;
    stack["outline"].value = io::NdArray<double>{
        {step.outline.rows(), 4}, {step.outline.data(), step.outline.data() + step.outline.size()}};
    std::get<io::UnsDict>(data.uns.at("smeta").value)["stack"].value = std::move(stack);
    io::write_h5ad(path.string(), data);
}

StackStep read_stack_step(const std::filesystem::path& path) {
    const std::string file = path.string();
    StackStep step;
    step.map = read_alignment(path);
    const io::AnnData data = io::read_h5ad(file);
    const auto& stack = at<io::UnsDict>(at<io::UnsDict>(data.uns, "smeta", file), "stack", file);
    step.block = at<std::string>(stack, "block", file);
    step.z = at<double>(stack, "z", file);
    step.level = at<std::int64_t>(stack, "level", file);
    step.neighbour = at<std::string>(stack, "neighbour", file);
    step.microns_per_unit = at<double>(stack, "microns_per_unit", file);
    const auto& outline = at<io::NdArray<double>>(stack, "outline", file);
    if (outline.shape.size() != 2 || outline.shape[1] != 4)
        throw core::FormatError({file, "uns/smeta/stack/outline", "segments x, y, x, y",
                                 "another shape", "run smeta stack again"});
    step.outline = Eigen::Map<const core::MatrixD>(outline.values.data(), outline.shape[0], 4);
    return step;
}

}  // namespace smeta::align::detail

#include <algorithm>
#include <cmath>

#include "smeta/align/affine.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

namespace smeta::align {

void write_alignment(const std::filesystem::path& path, const Alignment& alignment) {
    const auto& [a, t] = alignment.transform;
    io::UnsDict align;
    align["method"].value = alignment.method;
    align["transform"].value = io::NdArray<double>{{2, 3}, {a[0], a[1], t[0], a[2], a[3], t[1]}};
    align["from_unit"].value = alignment.from_unit;
    align["to_unit"].value = alignment.to_unit;
    io::UnsDict smeta;
    smeta["align"].value = std::move(align);
    io::AnnData data;
    data.uns["smeta"].value = std::move(smeta);
    io::write_h5ad(path.string(), data);
}

namespace {

const io::UnsDict& dict_at(const io::UnsDict& parent, const std::string& key,
                           const std::string& file) {
    const auto found = parent.find(key);
    const auto* dict =
        found == parent.end() ? nullptr : std::get_if<io::UnsDict>(&found->second.value);
    if (dict == nullptr)
        throw core::FormatError(
            {file, "uns/smeta/align", "the group of a transform", "none", "run smeta align again"});
    return *dict;
}

std::string text_at(const io::UnsDict& parent, const std::string& key) {
    const auto found = parent.find(key);
    const auto* text =
        found == parent.end() ? nullptr : std::get_if<std::string>(&found->second.value);
    return text == nullptr ? std::string() : *text;
}

}  // namespace

Alignment read_alignment(const std::filesystem::path& path) {
    const io::AnnData data = io::read_h5ad(path.string());
    const io::UnsDict& align = dict_at(dict_at(data.uns, "smeta", path), "align", path);
    const auto found = align.find("transform");
    const auto* matrix =
        found == align.end() ? nullptr : std::get_if<io::NdArray<double>>(&found->second.value);
    if (matrix == nullptr || matrix->shape != std::vector<std::int64_t>{2, 3})
        throw core::FormatError({path, "uns/smeta/align/transform", "2 x 3 numbers",
                                 "something else", "run smeta align again"});
    const auto& v = matrix->values;
    if (!std::all_of(v.begin(), v.end(), [](double value) { return std::isfinite(value); }))
        throw core::FormatError({path, "uns/smeta/align/transform", "finite numbers",
                                 "NaN or an infinite one", "run smeta align again"});
    return {text_at(align, "method"),
            {{v[0], v[1], v[3], v[4]}, {v[2], v[5]}},
            text_at(align, "from_unit"),
            text_at(align, "to_unit")};
}

}  // namespace smeta::align

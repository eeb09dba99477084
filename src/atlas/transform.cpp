#include "smeta/atlas/transform.hpp"

#include <algorithm>
#include <cmath>

#include "smeta/core/error.hpp"

namespace smeta::atlas {

namespace {

io::UnsDict& own_uns(io::MuData& raw) {
    auto& value = raw.uns["smeta"].value;
    if (!std::holds_alternative<io::UnsDict>(value)) value = io::UnsDict{};
    return std::get<io::UnsDict>(value);
}

const io::UnsValue* find_own(const io::MuData& raw, const std::string& key) {
    const auto smeta = raw.uns.find("smeta");
    if (smeta == raw.uns.end()) return nullptr;
    const auto* dict = std::get_if<io::UnsDict>(&smeta->second.value);
    if (dict == nullptr) return nullptr;
    const auto found = dict->find(key);
    return found == dict->end() ? nullptr : &found->second;
}

}  // namespace

void set_given_transform(io::MuData& raw, const AffineTransform& transform) {
    const auto& [a, t] = transform;
    own_uns(raw)["transform"].value =
        io::NdArray<double>{{2, 3}, {a[0], a[1], t[0], a[2], a[3], t[1]}};
}

std::optional<AffineTransform> given_transform(const io::MuData& raw) {
    const auto* value = find_own(raw, "transform");
    if (value == nullptr) return std::nullopt;
    const auto* array = std::get_if<io::NdArray<double>>(&value->value);
    const auto finite = [](double number) { return std::isfinite(number); };
    if (array == nullptr || array->shape != std::vector<std::int64_t>{2, 3} ||
        array->values.size() != 6 ||
        !std::all_of(array->values.begin(), array->values.end(), finite))
        throw core::FormatError({"", "uns/smeta/transform", "2 x 3 finite numbers", "other content",
                                 "ingest the sample again"});
    const auto& v = array->values;
    return AffineTransform{{v[0], v[1], v[3], v[4]}, {v[2], v[5]}};
}

bool is_paired(const io::MuData& raw) {
    const auto* value = find_own(raw, "paired");
    const auto* paired = value == nullptr ? nullptr : std::get_if<bool>(&value->value);
    return paired != nullptr && *paired;
}

void set_paired(io::MuData& raw) {
    own_uns(raw)["paired"].value = true;
}

}  // namespace smeta::atlas

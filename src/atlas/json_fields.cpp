#include "json_fields.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::atlas::detail {

namespace {
const Json kEmptyObject = Json::object();
const Json kEmptyArray = Json::array();
}  // namespace

JsonObject::JsonObject(const Json& value, std::string file, std::string place)
    : value_(&value), file_(std::move(file)), place_(std::move(place)) {
    if (!value.is_object())
        throw core::FormatError({.file = file_,
                                 .object = place_,
                                 .expected = "an object",
                                 .found = value.type_name(),
                                 .hint = {}});
}

std::string JsonObject::place_of(const std::string& field) const {
    return place_.empty() ? field : place_ + "/" + field;
}

void JsonObject::fail(const std::string& field, std::string expected, std::string found) const {
    throw core::FormatError({.file = file_,
                             .object = place_of(field),
                             .expected = std::move(expected),
                             .found = std::move(found),
                             .hint = "restore the file from a copy, or build the atlas anew"});
}

std::string JsonObject::text(const char* field) const {
    const auto found = value_->find(field);
    if (found == value_->end()) fail(field, "text", "nothing");
    if (!found->is_string()) fail(field, "text", found->type_name());
    return found->get<std::string>();
}

std::int64_t JsonObject::count(const char* field) const {
    const auto found = value_->find(field);
    if (found == value_->end()) fail(field, "a number", "nothing");
    // Bounded so that sums over files do not overflow. Unsigned numbers beyond int64 would wrap:
    // they are caught as negative ones are.
    constexpr std::int64_t kMost = std::int64_t{1} << 45;
    if (!found->is_number_integer() || found->get<std::int64_t>() < 0 ||
        found->get<std::int64_t>() > kMost)
        fail(field, fmt::format("a whole number from 0 to {}", kMost), found->dump());
    return found->get<std::int64_t>();
}

core::Hash128 JsonObject::checksum(const char* field) const {
    const std::string digits = text(field);
    try {
        return core::hash128_from_hex(digits);
    } catch (const core::ConfigError&) {
        fail(field, "32 hex digits", digits);
    }
}

JsonObject JsonObject::object(const char* field) const {
    const auto found = value_->find(field);
    return {found == value_->end() ? kEmptyObject : *found, file_, place_of(field)};
}

const Json& JsonObject::array(const char* field) const {
    const auto found = value_->find(field);
    if (found == value_->end()) return kEmptyArray;
    if (!found->is_array()) fail(field, "a list", found->type_name());
    return *found;
}

std::string JsonObject::unknown_fields(std::initializer_list<std::string_view> known) const {
    Json unknown = Json::object();
    for (const auto& [name, value] : value_->items())
        if (std::find(known.begin(), known.end(), name) == known.end()) unknown[name] = value;
    return unknown.empty() ? std::string() : unknown.dump();
}

Json parse_json(std::string_view text, const std::string& file) {
    constexpr int kDeepest = 32;
    const auto fail = [&](std::string expected, std::string found) {
        throw core::FormatError({.file = file,
                                 .object = {},
                                 .expected = std::move(expected),
                                 .found = std::move(found),
                                 .hint = "the file was not written by smeta"});
    };
    std::vector<std::set<std::string>> keys;  // of the objects that are open
    const auto guard = [&](int depth, Json::parse_event_t event, Json& value) {
        if (depth > kDeepest) fail(fmt::format("at most {} levels", kDeepest), "deeper nesting");
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key && !keys.back().insert(value).second)
            fail("every name once in an object", fmt::format("{} twice", value.dump()));
        return true;
    };
    try {
        return Json::parse(text, guard);
    } catch (const Json::exception& error) {
        throw core::FormatError({.file = file,
                                 .object = {},
                                 .expected = "JSON",
                                 .found = error.what(),
                                 .hint = "the file is damaged; restore it from a copy"});
    }
}

Json with_extra(Json fields, const std::string& extra) {
    if (!extra.empty()) fields.update(Json::parse(extra));
    return fields;
}

std::string to_text(const Json& value) {
    return value.dump(2) + "\n";
}

}  // namespace smeta::atlas::detail

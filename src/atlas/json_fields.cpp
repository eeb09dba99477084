#include "json_fields.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::atlas::detail {

namespace {
const Json kEmptyObject = Json::object();
const Json kEmptyArray = Json::array();
}  // namespace

JsonObject::JsonObject(const Json& value, const std::string& file, std::string_view place)
    : JsonObject(value, file, nullptr, place) {}

JsonObject::JsonObject(const Json& value, const std::string& file, const JsonObject* parent,
                       std::string_view name)
    : value_(&value), file_(&file), parent_(parent), name_(name) {
    if (!value.is_object())
        throw core::FormatError({.file = file,
                                 .object = parent == nullptr ? name_ : parent->place_of(name),
                                 .expected = "an object",
                                 .found = value.type_name(),
                                 .hint = {}});
}

JsonObject JsonObject::member(std::string_view field, const Json& value) const {
    return {value, *file_, this, field};
}

std::string JsonObject::place_of(std::string_view field) const {
    const std::string own = parent_ == nullptr ? name_ : parent_->place_of(name_);
    return own.empty() ? std::string(field) : fmt::format("{}/{}", own, field);
}

void JsonObject::fail(std::string_view field, std::string expected, std::string found) const {
    throw core::FormatError({.file = *file_,
                             .object = place_of(field),
                             .expected = std::move(expected),
                             .found = std::move(found),
                             .hint = "restore the file from a copy, or build the atlas anew"});
}

const Json* JsonObject::find(const char* field) const {
    const auto found = value_->find(field);
    return found == value_->end() ? nullptr : &*found;
}

std::string JsonObject::text(const char* field) const {
    const Json* value = find(field);
    if (value == nullptr) fail(field, "text", "nothing");
    if (!value->is_string()) fail(field, "text", value->type_name());
    return value->get_ref<const std::string&>();
}

std::int64_t JsonObject::count(const char* field) const {
    const Json* value = find(field);
    if (value == nullptr) fail(field, "a number", "nothing");
    // Bounded so that sums over files do not overflow. Unsigned numbers beyond int64 would wrap:
    // they are caught as negative ones are.
    constexpr std::int64_t kMost = std::int64_t{1} << 45;
    if (!value->is_number_integer() || value->get<std::int64_t>() < 0 ||
        value->get<std::int64_t>() > kMost)
        fail(field, fmt::format("a whole number from 0 to {}", kMost), value->dump());
    return value->get<std::int64_t>();
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
    const Json* value = find(field);
    return member(field, value == nullptr ? kEmptyObject : *value);
}

const Json& JsonObject::array(const char* field) const {
    const Json* value = find(field);
    if (value == nullptr) return kEmptyArray;
    if (!value->is_array()) fail(field, "a list", value->type_name());
    return *value;
}

std::string JsonObject::unknown_fields(std::initializer_list<std::string_view> known) const {
    Json unknown;
    for (const auto& [name, value] : value_->items())
        if (std::find(known.begin(), known.end(), name) == known.end()) unknown[name] = value;
    return unknown.is_null() ? std::string() : unknown.dump();
}

namespace {

/// Builds the value as the parser goes; stops at names that stand twice and at deep nesting.
class Builder {
  public:
    Builder(Json& root, const JsonMembers* members) : root_(root), members_(members) {}

    bool null() { return put(nullptr); }
    bool boolean(bool value) { return put(value); }
    bool number_integer(Json::number_integer_t value) { return put(value); }
    bool number_unsigned(Json::number_unsigned_t value) { return put(value); }
    bool number_float(Json::number_float_t value, const std::string& /*text*/) {
        return put(value);
    }
    bool string(std::string& value) { return put(std::move(value)); }
    bool binary(Json::binary_t& /*value*/) { return false; }
    bool start_object(std::size_t /*size*/) { return open(Json::object()); }
    bool start_array(std::size_t /*size*/) { return open(Json::array()); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    bool key(std::string& name) {
        const auto [place, is_new] = open_.back()->emplace(name, nullptr);
        if (!is_new) return refuse("every name once in an object", Json(name).dump() + " twice");
        member_ = &*place;
        if (open_.size() == 1) of_root_ = name;
        if (open_.size() == 2) name_ = name;
        return true;
    }
    bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                     const Json::exception& error) {
        expected = "JSON";
        found = error.what();
        hint = "the file is damaged; restore it from a copy";
        return false;
    }

    std::string expected;
    std::string found;
    std::string hint = "the file was not written by smeta";

  private:
    static constexpr std::size_t kDeepest = 32;

    template <class T>
    Json* place(T&& value) {
        if (open_.empty()) {
            root_ = std::forward<T>(value);
            return &root_;
        }
        if (open_.back()->is_array()) {
            open_.back()->push_back(std::forward<T>(value));
            return &open_.back()->back();
        }
        *member_ = std::forward<T>(value);
        return member_;
    }
    template <class T>
    bool put(T&& value) {
        place(std::forward<T>(value));
        return true;
    }
    bool open(Json empty) {
        if (open_.size() >= kDeepest)
            return refuse(fmt::format("at most {} levels", kDeepest), "deeper nesting");
        open_.push_back(place(std::move(empty)));
        return true;
    }
    bool close() {
        Json* closed = open_.back();
        open_.pop_back();
        if (members_ != nullptr && open_.size() == 2 && of_root_ == members_->of &&
            open_.back()->is_object()) {
            members_->use(name_, *closed);
            *closed = nullptr;
        }
        return true;
    }
    bool refuse(std::string wanted, std::string got) {
        expected = std::move(wanted);
        found = std::move(got);
        return false;
    }

    Json& root_;
    const JsonMembers* members_;
    std::string of_root_;      // name of the root's member that is open
    std::string name_;         // name of its member that is open
    std::vector<Json*> open_;  // values that are open, outermost first
    Json* member_ = nullptr;   // where the value of the name just read goes
};

Json parse(std::string_view text, const std::string& file, const JsonMembers* members) {
    Json value;
    Builder builder(value, members);
    if (!Json::sax_parse(text, &builder))
        throw core::FormatError({.file = file,
                                 .object = {},
                                 .expected = builder.expected,
                                 .found = builder.found,
                                 .hint = builder.hint});
    return value;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& file) {
    return parse(text, file, nullptr);
}

Json parse_json(std::string_view text, const std::string& file, const JsonMembers& members) {
    return parse(text, file, &members);
}

Json with_extra(Json fields, const std::string& extra) {
    if (!extra.empty()) fields.update(Json::parse(extra));
    return fields;
}

std::string to_text(const Json& value) {
    return value.dump(2) + "\n";
}

}  // namespace smeta::atlas::detail

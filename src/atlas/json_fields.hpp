#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "smeta/core/hash.hpp"

namespace smeta::atlas::detail {

using Json = nlohmann::json;  // objects ascend by key: equal content, equal text

/// Reads the fields of one JSON object and reports what is wrong by its place in the file
/// ("samples/A/stages/qc"), which is put together only then: a manifest has a million objects.
class JsonObject {
  public:
    /// FormatError unless `value` is an object. `value` and `file` must outlive this.
    JsonObject(const Json& value, const std::string& file, std::string_view place);
    /// The object `value` at `field` of this one, which must outlive it.
    JsonObject member(std::string_view field, const Json& value) const;

    std::string text(const char* field) const;
    /// From 0 to 2^45.
    std::int64_t count(const char* field) const;
    core::Hash128 checksum(const char* field) const;
    /// A member object; a missing one is empty. This must outlive it.
    JsonObject object(const char* field) const;
    /// A member array; a missing one is empty.
    const Json& array(const char* field) const;
    bool has(const char* field) const { return value_->contains(field); }

    const Json& value() const { return *value_; }
    const std::string& file() const { return *file_; }
    std::string place_of(std::string_view field) const;
    /// The fields that are not `known`, as text; "" when there are none.
    std::string unknown_fields(std::initializer_list<std::string_view> known) const;
    [[noreturn]] void fail(std::string_view field, std::string expected, std::string found) const;

  private:
    JsonObject(const Json& value, const std::string& file, const JsonObject* parent,
               std::string_view name);
    const Json* find(const char* field) const;  ///< nullptr when it is not there
    const Json* value_;
    const std::string* file_;
    const JsonObject* parent_;
    std::string name_;  // in the parent
};

/// Parses with a limit on the depth; a name that stands twice in an object is refused. FormatError
/// naming the file.
Json parse_json(std::string_view text, const std::string& file);
/// Gets the members of one member of the root one by one, so that a large one is never held whole.
struct JsonMembers {
    std::string of;  ///< name of the root's member
    std::function<void(const std::string& name, const Json& value)> use;
};
/// Likewise; members that are objects or lists go to `members` when they are read, and are null in
/// the result.
Json parse_json(std::string_view text, const std::string& file, const JsonMembers& members);
/// `fields` with the unknown fields put back.
Json with_extra(Json fields, const std::string& extra);
/// Two spaces of indentation and a line feed at the end.
std::string to_text(const Json& value);

}  // namespace smeta::atlas::detail

#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace smeta::core {

/// A configuration value as TOML has it.
using ConfigValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
                                 std::vector<double>, std::vector<std::string>>;

/// TOML text of one value ("0.1", "\"fast\"", "[128]").
std::string to_toml(const ConfigValue& value);

/// Specialise for an enum that appears in the configuration: every enumerator and its name in TOML.
///     template <> struct ConfigEnum<Reduction> {
///         static constexpr std::pair<Reduction, std::string_view> kNames[] = {{Reduction::Fast,
///         "fast"}, ...};
///     };
template <class E>
struct ConfigEnum;

/// Limits of a number: min <= value <= max.
struct ConfigRange {
    double min = -1e300;
    double max = 1e300;
};

/// One key: its name "section.key", meaning, and how to read and write the field behind it.
struct ConfigKey {
    std::string name;
    std::string meaning;
    std::string
        type;  ///< shown in errors and docs: "integer", "number >= 0", "fast | fixed_tree", ...
    bool optional = false;  ///< may be unset: dumped as a comment
    /// Set for a key "section.*": the map behind it (an unset name is absent).
    std::map<std::string, double>* open_map = nullptr;
    std::function<std::optional<ConfigValue>()> get;
    std::function<void(const ConfigValue&)> set;  ///< throws ConfigError without the key's name
};

/// The table that binds keys to the fields of plain structs: parsing, "did you mean", dumping and
/// docs all come from it. The structs must outlive the table. Local; rank 0 parses and the text is
/// broadcast.
class ConfigTable {
  public:
    ConfigTable& add(std::string name, bool& field, std::string meaning);
    ConfigTable& add(std::string name, std::int64_t& field, std::string meaning,
                     ConfigRange range = {});
    ConfigTable& add(std::string name, int& field, std::string meaning, ConfigRange range = {});
    ConfigTable& add(std::string name, std::uint64_t& field, std::string meaning);
    ConfigTable& add(std::string name, double& field, std::string meaning, ConfigRange range = {});
    ConfigTable& add(std::string name, std::optional<double>& field, std::string meaning,
                     ConfigRange range = {});
    ConfigTable& add(std::string name, std::optional<std::int64_t>& field, std::string meaning,
                     ConfigRange range = {});
    ConfigTable& add(std::string name, std::string& field, std::string meaning);
    ConfigTable& add(std::string name, std::vector<std::int64_t>& field, std::string meaning,
                     ConfigRange range = {});
    ConfigTable& add(std::string name, std::vector<double>& field, std::string meaning,
                     ConfigRange range = {});
    ConfigTable& add(std::string name, std::vector<std::string>& field, std::string meaning);
    /// Every "section.NAME" that no other key claims goes into the map (e.g. loss.<mod>).
    ConfigTable& add_open(std::string section, std::map<std::string, double>& field,
                          std::string meaning, ConfigRange range = {});

    template <class E>
    requires std::is_enum_v<E> ConfigTable& add(std::string name, E& field, std::string meaning) {
        std::vector<std::string> names;
        for (const auto& entry : ConfigEnum<E>::kNames) names.emplace_back(entry.second);
        return add_choice(
            std::move(name), std::move(meaning), std::move(names),
            [&field] {
                for (const auto& [value, text] : ConfigEnum<E>::kNames)
                    if (value == field) return std::string(text);
                return std::string();
            },
            [&field](std::string_view chosen) {
                for (const auto& [value, text] : ConfigEnum<E>::kNames)
                    if (text == chosen) field = value;
            });
    }

    const std::vector<ConfigKey>& keys() const { return keys_; }

    /// Sets one key; `origin` ("--set", "FILE.toml:12") begins the message of the ConfigError for a
    /// wrong key or value.
    void set(std::string_view name, const ConfigValue& value, std::string_view origin);
    /// "key=value" with the value as TOML (a bare word is a string).
    void set_from_text(std::string_view assignment, std::string_view origin);
    /// Parses TOML text; `ignore` names top-level entries that belong to somebody else (a study's
    /// `sample`).
    void parse_toml(const std::string& text, const std::string& file,
                    const std::vector<std::string>& ignore = {});

    /// Every key with its present value; comments carry the meaning. With `prefixes` only keys that
    /// begin with one of them.
    std::string dump_toml(const std::vector<std::string>& prefixes = {}) const;
    /// The reference page: a table of key, type, present value, meaning for every section.
    std::string dump_markdown() const;
    /// One line "key = value" per key below the prefixes, without comments: what a stage's key is
    /// hashed from.
    std::string canonical(const std::vector<std::string>& prefixes) const;

  private:
    ConfigTable& add_choice(std::string name, std::string meaning, std::vector<std::string> names,
                            std::function<std::string()> get,
                            std::function<void(std::string_view)> set);
    ConfigKey& append(std::string name, std::string meaning, std::string type);
    ConfigKey* find(std::string_view name);
    std::vector<ConfigKey> keys_;
};

/// The candidate closest to `word` by edit distance, if at most a third of its letters differ.
std::optional<std::string> did_you_mean(std::string_view word,
                                        const std::vector<std::string>& candidates);

/// "4G", "512M", "1.5GiB", "1000000" -> bytes (binary units); throws ConfigError.
std::int64_t parse_size(std::string_view text);

}  // namespace smeta::core

#include "smeta/core/config.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/core/error.hpp"

namespace smeta::core {

namespace {

std::string in_quotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out + '"';
}

std::string number_text(double value) {
    std::string text = fmt::format("{}", value);
    if (std::isfinite(value) && text.find_first_of(".en") == std::string::npos) text += ".0";
    return text;
}

std::string range_text(std::string type, const ConfigRange& range) {
    const ConfigRange open;
    if (range.min != open.min && range.max != open.max)
        return fmt::format("{} in [{}, {}]", type, range.min, range.max);
    if (range.min != open.min) return fmt::format("{} >= {}", type, range.min);
    if (range.max != open.max) return fmt::format("{} <= {}", type, range.max);
    return type;
}

[[noreturn]] void wrong(std::string_view expected, const ConfigValue& found) {
    throw ConfigError(fmt::format("expected {}, found {}", expected, to_toml(found)));
}

double as_number(const ConfigValue& value, const std::string& type, const ConfigRange& range) {
    double number = std::numeric_limits<double>::quiet_NaN();
    if (const auto* integer = std::get_if<std::int64_t>(&value))
        number = static_cast<double>(*integer);
    else if (const auto* real = std::get_if<double>(&value))
        number = *real;
    if (!(number >= range.min && number <= range.max)) wrong(type, value);
    return number;
}

std::int64_t as_integer(const ConfigValue& value, const std::string& type,
                        const ConfigRange& range) {
    const auto* integer = std::get_if<std::int64_t>(&value);
    if (integer == nullptr) wrong(type, value);
    as_number(value, type, range);
    return *integer;
}

template <class T>
std::vector<T> as_list(const ConfigValue& value, const std::string& type) {
    if (const auto* list = std::get_if<std::vector<T>>(&value)) return *list;
    // An empty TOML array has no element type.
    if (std::visit(
            [](const auto& held) {
                if constexpr (requires { typename std::decay_t<decltype(held)>::value_type; })
                    return !std::is_same_v<std::decay_t<decltype(held)>, std::string> &&
                           held.empty();
                return false;
            },
            value))
        return {};
    wrong(type, value);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] =
                std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

bool selected(const std::string& name, const std::vector<std::string>& prefixes) {
    return prefixes.empty() || std::any_of(prefixes.begin(), prefixes.end(),
                                           [&](const auto& p) { return name.starts_with(p); });
}

std::pair<std::string, std::string> split_key(const std::string& name) {
    const auto dot = name.find('.');
    if (dot == std::string::npos) return {"", name};
    return {name.substr(0, dot), name.substr(dot + 1)};
}

}  // namespace

std::string to_toml(const ConfigValue& value) {
    struct Writer {
        std::string operator()(bool v) const { return v ? "true" : "false"; }
        std::string operator()(std::int64_t v) const { return std::to_string(v); }
        std::string operator()(double v) const { return number_text(v); }
        std::string operator()(const std::string& v) const { return in_quotes(v); }
        std::string operator()(const std::vector<std::int64_t>& v) const {
            return fmt::format("[{}]", fmt::join(v, ", "));
        }
        std::string operator()(const std::vector<double>& v) const {
            std::vector<std::string> parts;
            for (const double x : v) parts.push_back(number_text(x));
            return fmt::format("[{}]", fmt::join(parts, ", "));
        }
        std::string operator()(const std::vector<std::string>& v) const {
            std::vector<std::string> parts;
            for (const auto& x : v) parts.push_back(in_quotes(x));
            return fmt::format("[{}]", fmt::join(parts, ", "));
        }
    };
    return std::visit(Writer{}, value);
}

ConfigKey& ConfigTable::append(std::string name, std::string meaning, std::string type) {
    check(find(name) == nullptr, "a configuration key is registered once: " + name);
    ConfigKey key;
    key.name = std::move(name);
    key.meaning = std::move(meaning);
    key.type = std::move(type);
    return keys_.emplace_back(std::move(key));
}

ConfigKey* ConfigTable::find(std::string_view name) {
    for (auto& key : keys_)
        if (key.name == name) return &key;
    return nullptr;
}

ConfigTable& ConfigTable::add(std::string name, bool& field, std::string meaning) {
    ConfigKey& key = append(std::move(name), std::move(meaning), "true | false");
    key.get = [&field] { return ConfigValue(field); };
    key.set = [&field](const ConfigValue& value) {
        const auto* flag = std::get_if<bool>(&value);
        if (flag == nullptr) wrong("true or false", value);
        field = *flag;
    };
    return *this;
}

ConfigTable& ConfigTable::add(std::string name, std::int64_t& field, std::string meaning,
                              ConfigRange range) {
    ConfigKey& key = append(std::move(name), std::move(meaning), range_text("integer", range));
    key.get = [&field] { return ConfigValue(field); };
    key.set = [&field, range, type = key.type](const ConfigValue& value) {
        field = as_integer(value, type, range);
    };
    return *this;
}

ConfigTable& ConfigTable::add(std::string name, int& field, std::string meaning,
                              ConfigRange range) {
    range.min = std::max<double>(range.min, std::numeric_limits<int>::min());
    const ConfigRange shown{range.min == std::numeric_limits<int>::min() ? -1e300 : range.min,
                            range.max};
    ConfigKey& key = append(std::move(name), std::move(meaning), range_text("integer", shown));
    range.max = std::min<double>(range.max, std::numeric_limits<int>::max());
    key.get = [&field] { return ConfigValue(static_cast<std::int64_t>(field)); };
    key.set = [&field, range, type = key.type](const ConfigValue& value) {
        field = static_cast<int>(as_integer(value, type, range));
    };
    return *this;
}

ConfigTable& ConfigTable::add(std::string name, std::uint64_t& field, std::string meaning) {
    ConfigKey& key = append(std::move(name), std::move(meaning), "integer >= 0");
    key.get = [&field] { return ConfigValue(static_cast<std::int64_t>(field)); };
    key.set = [&field](const ConfigValue& value) {
        field = static_cast<std::uint64_t>(as_integer(value, "integer >= 0", {.min = 0}));
    };
    return *this;
}

ConfigTable& ConfigTable::add(std::string name, double& field, std::string meaning,
                              ConfigRange range) {
    ConfigKey& key = append(std::move(name), std::move(meaning), range_text("number", range));
    key.get = [&field] { return ConfigValue(field); };
    key.set = [&field, range, type = key.type](const ConfigValue& value) {
        field = as_number(value, type, range);
    };
    return *this;
}

ConfigTable& ConfigTable::add(std::string name, std::optional<double>& field, std::string meaning,
                              ConfigRange range) {
    ConfigKey& key = append(std::move(name), std::move(meaning), range_text("number", range));
    key.optional = true;
    key.get = [&field] { return field ? std::optional<ConfigValue>(*field) : std::nullopt; };
    key.set = [&field, range, type = key.type](const ConfigValue& value) {
        field = as_number(value, type, range);
    };
    return *this;
}

ConfigTable& ConfigTable::add(std::string name, std::optional<std::int64_t>& field,
                              std::string meaning, ConfigRange range) {
    ConfigKey& key = append(std::move(name), std::move(meaning), range_text("integer", range));
    key.optional = true;
    key.get = [&field] { return field ? std::optional<ConfigValue>(*field) : std::nullopt; };
    key.set = [&field, range, type = key.type](const ConfigValue& value) {
        field = as_integer(value, type, range);
    };
    return *this;
}

ConfigTable& ConfigTable::add(std::string name, std::string& field, std::string meaning) {
    ConfigKey& key = append(std::move(name), std::move(meaning), "string");
    key.get = [&field] { return ConfigValue(field); };
    key.set = [&field](const ConfigValue& value) {
        const auto* text = std::get_if<std::string>(&value);
        if (text == nullptr) wrong("a string", value);
        field = *text;
    };
    return *this;
}

ConfigTable& ConfigTable::add(std::string name, std::vector<std::int64_t>& field,
                              std::string meaning, ConfigRange range) {
    ConfigKey& key =
        append(std::move(name), std::move(meaning), "list of " + range_text("integer", range));
    key.get = [&field] { return ConfigValue(field); };
    key.set = [&field, range, type = key.type](const ConfigValue& value) {
        auto list = as_list<std::int64_t>(value, type);
        for (const std::int64_t item : list) as_integer(item, type, range);
        field = std::move(list);
    };
    return *this;
}

ConfigTable& ConfigTable::add(std::string name, std::vector<double>& field, std::string meaning,
                              ConfigRange range) {
    ConfigKey& key =
        append(std::move(name), std::move(meaning), "list of " + range_text("number", range));
    key.get = [&field] { return ConfigValue(field); };
    key.set = [&field, range, type = key.type](const ConfigValue& value) {
        std::vector<double> list;
        if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value))
            list.assign(integers->begin(), integers->end());
        else
            list = as_list<double>(value, type);
        for (const double item : list) as_number(item, type, range);
        field = std::move(list);
    };
    return *this;
}

ConfigTable& ConfigTable::add(std::string name, std::vector<std::string>& field,
                              std::string meaning) {
    ConfigKey& key = append(std::move(name), std::move(meaning), "list of strings");
    key.get = [&field] { return ConfigValue(field); };
    key.set = [&field](const ConfigValue& value) {
        field = as_list<std::string>(value, "a list of strings");
    };
    return *this;
}

ConfigTable& ConfigTable::add_open(std::string section, std::map<std::string, double>& field,
                                   std::string meaning, ConfigRange range) {
    ConfigKey& key = append(section + ".*", std::move(meaning), range_text("number", range));
    key.optional = true;
    key.open_map = &field;
    key.get = [] { return std::nullopt; };
    key.set = [type = key.type, range](const ConfigValue& value) { as_number(value, type, range); };
    return *this;
}

ConfigTable& ConfigTable::add_choice(std::string name, std::string meaning,
                                     std::vector<std::string> names,
                                     std::function<std::string()> get,
                                     std::function<void(std::string_view)> set) {
    ConfigKey& key =
        append(std::move(name), std::move(meaning), fmt::format("{}", fmt::join(names, " | ")));
    key.get = [get = std::move(get)] { return ConfigValue(get()); };
    key.set = [names = std::move(names), set = std::move(set),
               type = key.type](const ConfigValue& value) {
        const auto* text = std::get_if<std::string>(&value);
        if (text == nullptr || std::find(names.begin(), names.end(), *text) == names.end())
            wrong("one of " + type, value);
        set(*text);
    };
    return *this;
}

void ConfigTable::set(std::string_view name, const ConfigValue& value, std::string_view origin) {
    ConfigKey* key = find(name);
    std::string open_name;
    if (key == nullptr) {
        const auto [section, rest] = split_key(std::string(name));
        ConfigKey* open = section.empty() ? nullptr : find(section + ".*");
        if (open != nullptr && open->open_map != nullptr) {
            key = open;
            open_name = rest;
        }
    }
    if (key == nullptr) {
        std::vector<std::string> names;
        for (const auto& known : keys_) names.push_back(known.name);
        const auto close = did_you_mean(name, names);
        throw ConfigError(
            fmt::format("{}: unknown configuration key '{}'{}", origin, name,
                        close ? fmt::format("; did you mean '{}'?", *close)
                              : std::string("; 'smeta config --dump' lists every key")));
    }
    try {
        key->set(value);
    } catch (const ConfigError& error) {
        throw ConfigError(fmt::format("{}: key '{}': {}", origin, name, error.what()));
    }
    if (key->open_map != nullptr) {
        const auto* integer = std::get_if<std::int64_t>(&value);
        (*key->open_map)[open_name] =
            integer != nullptr ? static_cast<double>(*integer) : std::get<double>(value);
    }
}

std::string ConfigTable::dump_toml(const std::vector<std::string>& prefixes) const {
    // Keys without a section must come before the first [section].
    std::vector<const ConfigKey*> order;
    for (const auto& key : keys_)
        if (selected(key.name, prefixes)) order.push_back(&key);
    std::stable_partition(order.begin(), order.end(), [](const ConfigKey* key) {
        return key->name.find('.') == std::string::npos;
    });
    std::vector<std::string> sections;
    for (const auto* key : order)
        if (const auto section = split_key(key->name).first;
            std::find(sections.begin(), sections.end(), section) == sections.end())
            sections.push_back(section);
    std::string text;
    for (const auto& section : sections) {
        if (!section.empty()) text += fmt::format("\n[{}]\n", section);
        for (const auto* key : order) {
            const auto [key_section, name] = split_key(key->name);
            if (key_section != section) continue;
            text += fmt::format("# {} ({})\n", key->meaning, key->type);
            if (key->open_map != nullptr) {
                for (const auto& [open_name, value] : *key->open_map)
                    text += fmt::format("{} = {}\n", open_name, number_text(value));
            } else if (const auto value = key->get(); value) {
                text += fmt::format("{} = {}\n", name, to_toml(*value));
            } else {
                text += fmt::format("# {} =\n", name);
            }
        }
    }
    return text;
}

std::string ConfigTable::dump_markdown() const {
    std::vector<std::string> sections;
    for (const auto& key : keys_)
        if (const auto section = split_key(key.name).first;
            std::find(sections.begin(), sections.end(), section) == sections.end())
            sections.push_back(section);
    const auto cell = [](std::string text) {
        for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
            text.insert(at, "\\");
        return text;
    };
    std::string text =
        "# Configuration keys\n\nGenerated by `smeta config --dump --format markdown`.\n";
    for (const auto& section : sections) {
        text += fmt::format("\n## {}\n\n| key | type | default | meaning |\n|---|---|---|---|\n",
                            section.empty() ? "top level" : section);
        for (const auto& key : keys_) {
            if (split_key(key.name).first != section) continue;
            const auto value = key.get();
            text += fmt::format("| `{}` | {} | {} | {} |\n", key.name, cell(key.type),
                                value ? "`" + to_toml(*value) + "`" : "unset", cell(key.meaning));
        }
    }
    return text;
}

std::string ConfigTable::canonical(const std::vector<std::string>& prefixes) const {
    std::vector<std::string> lines;
    for (const auto& key : keys_) {
        if (key.open_map != nullptr) {
            const std::string section = split_key(key.name).first;
            for (const auto& [name, value] : *key.open_map)
                if (selected(section + "." + name, prefixes))
                    lines.push_back(fmt::format("{}.{} = {}\n", section, name, number_text(value)));
        } else if (selected(key.name, prefixes)) {
            const auto value = key.get();
            lines.push_back(fmt::format("{} = {}\n", key.name, value ? to_toml(*value) : "unset"));
        }
    }
    std::sort(lines.begin(), lines.end());
    return fmt::format("{}", fmt::join(lines, ""));
}

std::optional<std::string> did_you_mean(std::string_view word,
                                        const std::vector<std::string>& candidates) {
    std::optional<std::string> best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const auto& candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::int64_t parse_size(std::string_view text) {
    double number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    std::string_view unit(end, text.data() + text.size() - end);
    if (unit.ends_with("iB"))
        unit.remove_suffix(2);
    else if (unit.ends_with("B"))
        unit.remove_suffix(1);
    double factor = 0;
    if (unit.empty()) factor = 1;
    if (unit == "K" || unit == "k") factor = 0x1.0p10;
    if (unit == "M") factor = 0x1.0p20;
    if (unit == "G") factor = 0x1.0p30;
    if (unit == "T") factor = 0x1.0p40;
    if (code != std::errc() || factor == 0 || !(number > 0) || number * factor > 0x1.0p62)
        throw ConfigError(fmt::format("'{}' is not a size; write for example 4G or 512M", text));
    return static_cast<std::int64_t>(number * factor);
}

}  // namespace smeta::core

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <toml.hpp>

#include "smeta/core/config.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/toml_nesting.hpp"

namespace smeta::core {

namespace {

template <class T>
std::vector<T> list_of(const toml::array& array) {
    std::vector<T> list;
    for (const auto& item : array) list.push_back(toml::get<T>(item));
    return list;
}

ConfigValue array_value(const toml::array& array, const std::string& name) {
    const auto all = [&array](auto test) { return std::all_of(array.begin(), array.end(), test); };
    if (all([](const auto& v) { return v.is_integer(); })) return list_of<std::int64_t>(array);
    if (all([](const auto& v) { return v.is_string(); })) return list_of<std::string>(array);
    if (all([](const auto& v) { return v.is_integer() || v.is_floating(); })) {
        std::vector<double> list;
        for (const auto& item : array)
            list.push_back(item.is_integer() ? static_cast<double>(item.as_integer())
                                             : item.as_floating());
        return list;
    }
    throw ConfigError(
        fmt::format("key '{}': a list holds only integers, numbers or strings", name));
}

ConfigValue to_value(const toml::value& value, const std::string& name) {
    if (value.is_boolean()) return value.as_boolean();
    if (value.is_integer()) return static_cast<std::int64_t>(value.as_integer());
    if (value.is_floating()) return value.as_floating();
    if (value.is_string()) return static_cast<std::string>(value.as_string().str);
    if (value.is_array()) return array_value(value.as_array(), name);
    throw ConfigError(fmt::format("key '{}': dates and inline tables are not used here", name));
}

void apply(ConfigTable& table, const toml::value& value, const std::string& name,
           const std::string& file) {
    if (value.is_table()) {
        // toml11 keeps tables unordered; by name the same file always gives the same first error.
        std::vector<std::string> keys;
        for (const auto& [key, inner] : value.as_table()) keys.push_back(key);
        std::sort(keys.begin(), keys.end());
        for (const auto& key : keys)
            apply(table, value.at(key), name.empty() ? key : name + "." + key, file);
        return;
    }
    table.set(name, to_value(value, name), fmt::format("{}:{}", file, value.location().line()));
}

toml::value parse(const std::string& text, const std::string& file) {
    check_toml_nesting(text, file);
    std::istringstream stream(text);
    try {
        return toml::parse(stream, file);
    } catch (const std::exception& error) {  // toml::exception and std::runtime_error both occur
        throw ConfigError(fmt::format("{}: not valid TOML: {}", file, error.what()));
    }
}

}  // namespace

void check_toml_nesting(std::string_view text, const std::string& file) {
    constexpr int kMostBrackets = 100;
    constexpr int kMostDots = 1000;
    int brackets = 0;
    int dots = 0;  // since a character that no dotted key has
    std::int64_t line = 1;
    for (const char c : text) {
        line += c == '\n' ? 1 : 0;
        if (c == '[' || c == '{') ++brackets;
        if ((c == ']' || c == '}') && brackets > 0) --brackets;
        if (c == '.')
            ++dots;
        else if (c == '\n' || c == ',' || c == '=')
            dots = 0;
        if (brackets > kMostBrackets || dots > kMostDots)
            throw ConfigError(fmt::format("{}:{}: not valid TOML: nested too deep", file, line));
    }
}

void ConfigTable::parse_toml(const std::string& text, const std::string& file,
                             const std::vector<std::string>& ignore) {
    toml::value root = parse(text, file);
    for (const auto& name : ignore) root.as_table().erase(name);
    apply(*this, root, "", file);
}

void ConfigTable::set_from_text(std::string_view assignment, std::string_view origin) {
    const auto equals = assignment.find('=');
    if (equals == std::string_view::npos || equals == 0)
        throw ConfigError(fmt::format("{} {}: expected key=value", origin, assignment));
    const std::string name(assignment.substr(0, equals));
    const std::string text(assignment.substr(equals + 1));
    check_toml_nesting(text, std::string(origin));
    std::istringstream stream("value = " + text + "\n");
    ConfigValue value = text;  // a bare word: train.reduction=fast
    try {
        const toml::value parsed = toml::parse(stream, std::string(origin));
        value = to_value(parsed.at("value"), name);
    } catch (const Error&) {
        throw;
    } catch (const std::exception&) {
        if (text.find_first_of("[]{}\"'\n") != std::string::npos)
            throw ConfigError(
                fmt::format("{} {}: the value is not valid TOML", origin, assignment));
    }
    set(name, value, origin);
}

}  // namespace smeta::core

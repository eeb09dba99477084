#include "smeta/atlas/study.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <toml.hpp>

#include "smeta/atlas/names.hpp"
#include "smeta/core/config.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/toml_nesting.hpp"

namespace smeta::atlas {

namespace {

/// Reads one study.toml; keeps what every message needs.
class Parser {
  public:
    explicit Parser(const std::string& file)
        : file_(file), folder_(std::filesystem::path(file).parent_path()) {}

    Study parse(const std::string& text) {
        const toml::value root = parse_toml(text);
        Study study;
        study.file = file_;
        study.atlas = path(root.contains("atlas") ? string(root.at("atlas"), "atlas") : "atlas");
        study.run = root.contains("run") ? string(root.at("run"), "run") : "main";
        if (!is_valid_name(study.run)) fail(root.at("run"), "run", "a name of [A-Za-z0-9_.-]");
        if (!root.contains("sample"))
            throw core::ConfigError(
                fmt::format("{}: no [[sample]]: a study names its samples", file_));
        const auto& samples = root.at("sample");
        if (!samples.is_array()) fail(samples, "sample", "[[sample]], with double brackets");
        std::set<std::string> names;
        for (const auto& table : samples.as_array()) {
            study.samples.push_back(sample(table));
            const auto& name = study.samples.back().name;
            if (!name.empty() && !names.insert(name).second)
                throw core::ConfigError(
                    fmt::format("{}: sample '{}' is there twice", where(table), name));
        }
        return study;
    }

  private:
    toml::value parse_toml(const std::string& text) const {
        core::check_toml_nesting(text, file_);
        std::istringstream stream(text);
        try {
            return toml::parse(stream, file_);
        } catch (
            const std::exception& error) {  // toml::exception and std::runtime_error both occur
            throw core::ConfigError(fmt::format("{}: not valid TOML: {}", file_, error.what()));
        }
    }

    std::string where(const toml::value& value) const {
        return fmt::format("{}:{}", file_, value.location().line());
    }

    [[noreturn]] void fail(const toml::value& value, std::string_view key,
                           std::string_view expected) const {
        throw core::ConfigError(fmt::format("{}: '{}' must be {}", where(value), key, expected));
    }

    std::string string(const toml::value& value, std::string_view key) const {
        if (!value.is_string() || value.as_string().str.empty() ||
            value.as_string().str.find('\0') != std::string::npos)
            fail(value, key, "a text in quotes");
        return value.as_string().str;
    }

    double number(const toml::value& value, std::string_view key) const {
        if (value.is_integer()) return static_cast<double>(value.as_integer());
        if (!value.is_floating()) fail(value, key, "a number");
        return value.as_floating();
    }

    std::string path(const std::string& text) const {
        return std::filesystem::path(text).is_absolute() ? text : (folder_ / text).string();
    }

    SampleSource sample(const toml::value& table) const {
        if (!table.is_table()) fail(table, "sample", "[[sample]], with double brackets");
        SampleSource source;
        source.origin = where(table);
        std::vector<std::string> keys;
        for (const auto& [key, value] : table.as_table()) keys.push_back(key);
        std::sort(keys.begin(), keys.end());  // the same file always gives the same first error
        for (const auto& key : keys) set(source, key, table.at(key));
        check_source(source);
        return source;
    }

    void set(SampleSource& source, const std::string& key, const toml::value& value) const {
        static const std::vector<std::string> kKeys = {"name",
                                                       "cohort",
                                                       "st",
                                                       "sm",
                                                       "mod",
                                                       "joint",
                                                       "labels",
                                                       "sm_columns",
                                                       "image",
                                                       "image_scale",
                                                       "image_microns_per_pixel",
                                                       "obs",
                                                       "align"};
        if (key == "name")
            source.name = string(value, key);
        else if (key == "cohort")
            source.cohort = string(value, key);
        else if (key == "st")
            source.st = path(string(value, key));
        else if (key == "sm")
            source.sm = paths(value, key);
        else if (key == "mod")
            source.others = others(value);
        else if (key == "joint")
            source.joint = path(string(value, key));
        else if (key == "labels")
            source.labels = path(string(value, key));
        else if (key == "sm_columns")
            source.sm_columns = string(value, key);
        else if (key == "image")
            source.image = path(string(value, key));
        else if (key == "image_scale")
            source.image_scale = number(value, key);
        else if (key == "image_microns_per_pixel")
            source.image_microns_per_pixel = number(value, key);
        else if (key == "obs")
            source.obs = levels(value);
        else if (key == "align")
            source.transform = align(value);
        else
            unknown(value, key, kKeys);
    }

    [[noreturn]] void unknown(const toml::value& value, const std::string& key,
                              const std::vector<std::string>& known) const {
        const auto close = core::did_you_mean(key, known);
        throw core::ConfigError(
            fmt::format("{}: unknown key '{}' of a sample{}", where(value), key,
                        close ? fmt::format("; did you mean '{}'?", *close)
                              : fmt::format("; there are {}", fmt::join(known, ", "))));
    }

    std::vector<std::string> paths(const toml::value& value, const std::string& key) const {
        if (value.is_string()) return {path(string(value, key))};
        if (!value.is_array() || value.as_array().empty())
            fail(value, key, "a path or a list of paths");
        std::vector<std::string> list;
        for (const auto& item : value.as_array()) list.push_back(path(string(item, key)));
        return list;
    }

    std::map<std::string, std::string> others(const toml::value& value) const {
        if (!value.is_table()) fail(value, "mod", "a table such as {protein = \"protein.h5ad\"}");
        std::map<std::string, std::string> result;
        for (const auto& [name, file] : value.as_table())
            result[name] = path(string(file, "mod." + name));
        return result;
    }

    std::map<std::string, std::string> levels(const toml::value& value) const {
        if (!value.is_table()) fail(value, "obs", "a table such as {platform = \"visium\"}");
        std::map<std::string, std::string> result;
        for (const auto& [key, level] : value.as_table()) {
            if (!is_valid_name(key)) fail(level, "obs." + key, "a level named by [A-Za-z0-9_.-]");
            if (level.is_string() && level.as_string().str.find('\0') != std::string::npos)
                fail(level, "obs." + key, "a text without zero bytes");
            if (level.is_string())
                result[key] = level.as_string().str;
            else if (level.is_integer())
                result[key] = fmt::format("{}", level.as_integer());
            else if (level.is_floating())
                result[key] = fmt::format("{}", level.as_floating());
            else if (level.is_boolean())
                result[key] = level.as_boolean() ? "true" : "false";
            else
                fail(level, "obs." + key, "a text or a number");
        }
        return result;
    }

    std::optional<AffineTransform> align(const toml::value& value) const {
        if (!value.is_table()) fail(value, "align", "a table with the key transform");
        for (const auto& [key, inner] : value.as_table())
            if (key != "transform") unknown(inner, "align." + key, {"align.transform"});
        if (!value.contains("transform")) return std::nullopt;
        return transform(value.at("transform"));
    }

    AffineTransform transform(const toml::value& value) const {
        const auto rows = matrix(value);
        AffineTransform result;
        if (rows.size() == 3) {
            result.a = {rows[0][0], rows[0][1], rows[1][0], rows[1][1]};
            result.t = {rows[2][0], rows[2][1]};
        } else {
            result.a = {rows[0][0], rows[0][1], rows[1][0], rows[1][1]};
            result.t = {rows[0][2], rows[1][2]};
        }
        const double determinant = result.a[0] * result.a[3] - result.a[1] * result.a[2];
        if (!std::isfinite(determinant) || determinant == 0 || !std::isfinite(result.t[0]) ||
            !std::isfinite(result.t[1]))
            fail(value, "align.transform", "an invertible map of finite numbers");
        return result;
    }

    std::vector<std::vector<double>> matrix(const toml::value& value) const {
        constexpr std::string_view kShape =
            "3 x 2 numbers, [[a11, a12], [a21, a22], [t1, t2]] with ST = A SM + t";
        std::vector<std::vector<double>> rows;
        if (!value.is_array()) fail(value, "align.transform", kShape);
        for (const auto& row : value.as_array()) {
            if (!row.is_array()) fail(value, "align.transform", kShape);
            rows.emplace_back();
            for (const auto& number : row.as_array()) {
                if (!number.is_integer() && !number.is_floating())
                    fail(value, "align.transform", kShape);
                rows.back().push_back(number.is_integer() ? static_cast<double>(number.as_integer())
                                                          : number.as_floating());
            }
        }
        const std::size_t width = rows.size() == 3 ? 2 : 3;
        const auto wrong = [width](const auto& row) { return row.size() != width; };
        if ((rows.size() != 3 && rows.size() != 2) || std::any_of(rows.begin(), rows.end(), wrong))
            fail(value, "align.transform", kShape);
        return rows;
    }

    std::string file_;
    std::filesystem::path folder_;
};

}  // namespace

void check_source(const SampleSource& source) {
    const auto fail = [&source](const std::string& what) {
        throw core::ConfigError(fmt::format("{}: {}", source.origin, what));
    };
    if (source.name.empty() && source.joint.empty()) fail("a sample needs a name");
    if (!source.name.empty() && !is_valid_name(source.name))
        fail(fmt::format("sample name '{}' must match [A-Za-z0-9_.-]+", source.name));
    for (const auto& [name, path] : source.others) {
        if (!is_valid_name(name))
            fail(fmt::format("modality name '{}' must match [A-Za-z0-9_.-]+", name));
        if (name == "st" || name == "sm")
            fail(fmt::format("mod.{}: the data of {} are given by the key {}", name, name, name));
    }
    const bool parts = !source.st.empty() || !source.sm.empty() || !source.others.empty();
    if (parts && !source.joint.empty())
        fail("a sample is either a joint file or st, sm and/or mod, not both");
    if (!parts && source.joint.empty())
        fail(fmt::format("sample '{}' names no data: it needs st, sm, mod or joint", source.name));
    const bool scaled = source.image_scale || source.image_microns_per_pixel;
    if (scaled && source.image.empty())
        fail("image_scale and image_microns_per_pixel are of image");
    if (!source.image.empty() && source.st.empty())
        fail("image: an image lies under the spots of st, which the sample has not");
    if (source.image_scale && source.image_microns_per_pixel)
        fail("give one of image_scale and image_microns_per_pixel");
    for (const auto& scale : {source.image_scale, source.image_microns_per_pixel})
        if (scale && !(*scale > 0 && std::isfinite(*scale)))
            fail(fmt::format("the scale of the image must be a number above 0, not {}", *scale));
    if (source.sm.size() > 2) fail("sm is one file, or the positive and the negative one");
    if (source.transform && !source.joint.empty())
        fail("align.transform: the rows of a joint file are aligned already");
}

Study parse_study(const std::string& text, const std::string& file) {
    return Parser(file).parse(text);
}

std::vector<SampleSource> select_samples(const Study& study,
                                         const std::vector<std::string>& names) {
    std::vector<std::string> known;
    for (const auto& sample : study.samples)
        if (!sample.name.empty()) known.push_back(sample.name);
    for (const auto& name : names)
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            const auto close = core::did_you_mean(name, known);
            throw core::ConfigError(
                fmt::format("{}: no [[sample]] is named '{}'{}; there are {}", study.file, name,
                            close ? fmt::format("; did you mean '{}'?", *close) : "",
                            known.empty() ? "only joint files without a name"
                                          : fmt::format("{}", fmt::join(known, ", "))));
        }
    std::vector<SampleSource> selected;
    for (const auto& sample : study.samples)
        if (std::find(names.begin(), names.end(), sample.name) != names.end())
            selected.push_back(sample);
    return selected;
}

}  // namespace smeta::atlas

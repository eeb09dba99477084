#include "smeta/atlas/manifest.hpp"

#include <algorithm>
#include <charconv>
#include <exception>
#include <limits>
#include <unordered_set>

#include <fmt/format.h>

#include "smeta/atlas/names.hpp"
#include "smeta/core/error.hpp"

#include "manifest_json.hpp"

namespace smeta::atlas {

namespace detail {

void check_member_name(const JsonObject& parent, const std::string& name) {
    if (!is_valid_name(name)) parent.fail(name, "a name of letters, digits, '_', '.', '-'", name);
}

int check_version(const JsonObject& root, std::string_view format, int major) {
    if (const std::string found = root.text("format"); found != format)
        root.fail("format", std::string(format), found);
    const std::string version = root.text("version");
    const char* const end = version.data() + version.size();
    int found_major = 0;
    int minor = 0;
    const auto first = std::from_chars(version.data(), end, found_major);
    const bool dot = first.ec == std::errc() && first.ptr != end && *first.ptr == '.';
    const auto second = dot ? std::from_chars(first.ptr + 1, end, minor) : first;
    if (!dot || second.ec != std::errc() || second.ptr != end || found_major < 1 || minor < 0)
        root.fail("version", "MAJOR.MINOR", version);
    if (found_major != major)
        throw core::FormatError(
            {.file = root.file(),
             .object = "version",
             .expected = fmt::format("{}.x", major),
             .found = version,
             .hint = "the atlas was written by another generation of smeta: use that version, or "
                     "a newer smeta"});
    return minor;
}

namespace {

FileEntry parse_file_entry(const JsonObject& object) {
    FileEntry file;
    file.path = object.text("path");
    if (!is_safe_relative_path(file.path))
        object.fail("path", "a relative path inside the atlas", file.path);
    file.bytes = object.count("bytes");
    file.rows = object.count("rows");
    file.checksum = object.checksum("xxh3");
    file.extra = object.unknown_fields({"path", "bytes", "rows", "xxh3"});
    return file;
}

std::vector<FileEntry> parse_files(const JsonObject& parent) {
    std::vector<FileEntry> files;
    for (const Json& value : parent.array("files"))
        files.push_back(
            parse_file_entry(parent.member(fmt::format("files/{}", files.size()), value)));
    return files;
}

std::map<std::string, ModalityShape> parse_modalities(const JsonObject& parent) {
    std::map<std::string, ModalityShape> modalities;
    const JsonObject object = parent.object("modalities");
    for (const auto& [name, value] : object.value().items()) {
        check_member_name(object, name);
        const JsonObject shape = object.member(name, value);
        const std::int64_t features = shape.count("features");
        if (features > std::numeric_limits<std::int32_t>::max())
            shape.fail("features", "below 2^31", std::to_string(features));
        ModalityShape& target = modalities[name];
        target.rows = shape.count("rows");
        target.features = static_cast<std::int32_t>(features);
        const JsonObject dropped = shape.object("dropped");
        for (const auto& [reason, count] : dropped.value().items())
            target.dropped[reason] = dropped.count(reason.c_str());
    }
    return modalities;
}

/// Puts an object at the end of `text`: the fields known to this version, as text, and others.
void append(std::string& text, const std::string& known, const std::string& extra) {
    text += extra.empty() ? known : with_extra(Json::parse(known), extra).dump();
}

/// Names, paths and keys are letters that JSON takes as they are; reasons are any text.
void append(std::string& text, const std::map<std::string, ModalityShape>& modalities) {
    const char* before = ",\"modalities\":{";
    for (const auto& [name, shape] : modalities) {
        text += fmt::format("{}\"{}\":{{", before, name);
        if (!shape.dropped.empty())
            text += fmt::format("\"dropped\":{},", Json(shape.dropped).dump());
        text += fmt::format("\"features\":{},\"rows\":{}}}", shape.features, shape.rows);
        before = ",";
    }
    if (!modalities.empty()) text += "}";
}

}  // namespace

StageEntry parse_stage(const JsonObject& object) {
    StageEntry stage;
    stage.key = object.text("key");
    const bool hex = std::all_of(stage.key.begin(), stage.key.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
    if (stage.key.size() != 16 || !hex) object.fail("key", "16 hex digits", stage.key);
    stage.files = parse_files(object);
    if (stage.files.empty()) object.fail("files", "at least one file", "none");
    stage.modalities = parse_modalities(object);
    stage.extra = object.unknown_fields({"key", "files", "modalities"});
    return stage;
}

std::string to_json(const StageEntry& stage) {
    std::string known = "{\"files\":[";
    for (const FileEntry& file : stage.files) {
        if (known.back() != '[') known += ",";
        append(known,
               fmt::format("{{\"bytes\":{},\"path\":\"{}\",\"rows\":{},\"xxh3\":\"{}\"}}",
                           file.bytes, file.path, file.rows, core::to_hex(file.checksum)),
               file.extra);
    }
    known += fmt::format("],\"key\":\"{}\"", stage.key);
    append(known, stage.modalities);
    known += "}";
    std::string text;
    append(text, known, stage.extra);
    return text;
}

namespace {

/// Digits of the checksum. Lines of samples begin with more blanks, so no member of one is taken
/// for it.
constexpr std::string_view kChecksumLine = "\n  \"xxh3\": \"";
constexpr std::size_t kDigits = 32;

/// Where the checksum's digits stand; npos when the text has none.
std::size_t find_checksum(std::string_view text) {
    const std::size_t line = text.rfind(kChecksumLine);
    if (line == std::string_view::npos) return line;
    const std::size_t at = line + kChecksumLine.size();
    return at + kDigits <= text.size() ? at : std::string_view::npos;
}

std::string checksum_of(std::string_view text, std::size_t digits) {
    core::Hasher128 hasher;
    const std::string zeros(kDigits, '0');
    for (const std::string_view part :
         {text.substr(0, digits), std::string_view(zeros), text.substr(digits + kDigits)})
        hasher.update(std::as_bytes(std::span(part)));
    return core::to_hex(hasher.digest());
}

}  // namespace

std::string with_checksum(std::string text) {
    const std::size_t digits = find_checksum(text);
    return text.replace(digits, kDigits, checksum_of(text, digits));
}

}  // namespace detail

namespace {

using detail::Json;
using detail::JsonObject;

constexpr std::string_view kFormat = "smeta-atlas";

/// Manifests have had a checksum since 1.2; an older one may lack it.
void check_checksum(std::string_view text, int minor, const std::string& file) {
    const std::size_t digits = detail::find_checksum(text);
    const bool there = digits != std::string_view::npos;
    if (!there && minor < 2) return;
    const std::string found = there ? std::string(text.substr(digits, detail::kDigits)) : "none";
    const std::string expected = there ? detail::checksum_of(text, digits) : "32 hex digits";
    if (found != expected)
        throw core::FormatError(
            {.file = file,
             .object = "xxh3",
             .expected = expected,
             .found = found,
             .hint = "the manifest is damaged or was edited: bring it back from a copy; after an "
                     "edit that you mean, put the expected digits there"});
}

std::map<std::string, StageEntry> parse_stages(const JsonObject& parent,
                                               std::unordered_set<std::string>& paths) {
    std::map<std::string, StageEntry> stages;
    const JsonObject object = parent.object("stages");
    for (const auto& [name, value] : object.value().items()) {
        detail::check_member_name(object, name);
        StageEntry stage = detail::parse_stage(object.member(name, value));
        for (const FileEntry& file : stage.files)
            if (!paths.insert(file.path).second)
                object.fail(name, "every file named once", file.path + " again");
        stages.emplace(name, std::move(stage));
    }
    return stages;
}

std::string stages_to_json(const std::map<std::string, StageEntry>& stages) {
    std::string text = "{";
    for (const auto& [name, stage] : stages)
        text +=
            fmt::format("{}\"{}\":{}", text.size() > 1 ? "," : "", name, detail::to_json(stage));
    return text + "}";
}

}  // namespace

std::int64_t StageEntry::rows() const {
    std::int64_t total = 0;
    for (const FileEntry& file : files) total += file.rows;
    return total;
}

std::int64_t StageEntry::bytes() const {
    std::int64_t total = 0;
    for (const FileEntry& file : files) total += file.bytes;
    return total;
}

const StageEntry* SampleEntry::find(std::string_view stage) const {
    const auto found = stages.find(std::string(stage));
    return found == stages.end() ? nullptr : &found->second;
}

const StageEntry* Manifest::find(std::string_view sample, std::string_view stage) const {
    if (sample.empty()) {
        const auto found = stages.find(std::string(stage));
        return found == stages.end() ? nullptr : &found->second;
    }
    const auto found = samples.find(std::string(sample));
    return found == samples.end() ? nullptr : found->second.find(stage);
}

namespace {

SampleEntry parse_sample(const JsonObject& object, std::unordered_set<std::string>& paths) {
    SampleEntry sample;
    sample.cohort = object.text("cohort");
    if (!is_valid_name(sample.cohort)) object.fail("cohort", "a name", sample.cohort);
    sample.stages = parse_stages(object, paths);
    if (sample.find(kRaw) == nullptr && sample.find(kJoint) == nullptr)
        object.fail("stages", "raw or joint data", "neither");
    sample.extra = object.unknown_fields({"cohort", "stages"});
    return sample;
}

}  // namespace

Manifest parse_manifest(std::string_view json, const std::string& file) {
    Manifest manifest;
    std::unordered_set<std::string> paths;
    std::exception_ptr problem;  // of a sample; another version of the format explains it
    const auto add = [&](const std::string& name, const Json& value) {
        if (problem) return;
        try {
            const JsonObject object(value, file, "samples/" + name);
            SampleEntry sample = parse_sample(object, paths);
            manifest.samples.emplace_hint(manifest.samples.end(), name, std::move(sample));
        } catch (const core::FormatError&) {
            problem = std::current_exception();
        }
    };
    const Json value = detail::parse_json(json, file, {"samples", add});
    const JsonObject root(value, file, "");
    manifest.minor = detail::check_version(root, kFormat, Manifest::kMajor);
    if (problem) std::rethrow_exception(problem);
    const JsonObject samples = root.object("samples");
    for (const auto& [name, entry] : samples.value().items()) {
        detail::check_member_name(samples, name);
        if (!manifest.samples.contains(name)) (void)samples.member(name, entry);
    }
    manifest.stages = parse_stages(root, paths);
    manifest.extra = root.unknown_fields({"format", "version", "samples", "stages", "xxh3"});
    check_checksum(json, manifest.minor, file);  // last: what is wrong where says more
    return manifest;
}

std::string to_json(const Manifest& manifest) {
    // A line a sample: an atlas may have ten thousand.
    std::string samples = "{";
    for (const auto& [name, sample] : manifest.samples) {
        samples += fmt::format("{}\n    \"{}\": ", samples.size() > 1 ? "," : "", name);
        detail::append(samples,
                       fmt::format("{{\"cohort\":\"{}\",\"stages\":{}}}", sample.cohort,
                                   stages_to_json(sample.stages)),
                       sample.extra);
    }
    samples += manifest.samples.empty() ? "}" : "\n  }";
    const int minor = std::max(manifest.minor, Manifest::kMinor);
    const Json rest =
        detail::with_extra({{"format", kFormat},
                            {"version", fmt::format("{}.{}", Manifest::kMajor, minor)},
                            {"samples", nullptr},
                            {"xxh3", std::string(detail::kDigits, '0')},
                            {"stages", Json::parse(stages_to_json(manifest.stages))}},
                           manifest.extra);
    std::string text = "{";
    for (const auto& [name, value] : rest.items())
        text += fmt::format("{}\n  {}: {}", text.size() > 1 ? "," : "", Json(name).dump(),
                            name == "samples" ? samples : value.dump());
    return detail::with_checksum(text + "\n}\n");
}

std::string stage_key(std::string_view stage, int stage_version, std::string_view canonical_config,
                      std::span<const std::string> input_keys) {
    // Lengths before texts: no two different inputs give the same stream.
    std::string stream = fmt::format("{}:{} {} {}:{}", stage.size(), stage, stage_version,
                                     canonical_config.size(), canonical_config);
    for (const std::string& key : input_keys) stream += fmt::format(" {}:{}", key.size(), key);
    return fmt::format("{:016x}", core::hash64(stream));
}

}  // namespace smeta::atlas

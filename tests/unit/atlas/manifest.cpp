#include "smeta/atlas/manifest.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "smeta/atlas/names.hpp"
#include "smeta/core/error.hpp"

#include "manifest_json.hpp"
#include "support/support.hpp"

namespace smeta::atlas {
namespace {

namespace fs = std::filesystem;

Manifest example() {
    Manifest manifest;
    SampleEntry& sample = manifest.samples["S-1"];
    sample.cohort = "a";
    sample.stages["raw"] = {
        .key = "0123456789abcdef",
        .files =
            {{.path = "raw/S-1.h5mu", .bytes = 12, .rows = 3, .checksum = {5, 6}, .extra = {}}},
        .modalities = {{"st", {3, 4, {{"zero_total", 2}}}}},
        .extra = {}};
    manifest.samples["B"].cohort = "b";
    manifest.samples["B"].stages["joint"] = {
        .key = "fedcba9876543210",
        .files = {{.path = "joint/B.h5mu", .bytes = 2, .rows = 1, .checksum = {}, .extra = {}}},
        .modalities = {},
        .extra = {}};
    manifest.stages["select"] = {
        .key = "00000000000000ff",
        .files =
            {{.path = "stages/select/f.h5", .bytes = 1, .rows = 0, .checksum = {}, .extra = {}}},
        .modalities = {},
        .extra = {}};
    return manifest;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

core::FormatProblem problem_of(const std::string& json) {
    try {
        parse_manifest(json, "m.json");
    } catch (const core::FormatError& error) {
        EXPECT_EQ(error.problem().file, "m.json");
        return error.problem();
    }
    ADD_FAILURE() << "accepted: " << json;
    return {};
}

TEST(Manifest, comes_back_as_it_was_written) {
    const std::string text = to_json(example());
    EXPECT_EQ(parse_manifest(text, "m.json"), example());
    EXPECT_EQ(to_json(parse_manifest(text, "m.json")), text);
}

TEST(Manifest, has_a_line_for_each_sample) {
    const std::string text = to_json(example());
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10) << text;
    EXPECT_NE(text.find("\"dropped\":{\"zero_total\":2}"), std::string::npos);
}

TEST(Manifest, samples_ascend_bytewise) {
    const std::string text = to_json(example());
    EXPECT_LT(text.find("\"B\""), text.find("\"S-1\""));
}

TEST(Manifest, keeps_fields_of_a_newer_minor_version) {
    std::string text = replaced(to_json(example()), "\"1.2\"", "\"1.7\"");
    text = replaced(text, "\"bytes\":12", "\"bytes\":12, \"zstd\": {\"level\": 3}");
    text = replaced(text, "\"cohort\":\"a\"", "\"cohort\":\"a\", \"weight\": 0.5");
    text = replaced(text, "{\n", "{\n\"site\": [1, 2],");
    text = replaced(text, "\"key\":\"00000000000000ff\"",
                    "\"key\":\"00000000000000ff\", \"note\": \"x\"");
    const Manifest manifest = parse_manifest(detail::with_checksum(text), "m.json");
    const std::string again = to_json(manifest);
    EXPECT_EQ(parse_manifest(again, "m.json"), manifest);
    for (const char* kept :
         {"\"1.7\"", "\"zstd\"", "\"level\"", "\"weight\"", "\"site\"", "\"note\""})
        EXPECT_NE(again.find(kept), std::string::npos) << kept;
}

TEST(Manifest, notices_every_change_of_a_byte) {
    const std::string text = to_json(example());
    for (std::size_t i = 0; i < text.size(); ++i)
        for (const char bit : {1, 4, 32}) {
            std::string changed = text;
            changed[i] = static_cast<char>(changed[i] ^ bit);
            EXPECT_THROW(parse_manifest(changed, "m.json"), core::FormatError) << i << changed[i];
        }
    const auto problem = problem_of(replaced(text, "\"cohort\":\"a\"", "\"cohort\":\"c\""));
    EXPECT_EQ(problem.object, "xxh3");
    const auto line = text.find(",\n  \"xxh3\"");
    EXPECT_EQ(problem_of(text.substr(0, line) + "\n}\n").object, "xxh3");
}

TEST(Manifest, may_lack_a_checksum_before_1_2) {
    const std::string text = to_json(example());
    const std::string old =
        replaced(text.substr(0, text.find(",\n  \"xxh3\"")) + "\n}\n", "\"1.2\"", "\"1.1\"");
    const Manifest manifest = parse_manifest(old, "m.json");
    EXPECT_EQ(manifest.samples, example().samples);
    EXPECT_EQ(to_json(manifest), text);
}

TEST(Manifest, refuses_another_major_version_with_a_hint) {
    const auto problem = problem_of(replaced(to_json(example()), "\"1.2\"", "\"2.0\""));
    EXPECT_EQ(problem.object, "version");
    EXPECT_NE(problem.hint.find("newer smeta"), std::string::npos);
    for (const char* version : {"\"1\"", "\"x.0\"", "\"1.0.0\"", "\"1.-1\"", "\"0.1\"", "1"})
        problem_of(replaced(to_json(example()), "\"1.2\"", version));
}

TEST(Manifest, refuses_what_is_not_a_manifest) {
    for (const char* text : {"", "[]", "{", "{}", "null", "\"text\""}) problem_of(text);
    problem_of(std::string(100'000, '['));
    problem_of(replaced(to_json(example()), "\"B\": {", "\"S-1\": {"));  // a sample twice
    const std::string text = to_json(example());
    problem_of(text.substr(0, text.size() / 2));
    EXPECT_EQ(problem_of(replaced(text, "\"bytes\":12", "\"bytes\":-12")).object,
              "samples/S-1/stages/raw/files/0/bytes");
    problem_of(replaced(text, "\"bytes\":12", "\"bytes\":99999999999999999999"));
    problem_of(replaced(text, "\"bytes\":12", "\"bytes\":18446744073709551615"));
    problem_of(replaced(text, "\"bytes\":12", "\"bytes\":1.5"));
    problem_of(replaced(text, "0123456789abcdef", "0123456789ABCDEF"));
    problem_of(replaced(text, "\"S-1\"", "\"S 1\""));
    problem_of(replaced(text, "stages/select/f.h5", "raw/S-1.h5mu"));
    EXPECT_EQ(problem_of(replaced(text, "\"raw\":{", "\"qc\":{")).object,
              "samples/S-1/stages");  // what a sample was ingested as is read without looking
}

TEST(Manifest, refuses_counts_whose_sum_would_overflow) {
    for (const std::int64_t rows :
         {std::int64_t{1} << 46, std::numeric_limits<std::int64_t>::max()}) {
        Manifest manifest = example();
        manifest.samples["S-1"].stages["raw"].files.front().rows = rows;
        EXPECT_THROW(parse_manifest(to_json(manifest), "m"), core::FormatError) << rows;
    }
}

TEST(Manifest, refuses_paths_that_leave_the_atlas) {
    for (const char* path :
         {"../x", "/etc/passwd", "raw/../../x", "raw//x", "raw/", "./x", "", "a\\nb", "raw/x y"})
        EXPECT_EQ(problem_of(replaced(to_json(example()), "raw/S-1.h5mu", path)).object,
                  "samples/S-1/stages/raw/files/0/path")
            << path;
}

TEST(Names, of_samples_are_file_names) {
    for (const char* good : {"a", "A-1_b.c", "..a", "0"}) EXPECT_TRUE(is_valid_name(good)) << good;
    for (const char* bad : {"", ".", "..", "a/b", "a b", "\xc3\xa4", "a\n"})
        EXPECT_FALSE(is_valid_name(bad)) << bad;
    EXPECT_FALSE(is_valid_name(std::string(201, 'a')));
    EXPECT_THROW(check_name("sample", "a/b"), core::ConfigError);
}

TEST(Names, links_out_of_the_atlas_are_refused) {
    const test::TemporaryFolder folder;
    const fs::path root = folder / "atlas";
    fs::create_directories(root / "raw");
    std::ofstream(folder / "secret") << "x";
    std::ofstream(root / "raw" / "real") << "x";
    fs::create_symlink(folder / "secret", root / "raw" / "out");
    fs::create_symlink("real", root / "raw" / "in");
    fs::create_directory_symlink(folder.path(), root / "joint");
    EXPECT_THROW(resolve_inside(root, "raw/out", "m"), core::FormatError);
    EXPECT_THROW(resolve_inside(root, "joint/secret", "m"), core::FormatError);
    EXPECT_THROW(resolve_inside(root, "../secret", "m"), core::FormatError);
    EXPECT_EQ(resolve_inside(root, "raw/in", "m"), root / "raw" / "in");
    EXPECT_EQ(resolve_inside(root, "raw/new", "m"), root / "raw" / "new");
    fs::create_directory_symlink(root, folder / "link");  // the atlas itself may be behind a link
    EXPECT_NO_THROW(resolve_inside(folder / "link", "raw/real", "m"));
}

TEST(StageKey, depends_on_every_part) {
    const std::vector<std::string> inputs = {"a", "b"};
    const std::string key = stage_key("qc", 1, "x = 1", inputs);
    EXPECT_EQ(key.size(), 16U);
    EXPECT_EQ(key, stage_key("qc", 1, "x = 1", inputs));
    EXPECT_NE(key, stage_key("qd", 1, "x = 1", inputs));
    EXPECT_NE(key, stage_key("qc", 2, "x = 1", inputs));
    EXPECT_NE(key, stage_key("qc", 1, "x = 2", inputs));
    EXPECT_NE(key, stage_key("qc", 1, "x = 1", std::vector<std::string>{"b", "a"}));
    EXPECT_NE(key, stage_key("qc", 1, "x = 1", std::vector<std::string>{"ab"}));
    EXPECT_NE(stage_key("qc", 1, "", std::vector<std::string>{"a", ""}),
              stage_key("qc", 1, "", std::vector<std::string>{"", "a"}));
}

}  // namespace
}  // namespace smeta::atlas

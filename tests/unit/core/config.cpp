#include "smeta/core/config.hpp"

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace smeta::core {

enum class Speed { Slow, Fast };
template <>
struct ConfigEnum<Speed> {
    static constexpr std::pair<Speed, std::string_view> kNames[] = {{Speed::Slow, "slow"},
                                                                    {Speed::Fast, "fast"}};
};

namespace {

struct Example {
    bool flag = false;
    std::int64_t count = 3;
    double rate = 0.5;
    std::optional<double> limit;
    std::string name = "x";
    std::vector<std::int64_t> hidden = {128};
    std::vector<std::string> keys;
    Speed speed = Speed::Slow;
    std::map<std::string, double> weights;

    ConfigTable table() {
        ConfigTable table;
        table.add("model.flag", flag, "a flag");
        table.add("model.count", count, "a count", {.min = 1, .max = 10});
        table.add("model.rate", rate, "a rate");
        table.add("model.limit", limit, "a limit");
        table.add("model.name", name, "a name");
        table.add("model.hidden", hidden, "sizes", {.min = 1});
        table.add("model.keys", keys, "keys");
        table.add("model.speed", speed, "how fast");
        table.add_open("loss", weights, "weight of a term");
        return table;
    }
};

std::string error_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "no error";
}

TEST(ConfigTest, values_of_every_type_are_read) {
    Example e;
    auto table = e.table();
    table.parse_toml(
        "[model]\nflag = true\ncount = 7\nrate = 2\nlimit = 1.5\nname = \"a b\"\n"
        "hidden = [64, 32]\nkeys = [\"sample\"]\nspeed = \"fast\"\n[loss]\nst = 8\n",
        "f.toml");
    EXPECT_TRUE(e.flag);
    EXPECT_EQ(e.count, 7);
    EXPECT_EQ(e.rate, 2.0);
    EXPECT_EQ(e.limit, 1.5);
    EXPECT_EQ(e.name, "a b");
    EXPECT_EQ(e.hidden, (std::vector<std::int64_t>{64, 32}));
    EXPECT_EQ(e.keys, std::vector<std::string>{"sample"});
    EXPECT_EQ(e.speed, Speed::Fast);
    EXPECT_EQ(e.weights.at("st"), 8.0);
}

TEST(ConfigTest, dump_read_again_gives_the_same_dump) {
    Example first;
    auto table = first.table();
    for (const char* text :
         {"model.count=9", "model.limit=0.1", "loss.st_corr=5", "model.rate=1e-3",
          "model.speed=fast", "model.hidden=[1, 2]", "model.keys=[]"})
        table.set_from_text(text, "--set");
    Example second;
    auto again = second.table();
    again.parse_toml(table.dump_toml(), "dump");
    EXPECT_EQ(again.dump_toml(), table.dump_toml());
    EXPECT_EQ(again.canonical({"model.", "loss."}), table.canonical({"model.", "loss."}));
    EXPECT_EQ(second.rate, 1e-3);
}

TEST(ConfigTest, unknown_key_names_file_line_and_the_close_key) {
    Example e;
    auto table = e.table();
    const auto message = error_of([&] { table.parse_toml("[model]\n\ncuont = 3\n", "f.toml"); });
    EXPECT_NE(message.find("f.toml:3"), std::string::npos) << message;
    EXPECT_NE(message.find("did you mean 'model.count'"), std::string::npos) << message;
}

TEST(ConfigTest, wrong_type_and_range_are_refused) {
    Example e;
    auto table = e.table();
    EXPECT_NE(error_of([&] { table.set_from_text("model.count=11", "--set"); }).find("[1, 10]"),
              std::string::npos);
    EXPECT_NE(error_of([&] { table.set_from_text("model.count=2.5", "--set"); }).find("integer"),
              std::string::npos);
    EXPECT_NE(error_of([&] { table.set_from_text("model.speed=medium", "--set"); }).find("slow"),
              std::string::npos);
    EXPECT_NE(error_of([&] { table.set_from_text("model.rate=nan", "--set"); }).find("number"),
              std::string::npos);
    EXPECT_NE(error_of([&] { table.set_from_text("model.hidden=[0]", "--set"); }).find(">= 1"),
              std::string::npos);
    EXPECT_NE(error_of([&] { table.set_from_text("model.count", "--set"); }).find("key=value"),
              std::string::npos);
    EXPECT_EQ(e.count, 3);
}

TEST(ConfigTest, study_entries_can_be_ignored) {
    Example e;
    auto table = e.table();
    const std::string text = "atlas = \"a\"\n[[sample]]\nname = \"s\"\n[model]\ncount = 4\n";
    EXPECT_NE(error_of([&] { table.parse_toml(text, "s.toml"); }), "no error");
    table.parse_toml(text, "s.toml", {"atlas", "sample"});
    EXPECT_EQ(e.count, 4);
}

TEST(ConfigTest, invalid_toml_is_a_config_error) {
    Example e;
    auto table = e.table();
    EXPECT_NE(error_of([&] { table.parse_toml("[model\n", "f.toml"); }).find("not valid TOML"),
              std::string::npos);
}

TEST(ConfigTest, nesting_that_would_overflow_the_stack_is_refused) {
    Example e;
    auto table = e.table();
    std::string dotted = "a";
    for (int depth = 0; depth < 100'000; ++depth) dotted += ".a";
    for (const std::string& text :
         {"x = " + std::string(100'000, '['), "[" + dotted + "]\n", dotted + " = 1\n"})
        EXPECT_NE(error_of([&] { table.parse_toml("\n" + text, "f.toml"); }).find("f.toml:2"),
                  std::string::npos);
    EXPECT_NE(error_of([&] {
                  table.set_from_text("a=" + std::string(100'000, '['), "--set");
              }).find("nested too deep"),
              std::string::npos);
}

TEST(ConfigTest, sizes) {
    EXPECT_EQ(parse_size("4G"), std::int64_t{4} << 30);
    EXPECT_EQ(parse_size("1.5MiB"), 3 << 19);
    EXPECT_EQ(parse_size("1000"), 1000);
    for (const char* wrong : {"", "G", "-1G", "4X", "1e30T"})
        EXPECT_THROW(parse_size(wrong), ConfigError) << wrong;
}

TEST(ConfigTest, did_you_mean_keeps_silent_about_strangers) {
    EXPECT_EQ(did_you_mean("trian", {"train", "embed"}), "train");
    EXPECT_EQ(did_you_mean("xyzzy", {"train", "embed"}), std::nullopt);
}

}  // namespace
}  // namespace smeta::core

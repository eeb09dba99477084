#include "page.hpp"

#include <cmath>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"
#include "smeta/report/report.hpp"

#include "support/support.hpp"

namespace smeta::report {
namespace {

SampleMap section(int number, bool is_hexagonal, int largest_side) {
    const core::Philox random(static_cast<std::uint64_t>(number), core::DrawPurpose::Test);
    SampleMap map;
    map.name = "sample_" + std::to_string(number);
    map.cohort = number % 2 == 0 ? "control" : "treated";
    map.unit = "pixel";
    if (is_hexagonal) map.microns_per_unit = 0.6;
    FeatureMap gene{"GENE<1>", "st", {}, {}};
    FeatureMap metabolite{"mz_426.9289_pos", "sm", {}, {}};
    const int side = largest_side - 2 * (number % 5);
    std::uint64_t draw = 0;
    for (int r = 0; r < side; ++r)
        for (int c = 0; c < side; ++c) {
            const double u = c + (is_hexagonal && r % 2 == 1 ? 0.5 : 0.0);
            const double v = r * (is_hexagonal ? std::sqrt(0.75) : 1.0);
            const double radius = std::hypot(u - side / 2.0, v - side / 2.2);
            if (radius > side * 0.46 + 2 * std::sin(u / 3)) continue;
            map.x.push_back(160 * u + 900);
            map.y.push_back(160 * v + 700);
            const auto band = static_cast<std::int32_t>(radius / 3.2 + 0.7 * std::sin(v / 3) +
                                                        random.uniform(draw++) * 0.7);
            map.cluster.push_back(band % 9);
            const double share = 0.5 + 0.1 * std::sin(u / 4) + 0.03 * random.normal(draw++);
            map.contribution["st"].push_back(share);
            map.contribution["sm"].push_back(1 - share);
            const double level = 4 + 3 * std::cos(u / 5) * std::sin(v / 6);
            gene.reconstructed.push_back(static_cast<float>(level));
            gene.measured.push_back(
                static_cast<float>(std::max(0.0, level + 1.4 * random.normal(draw++))));
            metabolite.reconstructed.push_back(static_cast<float>(std::exp(0.5 * (8 - level))));
            metabolite.measured.push_back(
                static_cast<float>(std::exp(0.5 * (8 - level) + 0.3 * random.normal(draw++))));
        }
    if (number < 2) map.features = {gene, metabolite, gene, metabolite, gene, metabolite};
    return map;
}

ReportData example(int samples, int largest_side = 40) {
    ReportData data;
    data.run = "main";
    data.atlas = "atlas";
    data.created = "2026-01-01T00:00:00Z";
    data.version = "0.1.0";
    data.revision = "abc <dirty>";
    data.config = "[model]\nlatent = 10  # a < b & c\n";
    data.features = {{"sm", 300}, {"st", 2000}};
    for (int s = 0; s < samples; ++s) {
        data.maps.push_back(section(s, s % 3 != 2, largest_side));
        data.samples.push_back({data.maps.back().name,
                                data.maps.back().cohort,
                                data.maps.back().spots(),
                                {{"sm", 4000, 3900, 310, 300, 3800, 0.98},
                                 {"st", std::nullopt, std::nullopt, 2100, 1990}},
                                {"joint/x.h5mu"},
                                {"00112233445566778899aabbccddeeff"},
                                ""});
    }
    for (int e = 1; e <= 64; ++e) {
        const double fall = std::exp(-e / 12.0);
        data.metrics.push_back({e,
                                {{"total", 9000 * fall + 21000},
                                 {"sm", 400 * fall + 900},
                                 {"st", 900 * fall + 2100},
                                 {"sm_corr", 420 * fall + 940},
                                 {"st_corr", 950 * fall + 2150},
                                 {"kl", 6 + 9 * fall},
                                 {"mmd", 0.02 + 0.4 * fall}},
                                {},
                                0.4,
                                8000});
    }
    if (samples > 1)
        data.mixing = BatchMixing{{0.04, 0.61, 0.21}, {0.48, std::nan(""), std::nullopt}, 10000};
    data.commands = {{"smeta train --atlas atlas --run main", "2026-01-01", 2, 1, 33.1, "0.1.0"}};
    data.timings = {{"train", "train/forward", 10, 11, 12}};
    data.notes = {"a note with <angle> brackets"};
    return data;
}

/// Exit status of a Python program that gets the file as its argument; skipped where there is no
/// Python.
int python(const std::string& program, const std::filesystem::path& file) {
    if (std::system("python3 -c '' 2>/dev/null") != 0) return -1;
    return std::system(("python3 -c '" + program + "' " + file.string()).c_str());
}

TEST(Report, WritesWellFormedFiles) {
    const test::TemporaryFolder folder;
    write_report(example(5, 24), folder.path());
    const std::string parse_xml = "import sys, xml.dom.minidom as m; m.parse(sys.argv[1])";
    int figures = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "figures")) {
        const int status = python(parse_xml, entry.path());
        if (status == -1) GTEST_SKIP() << "no python3";
        EXPECT_EQ(status, 0) << entry.path();
        ++figures;
    }
    EXPECT_EQ(figures, 7);  // loss, clusters, composition, contribution, mixing, two of features
    EXPECT_EQ(python("import sys, json; r = json.load(open(sys.argv[1])); "
                     "assert r[\"samples\"][0][\"modalities\"][\"sm\"][\"rows_dropped\"] == 100; "
                     "assert r[\"samples\"][0][\"modalities\"][\"sm\"][\"rows_averaged\"] == 3800; "
                     "assert r[\"samples\"][0][\"modalities\"][\"st\"][\"features\"] == 2100; "
                     "assert r[\"batch_mixing\"][\"after\"][\"neighbor_mixing\"] is None; "
                     "assert r[\"batch_mixing\"][\"after\"][\"batch_asw\"] is None; "
                     "assert sum(r[\"clusters\"][\"sizes\"]) == r[\"spots\"]",
                     folder / "report.json"),
              0);
    // Every element that opens is closed, and nothing is fetched from elsewhere.
    EXPECT_EQ(python("import sys, html.parser\n"
                     "class P(html.parser.HTMLParser):\n"
                     "  def __init__(s): super().__init__(); s.open = []\n"
                     "  def handle_starttag(s, t, a):\n"
                     "    if t != \"meta\": s.open.append(t)\n"
                     "    for k, v in a:\n"
                     "      assert k not in (\"src\", \"href\") or v[:1] == \"#\" or "
                     "v[:8] == \"figures/\" or v[:15] == \"data:image/png;\", (t, k, v[:40])\n"
                     "  def handle_startendtag(s, t, a): pass\n"
                     "  def handle_endtag(s, t): assert s.open.pop() == t, t\n"
                     "p = P(); p.feed(open(sys.argv[1], encoding=\"utf-8\").read()); p.close()\n"
                     "assert not p.open, p.open",
                     folder / "report.html"),
              0);
}

TEST(Report, ShowsTheFirst24SamplesAndFilesTheRest) {
    const auto data = example(26, 16);
    const auto figures = all_figures(data);
    const auto html = report_html(data, figures);
    EXPECT_NE(html.find("id=\"spatial_clusters_1\""), std::string::npos);
    EXPECT_EQ(html.find("id=\"spatial_clusters_2\""), std::string::npos);
    EXPECT_NE(html.find("figures/spatial_clusters_2.svg"), std::string::npos);
}

TEST(Report, DrawsSerialSectionsOfABlock) {
    ReportData data = example(4, 16);
    for (std::size_t s = 0; s < 3; ++s) {  // the fourth is in no block
        SampleMap& map = data.maps[s];
        map.block = "B1";
        map.block_places.resize(map.spots(), 3);
        for (Eigen::Index r = 0; r < map.block_places.rows(); ++r)
            map.block_places.row(r) << map.x[r], map.y[r], 30.0 - 10.0 * static_cast<double>(s);
    }
    const auto figures = stack_figures(data);
    ASSERT_EQ(figures.size(), 1U);
    const std::string svg = figures[0].svg.file();
    for (std::size_t s = 0; s < 3; ++s)
        EXPECT_NE(svg.find(data.maps[s].name + ", z = "), std::string::npos);
    EXPECT_EQ(svg.find(data.maps[3].name + ", z = "), std::string::npos);
    EXPECT_NE(report_html(data, all_figures(data)).find("id=\"stack_B1\""), std::string::npos);
    data.maps[0].block = "B2";
    data.maps[1].block = "B3";
    EXPECT_TRUE(stack_figures(data).empty());  // one section is no stack
    const test::TemporaryFolder folder;
    write_report(data, folder.path());
}

TEST(Report, TakesARunWithoutAnything) {
    ReportData data;
    data.run = "empty";
    const test::TemporaryFolder folder;
    write_report(data, folder.path());
    EXPECT_TRUE(std::filesystem::exists(folder / "report.html"));
    data = example(1);
    data.maps[0].cluster.clear();
    data.maps[0].contribution.clear();
    data.metrics.resize(1);
    write_report(data, folder.path());
    data.maps[0] = SampleMap{};
    write_report(data, folder.path());
}

TEST(Table, TsvHasOneLineARow) {
    Table table{"t", {"a", "b"}, {false, true}, {{"x\ty", "1"}, {"z", "2"}}};
    EXPECT_EQ(to_tsv(table), "a\tb\nx y\t1\nz\t2\n");
}

TEST(Correlation, OfConstantsIsAbsent) {
    EXPECT_NEAR(*correlation({1, 2, 3}, {2, 4, 6.5}), 0.997949, 1e-6);
    EXPECT_FALSE(correlation({1, 1, 1}, {1, 2, 3}));
}

}  // namespace
}  // namespace smeta::report

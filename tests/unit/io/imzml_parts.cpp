#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/imzml.hpp"
#include "smeta/io/imzml_writer.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

constexpr std::int32_t kSpectra = 28'000;  // more than two parts of 16 MiB each

/// An image of a large header, made once.
class ImzmlParts : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        folder_ = std::make_unique<test::TemporaryFolder>();
        ImzmlWriter writer(path(), {.polarity = Polarity::Positive});
        for (std::int32_t i = 0; i < kSpectra; ++i) {
            const double mz = 100 + i;
            const float intensity = 1;
            writer.add(1 + i % 200, 1 + i / 200, std::span(&mz, 1), std::span(&intensity, 1));
        }
        writer.finish();
        whole_ = read_text_file(path());
    }
    static void TearDownTestSuite() { folder_.reset(); }
    void TearDown() override { core::set_threads(1); }

    static std::string path() { return *folder_ / "a.imzML"; }

    /// Opens the file by one thread and by two; both must agree. What was found, or the error.
    static std::string agreed(const std::string& xml) {
        std::ofstream(path(), std::ios::binary) << xml;
        std::string first;
        for (const int threads : {1, 2}) {
            core::set_threads(threads);
            const std::string text = described();
            if (threads == 1) first = text;
            EXPECT_EQ(text, first) << threads << " threads";
        }
        return first;
    }

    static std::string whole_;

  private:
    static std::string described() {
        try {
            const ImzmlReader reader(path(), {.verify_checksum = false});
            std::string text = fmt::format("{} {} {}\n", polarity_name(reader.header().polarity),
                                           reader.header().max_x, reader.header().uuid);
            for (const ImzmlSpectrum& s : reader.spectra())
                text += fmt::format("{},{} {} {}\n", s.x, s.y, s.mz.offset, s.intensity.offset);
            return text;
        } catch (const core::FormatError& error) {
            return error.what();
        }
    }
    static std::unique_ptr<test::TemporaryFolder> folder_;
};
std::string ImzmlParts::whole_;
std::unique_ptr<test::TemporaryFolder> ImzmlParts::folder_;

std::string replaced_after(std::string text, double share, const std::string& from,
                           const std::string& to) {
    const auto at =
        text.find(from, static_cast<std::size_t>(share * static_cast<double>(text.size())));
    return text.replace(at, from.size(), to);
}

TEST_F(ImzmlParts, threads_read_what_one_reads) {
    ASSERT_GT(whole_.size(), std::size_t{2} << 24U);
    const std::string found = agreed(whole_);
    EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), kSpectra + 1) << found.substr(0, 200);
    EXPECT_TRUE(found.starts_with("pos 200 "));
}

TEST_F(ImzmlParts, what_looks_like_a_spectrum_is_none) {
    const std::string xml = replaced_after(
        whole_, 0.499, "</spectrum>",
        "</spectrum><!-- " + std::string(whole_.size() / 500, '.') + " <spectrum id=\"x\"> -->");
    const std::string found = agreed(xml);
    EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), kSpectra + 1) << found.substr(0, 200);
}

TEST_F(ImzmlParts, parameters_behind_and_between_spectra_count) {
    const std::string negative =
        "<cvParam cvRef=\"MS\" accession=\"MS:1000129\" name=\"negative\" "
        "value=\"\"/>";
    EXPECT_EQ(agreed(replaced_after(whole_, 0.5, "</spectrum>", "</spectrum>" + negative)),
              agreed(replaced_after(whole_, 0.9, "</spectrumList>", "</spectrumList>" + negative)));
}

TEST_F(ImzmlParts, faults_are_described_alike) {
    for (const double share : {0.1, 0.9}) {
        const std::string found =
            agreed(replaced_after(whole_, share, "IMS:1000050", "IMS:1999999"));
        EXPECT_NE(found.find("position x"), std::string::npos) << found.substr(0, 300);
        EXPECT_NE(agreed(replaced_after(whole_, share, "</spectrum>", "</spectrom>")).find("line"),
                  std::string::npos);
        agreed(
            whole_.substr(0, static_cast<std::size_t>(share * static_cast<double>(whole_.size()))));
    }
}

}  // namespace
}  // namespace smeta::io

#include "smeta/io/imzml.hpp"

#include <bit>
#include <cstring>
#include <fstream>
#include <numeric>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "smeta/core/error.hpp"
#include "smeta/io/imzml_writer.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

std::string read_text(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

/// A hand-made image: an XML with the given spectra and an .ibd with the given bytes.
struct HandMade {
    std::string mz_param = R"(<cvParam accession="MS:1000523" name="64-bit float"/>)";
    std::string intensity_param = R"(<cvParam accession="MS:1000521" name="32-bit float"/>)";
    std::string compression = R"(<cvParam accession="MS:1000576"/>)";
    std::string uuid = "{00112233-4455-6677-8899-AABBCCDDEEFF}";
    std::string prolog = R"(<?xml version="1.0" encoding="ISO-8859-1"?>)";
    std::string root = "<mzML>";
    std::string header;
    std::string spectra;
    std::string ibd =
        std::string("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);

    template <class T>
    std::int64_t put(const std::vector<T>& values) {
        const auto at = static_cast<std::int64_t>(ibd.size());
        ibd.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
        return at;
    }

    static std::string array(const char* ref, const std::string& offset, const std::string& length,
                             const std::string& encoded) {
        std::string text =
            fmt::format("<binaryDataArray><referenceableParamGroupRef ref=\"{}\"/>", ref);
        const auto param = [&](const char* accession, const std::string& value) {
            if (!value.empty())
                text += fmt::format("<cvParam value=\"{}\" cvRef=\"IMS\" accession=\"{}\"/>", value,
                                    accession);
        };
        param("IMS:1000102", offset);
        param("IMS:1000103", length);
        param("IMS:1000104", encoded);
        return text + "<binary/></binaryDataArray>";
    }

    void spectrum(int x, int y, const std::string& mz_array, const std::string& intensity_array) {
        spectra += fmt::format(
            "<spectrum><scanList><scan><cvParam accession=\"IMS:1000050\" value=\"{}\"/>"
            "<cvParam accession=\"IMS:1000051\" value=\"{}\"/></scan></scanList>{}{}</spectrum>",
            x, y, mz_array, intensity_array);
    }

    /// One spectrum of plain arrays at the end of the .ibd.
    void add(int x, int y, const std::vector<double>& mz, const std::vector<float>& intensity) {
        const std::int64_t m = put(mz);
        const std::int64_t i = put(intensity);
        spectrum(
            x, y,
            array("m", std::to_string(m), std::to_string(mz.size()), std::to_string(8 * mz.size())),
            array("i", std::to_string(i), std::to_string(mz.size()),
                  std::to_string(4 * mz.size())));
    }

    std::string write(const test::TemporaryFolder& folder, const std::string& name = "a") const {
        const std::string path = folder / (name + ".imzML");
        write_text(
            path,
            prolog + root +
                "<fileDescription><fileContent><cvParam accession=\"IMS:1000080\" value=\"" + uuid +
                "\"/>" + header +
                "</fileContent></fileDescription><referenceableParamGroupList>"
                "<referenceableParamGroup id=\"m\"><cvParam accession=\"MS:1000514\"/>" +
                mz_param + compression +
                "</referenceableParamGroup><referenceableParamGroup id=\"i\">"
                "<cvParam accession=\"MS:1000515\"/>" +
                intensity_param + compression +
                "</referenceableParamGroup></referenceableParamGroupList><run><spectrumList>" +
                spectra + "</spectrumList></run></mzML>");
        write_text(folder / (name + ".ibd"), ibd);
        return path;
    }
};

template <class Error = core::FormatError>
std::string message_of(const std::string& path, const ImzmlOptions& options = {}) {
    try {
        ImzmlReader reader(path, options);
        Spectrum spectrum;
        for (std::size_t i = 0; i < reader.spectra().size(); ++i)
            reader.read(static_cast<std::int64_t>(i), spectrum);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

Spectrum only_spectrum(const std::string& path) {
    ImzmlReader reader(path);
    Spectrum spectrum;
    reader.read(0, spectrum);
    return spectrum;
}

void expect_contains(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

HandMade two_pixels() {
    HandMade file;
    file.add(1, 1, {100.5, 200.25}, {1.5F, 2.0F});
    file.add(2, 1, {100.5, 150.0, 300.0}, {4.0F, 0.0F, 8.0F});
    return file;
}

TEST(Imzml, ReadsAHandMadeFile) {
    const test::TemporaryFolder folder;
    HandMade file = two_pixels();
    file.header =
        R"(<cvParam value="50000" unitAccession="UO:0000018" accession="IMS:1000046"/><cvParam accession="MS:1000129"/>)";
    ImzmlReader reader(file.write(folder));
    EXPECT_EQ(reader.header().uuid, "00112233445566778899aabbccddeeff");
    EXPECT_EQ(reader.header().polarity, Polarity::Negative);
    EXPECT_EQ(reader.header().mode, ImzmlMode::Processed);
    EXPECT_DOUBLE_EQ(*reader.header().pixel_size_x, 50.0);  // 50,000 nm
    EXPECT_DOUBLE_EQ(*reader.header().pixel_size_y, 50.0);
    ASSERT_EQ(reader.spectra().size(), 2);
    EXPECT_EQ(reader.spectra()[1].x, 2);
    EXPECT_EQ(reader.spectra()[1].z, 1);
    Spectrum spectrum;
    reader.read(1, spectrum);
    EXPECT_EQ(spectrum.mz, (std::vector<double>{100.5, 150.0, 300.0}));
    EXPECT_EQ(spectrum.intensity, (std::vector<float>{4.0F, 0.0F, 8.0F}));
    reader.read(0, spectrum);
    EXPECT_EQ(spectrum.intensity, (std::vector<float>{1.5F, 2.0F}));
}

TEST(Imzml, PrefixedNamesForeignEncodingAndAnyExtensionCase) {
    const test::TemporaryFolder folder;
    HandMade file = two_pixels();
    file.prolog = "<?xml version=\"1.0\" encoding=\"windows-1252\"?>";
    file.header = "<cvParam accession=\"MS:1000586\" value=\"M\xFCller\"/>";
    const std::string path = file.write(folder);
    std::filesystem::rename(folder / "a.ibd", folder / "a.IBD");
    EXPECT_EQ(ImzmlReader(path).spectra().size(), 2);
    std::filesystem::remove(folder / "a.IBD");
    expect_contains(message_of<core::IoError>(path), "a.ibd");
}

TEST(Imzml, EveryNumberType) {
    struct Case {
        const char* accession;
        std::string bytes;
    };
    const auto bytes = [](auto... values) {
        std::string text;
        (text.append(reinterpret_cast<const char*>(&values), sizeof values), ...);
        return text;
    };
    const std::vector<Case> cases = {
        {"MS:1000520", bytes(std::uint16_t{0x5648}, std::uint16_t{0x3C00})},  // half: 100.5, 1
        {"MS:1000521", bytes(100.5F, 1.0F)},
        {"MS:1000523", bytes(100.5, 1.0)},
        {"MS:1000519", bytes(std::int32_t{100}, std::int32_t{1})},
        {"MS:1000522", bytes(std::int64_t{100}, std::int64_t{1})},
        {"IMS:1100000", bytes(std::int8_t{100}, std::int8_t{1})},
        {"IMS:1100001", bytes(std::int16_t{100}, std::int16_t{1})},
    };
    for (const Case& c : cases) {
        const test::TemporaryFolder folder;
        HandMade file;
        file.mz_param = file.intensity_param =
            fmt::format("<cvParam accession=\"{}\"/>", c.accession);
        file.ibd += c.bytes;
        const std::string size = std::to_string(c.bytes.size());
        file.spectrum(1, 1, HandMade::array("m", "16", "2", size),
                      HandMade::array("i", "16", "2", ""));
        const Spectrum spectrum = only_spectrum(file.write(folder));
        const double first = std::string(c.accession).find("52") != std::string::npos &&
                                     std::string(c.accession) != "MS:1000522"
                                 ? 100.5
                                 : 100.0;
        EXPECT_EQ(spectrum.mz, (std::vector<double>{first, 1.0})) << c.accession;
        EXPECT_EQ(spectrum.intensity[0], static_cast<float>(first)) << c.accession;
    }
}

TEST(Imzml, AWrongTypeIsCorrectedByTheLengths) {
    const test::TemporaryFolder folder;
    HandMade file;
    file.intensity_param = R"(<cvParam accession="MS:1000523" name="32-bit float"/>)";
    file.add(1, 1, {100.0, 200.0}, {3.0F, 4.0F});
    EXPECT_EQ(only_spectrum(file.write(folder)).intensity, (std::vector<float>{3.0F, 4.0F}));
    HandMade nothing_fits;
    nothing_fits.ibd += std::string(64, 'x');
    nothing_fits.spectrum(1, 1, HandMade::array("m", "16", "3", "20"),
                          HandMade::array("i", "16", "3", "12"));
    expect_contains(message_of(nothing_fits.write(folder)), "20 bytes for 3 numbers");
}

TEST(Imzml, OffsetsInScientificNotationAndWrapped) {
    const test::TemporaryFolder folder;
    HandMade file;
    file.ibd += std::string(984, '\0');
    const std::vector<double> mz{321.0};
    const std::vector<float> intensity{9.0F};
    file.put(mz);
    file.put(intensity);
    file.spectrum(1, 1, HandMade::array("m", "1e+03", "1", "8"),
                  HandMade::array("i", "1.008e3", "1.0", "4"));
    const Spectrum spectrum = only_spectrum(file.write(folder));
    EXPECT_EQ(spectrum.mz, mz);
    EXPECT_EQ(spectrum.intensity, intensity);

    // Signed 32-bit offsets: the second spectrum lies beyond 2 GiB, the third beyond 4 GiB of a
    // sparse .ibd.
    HandMade wrapped;
    const std::int64_t k32 = std::int64_t{1} << 32;
    const std::vector<std::int64_t> true_offsets{16, k32 / 2 + 100, k32 + 100};
    for (std::size_t i = 0; i < true_offsets.size(); ++i)
        for (int array = 0; array < 1; ++array) {
            const auto narrow = static_cast<std::int32_t>(true_offsets[i]);
            wrapped.spectrum(static_cast<int>(i) + 1, 1,
                             HandMade::array("m", std::to_string(narrow), "1", "8"),
                             HandMade::array("i", std::to_string(narrow + 8), "1", "4"));
        }
    const std::string path = wrapped.write(folder);
    std::filesystem::resize_file(folder / "a.ibd", k32 + 200);
    {
        std::fstream ibd(folder / "a.ibd", std::ios::in | std::ios::out | std::ios::binary);
        for (std::size_t i = 0; i < true_offsets.size(); ++i) {
            const double value = 100.0 + static_cast<double>(i);
            const auto small = static_cast<float>(i + 1);
            ibd.seekp(true_offsets[i]);
            ibd.write(reinterpret_cast<const char*>(&value), 8);
            ibd.write(reinterpret_cast<const char*>(&small), 4);
        }
    }
    ImzmlReader reader(path);
    for (int i = 0; i < 3; ++i) {
        Spectrum s;
        reader.read(i, s);
        EXPECT_EQ(s.mz[0], 100.0 + i);
        EXPECT_EQ(s.intensity[0], static_cast<float>(i + 1));
    }
}

TEST(Imzml, ArraysOutsideTheIbdAreRefusedBeforeAnyAllocation) {
    const test::TemporaryFolder folder;
    const auto with = [&](const std::string& offset, const std::string& length,
                          const std::string& encoded) {
        HandMade file = two_pixels();
        file.spectrum(3, 1, HandMade::array("m", offset, length, encoded),
                      HandMade::array("i", "16", length, ""));
        return message_of(file.write(folder));
    };
    expect_contains(with("100000", "1", "8"), "spectrum 3, m/z array");
    expect_contains(with("0", "1", "8"), "an offset of 16 or more");
    expect_contains(with("-40", "1", "8"), "spectrum 3, m/z array");
    expect_contains(with("9223372036854775800", "1", "8"), "inside the .ibd");
    expect_contains(with("16", "1000000000000", "8000000000000"), "inside the .ibd");
    expect_contains(with("16", "9223372036854775807", ""), "inside the .ibd");
    expect_contains(with("16", "-1", "8"), "0 or more");
    expect_contains(with("NA", "1", "8"), "a whole number");
    expect_contains(with("16", "", "8"), "external array length");
    HandMade truncated = two_pixels();
    const std::string path = truncated.write(folder);
    std::filesystem::resize_file(folder / "a.ibd", truncated.ibd.size() - 1);
    expect_contains(message_of(path), "is the .ibd whole");
    std::filesystem::resize_file(folder / "a.ibd", 5);
    EXPECT_NE(message_of(path), "no error");
}

TEST(Imzml, ZlibIsInflatedToTheDeclaredSizeAndNoFurther) {
    const test::TemporaryFolder folder;
    const auto deflate = [](const std::string& raw) {
        std::string packed(compressBound(raw.size()), '\0');
        uLongf size = packed.size();
        compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                 reinterpret_cast<const Bytef*>(raw.data()), raw.size());
        packed.resize(size);
        return packed;
    };
    const auto file_with = [&](const std::string& packed, const std::string& length) {
        HandMade file;
        file.compression = R"(<cvParam accession="MS:1000574" name="zlib compression"/>)";
        file.intensity_param = file.mz_param;
        file.ibd += packed;
        const std::string size = std::to_string(packed.size());
        file.spectrum(1, 1, HandMade::array("m", "16", length, size),
                      HandMade::array("i", "16", length, size));
        return file.write(folder);
    };
    const std::vector<double> mz{100.0, 250.5, 400.0};
    const std::string raw(reinterpret_cast<const char*>(mz.data()), 24);
    EXPECT_EQ(only_spectrum(file_with(deflate(raw), "3")).mz, mz);
    expect_contains(message_of(file_with(deflate(raw), "2")), "16 bytes when inflated");
    expect_contains(message_of(file_with(deflate(raw), "4")), "32 bytes when inflated");
    const std::string bomb = deflate(std::string(100 << 20, '\0'));
    expect_contains(message_of(file_with(bomb, "3")), "24 bytes when inflated");
    expect_contains(message_of(file_with(bomb, "1000000000000")), "the compressed bytes can hold");
    std::string damaged = deflate(raw);
    damaged[4] = static_cast<char>(damaged[4] ^ 0x55);
    expect_contains(message_of(file_with(damaged, "3")), "damaged data");
}

TEST(Imzml, UuidAndChecksumMustMatchUnlessIgnored) {
    const test::TemporaryFolder folder;
    HandMade file = two_pixels();
    file.uuid = "00000000-0000-0000-0000-000000000000";
    const std::string path = file.write(folder);
    expect_contains(message_of(path), "UUID");
    EXPECT_EQ(message_of(path, {UuidPolicy::Ignore, true}), "no error");
    HandMade sum = two_pixels();
    sum.header =
        R"(<cvParam accession="IMS:1000091" value="AA2AD6A7BAD37B0E8FB90CD4C875EF0902784AF8"/>)";
    const std::string other = sum.write(folder, "b");
    expect_contains(message_of(other), "SHA-1");
    EXPECT_EQ(message_of(other, {UuidPolicy::Error, false}), "no error");
    EXPECT_EQ(message_of(other, {UuidPolicy::Ignore, true}), "no error");
}

TEST(Imzml, HostileAndBrokenXmlIsRefused) {
    const test::TemporaryFolder folder;
    HandMade doctype = two_pixels();
    doctype.prolog +=
        "<!DOCTYPE mzML [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    expect_contains(message_of(doctype.write(folder)), "DOCTYPE");
    HandMade deep = two_pixels();
    for (int i = 0; i < 1000; ++i) deep.header += "<a>";
    expect_contains(message_of(deep.write(folder)), "64 deep");
    HandMade wide = two_pixels();
    wide.header = "<cvParam value=\"" + std::string(30 << 20, 'x') + "\"/>";
    expect_contains(message_of(wide.write(folder)), "8 MiB");
    HandMade other = two_pixels();
    other.root = "<html>";
    expect_contains(message_of(other.write(folder)), "<mzML>");
    HandMade none;
    expect_contains(message_of(none.write(folder)), "at least one spectrum");
    HandMade cut = two_pixels();
    const std::string path = cut.write(folder);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 20);
    expect_contains(message_of(path), "well-formed XML");
    EXPECT_NE(message_of<core::IoError>(folder / "absent.imzML"), "no error");
}

TEST(Imzml, BrokenSpectraAreNamed) {
    const test::TemporaryFolder folder;
    HandMade lengths = two_pixels();
    lengths.spectrum(3, 1, HandMade::array("m", "16", "1", "8"),
                     HandMade::array("i", "16", "2", "8"));
    expect_contains(message_of(lengths.write(folder)), "spectrum 3");
    HandMade one_array = two_pixels();
    one_array.spectrum(3, 1, HandMade::array("m", "16", "1", "8"), "");
    expect_contains(message_of(one_array.write(folder)), "no intensity array");
    HandMade group = two_pixels();
    group.spectrum(3, 1, HandMade::array("unknown", "16", "1", "8"), "");
    expect_contains(message_of(group.write(folder)), "'unknown'");
    HandMade polarity = two_pixels();
    polarity.spectra +=
        "<spectrum><cvParam accession=\"MS:1000129\"/><cvParam "
        "accession=\"MS:1000130\"/></spectrum>";
    expect_contains(message_of(polarity.write(folder)), "one polarity");
    HandMade position = two_pixels();
    position.spectra += "<spectrum></spectrum>";
    expect_contains(message_of(position.write(folder)), "position x");
}

TEST(Imzml, ReadsThePyimzmlExamplesAndRealFiles) {
    if (!test::have_shared()) GTEST_SKIP() << test::kNoShared;
    const auto folder = test::shared_dir() / "data/imzml";
    ImzmlReader continuous((folder / "Example_Continuous.imzML").string());
    EXPECT_EQ(continuous.header().mode, ImzmlMode::Continuous);
    EXPECT_EQ(continuous.header().polarity, Polarity::Negative);
    EXPECT_DOUBLE_EQ(*continuous.header().pixel_size_x, 100.0);
    ASSERT_EQ(continuous.spectra().size(), 9);
    Spectrum spectrum;
    continuous.read(4, spectrum);
    ASSERT_EQ(spectrum.mz.size(), 8399);
    EXPECT_EQ(continuous.spectra()[4].x, 2);
    EXPECT_EQ(continuous.spectra()[4].y, 2);
    EXPECT_FLOAT_EQ(spectrum.mz.front(), 100.0833359);
    EXPECT_FLOAT_EQ(spectrum.mz.back(), 799.9166870);

    ImzmlReader processed((folder / "Example_Processed.imzML").string());
    EXPECT_EQ(processed.header().mode, ImzmlMode::Processed);
    Spectrum same;
    processed.read(4, same);
    EXPECT_EQ(same.mz, spectrum.mz);  // the two examples hold the same image
    EXPECT_EQ(same.intensity, spectrum.intensity);

    ImzmlReader crop((folder / "Untreated_3_434_tiny.imzML").string());
    crop.read(0, spectrum);
    EXPECT_EQ(crop.header().polarity, Polarity::Unknown);
    EXPECT_EQ(crop.spectra()[0].mz.type, NumberType::Float64);
    EXPECT_TRUE(std::is_sorted(spectrum.mz.begin(), spectrum.mz.end()));
    ImzmlReader profile((folder / "MatrixTests_N2.imzML").string());
    EXPECT_EQ(profile.header().polarity, Polarity::Positive);
    profile.read(0, spectrum);
    EXPECT_EQ(spectrum.mz.size(), spectrum.intensity.size());
}

class Written : public testing::TestWithParam<std::tuple<ImzmlMode, Compression>> {};

TEST_P(Written, IsReadBack) {
    const auto [mode, compression] = GetParam();
    const test::TemporaryFolder folder;
    const ImzmlWriterOptions options{mode, Polarity::Positive, compression, 25.0, 7};
    const std::vector<double> axis{100.25, 200.125, 300.0625};
    const auto write = [&](const std::string& path) {
        ImzmlWriter writer(path, options);
        writer.add(1, 1, axis, std::vector<float>{1, 2, 3});
        writer.add(4, 2, axis, std::vector<float>{4, 0, 6});
        writer.finish();
    };
    write(folder / "a.imzML");
    ImzmlReader reader(folder / "a.imzML");
    EXPECT_EQ(reader.header().polarity, Polarity::Positive);
    EXPECT_EQ(reader.header().mode, mode);
    EXPECT_EQ(reader.header().max_x, 4);
    EXPECT_EQ(reader.header().max_y, 2);
    EXPECT_DOUBLE_EQ(*reader.header().pixel_size_x, 25.0);
    EXPECT_EQ(reader.header().sha1.size(), 40);
    Spectrum spectrum;
    reader.read(1, spectrum);
    EXPECT_EQ(reader.spectra()[1].x, 4);
    EXPECT_EQ(reader.spectra()[1].y, 2);
    EXPECT_EQ(spectrum.mz, axis);
    EXPECT_EQ(spectrum.intensity, (std::vector<float>{4, 0, 6}));
    write(folder / "b.imzML");
    EXPECT_EQ(read_text(folder / "a.imzML"), read_text(folder / "b.imzML"));
    EXPECT_EQ(read_text(folder / "a.ibd"), read_text(folder / "b.ibd"));
}

INSTANTIATE_TEST_SUITE_P(Modes, Written,
                         testing::Combine(testing::Values(ImzmlMode::Continuous,
                                                          ImzmlMode::Processed),
                                          testing::Values(Compression::None, Compression::Zlib)));

TEST(ImzmlWriter, LeavesNothingWhenNotFinished) {
    const test::TemporaryFolder folder;
    {
        ImzmlWriter writer(folder / "a.imzML", {});
        writer.add(1, 1, std::vector<double>{1}, std::vector<float>{1});
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace smeta::io

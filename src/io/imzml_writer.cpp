#include "smeta/io/imzml_writer.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <vector>

#include <fmt/format.h>
#include <libdeflate.h>
#include <unistd.h>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/core/version.hpp"

#include "sha1_impl.hpp"

namespace smeta::io {

namespace {

/// A file under a temporary name; removed unless committed.
class PendingFile {
  public:
    explicit PendingFile(std::string path) : path_(std::move(path)) {
        file_ = std::fopen(temporary().c_str(), "wb");
        if (file_ == nullptr) throw core::IoError::from_errno("write", path_, errno);
    }
    ~PendingFile() {
        if (file_ == nullptr) return;
        std::fclose(file_);
        std::remove(temporary().c_str());
    }
    PendingFile(const PendingFile&) = delete;
    PendingFile& operator=(const PendingFile&) = delete;

    void write(std::span<const std::byte> bytes) {
        if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size())
            throw core::IoError::from_errno("write", path_, errno);
    }
    void write(const std::string& text) { write(std::as_bytes(std::span(text))); }

    void commit() {
        const bool flushed = std::fflush(file_) == 0 && ::fsync(::fileno(file_)) == 0;
        const int code = errno;
        const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
        if (!flushed || !closed || std::rename(temporary().c_str(), path_.c_str()) != 0) {
            const int reason = flushed ? errno : code;
            std::remove(temporary().c_str());
            throw core::IoError::from_errno("write", path_, reason);
        }
    }

  private:
    std::string temporary() const { return path_ + ".tmp"; }
    std::string path_;
    std::FILE* file_ = nullptr;
};

std::string cv(const char* accession, const char* name, const std::string& value = {},
               const char* unit = "") {
    const char* ref = accession[0] == 'I' ? "IMS" : "MS";
    std::string text = fmt::format(R"(<cvParam cvRef="{}" accession="{}" name="{}" value="{}")",
                                   ref, accession, name, value);
    if (std::string_view(unit) == "um")
        text += R"( unitCvRef="UO" unitAccession="UO:0000017" unitName="micrometer")";
    else if (std::string_view(unit) == "m/z")
        text += R"( unitCvRef="MS" unitAccession="MS:1000040" unitName="m/z")";
    else if (std::string_view(unit) == "counts")
        text +=
            R"( unitCvRef="MS" unitAccession="MS:1000131" unitName="number of detector counts")";
    return text + "/>\n";
}

std::array<std::byte, 16> make_uuid(std::uint64_t seed) {
    const auto words = core::Philox(seed, core::DrawPurpose::Simulate).words(0);
    std::array<std::byte, 16> uuid;
    for (int i = 0; i < 16; ++i) uuid[i] = static_cast<std::byte>(words[i / 8] >> 8 * (i % 8));
    uuid[6] = (uuid[6] & std::byte{0x0F}) | std::byte{0x40};  // version 4
    uuid[8] = (uuid[8] & std::byte{0x3F}) | std::byte{0x80};
    return uuid;
}

struct FreeCompressor {
    void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
};

}  // namespace

struct ImzmlWriter::State {
    State(const std::string& imzml_path, const ImzmlWriterOptions& options_in)
        : options(options_in),
          xml(imzml_path),
          ibd(std::filesystem::path(imzml_path).replace_extension(".ibd").string()),
          uuid(make_uuid(options_in.seed)),
          compressor(libdeflate_alloc_compressor(1)) {
        put(uuid);
    }

    void put(std::span<const std::byte> bytes) {
        ibd.write(bytes);
        sha1.update(bytes);
        at += static_cast<std::int64_t>(bytes.size());
    }

    ArrayRef put_array(std::span<const std::byte> bytes, std::size_t length, NumberType type) {
        ArrayRef ref{at, static_cast<std::int64_t>(length), 0, type, options.compression};
        if (options.compression == Compression::None) {
            put(bytes);
        } else {
            packed.resize(libdeflate_zlib_compress_bound(compressor.get(), bytes.size()));
            const std::size_t size = libdeflate_zlib_compress(
                compressor.get(), bytes.data(), bytes.size(), packed.data(), packed.size());
            core::check(size > 0, "compressed data fit their bound");
            put({packed.data(), size});
        }
        ref.encoded_bytes = at - ref.offset;
        return ref;
    }

    std::string head();
    std::string groups() const;
    std::string settings() const;
    static std::string array_xml(const char* group, const ArrayRef& ref);

    ImzmlWriterOptions options;
    PendingFile xml;
    PendingFile ibd;
    std::array<std::byte, 16> uuid;
    std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor;
    detail::Sha1 sha1;
    std::int64_t at = 0;
    std::vector<std::byte> packed;
    std::vector<double> shared_mz;
    std::vector<ImzmlSpectrum> spectra;
};

std::string ImzmlWriter::State::head() {
    std::string text = R"(<?xml version="1.0" encoding="ISO-8859-1"?>
<mzML xmlns="http://psi.hupo.org/ms/mzml" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://psi.hupo.org/ms/mzml http://psidev.info/files/ms/mzML/xsd/mzML1.1.0.xsd" version="1.1">
<cvList count="3">
<cv URI="https://raw.githubusercontent.com/hupo-psi/psi-ms-cv/master/psi-ms.obo" fullName="Proteomics Standards Initiative Mass Spectrometry Ontology" id="MS" version="4.1.0"/>
<cv URI="https://raw.githubusercontent.com/bio-ontology-research-group/unit-ontology/master/unit.obo" fullName="Unit Ontology" id="UO" version="09:04:2014"/>
<cv URI="https://raw.githubusercontent.com/imzML/imzML/master/imagingMS.obo" fullName="Mass Spectrometry Imaging Ontology" id="IMS" version="1.1.0"/>
</cvList>
<fileDescription>
<fileContent>
)";
    std::string hex;
    for (const std::byte b : uuid) hex += fmt::format("{:02x}", std::to_integer<int>(b));
    text += cv("MS:1000579", "MS1 spectrum");
    text += cv("MS:1000127", "centroid spectrum");
    text += options.mode == ImzmlMode::Continuous ? cv("IMS:1000030", "continuous")
                                                  : cv("IMS:1000031", "processed");
    text += cv("IMS:1000080", "universally unique identifier", hex);
    text += cv("IMS:1000091", "ibd SHA-1", sha1.hex());
    return text + "</fileContent>\n</fileDescription>\n";
}

std::string ImzmlWriter::State::groups() const {
    const std::string compression = options.compression == Compression::None
                                        ? cv("MS:1000576", "no compression")
                                        : cv("MS:1000574", "zlib compression");
    const std::string external = cv("IMS:1000101", "external data", "true");
    std::string text = "<referenceableParamGroupList count=\"4\">\n";
    text += "<referenceableParamGroup id=\"mzArray\">\n" + compression +
            cv("MS:1000514", "m/z array", {}, "m/z") + cv("MS:1000523", "64-bit float") + external +
            "</referenceableParamGroup>\n";
    text += "<referenceableParamGroup id=\"intensityArray\">\n" + compression +
            cv("MS:1000515", "intensity array", {}, "counts") + cv("MS:1000521", "32-bit float") +
            external + "</referenceableParamGroup>\n";
    text += "<referenceableParamGroup id=\"scan1\">\n" + cv("MS:1000093", "increasing m/z scan") +
            "</referenceableParamGroup>\n";
    text += "<referenceableParamGroup id=\"spectrum1\">\n" + cv("MS:1000579", "MS1 spectrum") +
            cv("MS:1000511", "ms level", "1") + cv("MS:1000127", "centroid spectrum");
    if (options.polarity == Polarity::Positive) text += cv("MS:1000130", "positive scan");
    if (options.polarity == Polarity::Negative) text += cv("MS:1000129", "negative scan");
    return text + "</referenceableParamGroup>\n</referenceableParamGroupList>\n";
}

std::string ImzmlWriter::State::settings() const {
    std::int32_t max_x = 1;
    std::int32_t max_y = 1;
    for (const ImzmlSpectrum& s : spectra) {
        max_x = std::max(max_x, s.x);
        max_y = std::max(max_y, s.y);
    }
    const double size = options.pixel_size_um;
    const auto number = [](auto value) { return fmt::format("{}", value); };
    std::string text = "<softwareList count=\"1\">\n<software id=\"smeta\" version=\"" +
                       std::string(core::kVersion) + "\">\n" +
                       cv("MS:1000799", "custom unreleased software tool", "smeta") +
                       "</software>\n</softwareList>\n";
    text += "<scanSettingsList count=\"1\">\n<scanSettings id=\"scanSettings1\">\n" +
            cv("IMS:1000401", "top down") + cv("IMS:1000413", "flyback") +
            cv("IMS:1000480", "horizontal line scan") + cv("IMS:1000491", "linescan left right") +
            cv("IMS:1000042", "max count of pixels x", number(max_x)) +
            cv("IMS:1000043", "max count of pixels y", number(max_y)) +
            cv("IMS:1000044", "max dimension x", number(max_x * size), "um") +
            cv("IMS:1000045", "max dimension y", number(max_y * size), "um") +
            cv("IMS:1000046", "pixel size (x)", number(size), "um") +
            cv("IMS:1000047", "pixel size y", number(size), "um") +
            "</scanSettings>\n</scanSettingsList>\n";
    text +=
        "<instrumentConfigurationList count=\"1\">\n<instrumentConfiguration id=\"instrument1\"/>\n"
        "</instrumentConfigurationList>\n"
        "<dataProcessingList count=\"1\">\n<dataProcessing id=\"processing1\">\n"
        "<processingMethod order=\"0\" softwareRef=\"smeta\">\n" +
        cv("MS:1000544", "Conversion to mzML") +
        "</processingMethod>\n</dataProcessing>\n</dataProcessingList>\n";
    return text;
}

std::string ImzmlWriter::State::array_xml(const char* group, const ArrayRef& ref) {
    return fmt::format(
               "<binaryDataArray encodedLength=\"0\">\n<referenceableParamGroupRef ref=\"{}\"/>\n",
               group) +
           cv("IMS:1000102", "external offset", fmt::format("{}", ref.offset)) +
           cv("IMS:1000103", "external array length", fmt::format("{}", ref.length)) +
           cv("IMS:1000104", "external encoded length", fmt::format("{}", ref.encoded_bytes)) +
           "<binary/>\n</binaryDataArray>\n";
}

ImzmlWriter::ImzmlWriter(const std::string& imzml_path, const ImzmlWriterOptions& options)
    : state_(std::make_unique<State>(imzml_path, options)) {}
ImzmlWriter::~ImzmlWriter() = default;
ImzmlWriter::ImzmlWriter(ImzmlWriter&&) noexcept = default;
ImzmlWriter& ImzmlWriter::operator=(ImzmlWriter&&) noexcept = default;

void ImzmlWriter::add(std::int32_t x, std::int32_t y, std::span<const double> mz,
                      std::span<const float> intensity) {
    State& s = *state_;
    core::check(x >= 1 && y >= 1, "pixel positions begin at 1");
    core::check(mz.size() == intensity.size(), "as many m/z as intensities");
    ImzmlSpectrum spectrum;
    spectrum.x = x;
    spectrum.y = y;
    if (s.options.mode == ImzmlMode::Continuous && !s.spectra.empty()) {
        core::check(std::equal(mz.begin(), mz.end(), s.shared_mz.begin(), s.shared_mz.end()),
                    "one m/z axis for all spectra of a continuous file");
        spectrum.mz = s.spectra.front().mz;
    } else {
        if (s.options.mode == ImzmlMode::Continuous) s.shared_mz.assign(mz.begin(), mz.end());
        spectrum.mz = s.put_array(std::as_bytes(mz), mz.size(), NumberType::Float64);
    }
    spectrum.intensity =
        s.put_array(std::as_bytes(intensity), intensity.size(), NumberType::Float32);
    s.spectra.push_back(spectrum);
}

void ImzmlWriter::finish() {
    State& s = *state_;
    core::check(!s.spectra.empty(), "an image with at least one spectrum");
    s.xml.write(s.head() + s.groups() + s.settings());
    s.xml.write(
        fmt::format("<run id=\"run1\" defaultInstrumentConfigurationRef=\"instrument1\">\n"
                    "<spectrumList count=\"{}\" defaultDataProcessingRef=\"processing1\">\n",
                    s.spectra.size()));
    for (std::size_t i = 0; i < s.spectra.size(); ++i) {
        const ImzmlSpectrum& spectrum = s.spectra[i];
        s.xml.write(fmt::format("<spectrum id=\"Scan={}\" defaultArrayLength=\"0\" index=\"{}\">\n"
                                "<referenceableParamGroupRef ref=\"spectrum1\"/>\n"
                                "<scanList count=\"1\">\n",
                                i + 1, i) +
                    cv("MS:1000795", "no combination") +
                    "<scan instrumentConfigurationRef=\"instrument1\">\n"
                    "<referenceableParamGroupRef ref=\"scan1\"/>\n" +
                    cv("IMS:1000050", "position x", fmt::format("{}", spectrum.x)) +
                    cv("IMS:1000051", "position y", fmt::format("{}", spectrum.y)) +
                    "</scan>\n</scanList>\n<binaryDataArrayList count=\"2\">\n" +
                    State::array_xml("mzArray", spectrum.mz) +
                    State::array_xml("intensityArray", spectrum.intensity) +
                    "</binaryDataArrayList>\n</spectrum>\n");
    }
    s.xml.write(std::string("</spectrumList>\n</run>\n</mzML>\n"));
    s.ibd.commit();  // first: an .imzML never stands without its data
    s.xml.commit();
}

}  // namespace smeta::io

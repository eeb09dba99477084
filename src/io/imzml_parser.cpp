#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

#include "imzml_params_impl.hpp"
#include "imzml_parser_impl.hpp"
#include "xml_stream_impl.hpp"

namespace smeta::io::detail {

namespace {

constexpr int kDeepest = 64;

enum class ArrayKind { None, Mz, Intensity };

/// An element of ours where a part of a file begins or ends.
constexpr std::string_view kBoundary = "<smeta-boundary/>";
constexpr const char* kBoundaryName = "smeta-boundary";

/// How deep a boundary lies and how many parameters of the whole image came before it.
struct Place {
    int depth = 0;
    std::int64_t params = 0;
    bool in_spectrum = false;
    bool operator==(const Place&) const = default;
};

/// The meaning of the elements.
class Parser : public XmlStream {
  public:
    explicit Parser(const std::string& path) : XmlStream(path) {}
    ParsedImzml whole();
    ParsedImzml part(ByteRange head, ByteRange part, bool is_last);

  private:
    void start(const char* name, const char** attributes) override;
    void end(const char* name) override;
    std::string place() const override {
        return in_spectrum_ ? fmt::format(", spectrum {}", result_.spectra.size() + 1) : "";
    }
    void param(const char** attributes);
    void apply(const ParamView& param);
    void apply_in_spectrum(const ParamView& param);
    void apply_in_array(const ParamView& param);
    void finish_array();
    void finish_spectrum();
    std::int64_t count_of(const ParamView& param);
    ParsedImzml result();

    std::vector<Place> boundaries_;
    ParsedImzml result_;
    std::vector<Group> groups_;
    bool in_group_ = false;
    bool in_spectrum_ = false;
    bool in_array_ = false;
    int depth_ = 0;
    std::int64_t header_params_ = 0;
    Polarity file_polarity_ = Polarity::Unknown;
    Polarity spectrum_polarity_ = Polarity::Unknown;
    ImzmlSpectrum spectrum_;
    bool has_mz_ = false;
    bool has_intensity_ = false;
    ArrayRef array_;
    ArrayKind kind_ = ArrayKind::None;
};

std::int64_t Parser::count_of(const ParamView& param) {
    std::int64_t value = 0;
    if (!parse_count(param.value, value))
        fail(fmt::format("a whole number for '{}'", param.name), fmt::format("'{}'", param.value));
    return value;
}

const char* local_name(const char* name) {
    const char* colon = std::strchr(name, ':');
    return colon == nullptr ? name : colon + 1;
}

const char* attribute(const char** attributes, const char* name) {
    for (; *attributes != nullptr; attributes += 2)
        if (std::strcmp(*attributes, name) == 0) return attributes[1];
    return "";
}

void Parser::start(const char* name, const char** attributes) {
    if (failed()) return;
    if (++depth_ > kDeepest) return fail("an imzML file", "elements nested more than 64 deep");
    name = local_name(name);
    if (depth_ == 1 && std::strcmp(name, "mzML") != 0 && std::strcmp(name, "indexedmzML") != 0)
        return fail("an imzML file with the root element <mzML>", fmt::format("<{}>", name));
    if (std::strcmp(name, "cvParam") == 0) {
        param(attributes);
    } else if (std::strcmp(name, "referenceableParamGroupRef") == 0) {
        const char* ref = attribute(attributes, "ref");
        for (const Group& group : groups_)
            if (group.id == ref) {
                for (const Param& p : group.params)
                    apply({p.code, p.name.c_str(), p.value.c_str(), p.unit.c_str()});
                return;
            }
        fail("a referenceableParamGroup of that name", fmt::format("a reference to '{}'", ref));
    } else if (std::strcmp(name, "referenceableParamGroup") == 0) {
        groups_.push_back({attribute(attributes, "id"), {}});
        in_group_ = true;
    } else if (std::strcmp(name, "spectrum") == 0) {
        in_spectrum_ = true;
        spectrum_ = ImzmlSpectrum();
        spectrum_.x = spectrum_.y = std::numeric_limits<std::int32_t>::min();
        has_mz_ = has_intensity_ = false;
    } else if (std::strcmp(name, "binaryDataArray") == 0 && in_spectrum_) {
        in_array_ = true;
        kind_ = ArrayKind::None;
        array_ = ArrayRef();
        array_.offset = array_.length = std::numeric_limits<std::int64_t>::min();
        array_.encoded_bytes = -1;
    } else if (std::strcmp(name, kBoundaryName) == 0) {
        boundaries_.push_back({depth_, header_params_, in_spectrum_ || in_group_});
    }
}

void Parser::end(const char* name) {
    if (failed()) return;
    --depth_;
    name = local_name(name);
    if (std::strcmp(name, "referenceableParamGroup") == 0) {
        in_group_ = false;
    } else if (in_array_ && std::strcmp(name, "binaryDataArray") == 0) {
        finish_array();
        in_array_ = false;
    } else if (std::strcmp(name, "spectrum") == 0) {
        finish_spectrum();
        in_spectrum_ = false;
    }
}

void Parser::param(const char** attributes) {
    ParamView view;
    for (; *attributes != nullptr; attributes += 2) {
        const char* key = attributes[0];
        if (std::strcmp(key, "accession") == 0)
            view.code = accession_code(attributes[1]);
        else if (std::strcmp(key, "value") == 0)
            view.value = attributes[1];
        else if (std::strcmp(key, "name") == 0)
            view.name = attributes[1];
        else if (std::strcmp(key, "unitAccession") == 0)
            view.unit = attributes[1];
    }
    if (in_group_)
        groups_.back().params.push_back({view.code, view.name, view.value, view.unit});
    else
        apply(view);
}

void Parser::apply(const ParamView& param) {
    if (in_array_) return apply_in_array(param);
    if (in_spectrum_) return apply_in_spectrum(param);
    ImzmlHeader& header = result_.header;
    ++header_params_;
    switch (param.code) {
        case kIms + 1000030:
        case kIms + 1000031:
            header.mode =
                param.code == kIms + 1000030 ? ImzmlMode::Continuous : ImzmlMode::Processed;
            result_.mode_declared = true;
            break;
        case kIms + 1000080:
            header.uuid = hex_digits(param.value);
            break;
        case kIms + 1000091:
            header.sha1 = hex_digits(param.value);
            break;
        case kIms + 1000042:
            header.max_x = count_of(param);
            break;
        case kIms + 1000043:
            header.max_y = count_of(param);
            break;
        case kIms + 1000046:
            header.pixel_size_x = micrometres(param);
            break;
        case kIms + 1000047:
            header.pixel_size_y = micrometres(param);
            break;
        case 1000130:
            file_polarity_ = Polarity::Positive;
            break;
        case 1000129:
            file_polarity_ = Polarity::Negative;
            break;
        default:
            break;
    }
}

void Parser::apply_in_spectrum(const ParamView& param) {
    const auto coordinate = [&](std::int32_t& target) {
        const std::int64_t value = count_of(param);
        if (value < -1'000'000'000 || value > 1'000'000'000)
            fail("a pixel position", fmt::format("'{}'", param.value));
        target = static_cast<std::int32_t>(value);
    };
    const auto polarity = [&](Polarity found) {
        if (spectrum_polarity_ != Polarity::Unknown && spectrum_polarity_ != found)
            fail("spectra of one polarity", "positive and negative spectra in one file");
        spectrum_polarity_ = found;
    };
    switch (param.code) {
        case kIms + 1000050:
            coordinate(spectrum_.x);
            break;
        case kIms + 1000051:
            coordinate(spectrum_.y);
            break;
        case kIms + 1000052:
            coordinate(spectrum_.z);
            break;
        case 1000130:
            polarity(Polarity::Positive);
            break;
        case 1000129:
            polarity(Polarity::Negative);
            break;
        default:
            break;
    }
}

void Parser::apply_in_array(const ParamView& param) {
    switch (param.code) {
        case 1000514:
            kind_ = ArrayKind::Mz;
            break;
        case 1000515:
            kind_ = ArrayKind::Intensity;
            break;
        case 1000574:
            array_.compression = Compression::Zlib;
            break;
        case 1000576:
            array_.compression = Compression::None;
            break;
        case kIms + 1000102:
            array_.offset = count_of(param);
            break;
        case kIms + 1000103:
            array_.length = count_of(param);
            break;
        case kIms + 1000104:
            array_.encoded_bytes = count_of(param);
            break;
        case 1002312:
        case 1002313:
        case 1002314:
        case 1002746:
        case 1002747:
        case 1002748:
            fail("arrays without compression or with zlib", fmt::format("'{}'", param.name));
            break;
        default: {
            NumberType type = type_of_code(param.code);
            if (type == NumberType::Unknown) type = type_of_name(param.name);
            if (type != NumberType::Unknown) array_.type = type;
        }
    }
}

void Parser::finish_array() {
    if (kind_ == ArrayKind::None) return;
    constexpr std::int64_t kUnset = std::numeric_limits<std::int64_t>::min();
    const char* what = kind_ == ArrayKind::Mz ? "m/z" : "intensity";
    if (array_.length == kUnset)
        return fail(fmt::format("an external array length of the {} array", what), "none");
    if (array_.offset == kUnset && array_.length != 0)
        return fail(fmt::format("an external offset of the {} array", what), "none");
    if (array_.length < 0)
        return fail(fmt::format("a length of the {} array of 0 or more", what),
                    fmt::format("{}", array_.length));
    if (kind_ == ArrayKind::Mz) {
        spectrum_.mz = array_;
        has_mz_ = true;
    } else {
        spectrum_.intensity = array_;
        has_intensity_ = true;
    }
}

void Parser::finish_spectrum() {
    constexpr std::int32_t kUnset = std::numeric_limits<std::int32_t>::min();
    if (spectrum_.x == kUnset || spectrum_.y == kUnset)
        return fail("position x and position y of the spectrum", "none");
    if (!has_mz_ || !has_intensity_)
        return fail("an m/z array and an intensity array",
                    has_mz_ ? "no intensity array" : "no m/z array");
    if (spectrum_.mz.length != spectrum_.intensity.length)
        return fail(
            "as many m/z as intensities",
            fmt::format("{} m/z, {} intensities", spectrum_.mz.length, spectrum_.intensity.length));
    result_.spectra.push_back(spectrum_);
}

ParsedImzml Parser::result() {
    result_.spectra_polarity = spectrum_polarity_;
    result_.header.polarity = file_polarity_;
    if (!result_.header.pixel_size_y) result_.header.pixel_size_y = result_.header.pixel_size_x;
    return std::move(result_);
}

ParsedImzml Parser::whole() {
    feed(ByteRange{0, std::numeric_limits<std::int64_t>::max()});
    finish();
    return result();
}

ParsedImzml Parser::part(ByteRange head, ByteRange part, bool is_last) {
    feed(head);
    feed(kBoundary);
    feed(part);
    if (is_last)
        finish();
    else
        feed(kBoundary);
    const bool between_spectra = boundaries_.size() == (is_last ? 1 : 2) &&
                                 boundaries_.front() == boundaries_.back() &&
                                 !boundaries_.front().in_spectrum;
    if (!between_spectra)
        throw core::FormatError({path(), "", "a part of whole spectra", "something else", ""});
    return result();
}

}  // namespace

ParsedImzml parse_whole_imzml(const std::string& path) {
    return Parser(path).whole();
}

ParsedImzml parse_imzml_part(const std::string& path, ByteRange head, ByteRange part,
                             bool is_last) {
    return Parser(path).part(head, part, is_last);
}

}  // namespace smeta::io::detail

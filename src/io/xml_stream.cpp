#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "xml_stream_impl.hpp"

namespace smeta::io::detail {

namespace {

constexpr std::int64_t kBlockBytes = 1 << 20;
constexpr XML_Index kLongestToken = 8 << 20;

}  // namespace

XmlStream::XmlStream(const std::string& path)
    : path_(path), file_(path, O_RDONLY), xml_(XML_ParserCreate(nullptr), &XML_ParserFree) {
    core::check(xml_ != nullptr, "memory for the XML parser");
    XML_SetUserData(xml_.get(), this);
    XML_SetElementHandler(xml_.get(), &XmlStream::on_start, &XmlStream::on_end);
    XML_SetStartDoctypeDeclHandler(xml_.get(), &XmlStream::on_doctype);
    XML_SetUnknownEncodingHandler(xml_.get(), &XmlStream::on_encoding, nullptr);
}

void XMLCALL XmlStream::on_doctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*,
                                   int) {
    static_cast<XmlStream*>(self)->fail("an imzML file without DOCTYPE", "a DOCTYPE declaration");
}

// Windows-1252 and other one-byte encodings: only names of people and places differ, all we read is
// ASCII.
int XMLCALL XmlStream::on_encoding(void*, const XML_Char*, XML_Encoding* info) {
    for (int i = 0; i < 256; ++i) info->map[i] = i;
    info->data = nullptr;
    info->convert = nullptr;
    info->release = nullptr;
    return XML_STATUS_OK;
}

std::string XmlStream::line() const {
    return fmt::format("line {}", XML_GetCurrentLineNumber(xml_.get()));
}

void XmlStream::fail(std::string expected, std::string found) {
    if (problem_) return;
    problem_ =
        core::FormatProblem{path_, line() + place(), std::move(expected), std::move(found), ""};
    XML_StopParser(xml_.get(), XML_FALSE);
}

void XmlStream::check(XML_Status status) {
    if (problem_) throw core::FormatError(*problem_);
    if (status != XML_STATUS_OK)
        throw core::FormatError({path_, line(), "well-formed XML",
                                 XML_ErrorString(XML_GetErrorCode(xml_.get())),
                                 "is the file whole?"});
}

void XmlStream::feed(ByteRange bytes) {
    while (bytes.first < bytes.last) {
        const auto wanted = std::min(kBlockBytes, bytes.last - bytes.first);
        void* buffer = XML_GetBuffer(xml_.get(), static_cast<int>(wanted));
        core::check(buffer != nullptr, "memory for the XML parser");
        const ssize_t got = ::pread(file_.get(), buffer, wanted, bytes.first);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw core::IoError::from_errno("read", path_, errno);
        if (got == 0) return;
        bytes.first += got;
        fed_ += got;
        check(XML_ParseBuffer(xml_.get(), static_cast<int>(got), XML_FALSE));
        if (fed_ - std::max<XML_Index>(XML_GetCurrentByteIndex(xml_.get()), 0) > kLongestToken)
            throw core::FormatError(
                {path_, line(), "an imzML file", "a tag of more than 8 MiB", ""});
    }
}

void XmlStream::feed(std::string_view text) {
    fed_ += static_cast<XML_Index>(text.size());
    check(XML_Parse(xml_.get(), text.data(), static_cast<int>(text.size()), XML_FALSE));
}

void XmlStream::finish() {
    check(XML_Parse(xml_.get(), "", 0, XML_TRUE));
}

}  // namespace smeta::io::detail

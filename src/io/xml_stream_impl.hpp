#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <expat.h>

#include "smeta/core/error.hpp"

#include "descriptor.hpp"

namespace smeta::io::detail {

/// Bytes [first, last) of a file.
struct ByteRange {
    std::int64_t first = 0;
    std::int64_t last = 0;
};

/// Streams XML through Expat; a DOCTYPE is refused. Callbacks must not throw through C frames: they
/// leave a problem with `fail`, which ends the stream. Throws IoError, FormatError. Local.
class XmlStream {
  public:
    XmlStream(const XmlStream&) = delete;
    XmlStream& operator=(const XmlStream&) = delete;
    virtual ~XmlStream() = default;

  protected:
    explicit XmlStream(const std::string& path);

    virtual void start(const char* name, const char** attributes) = 0;
    virtual void end(const char* name) = 0;
    /// What is being read beyond the line, for messages.
    virtual std::string place() const = 0;

    /// Reads up to the end of the file where the range reaches beyond it.
    void feed(ByteRange bytes);
    void feed(std::string_view text);
    void finish();
    void fail(std::string expected, std::string found);
    bool failed() const { return problem_.has_value(); }
    const std::string& path() const { return path_; }

  private:
    static void XMLCALL on_start(void* self, const XML_Char* name, const XML_Char** attributes) {
        static_cast<XmlStream*>(self)->start(name, attributes);
    }
    static void XMLCALL on_end(void* self, const XML_Char* name) {
        static_cast<XmlStream*>(self)->end(name);
    }
    static void XMLCALL on_doctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*,
                                   int);
    static int XMLCALL on_encoding(void*, const XML_Char*, XML_Encoding* info);
    void check(XML_Status status);
    std::string line() const;

    std::string path_;
    Descriptor file_;
    std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> xml_;
    XML_Index fed_ = 0;
    std::optional<core::FormatProblem> problem_;
};

}  // namespace smeta::io::detail

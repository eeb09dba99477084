#include "smeta/io/text_table.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>

#include <fmt/format.h>
#include <zlib.h>

#include "smeta/core/error.hpp"

#include "h5_impl.hpp"

namespace smeta::io {

namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr std::size_t kLongestLine = std::size_t{1} << 30;

/// ASCII without zero bytes; a loop without branches, since most lines are.
bool is_plain(std::string_view text) {
    bool plain = true;
    for (const char c : text) plain &= static_cast<signed char>(c) > 0;
    return plain;
}

/// Whether the quote at `at` is one of the text, as R's write.table writes it: behind a backslash.
/// One before the end of a field closes it; of a doubled one the second would.
bool is_escaped(std::string_view text, std::size_t at, char delimiter) {
    if (at == 0 || text[at - 1] != '\\') return false;
    const auto ends = [&](std::size_t place) {
        return place >= text.size() || text[place] == delimiter || text[place] == '\n';
    };
    return !ends(at + 1) && (text[at + 1] != '"' || ends(at + 2));
}

}  // namespace

struct LineReader::State {
    explicit State(const std::string& path_in) : path(path_in), buffer(kBufferBytes) {
        errno = 0;
        file = gzopen(path.c_str(), "rb");
        if (file == nullptr) throw core::IoError::from_errno("open", path, errno);
        gzbuffer(file, kBufferBytes);
    }
    ~State() { gzclose(file); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    [[noreturn]] void damaged(const std::string& what) const {
        throw core::FormatError({path, fmt::format("after line {}", line_number),
                                 "a whole text or gzip file", what, "copy or download it again"});
    }

    bool fill() {
        begin = 0;
        end = 0;
        const int got = gzread(file, buffer.data(), kBufferBytes);
        int code = Z_OK;
        const char* message = gzerror(file, &code);
        if (got < 0 || (got == 0 && code != Z_OK && code != Z_STREAM_END)) {
            if (code == Z_ERRNO) throw core::IoError::from_errno("read", path, errno);
            damaged(message != nullptr && *message != 0 ? message : "an unexpected end");
        }
        end = static_cast<std::size_t>(got);
        return got > 0;
    }

    std::string path;
    gzFile file = nullptr;
    std::vector<char> buffer;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string spill;  ///< a line that crosses the end of the buffer
    std::int64_t line_number = 0;
};

LineReader::LineReader(const std::string& path) : state_(std::make_unique<State>(path)) {}
LineReader::~LineReader() = default;
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;

std::int64_t LineReader::line_number() const {
    return state_->line_number;
}
const std::string& LineReader::path() const {
    return state_->path;
}

bool LineReader::next(std::string_view& line) {
    State& s = *state_;
    s.spill.clear();
    bool spilled = false;
    for (;;) {
        if (s.begin == s.end && !s.fill()) {
            if (!spilled || s.spill.empty()) return false;
            line = s.spill;
            break;
        }
        const char* first = s.buffer.data() + s.begin;
        const auto* feed = static_cast<const char*>(std::memchr(first, '\n', s.end - s.begin));
        const std::size_t length = feed != nullptr ? feed - first : s.end - s.begin;
        s.begin += length + (feed != nullptr ? 1 : 0);
        if (feed != nullptr && !spilled) {
            line = {first, length};
            break;
        }
        if (s.spill.size() + length > kLongestLine) s.damaged("a line of more than 1 GiB");
        s.spill.append(first, length);
        spilled = true;
        if (feed != nullptr) {
            line = s.spill;
            break;
        }
    }
    if (s.line_number == 0 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++s.line_number;
    if (!is_plain(line) && (line.find('\0') != std::string_view::npos || !detail::is_utf8(line)))
        throw core::FormatError({s.path, fmt::format("line {}", s.line_number), "UTF-8 text",
                                 "other bytes", "save the table with the encoding UTF-8"});
    return true;
}

TextTable::TextTable(const std::string& path, char delimiter)
    : lines_(path), delimiter_(delimiter) {}

bool TextTable::next(std::vector<std::string_view>& fields) {
    fields.clear();
    std::string_view line;
    do {
        if (!lines_.next(line)) return false;
    } while (line.empty());
    if (delimiter_ == 0) {
        delimiter_ = ' ';
        for (const char candidate : {';', ',', '\t'})
            if (line.find(candidate) != std::string_view::npos) delimiter_ = candidate;
    }
    if (std::memchr(line.data(), '"', line.size()) == nullptr)
        split_plain(line, fields);
    else
        split_quoted(line, fields);
    return true;
}

void TextTable::split_plain(std::string_view line, std::vector<std::string_view>& fields) const {
    std::size_t at = 0;
    for (;;) {
        if (delimiter_ == ' ') {
            at = line.find_first_not_of(' ', at);
            if (at == std::string_view::npos) return;
        }
        const auto* hit = static_cast<const char*>(
            at < line.size() ? std::memchr(line.data() + at, delimiter_, line.size() - at)
                             : nullptr);
        const std::size_t end = hit != nullptr ? hit - line.data() : line.size();
        fields.push_back(line.substr(at, end - at));
        if (hit == nullptr) return;
        at = end + 1;
    }
}

void TextTable::split_quoted(std::string_view line, std::vector<std::string_view>& fields) {
    const auto has_odd_quotes = [this](std::string_view text) {
        bool odd = false;
        for (std::size_t at = text.find('"'); at != std::string_view::npos;
             at = text.find('"', at + 1))
            odd ^= !is_escaped(text, at, delimiter_);
        return odd;
    };
    record_.assign(line);
    const std::int64_t first_line = lines_.line_number();
    for (bool open = has_odd_quotes(line); open;) {
        std::string_view more;
        const bool ended = !lines_.next(more);
        if (ended || record_.size() + more.size() > kLongestLine)
            throw core::FormatError({path(), fmt::format("line {}", first_line),
                                     "quotes that are closed",
                                     ended ? "the end of the file" : "1 GiB without an end", ""});
        record_ += '\n';
        record_ += more;
        open = open != has_odd_quotes(more);
    }
    unquoted_.clear();
    unquoted_.reserve(record_.size());  // the views below point into it
    std::size_t at = 0;
    bool more = true;
    while (more) {
        if (delimiter_ == ' ') {
            at = record_.find_first_not_of(' ', at);
            if (at == std::string::npos) return;
        }
        const std::size_t begin = unquoted_.size();
        bool quoted = false;
        for (; at < record_.size() && (quoted || record_[at] != delimiter_); ++at) {
            if (record_[at] != '"') {
                unquoted_ += record_[at];
            } else if (is_escaped(record_, at, delimiter_)) {
                unquoted_.back() = '"';
            } else if (quoted && at + 1 < record_.size() && record_[at + 1] == '"') {
                unquoted_ += record_[at++];
            } else {
                quoted = !quoted;
            }
        }
        fields.emplace_back(unquoted_.data() + begin, unquoted_.size() - begin);
        more = at < record_.size();
        ++at;
    }
}

std::optional<std::size_t> TextColumns::find(std::string_view name) const {
    for (std::size_t i = 0; i < header.size(); ++i)
        if (header[i] == name) return i;
    return std::nullopt;
}

std::size_t TextColumns::column(std::string_view name) const {
    if (const auto position = find(name)) return *position;
    throw core::FormatError({path, fmt::format("column '{}'", name), "a column of that name",
                             fmt::format("columns {}", fmt::join(header, ", ")), ""});
}

TextColumns read_text_columns(const std::string& path) {
    TextTable table(path);
    TextColumns result;
    result.path = path;
    std::vector<std::string_view> fields;
    if (!table.next(fields))
        throw core::FormatError({path, "", "a header line and rows", "an empty file", ""});
    result.header.assign(fields.begin(), fields.end());
    while (table.next(fields)) {
        if (result.rows.empty() && fields.size() == result.header.size() + 1)
            result.header.insert(result.header.begin(), std::string());
        if (fields.size() != result.header.size())
            throw core::FormatError({path, fmt::format("line {}", table.line_number()),
                                     fmt::format("{} fields", result.header.size()),
                                     fmt::format("{} fields", fields.size()), ""});
        result.rows.emplace_back(fields.begin(), fields.end());
    }
    return result;
}

std::optional<double> parse_number(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    if (text.empty() || text == "NA" || text == "N/A")
        return std::numeric_limits<double>::quiet_NaN();
    if (text.front() == '+') text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end != text.data() + text.size()) return std::nullopt;
    if (error == std::errc::result_out_of_range) {
        // Too small is 0, too large is infinite and left to the value policy.
        const bool tiny =
            text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos;
        const double magnitude = tiny ? 0.0 : std::numeric_limits<double>::infinity();
        return text.front() == '-' ? -magnitude : magnitude;
    }
    if (error != std::errc()) return std::nullopt;
    return value;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

double require_number(std::string_view text, const std::string& path, std::int64_t line,
                      std::string_view column) {
    if (const auto value = parse_number(text)) return *value;
    throw core::FormatError({path, fmt::format("line {}, column '{}'", line, column), "a number",
                             fmt::format("'{}'", text.substr(0, 40)), ""});
}

}  // namespace smeta::io

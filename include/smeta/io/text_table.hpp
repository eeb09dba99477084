#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smeta::io {

/// Lines of a text file, plain or gzip (decided by content, not by name). A byte order mark at the
/// start and CR before the line feed are removed. Memory: one line (at most 1 GiB) and a 256 KiB
/// buffer. Local.
class LineReader {
  public:
    /// Throws IoError when the file cannot be opened.
    explicit LineReader(const std::string& path);
    ~LineReader();
    LineReader(LineReader&&) noexcept;
    LineReader& operator=(LineReader&&) noexcept;

    /// The next line into `line` (valid until the next call); false at the end. Throws FormatError
    /// for damaged gzip data and text that is not UTF-8.
    bool next(std::string_view& line);
    /// Number of the line last returned, from 1.
    std::int64_t line_number() const;
    const std::string& path() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Rows of a delimited text file. Fields in double quotes may contain the delimiter, line ends and
/// quotes, doubled or behind a backslash; empty lines are skipped. Local.
class TextTable {
  public:
    /// `delimiter` 0: tab if the first line has one, else comma, else semicolon, else runs of
    /// blanks.
    explicit TextTable(const std::string& path, char delimiter = 0);

    /// The next row's fields (valid until the next call); false at the end.
    bool next(std::vector<std::string_view>& fields);
    std::int64_t line_number() const { return lines_.line_number(); }
    const std::string& path() const { return lines_.path(); }
    char delimiter() const { return delimiter_; }

  private:
    void split_plain(std::string_view line, std::vector<std::string_view>& fields) const;
    void split_quoted(std::string_view line, std::vector<std::string_view>& fields);
    LineReader lines_;
    char delimiter_;
    std::string record_;    ///< a row that spans several lines
    std::string unquoted_;  ///< the text of a row's quoted fields
};

/// A small table read whole: header and rows of equal width, as text.
struct TextColumns {
    std::string path;
    std::vector<std::string> header;
    std::vector<std::vector<std::string>> rows;

    std::optional<std::size_t> find(std::string_view name) const;
    /// Position of the column; throws FormatError listing the columns that are there.
    std::size_t column(std::string_view name) const;
};

/// Reads a table with a header. A header one field shorter than the rows (R's row names) gets an
/// empty first name. Throws FormatError naming the line of a row that is too short or too long.
TextColumns read_text_columns(const std::string& path);

/// The whole text as a number; "NA", "NaN" and nothing at all are NaN; nullopt for other text.
std::optional<double> parse_number(std::string_view text);
/// The whole text as an integer; nullopt otherwise.
std::optional<std::int64_t> parse_integer(std::string_view text);
/// As parse_number; throws FormatError naming file, line and column for text.
double require_number(std::string_view text, const std::string& path, std::int64_t line,
                      std::string_view column);

}  // namespace smeta::io

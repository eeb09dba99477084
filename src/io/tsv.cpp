#include "smeta/io/tsv.hpp"

#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::io {

TsvText::TsvText(std::initializer_list<std::string_view> columns) : columns_(columns.size()) {
    for (const auto column : columns) add_text(column);
    end_row();
}

void TsvText::begin_row(std::size_t cells) {
    core::check(cells == columns_, "one cell a column");
}

void TsvText::end_row() {
    if (columns_ > 0) text_.pop_back();
    text_ += '\n';
}

void TsvText::add_text(std::string_view cell) {
    for (const char c : cell) text_ += c == '\t' || c == '\n' || c == '\r' ? ' ' : c;
    text_ += '\t';
}

void TsvText::add_number(double cell) {
    if (!std::isnan(cell)) fmt::format_to(std::back_inserter(text_), "{}", cell);
    text_ += '\t';
}

void TsvText::add_integer(long long cell) {
    fmt::format_to(std::back_inserter(text_), "{}\t", cell);
}

}  // namespace smeta::io

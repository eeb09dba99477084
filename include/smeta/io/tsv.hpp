#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace smeta::io {

/// Text of a tab-separated table, built row by row. Numbers have their shortest form that reads
/// back to the same value, NaN is an empty cell; tabs and line breaks in text become blanks. Local.
class TsvText {
  public:
    TsvText(std::initializer_list<std::string_view> columns);

    /// As many cells as there are columns: text or numbers.
    template <class... Cells>
    void row(const Cells&... cells) {
        begin_row(sizeof...(Cells));
        (add(cells), ...);
        end_row();
    }
    const std::string& text() const { return text_; }

  private:
    template <class T>
    void add(const T& cell) {
        if constexpr (std::is_floating_point_v<T>)
            add_number(static_cast<double>(cell));
        else if constexpr (std::is_integral_v<T>)
            add_integer(static_cast<long long>(cell));
        else
            add_text(cell);
    }
    void begin_row(std::size_t cells);
    void end_row();
    void add_text(std::string_view cell);
    void add_number(double cell);
    void add_integer(long long cell);

    std::size_t columns_;
    std::string text_;
};

}  // namespace smeta::io

#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "smeta/core/error.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::align::detail {

using Numbers = io::NdArray<double>;

inline Numbers to_numbers(const core::MatrixD& values, std::int64_t columns) {
    return {{values.rows(), columns}, {values.data(), values.data() + values.size()}};
}

inline core::MatrixD to_matrix(const Numbers& values) {
    return Eigen::Map<const core::MatrixD>(values.values.data(), values.shape[0], values.shape[1]);
}

/// The parts of one file's uns, with errors that name them.
class UnsReader {
  public:
    explicit UnsReader(std::string file) : file_(std::move(file)) {}

    template <class T>
    const T* find(const io::UnsDict& parent, const std::string& key) const {
        const auto found = parent.find(key);
        return found == parent.end() ? nullptr : std::get_if<T>(&found->second.value);
    }
    template <class T>
    const T& at(const io::UnsDict& parent, const std::string& key, const char* expected) const {
        const T* value = find<T>(parent, key);
        if (value == nullptr) fail(key, expected, "none");
        return *value;
    }
    /// `shape`: -1 matches any length.
    const Numbers& numbers(const io::UnsDict& parent, const std::string& key,
                           const std::vector<std::int64_t>& shape) const {
        const auto& value = at<Numbers>(parent, key, "an array of numbers");
        const bool fits = value.shape.size() == shape.size() &&
                          std::equal(shape.begin(), shape.end(), value.shape.begin(),
                                     [](std::int64_t want, std::int64_t is) {
                                         return want == is || (want < 0 && is >= 0);
                                     });
        if (!fits) fail(key, "numbers of the documented shape", "another shape");
        if (!std::all_of(value.values.begin(), value.values.end(),
                         [](double v) { return std::isfinite(v); }))
            fail(key, "finite numbers", "NaN or an infinite one");
        return value;
    }
    [[noreturn]] void fail(const std::string& key, const char* expected, const char* found) const {
        throw core::FormatError(
            {file_, "uns/smeta/align/" + key, expected, found, "run smeta align again"});
    }

  private:
    std::string file_;
};

}  // namespace smeta::align::detail

#include "distance_transform.hpp"

#include <cmath>
#include <limits>

namespace smeta::align::detail {

namespace {

constexpr double kFar = 1e12;

/// Lower envelope of the parabolas f(q) + (x - q)^2.
void transform_line(std::vector<double>& f, std::vector<double>& out, std::vector<std::int64_t>& at,
                    std::vector<double>& border) {
    const auto n = static_cast<std::int64_t>(f.size());
    std::int64_t k = 0;
    at[0] = 0;
    border[0] = -std::numeric_limits<double>::infinity();
    border[1] = std::numeric_limits<double>::infinity();
    const auto meet = [&](std::int64_t q, std::int64_t p) {
        return (f[q] + static_cast<double>(q * q) - f[p] - static_cast<double>(p * p)) /
               static_cast<double>(2 * (q - p));
    };
    for (std::int64_t q = 1; q < n; ++q) {
        double s = meet(q, at[k]);
        while (s <= border[k]) s = meet(q, at[--k]);
        at[++k] = q;
        border[k] = s;
        border[k + 1] = std::numeric_limits<double>::infinity();
    }
    k = 0;
    for (std::int64_t q = 0; q < n; ++q) {
        while (border[k + 1] < static_cast<double>(q)) ++k;
        const auto d = static_cast<double>(q - at[k]);
        out[q] = d * d + f[at[k]];
    }
}

}  // namespace

std::vector<float> distance_to(const std::vector<std::uint8_t>& set, std::int64_t nx,
                               std::int64_t ny) {
    std::vector<double> square(set.size());
    for (std::size_t c = 0; c < set.size(); ++c) square[c] = set[c] ? 0.0 : kFar;
    const auto pass = [&](std::int64_t lines, std::int64_t length, std::int64_t line_stride,
                          std::int64_t stride) {
        std::vector<double> f(length);
        std::vector<double> out(length);
        std::vector<std::int64_t> at(length);
        std::vector<double> border(length + 1);
        for (std::int64_t l = 0; l < lines; ++l) {
            for (std::int64_t i = 0; i < length; ++i) f[i] = square[l * line_stride + i * stride];
            transform_line(f, out, at, border);
            for (std::int64_t i = 0; i < length; ++i) square[l * line_stride + i * stride] = out[i];
        }
    };
    pass(ny, nx, nx, 1);
    pass(nx, ny, 1, nx);
    std::vector<float> result(set.size());
    for (std::size_t c = 0; c < set.size(); ++c)
        result[c] = static_cast<float>(std::sqrt(square[c]));
    return result;
}

}  // namespace smeta::align::detail

#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/io/atomic_file.hpp"

#include "descriptor.hpp"
#include "imzml_parser_impl.hpp"

namespace smeta::io::detail {

namespace {

constexpr std::int64_t kSmallestPart = 16 << 20;
constexpr std::string_view kSpectrum = "<spectrum ";

/// Where the first spectrum at or after `from` begins; the size of the file where there is none.
std::int64_t find_spectrum(const std::string& path, std::int64_t from, std::int64_t size) {
    constexpr std::int64_t kBlock = 1 << 16;
    const Descriptor file(path, O_RDONLY);
    std::string block(kBlock, '\0');
    while (from < size) {
        const ssize_t got = ::pread(file.get(), block.data(), block.size(), from);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw core::IoError::from_errno("read", path, errno);
        if (got < std::ssize(kSpectrum)) return size;
        const auto at = std::string_view(block).substr(0, got).find(kSpectrum);
        if (at != std::string_view::npos) return from + static_cast<std::int64_t>(at);
        from += got - (std::ssize(kSpectrum) - 1);  // it may lie across two blocks
    }
    return size;
}

/// First bytes of the parts and the end of the last one.
std::vector<std::int64_t> cuts(const std::string& path, std::int64_t parts, std::int64_t size) {
    std::vector<std::int64_t> bounds = {find_spectrum(path, 0, size)};
    for (std::int64_t part = 1; part < parts; ++part) {
        const std::int64_t at = find_spectrum(path, size / parts * part, size);
        if (at > bounds.back() && at < size) bounds.push_back(at);
    }
    bounds.push_back(size);
    return bounds;
}

/// The image, or nothing where a part cannot be read by itself.
std::optional<ParsedImzml> join(std::vector<ParsedImzml> parts) {
    ParsedImzml all = std::move(parts.front());
    std::size_t spectra = 0;
    for (const ParsedImzml& part : parts) spectra += part.spectra.size();
    all.spectra.reserve(all.spectra.size() + spectra);
    for (std::size_t p = 1; p < parts.size(); ++p) {
        const Polarity polarity = parts[p].spectra_polarity;
        if (all.spectra_polarity == Polarity::Unknown) all.spectra_polarity = polarity;
        if (polarity != Polarity::Unknown && polarity != all.spectra_polarity) return std::nullopt;
        all.spectra.insert(all.spectra.end(), parts[p].spectra.begin(), parts[p].spectra.end());
    }
    // Only the last one has what stands behind the spectra.
    all.header = std::move(parts.back().header);
    all.mode_declared = parts.back().mode_declared;
    return all;
}

std::optional<ParsedImzml> parse_in_parts(const std::string& path, std::int64_t wanted,
                                          std::int64_t size) {
    const std::vector<std::int64_t> bounds = cuts(path, wanted, size);
    const auto count = static_cast<std::int64_t>(bounds.size()) - 1;
    if (count == 1) return std::nullopt;
    std::vector<ParsedImzml> parts(count);
    std::vector<std::exception_ptr> errors(count);
    const auto parse = [&](std::int64_t p) {
        try {
            parts[p] = parse_imzml_part(path, {0, bounds.front()}, {bounds[p], bounds[p + 1]},
                                        p + 1 == count);
        } catch (...) {
            errors[p] = std::current_exception();
        }
    };
    {
        std::vector<std::jthread> threads;
        for (std::int64_t p = 1; p < count; ++p) threads.emplace_back(parse, p);
        parse(0);
    }
    if (std::any_of(errors.begin(), errors.end(), [](const auto& e) { return e != nullptr; }))
        return std::nullopt;
    return join(std::move(parts));
}

}  // namespace

ParsedImzml parse_imzml(const std::string& path) {
    const std::int64_t size = file_size(path);
    const std::int64_t parts = std::min<std::int64_t>(core::threads(), size / kSmallestPart);
    std::optional<ParsedImzml> image;
    if (parts > 1) image = parse_in_parts(path, parts, size);
    // Faults are described by whoever reads the file from its beginning.
    if (!image) image = parse_whole_imzml(path);
    if (image->spectra.empty())
        throw core::FormatError({path, "", "at least one spectrum", "none", ""});
    if (image->spectra_polarity != Polarity::Unknown)
        image->header.polarity = image->spectra_polarity;
    return std::move(*image);
}

}  // namespace smeta::io::detail

#include "smeta/simulate/options.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::simulate {

namespace {

void check_options(const StudyOptions& options) {
    const auto need = [](bool fine, std::string_view what) {
        if (!fine) throw core::ConfigError(fmt::format("simulate: {}", what));
    };
    need(options.samples >= 1, "--samples must be at least 1");
    need(options.cohorts >= 1, "--cohorts must be at least 1");
    need(options.spots >= 1, "--spots must be at least 1");
    need(options.genes >= 1, "--genes must be at least 1");
    need(options.metabolites >= 1 && options.metabolites <= 20000,
         "--metabolites must be between 1 and 20000 (more would overlap within the m/z tolerance)");
    need(options.domains >= 1 && options.domains <= 64, "--domains must be between 1 and 64");
    need(options.pixels_per_spot > 0 && options.pixels_per_spot <= 400,
         "--pixels-per-spot must be above 0 and at most 400");
}

bool is_sample_name(const std::string& name) {
    return !name.empty() && name != "." && name != ".." &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) {
               return std::isalnum(c) || c == '_' || c == '.' || c == '-';
           });
}

}  // namespace

std::vector<SampleSpec> plan_samples(const StudyOptions& options) {
    check_options(options);
    std::vector<SampleSpec> specs;
    const auto cohort_of = [&options](std::size_t i) {
        return fmt::format("C{}", 1 + static_cast<std::int64_t>(i) % options.cohorts);
    };
    if (!options.sizes.empty()) {
        for (const auto& [name, spots] : options.sizes)
            specs.push_back({name, cohort_of(specs.size()), spots});
    } else {
        const std::size_t width = std::to_string(options.samples).size();
        for (std::int64_t i = 1; i <= options.samples; ++i)
            specs.push_back(
                {fmt::format("S{:0{}}", i, width), cohort_of(specs.size()), options.spots});
    }
    const auto named = [&options](const SampleSpec& s) { return s.name == *options.only; };
    if (options.only && std::none_of(specs.begin(), specs.end(), named))
        throw core::ConfigError(
            fmt::format("simulate: --only {}: the study has no such sample (they are {} to {})",
                        *options.only, specs.front().name, specs.back().name));
    return specs;
}

std::vector<std::pair<std::string, std::int64_t>> parse_sizes(const std::string& text,
                                                              const std::string& file) {
    std::istringstream stream(text);
    std::vector<std::pair<std::string, std::int64_t>> sizes;
    std::set<std::string> seen;
    std::string line;
    for (int number = 1; std::getline(stream, line); ++number) {
        std::istringstream words(line);
        std::string name, count, rest;
        if (!(words >> name) || name.front() == '#') continue;
        words >> count;
        if (number == 1 && name == "sample") continue;
        std::int64_t spots = 0;
        const auto end = count.data() + count.size();
        const auto parsed = std::from_chars(count.data(), end, spots);
        if (parsed.ec != std::errc() || parsed.ptr != end || spots < 1 || words >> rest ||
            !is_sample_name(name) || !seen.insert(name).second)
            throw core::FormatError({file, fmt::format("line {}", number),
                                     "a sample name (letters, digits, _ . -), once, and its spots",
                                     fmt::format("'{}'", line), ""});
        sizes.emplace_back(name, spots);
    }
    if (sizes.empty())
        throw core::FormatError({file, "", "one line a sample: its name and spots", "no line", ""});
    return sizes;
}

}  // namespace smeta::simulate

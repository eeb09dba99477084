#include "smeta/analysis/groups.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/core/error.hpp"
#include "smeta/io/text_table.hpp"

namespace smeta::analysis {
namespace {

/// One sample's column: its distinct values, each followed by a zero byte, and their positions.
struct Column {
    std::string values;
    std::vector<std::int32_t> codes;
    std::string known;  ///< columns that the sample has, where it lacks this one
};

std::string names_of(const io::Frame& frame) {
    std::string names;
    for (const auto& [name, values] : frame.columns) names.append(name).push_back('\0');
    return names;
}

Column encode(const std::vector<std::string>& text) {
    Column column;
    std::map<std::string, std::int32_t> position;
    for (const auto& value : text) {
        const auto [found, added] =
            position.emplace(value, static_cast<std::int32_t>(position.size()));
        if (added) column.values.append(value).push_back('\0');
        column.codes.push_back(found->second);
    }
    return column;
}

Column read_column(const atlas::Run& run, const std::string& sample, const std::string& key) {
    std::string known;
    if (run.has_result(sample)) {
        const auto result = run.read_result(sample);
        if (result.obs.find(key) != nullptr)
            return encode(result.obs.as_text(key, run.result_file(sample).string()));
        known = names_of(result.obs);
    }
    const auto joint = run.open_joint(sample);
    if (joint.obs().find(key) != nullptr) return encode(joint.obs().as_text(key, sample));
    Column missing;
    missing.codes.assign(joint.rows(), -1);
    missing.known = known + names_of(joint.obs());
    return missing;
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\0', at);
        parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

std::vector<std::string> in_order(const std::set<std::string>& names) {
    std::vector<std::string> result(names.begin(), names.end());
    const bool numbers = std::all_of(names.begin(), names.end(), [](const std::string& name) {
        return io::parse_integer(name).has_value();
    });
    if (numbers)
        std::stable_sort(result.begin(), result.end(), [](const auto& a, const auto& b) {
            return *io::parse_integer(a) < *io::parse_integer(b);
        });
    return result;
}

}  // namespace

Groups read_groups(const comm::Comm& comm, const atlas::Run& run,
                   const std::vector<std::string>& samples, const std::string& key,
                   const std::vector<std::string>& ignored) {
    std::vector<Column> columns(samples.size());
    const auto owner = [&](std::size_t s) { return static_cast<int>(s) % comm.size(); };
    comm.all_or_throw([&] {
        for (std::size_t s = 0; s < samples.size(); ++s)
            if (owner(s) == comm.rank()) columns[s] = read_column(run, samples[s], key);
    });
    std::vector<std::vector<std::string>> values(samples.size());
    std::set<std::string> names;
    std::set<std::string> known;
    bool is_anywhere = false;
    for (std::size_t s = 0; s < samples.size(); ++s) {
        comm.broadcast(columns[s].values, owner(s));
        comm.broadcast(columns[s].codes, owner(s));
        comm.broadcast(columns[s].known, owner(s));
        is_anywhere = is_anywhere || columns[s].known.empty();
        for (const auto& name : split(columns[s].known)) known.insert(name);
        values[s] = split(columns[s].values);
        for (const auto& value : values[s])
            if (!value.empty() && std::find(ignored.begin(), ignored.end(), value) == ignored.end())
                names.insert(value);
    }
    if (!is_anywhere)
        throw core::ConfigError(fmt::format(
            "no sample of run '{}' has an obs column '{}'{}; there are: {}", run.name(), key,
            key == "cluster" ? " (smeta cluster makes it)" : "", fmt::join(known, ", ")));
    Groups groups{key, in_order(names), {}};
    for (std::size_t s = 0; s < samples.size(); ++s) {
        std::vector<std::int32_t> position;
        for (const auto& value : values[s]) {
            const auto found = std::find(groups.names.begin(), groups.names.end(), value);
            position.push_back(found == groups.names.end()
                                   ? -1
                                   : static_cast<std::int32_t>(found - groups.names.begin()));
        }
        for (const auto code : columns[s].codes)
            groups.codes.push_back(code < 0 ? -1 : position[code]);
    }
    return groups;
}

std::vector<std::string> chosen_samples(const atlas::Run& run,
                                        const std::vector<std::string>& wanted) {
    const auto all = run.samples();
    for (const auto& name : wanted) run.sample(name);
    std::vector<std::string> result;
    for (const auto& name : all)
        if (wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end())
            result.push_back(name);
    return result;
}

}  // namespace smeta::analysis

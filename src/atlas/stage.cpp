#include "smeta/atlas/stage.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/core/log.hpp"

namespace smeta::atlas {

namespace {

constexpr const char* kKeyEntry = "key";

}  // namespace

std::string key_in(const io::UnsDict& uns, const std::string& command) {
    const auto found = uns.find(command);
    if (found == uns.end()) return {};
    const auto* dict = std::get_if<io::UnsDict>(&found->second.value);
    if (dict == nullptr || !dict->contains(kKeyEntry)) return {};
    const auto* key = std::get_if<std::string>(&dict->at(kKeyEntry).value);
    return key == nullptr ? std::string() : *key;
}

void set_key(io::UnsDict& uns, const std::string& command, const std::string& key) {
    io::UnsDict entry;
    if (const auto found = uns.find(command); found != uns.end())
        if (const auto* known = std::get_if<io::UnsDict>(&found->second.value)) entry = *known;
    entry[kKeyEntry] = {key};
    uns[command] = {entry};
}

void warn_of_joint_files(const ShardedAtlas& atlas, const std::vector<std::string>& samples,
                         std::string_view settings) {
    std::vector<std::string> joint;
    for (const auto& sample : samples)
        if (atlas.key(sample, kRaw).empty()) joint.push_back(sample);
    constexpr std::size_t kNamed = 5;
    const std::size_t named = std::min(joint.size(), kNamed);
    if (!joint.empty())
        core::log_warning("{} does not act on samples that came as joint files, {} of {}: {}{}",
                          settings, joint.size(), samples.size(),
                          fmt::join(joint.begin(), joint.begin() + named, ", "),
                          named < joint.size() ? ", ..." : "");
}

void for_own_samples(const comm::Comm& comm, const std::vector<std::string>& samples,
                     const std::function<std::string(const std::string&)>& work) {
    const auto ranks = static_cast<std::size_t>(comm.size());
    std::string mine;
    comm.all_or_throw([&] {
        for (std::size_t i = comm.rank(); i < samples.size(); i += ranks)
            mine += work(samples[i]) + "\n";
    });
    std::vector<std::istringstream> lines;
    for (std::string& text : comm.allgather(mine)) lines.emplace_back(std::move(text));
    for (std::size_t i = 0; i < samples.size(); ++i) {
        std::string line;
        std::getline(lines[i % ranks], line);
        if (!line.empty()) core::log_info("{}", line);
    }
}

}  // namespace smeta::atlas

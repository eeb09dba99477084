#include "smeta/atlas/stage.hpp"

#include <sstream>

#include "smeta/core/log.hpp"

namespace smeta::atlas {

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

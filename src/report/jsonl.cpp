#include <functional>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "smeta/core/error.hpp"
#include "smeta/report/gather.hpp"

namespace smeta::report {
namespace {

using Json = nlohmann::json;

/// Calls `take` with the object of every line that is not empty.
void for_each_line(const std::string& text, const std::string& file,
                   const std::function<void(const Json&)>& take) {
    std::istringstream stream(text);
    std::string line;
    for (std::int64_t number = 1; std::getline(stream, line); ++number) {
        if (line.empty()) continue;
        try {
            take(Json::parse(line));
        } catch (const Json::exception& error) {
            throw core::FormatError({.file = file,
                                     .object = fmt::format("line {}", number),
                                     .expected = "one JSON object",
                                     .found = error.what(),
                                     .hint = "remove the line"});
        }
    }
}

std::map<std::string, double> numbers(const Json& object) {
    std::map<std::string, double> result;
    for (const auto& [key, value] : object.items())
        if (value.is_number()) result[key] = value.get<double>();
    return result;
}

}  // namespace

std::vector<EpochMetrics> parse_metrics(const std::string& text, const std::string& file) {
    std::vector<EpochMetrics> result;
    for_each_line(text, file, [&](const Json& line) {
        EpochMetrics row;
        row.epoch = line.at("epoch").get<std::int64_t>();
        row.loss = numbers(line.at("loss"));
        if (line.contains("validation")) row.validation = numbers(line["validation"]);
        row.seconds = line.value("seconds", 0.0);
        row.spots_per_second = line.value("spots_per_second", 0.0);
        result.push_back(std::move(row));
    });
    return result;
}

History parse_history(const std::string& text, const std::string& file) {
    History result;
    for_each_line(text, file, [&](const Json& line) {
        CommandRecord record;
        const auto command = line.value("command", std::string());
        record.command = line.value("command_line", command);
        record.finished = line.value("finished", std::string());
        record.ranks = line.value("ranks", std::int64_t{1});
        record.threads = line.value("threads", std::int64_t{1});
        record.seconds = line.value("seconds", 0.0);
        record.version = line.value("version", std::string());
        result.commands.push_back(record);
        if (command == "train") result.warning = line.value("warning", std::string());
        if (!line.contains("timings")) return;
        for (const auto& [region, spread] : line["timings"].items())
            result.timings.push_back({command, region, spread.value("min", 0.0),
                                      spread.value("average", 0.0), spread.value("max", 0.0)});
    });
    return result;
}

}  // namespace smeta::report

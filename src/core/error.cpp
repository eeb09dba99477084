#include "smeta/core/error.hpp"

#include <cstring>

#include <fmt/format.h>

namespace smeta::core {

namespace {

std::string describe(const FormatProblem& problem) {
    std::string text = problem.file;
    if (!problem.object.empty()) text += fmt::format(": {}", problem.object);
    if (!problem.expected.empty()) text += fmt::format("\n  expected: {}", problem.expected);
    if (!problem.found.empty()) text += fmt::format("\n  found:    {}", problem.found);
    if (!problem.hint.empty()) text += fmt::format("\n  hint:     {}", problem.hint);
    return text;
}

}  // namespace

FormatError::FormatError(const FormatProblem& problem)
    : Error(describe(problem), kExitUserInput), problem_(problem) {}

IoError IoError::from_errno(std::string_view what, std::string_view path, int errno_value) {
    return IoError(fmt::format("cannot {} {}: {}", what, path, std::strerror(errno_value)));
}

void check(bool condition, std::string_view message, std::source_location where) {
    if (condition) return;
    throw InvariantError(fmt::format("internal error: {} (in {}, {}:{})", message,
                                     where.function_name(), where.file_name(), where.line()));
}

}  // namespace smeta::core

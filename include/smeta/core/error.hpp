#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace smeta::core {

/// Exit codes of the executable (docs/architecture.md, "Errors").
inline constexpr int kExitUserInput = 2;
inline constexpr int kExitInternal = 3;
inline constexpr int kExitStoppedAtCheckpoint = 75;

/// Base of everything smeta throws. The class says whose fault it is, `exit_code` how the
/// executable ends.
class Error : public std::runtime_error {
  public:
    Error(std::string message, int exit_code)
        : std::runtime_error(std::move(message)), exit_code_(exit_code) {}
    int exit_code() const noexcept { return exit_code_; }

  private:
    int exit_code_;
};

/// A wrong option, key or combination of settings; the user can mend it.
class ConfigError : public Error {
  public:
    explicit ConfigError(std::string message) : Error(std::move(message), kExitUserInput) {}
};

/// What is wrong with a file: every field is shown to the user, empty ones are left out.
struct FormatProblem {
    std::string file;      ///< path as the user gave it
    std::string object;    ///< dataset, column, line, spectrum ... inside the file
    std::string expected;  ///< what a valid file has there
    std::string found;     ///< what this one has
    std::string hint;      ///< what to do about it
};

/// A file whose content is not what its format or smeta demands.
class FormatError : public Error {
  public:
    explicit FormatError(const FormatProblem& problem);
    const FormatProblem& problem() const noexcept { return problem_; }

  private:
    FormatProblem problem_;
};

/// The operating system refused: missing file, no permission, disk full. The message has path and
/// errno text.
class IoError : public Error {
  public:
    explicit IoError(std::string message) : Error(std::move(message), kExitUserInput) {}
    /// "cannot WHAT PATH: STRERROR" for the given errno value.
    static IoError from_errno(std::string_view what, std::string_view path, int errno_value);
};

/// MPI returned an error or another rank failed.
class MpiError : public Error {
  public:
    explicit MpiError(std::string message, int exit_code = kExitInternal)
        : Error(std::move(message), exit_code) {}
};

/// NaN or Inf where a number must be finite.
class NumericError : public Error {
  public:
    explicit NumericError(std::string message) : Error(std::move(message), kExitInternal) {}
};

/// A broken invariant: a fault of smeta itself.
class InvariantError : public Error {
  public:
    explicit InvariantError(std::string message) : Error(std::move(message), kExitInternal) {}
};

/// Throws InvariantError naming the caller when `condition` is false. Always on; local.
void check(bool condition, std::string_view message,
           std::source_location where = std::source_location::current());

/// As `check`, but only in builds without NDEBUG: for conditions that are too slow to test always.
inline void debug_check(
    [[maybe_unused]] bool condition, [[maybe_unused]] std::string_view message,
    [[maybe_unused]] std::source_location where = std::source_location::current()) {
#ifndef NDEBUG
    check(condition, message, where);
#endif
}

}  // namespace smeta::core

#include "stop_signal.hpp"

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <unistd.h>

#include "smeta/core/error.hpp"

namespace smeta::drivers {

namespace {

volatile std::sig_atomic_t requested_by = 0;
volatile std::sig_atomic_t deferred = 0;  // how many DeferredStop live
volatile std::sig_atomic_t speaks = 0;

constexpr std::string_view kStopped =
    "smeta: stopped by a signal; the same command goes on from what is written\n";

// Only what is safe in a signal handler: write and _Exit.
[[noreturn]] void end_at_once() {
    if (speaks != 0 && write(STDERR_FILENO, kStopped.data(), kStopped.size()) < 0) speaks = 0;
    std::_Exit(core::kExitStoppedAtCheckpoint);
}

extern "C" void on_stop_signal(int signal) {
    if (deferred == 0 || requested_by != 0) end_at_once();
    requested_by = signal;
}

}  // namespace

void handle_stop_signals() {
    std::signal(SIGUSR1, on_stop_signal);
    std::signal(SIGTERM, on_stop_signal);
}

void say_when_stopped() {
    speaks = 1;
}

void stop_if_requested() {
    if (requested_by != 0) end_at_once();
}

DeferredStop::DeferredStop() {
    deferred = deferred + 1;
}

DeferredStop::~DeferredStop() {
    deferred = deferred - 1;
}

bool DeferredStop::requested() const {
    return requested_by != 0;
}

bool DeferredStop::requested_anywhere(const comm::Comm& comm) const {
    return comm.allreduce<std::int32_t>(requested() ? 1 : 0, comm::ReduceOp::Max) != 0;
}

}  // namespace smeta::drivers

#pragma once

#include "smeta/comm/comm.hpp"

namespace smeta::drivers {

/// From now on the signals by which batch systems ask a job to stop, USR1 and TERM, end this
/// process with exit code 75 (kExitStoppedAtCheckpoint): at once, because every file is written
/// atomically and the same command goes on from what is there; inside a DeferredStop at the next
/// checkpoint. Call before MPI starts, so that no moment of a job is without it.
void handle_stop_signals();

/// This process says on stderr when a signal ends it at once: for one rank of all.
void say_when_stopped();

/// Ends this process as the signal would have, if one was noted and is still to be answered: after
/// a DeferredStop whose last vote it may have missed. Local.
void stop_if_requested();

/// While one lives, the first signal is only noted, for the code that it guards to poll and to end
/// with a checkpoint. A second signal still ends the process at once, with 75 as well: Slurm may
/// send USR1 and TERM for one and the same stop.
class DeferredStop {
  public:
    DeferredStop();
    ~DeferredStop();
    DeferredStop(const DeferredStop&) = delete;
    DeferredStop& operator=(const DeferredStop&) = delete;

    /// Whether this process was asked to stop; stays true. Local.
    bool requested() const;
    /// Whether any rank was. Collective.
    bool requested_anywhere(const comm::Comm& comm) const;
};

}  // namespace smeta::drivers

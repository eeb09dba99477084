# Common part of the job scripts, sourced by them: starts smeta on the job's tasks, hands on a request to stop, and puts the job
# back into the queue when smeta stopped at a checkpoint or Slurm took nodes away. docs/slurm.md says what happens when.
# Environment: SMETA (the executable; default: smeta of the PATH), SMETA_LAUNCHER (srun, the default, or mpirun).
# shellcheck shell=bash
smeta=${SMETA:-smeta}
threads=${SLURM_CPUS_PER_TASK:-1}
# Of an array by its array name: the plain id of one of its tasks is the id of them all.
job=$SLURM_JOB_ID
[ -z "${SLURM_ARRAY_JOB_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
kStopped=75
# Slurm's default, "mixed", lets a rank out of MPI_Init in one start of a hundred while another is still in it, which then crashes
# at the first message (seen with Slurm 22.05, PMIx 4.2 and OpenMPI 4.1 on a busy machine, never with the other two).
export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-tree}

say() { echo "$(date +%FT%T) job $job: $*"; }

# USR1 reaches this shell some minutes before the time limit (--signal=B:USR1@...); srun and mpirun hand it on to every rank.
# There is no trap for TERM: scancel sends it to this shell, and a cancelled job must not come back.
child=
asked_to_stop=
interrupted=
on_stop() {
    asked_to_stop=1
    interrupted=1
    [ -z "$child" ] || kill -USR1 "$child" 2>/dev/null
    say "asked to stop"
}
trap on_stop USR1

# launch RANKS ARGUMENT...: smeta on so many ranks, on as few nodes as hold them, each rank bound to the processors of its
# threads; returns its exit code.
launch() {
    [ -z "$asked_to_stop" ] || return $kStopped
    local ranks=$1 per_node=${SLURM_NTASKS_PER_NODE:-$((SLURM_NTASKS / SLURM_JOB_NUM_NODES))} status launcher
    local nodes=$(((ranks + per_node - 1) / per_node))
    shift
    case "${SMETA_LAUNCHER:-srun}" in
        srun)  # --wait: a rank that crashes must not leave the others waiting for it until the time limit
            launcher=(srun --mpi=pmix --nodes="$nodes" --ntasks="$ranks" --cpus-per-task="$threads" --cpu-bind=cores --wait=60) ;;
        mpirun) launcher=(mpirun -n "$ranks" --map-by "slot:PE=$threads" --bind-to core) ;;
        *) say "SMETA_LAUNCHER is '$SMETA_LAUNCHER', neither srun nor mpirun"; return 2 ;;
    esac
    "${launcher[@]}" "$smeta" "$@" --threads "$threads" --no-progress &
    child=$!
    [ -z "$asked_to_stop" ] || kill -USR1 "$child"  # it came before the trap knew whom to tell
    interrupted=1
    while [ -n "$interrupted" ]; do  # a signal ends `wait` before the child has ended
        interrupted=
        wait "$child"
        status=$?
    done
    child=
    return $status
}

preempted() { scontrol show job "$job" | grep -q 'PreemptTime=[0-9]'; }
nodes_answer() { timeout 60 srun --mpi=none --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" true 2>/dev/null; }

# Whether a failure is Slurm's taking nodes away rather than smeta's: at preemption mpirun loses its daemons, and ranks lose
# their peers with a dead node before Slurm has noticed. Code 2, wrong input, is always smeta's.
lost_nodes() { [ "$1" -ne 2 ] && { preempted || ! nodes_answer; }; }

# Whether the launcher or a rank, asked to stop, ended by it: USR1 may come before they listen, while MPI starts, or when the ranks
# have ended and mpirun finds no daemon to hand it to. All of these codes are above smeta's own.
killed_by_stop() { [ -n "$asked_to_stop" ] && [ "$1" -gt 128 ]; }

# The end of the job script: back into the queue, or the exit code as it is.
finish() {
    if [ "$1" -eq $kStopped ] || killed_by_stop "$1"; then
        say "stopped at a checkpoint ($1); back into the queue"
        scontrol requeue "$job"
    elif [ "$1" -ne 0 ] && lost_nodes "$1"; then
        say "lost nodes ($1); back into the queue"
        scontrol requeue "$job"
    elif [ "$1" -ne 0 ]; then
        say "failed ($1)"
    fi
    exit "$1"
}

say "start $((${SLURM_RESTART_COUNT:-0} + 1)) on $SLURM_JOB_NODELIST"

# Slurm numbers the steps of every start from 0, and its PMIx cannot start a step on a node on which one of that name died with
# the node: its socket is still in slurmd's spool folder. Empty steps use up the numbers of the starts before.
kStepsOfAStart=16
if [ "${SMETA_LAUNCHER:-srun}" = srun ]; then
    for ((step = 0; step < kStepsOfAStart * ${SLURM_RESTART_COUNT:-0}; step++)); do
        srun --mpi=none --nodes=1 --ntasks=1 true 2>/dev/null
    done
fi

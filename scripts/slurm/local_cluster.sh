#!/usr/bin/env bash
# A real Slurm with two virtual nodes on this machine, for trying job scripts and for tests: slurmctld and two slurmd without
# systemd, munge or cgroups. Authentication is off: never on a machine that others use.
#   scripts/slurm/local_cluster.sh start FOLDER    starts what of it does not run; prints lines to `eval`
#   scripts/slurm/local_cluster.sh stop FOLDER     cancels its jobs, ends its daemons and what is left of the jobs' processes,
#                                                  all of which it knows by their SLURM_CONF
# Needs root and Debian's slurm-wlm (scripts/setup.sh --slurm). Partitions: low (default, preemptible), high.
set -euo pipefail

usage() { sed -n '2,7p' "$0" | sed 's/^# \?//' >&2; exit 2; }
[ $# = 2 ] || usage
command=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)

write_configuration() {
    local host
    host=$(hostname)
    cat > "$folder/slurm.conf" <<CONF
ClusterName=smeta
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$((port))
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.%n.log
# One TmpFS a node: with a shared one the PMIx plugin of the second daemon fails ("spmix_appdir exists").
TmpFS=$folder/tmp.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5,sched_min_interval=500000
MpiDefault=pmix
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=10
KillWait=5
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=4 RealMemory=4000 State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=low Nodes=n[1-2] Default=YES MaxTime=1440 State=UP PriorityTier=1 GraceTime=5
PartitionName=high Nodes=n[1-2] MaxTime=1440 State=UP PriorityTier=10 PreemptMode=off
CONF
}

has() { tr '\0' '\n' 2>/dev/null < "$1" | grep -q "$2"; }
of_cluster() { tr '\0' '\n' 2>/dev/null < "$1/environ" | grep -qxF "SLURM_CONF=$folder/slurm.conf"; }

# Process ids of this cluster's daemons of one kind (slurmctld, slurmd, slurmstepd); of one node where given.
daemons() {
    local process
    for process in /proc/[0-9]*; do
        [ "$(cat "$process/comm" 2>/dev/null)" = "$1" ] && of_cluster "$process" || continue
        [ $# = 1 ] || has "$process/cmdline" "^$2\$" || continue
        basename "$process"
    done
}

# Process ids of job scripts, launchers and ranks of this cluster.
processes_of_jobs() {
    local process
    for process in /proc/[0-9]*; do
        of_cluster "$process" && has "$process/environ" '^SLURM_JOB_ID=' && basename "$process"
    done
    return 0
}

# Waits, up to so many seconds, until a command succeeds.
await() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

free_port() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
nodes_idle() { [ "$(sinfo -h -N -p low -t idle -o %N 2>/dev/null | wc -l)" = 2 ]; }
nodes_up() { [ "$(sinfo -h -N -p low -t idle,alloc,mix,comp -o %N 2>/dev/null | wc -l)" = 2 ]; }
no_jobs() { [ -z "$(squeue -h 2>/dev/null)" ]; }
all_processes() { daemons slurmstepd; daemons slurmd; daemons slurmctld; processes_of_jobs; }
none_alive() { [ -z "$(all_processes)" ]; }

start() {
    if ! command -v slurmctld >/dev/null; then
        echo "local_cluster.sh: Slurm is not installed: scripts/setup.sh --slurm" >&2
        exit 2
    fi
    export SLURM_CONF=$folder/slurm.conf
    local expected=nodes_up
    if [ -z "$(daemons slurmctld)" ]; then
        expected=nodes_idle
        port=$((20000 + RANDOM % 3000 * 4))
        until free_port $port && free_port $((port + 1)) && free_port $((port + 2)); do port=$((port + 4)); done
        mkdir -p "$folder"/{state,spool.n1,spool.n2,run,log,tmp.n1,tmp.n2}
        write_configuration
        slurmctld
    fi
    local node
    for node in n1 n2; do
        [ -n "$(daemons slurmd "$node")" ] || slurmd -N "$node"
    done
    if ! await 60 $expected; then
        echo "local_cluster.sh: the nodes did not come up; see $folder/log" >&2
        stop
        exit 1
    fi
    echo "export SLURM_CONF=$SLURM_CONF"
    # OpenMPI takes both nodes for one in naming its shared memory: TCP over the loopback joins all ranks.
    echo "export OMPI_MCA_btl=self,tcp OMPI_MCA_btl_tcp_if_include=lo"
    # There are more ranks than processors: they must not spin.
    echo "export OMPI_MCA_mpi_yield_when_idle=1"
    [ "$(id -u)" != 0 ] || echo "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
}

stop() {
    export SLURM_CONF=$folder/slurm.conf
    [ -e "$SLURM_CONF" ] || return 0
    if [ -n "$(daemons slurmctld)" ]; then
        scancel -u "$(id -un)" 2>/dev/null || true
        await 30 no_jobs || echo "local_cluster.sh: jobs still run; ending them" >&2
    fi
    local process
    for process in $(daemons slurmd) $(daemons slurmctld); do kill "$process" 2>/dev/null || true; done
    await 10 none_alive && return 0
    for process in $(all_processes); do kill -KILL "$process" 2>/dev/null || true; done
    await 10 none_alive || { echo "local_cluster.sh: processes are left: $(all_processes | xargs)" >&2; exit 1; }
}

case "$command" in
    start) start ;;
    stop) stop ;;
    *) usage ;;
esac

#!/usr/bin/env bash
# A real Slurm with two virtual nodes on this machine, for trying job scripts and for tests: slurmctld and two slurmd without
# systemd, munge or cgroups. Authentication is off: never on a machine that others use.
#   scripts/slurm/local_cluster.sh start FOLDER    starts it, prints the line to `eval` (exports SLURM_CONF)
#   scripts/slurm/local_cluster.sh stop FOLDER     cancels its jobs and ends exactly the daemons that start launched
# Needs Debian's slurm-wlm (installed if missing) and root. Partitions: low (default, preemptible), high.
set -euo pipefail

usage() { sed -n '2,6p' "$0" | sed 's/^# \?//' >&2; exit 2; }
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
PartitionName=low Nodes=n[1-2] Default=YES MaxTime=60 State=UP PriorityTier=1 GraceTime=5
PartitionName=high Nodes=n[1-2] MaxTime=60 State=UP PriorityTier=10 PreemptMode=off
CONF
}

start() {
    if ! command -v slurmctld >/dev/null; then
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm >/dev/null
    fi
    port=$((20000 + RANDOM % 20000 / 4 * 4))
    mkdir -p "$folder"/{state,spool.n1,spool.n2,run,log,tmp.n1,tmp.n2}
    write_configuration
    export SLURM_CONF=$folder/slurm.conf
    slurmctld
    slurmd -N n1
    slurmd -N n2
    for _ in $(seq 60); do
        [ "$(sinfo -h -N -p low -t idle -o %N 2>/dev/null | wc -l)" = 2 ] && break
        sleep 0.5
    done
    if [ "$(sinfo -h -N -p low -t idle -o %N | wc -l)" != 2 ]; then
        echo "local_cluster.sh: the nodes did not come up; see $folder/log" >&2
        stop
        exit 1
    fi
    echo "export SLURM_CONF=$SLURM_CONF"
}

stop() {
    export SLURM_CONF=$folder/slurm.conf
    [ -e "$SLURM_CONF" ] || return 0
    scancel -u "$(id -un)" 2>/dev/null || true
    local pid_file
    for pid_file in "$folder"/run/slurmd.n1.pid "$folder"/run/slurmd.n2.pid "$folder"/run/slurmctld.pid; do
        [ -s "$pid_file" ] && kill "$(cat "$pid_file")" 2>/dev/null || true
    done
    for _ in $(seq 40); do
        [ -z "$(ls "$folder"/run 2>/dev/null)" ] && break
        sleep 0.25
    done
}

case "$command" in
    start) start ;;
    stop) stop ;;
    *) usage ;;
esac

#!/bin/bash
# sbatch slurm.sh: a Ray cluster on the machines of one job, and a search on it. Sent again, it goes on where it stopped.
#SBATCH --job-name=lpienas
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=24:00:00
#SBATCH --requeue

set -euo pipefail
source "$HOME/lpienas/bin/activate"
export RAY_USAGE_STATS_ENABLED=0
export LPIENAS_CACHE="${SLURM_TMPDIR:-/tmp}/lpienas"  # decoded photographs, on each machine's own disk
runs=${RUNS:-/shared/runs/night}
photos=${PHOTOS:-/shared/photos}

mapfile -t machines < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${machines[0]}
port=$((20000 + SLURM_JOB_ID % 20000))  # of this job alone, where several share a machine

srun --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --node-ip-address="$head" --port="$port" --include-dashboard=false --block &
sleep 20
for machine in "${machines[@]:1}"; do
    srun --nodes=1 --ntasks=1 --nodelist="$machine" ray start --address="$head:$port" --block &
done
sleep 20

# Two candidates a GPU, 32 at a time.
lpienas search --out "$runs" --data "$photos" --ray "$head:$port" --gpus-per-trial 0.5 --workers 32

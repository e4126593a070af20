#!/bin/bash
# An array job of Slurm: each of its tasks restores its share of an archive.
#
#   sbatch --array=0-15 slurm.sh /archive /sharp [options of 'streamdeblur batch']
#
# Tasks that are requeued, or submitted again, go on where they were.
#SBATCH --job-name=streamdeblur
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --requeue
set -euo pipefail

archive=$1 sharp=$2
shift 2
exec streamdeblur batch "$archive" --out "$sharp" --workers 1 "$@" \
    --shard "$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))/$SLURM_ARRAY_TASK_COUNT"

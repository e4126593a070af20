#!/usr/bin/env bash
# Trains on a machine with a GPU for a limited time, from a pack to a run that can go on anywhere.
#
#   bash benchmarks/gpu_train.sh PACK OUT SECONDS hourglass lite --stills PACK/data/stills/train [further options of 'train']
#
# PACK is made by gpu_pack.sh. OUT gets the run (checkpoint, configuration, log) as run.tar.gz.aa, .ab ... of at most 15 MiB each:
#
#   cat OUT/run.tar.gz.* | tar --extract --gzip --directory runs
#
# A run in PACK/run is continued, also one of a CPU. When the time is up the run is saved, so the next machine goes on with it:
# bash benchmarks/gpu_pack.sh PACK --run runs/run ... The last half minute of SECONDS is for that.
set -euo pipefail
pack=$(realpath "${1:?"usage: gpu_train.sh PACK OUT SECONDS STEP CONFIG [options]"}")
out=$(realpath -m "$2") seconds=$3
shift 3
began=$SECONDS
mkdir -p "$out"
run=$out/run
mkdir -p "$run"
[ ! -d "$pack/run" ] || [ -e "$run/checkpoint.safetensors" ] || cp "$pack"/run/* "$run/"

. "$pack/code/benchmarks/gpu_packages.sh"

left=$((seconds - 30 - (SECONDS - began)))
[ "$left" -gt 0 ] || { echo "Installing took $((SECONDS - began)) s of $seconds: no time is left to train." >&2 && exit 1; }
status=0
# told to stop, a run finishes its step, saves and ends with 130; told so by timeout, with 124
timeout --signal TERM --kill-after 25 "$left" python3 -m streamdeblur train "$@" --out "$run" || status=$?
case $status in 0 | 124 | 130) ;; *) exit "$status" ;; esac

# events for TensorBoard stay behind: the log has the validations
tar --create --gzip --directory "$out" --exclude 'events.*' run | split --bytes 15M - "$out/run.tar.gz."
rm -r "$run"
ls -l "$out"

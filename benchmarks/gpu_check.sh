#!/usr/bin/env bash
# Runs gpu_check.py on a machine with a GPU that has PyTorch, CUDA and no package index.
#
#   bash benchmarks/gpu_pack.sh PACK                                # here
#   bash PACK/code/benchmarks/gpu_check.sh PACK OUT [options]       # there; the results are in OUT
set -euo pipefail
pack=$(realpath "${1:?"usage: gpu_check.sh PACK OUT [options of gpu_check.py]"}")
out=$2
shift 2
. "$pack/code/benchmarks/gpu_packages.sh"
python3 "$pack/code/benchmarks/gpu_check.py" "$out" --pack "$pack" "$@"

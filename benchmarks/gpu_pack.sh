#!/usr/bin/env bash
# Packs what a machine with a GPU needs that has PyTorch, CUDA and no package index: sources, wheels, networks and data.
#
#   bash benchmarks/gpu_pack.sh PACK                                   # for benchmarks/gpu_check.py
#   bash benchmarks/gpu_pack.sh PACK --networks lite --data data/stills/train --data data/clips/train     # for gpu_train.sh
#   bash benchmarks/gpu_pack.sh PACK --only-data --data data/stills/train --skip 1200                     # a further load
#
#   --python 3.12        Python of that machine
#   --limit 64           largest size of the pack in MiB
#   --networks "lite ..."  shipped networks to take along; all by default
#   --no-wheels          the machine has all packages
#   --only-data          data alone, for a machine that still has the rest
#   --data DIR           stills or clips as they are stored, and the table beside them; as many files as fit
#   --skip N             leave out the first N files of the data
#   --run DIR            a run to go on with
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

# What images with PyTorch seldom have. They have NumPy, Numba, OpenCV, ONNX Runtime, Pillow and their like: those are too large.
wheels=(av pydantic pydantic-core annotated-types typing-inspection typing-extensions typer rich markdown-it-py mdurl pygments
    platformdirs safetensors lightning-fabric lightning-utilities)
# compiled there, since they need the driver's headers
sources=(pycuda pytools mako markupsafe siphash24)

pack=${1:?"usage: gpu_pack.sh PACK [options]; the file begins with them"}
shift
python=3.12 limit=64 networks="lite nano stream" with_wheels=yes with_code=yes skip=0 run=
data=()
while (($#)); do
    case $1 in
    --python) python=$2 && shift ;;
    --limit) limit=$2 && shift ;;
    --networks) networks=$2 && shift ;;
    --no-wheels) with_wheels= ;;
    --only-data) with_wheels= with_code= ;;
    --data) data+=("${2%/}") && shift ;;
    --skip) skip=$2 && shift ;;
    --run) run=$2 && shift ;;
    *) echo "Unknown option $1." >&2 && exit 2 ;;
    esac
    shift
done
[ ! -e "$pack" ] || [ -z "$(ls -A "$pack")" ] || { echo "$pack is not empty. Name another folder." >&2 && exit 2; }
mkdir -p "$pack"

bytes() { du --summarize --bytes "$pack" | cut --fields 1; }
room() { echo $((limit * 1048576 - $(bytes))); }

if [ "$with_code" ]; then
    mkdir "$pack/code"
    # without what git ignores, with the links by which the packages are found, without the networks
    git ls-files -z --cached --others --exclude-standard streamdeblur kernels training configs benchmarks tests/support tests/conftest.py pyproject.toml |
        grep --null-data --invert-match '\.onnx$' |
        tar --create --null --files-from=- | tar --extract --directory "$pack/code"
    # the photograph that the checks are made of, which a package has that is not needed there
    photograph=$(python3 -c 'from importlib.util import find_spec; print(next(iter(find_spec("insightface").submodule_search_locations)))')
    cp "$photograph/data/images/t1.jpg" "$pack/photograph.jpg"
    for network in $networks; do
        cp "streamdeblur/weights/$network.onnx" "$pack/code/streamdeblur/weights/"
    done
fi
if [ "$with_wheels" ]; then
    platforms=()
    for platform in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014 manylinux1; do
        platforms+=(--platform "${platform}_x86_64")
    done
    pip download --quiet --no-deps --only-binary :all: --python-version "$python" --implementation cp "${platforms[@]}" \
        --dest "$pack/wheels" "${wheels[@]}"
    pip download --quiet --no-deps --no-binary pycuda --dest "$pack/pycuda" pycuda
    pip download --quiet --no-deps --only-binary :all: --python-version "$python" --implementation cp "${platforms[@]}" \
        --dest "$pack/pycuda" "${sources[@]:1}"
fi
if [ "$run" ]; then
    mkdir "$pack/run"
    cp "$run"/*.safetensors "$run"/*.json "$run"/*.jsonl "$pack/run/" 2>/dev/null || true
    [ -e "$pack/run/checkpoint.safetensors" ] || { echo "$run has no checkpoint." >&2 && exit 2; }
fi
if [ "$(room)" -lt 0 ]; then
    echo "$pack has $(($(bytes) / 1048576)) MiB without data, more than $limit. Leave networks out." >&2
    exit 1
fi
# each data set gets its share of the room that is left
for number in "${!data[@]}"; do
    from=${data[number]}
    to=$pack/data/$(basename "$(dirname "$from")")/$(basename "$from")
    mkdir -p "$to"
    [ ! -e "$from.csv" ] || cp "$from.csv" "$to.csv"
    share=$(($(room) / (${#data[@]} - number)))
    find "$from" -maxdepth 1 -type f -printf '%f\t%s\n' | sort |
        awk -F '\t' -v skip="$skip" -v share="$share" 'NR > skip { used += $2 + 4096; if (used <= share) print $1 }' |
        tar --create --directory "$from" --files-from=- | tar --extract --directory "$to"
    all=$(find "$from" -maxdepth 1 -type f | wc --lines)
    taken=$(find "$to" -maxdepth 1 -type f | wc --lines)
    echo "$to: files $((skip + 1)) to $((skip + taken)) of $all"
done
echo "$pack: $(($(bytes) / 1048576)) MiB of $limit"

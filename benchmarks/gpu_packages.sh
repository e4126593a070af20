# Makes the packages and sources of a pack importable; read by scripts that set `pack`. Packages that are there already stay.
site=${STREAMDEBLUR_SITE:-$(mktemp -d)}
if [ -d "$pack/wheels" ]; then
    missing=()
    for wheel in "$pack"/wheels/*.whl; do
        name=$(basename "$wheel")
        python3 -m pip show --quiet "${name%%-*}" 2>/dev/null || missing+=("$wheel")
    done
    [ ${#missing[@]} -eq 0 ] ||
        python3 -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --target "$site" "${missing[@]}"
fi
export PYTHONPATH="$pack/code:$pack/code/tests:$site${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

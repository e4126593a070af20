# Makes the packages and sources of a pack importable; read by scripts that set `pack`. They come before those of the machine, whose
# versions may be older than these need.
site=${STREAMDEBLUR_SITE:-$(mktemp -d)}
if [ -d "$pack/wheels" ]; then
    python3 -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --target "$site" "$pack"/wheels/*.whl
fi
export PYTHONPATH="$pack/code:$pack/code/tests:$site${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

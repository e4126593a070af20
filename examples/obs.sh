#!/usr/bin/env bash
# A camera with restored faces as a source in OBS, on any system and without a virtual camera.
#
#   bash examples/obs.sh --camera 0                # options of `streamdeblur live`, which has to be installed
#   bash examples/obs.sh --source pattern          # a moving test picture, where there is no camera
#
# In OBS: Sources, +, Media Source; untick "Local File"; Input udp://127.0.0.1:5000, Input Format mpegts.
# PORT=5001 takes another port.
set -euo pipefail

if (($# == 0)); then
    sed -n '2,/^set/s/^# \?//p' "$0" >&2
    exit 2
fi
exec streamdeblur live "$@" --headless --to "udp://127.0.0.1:${PORT:-5000}?pkt_size=1316"

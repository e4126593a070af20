#!/usr/bin/env bash
# streamdeblur between two processes of FFmpeg: any filter before it, any encoder after it, sound as it was.
#
#   bash examples/ffmpeg.sh talk.mp4 talk.sharp.mp4
#   bash examples/ffmpeg.sh old.mpg old.sharp.mkv -c:v libx265 -crf 18      # options for FFmpeg's output
#
# `streamdeblur video` does it in one program, and keeps variable frame rates and all other streams, too.
set -euo pipefail

if (($# < 2)); then
    sed -n '2,/^set/s/^# \?//p' "$0" >&2
    exit 2
fi
source=$1 target=$2
shift 2
ffmpeg -loglevel error -i "$source" -map 0:v:0 -vf bwdif=mode=send_frame:deint=interlaced -f yuv4mpegpipe -strict -1 - |
    streamdeblur pipe |
    ffmpeg -loglevel error -i - -i "$source" -map 0:v -map '1:a?' -c:a copy "$@" "$target"

"""streamdeblur pipe: frames on stdin, deblurred frames on stdout, between two other programs."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.output import print_json
from streamdeblur.cli.parameters import Config, Quiet
from streamdeblur.cli.process import NO_READER
from streamdeblur.errors import InputError, OutputError
from streamdeblur.faces.chosen import missing_faces
from streamdeblur.files import refuse_same_streams
from streamdeblur.options import PipeOptions, unused_look_ahead
from streamdeblur.statistics import shown_sizes

if TYPE_CHECKING:
    import av

    from streamdeblur.deblurrer import FaceDeblurrer
    from streamdeblur.video.raw import RawReader

logger = logging.getLogger(__name__)

JsonOnStderr = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line of stderr: stdout has the frames.")
]


@with_settings(PipeOptions)
def command(
    config: Config = None,
    quiet: Quiet = False,
    json: JsonOnStderr = False,
    **settings: Any,
) -> None:
    with handle_errors(quiet=quiet, json=json, err=True):
        options = PipeOptions.load(config, **settings)

        from streamdeblur.deblurrer import FaceDeblurrer
        from streamdeblur.speeds import real_time_options
        from streamdeblur.video.raw import FRAMES_OUT, RawReader, discard_stdout
        from streamdeblur.video.stdin import redirected
        from streamdeblur.video.y4m import Y4MReader

        redirected(sys.stdin, "Send frames: ffmpeg -i in.mp4 -f yuv4mpegpipe - | streamdeblur pipe | ffmpeg -i - out.mp4")
        redirected(sys.stdout, FRAMES_OUT)
        source, target = sys.stdin.buffer, sys.stdout.buffer
        raw = RawReader(source, *options.size, options.format) if options.size else None
        y4m = None if raw else Y4MReader(source)
        refuse_same_streams(source.fileno(), target.fileno())
        began, ended = time.monotonic(), False
        restoration = real_time_options(options.restoration) if options.live else options.restoration
        with FaceDeblurrer(restoration, throughput=not options.live) as deblurrer:
            for warning in [*unused_look_ahead(options, deblurrer.network), *deblurrer.unused_settings()]:
                logger.warning("%s.", warning)
            if options.live:
                deblurrer.engine.warm_up()
            try:
                if y4m:
                    target.write(y4m.header + b"\n")
                for line, frame in _deblurred(deblurrer, _raw_frames(raw) if raw else iter(y4m or ()), options):
                    _write(target, line, frame)
            except BrokenPipeError:
                discard_stdout()
                ended = True
            except OSError as error:
                discard_stdout()
                raise OutputError(f"Cannot write the frames to stdout: {error.strerror}.") from None
            _report(deblurrer, time.monotonic() - began, json=json)
        if ended:
            raise typer.Exit(NO_READER)


def _raw_frames(reader: RawReader) -> Iterator[tuple[bytes, av.VideoFrame]]:
    while (frame := reader.read()) is not None:
        yield b"", frame


def _deblurred(
    deblurrer: FaceDeblurrer, frames: Iterator[tuple[bytes, av.VideoFrame]], options: PipeOptions
) -> Iterator[tuple[bytes, av.VideoFrame]]:
    """Yield the deblurred frames, each with its YUV4MPEG2 frame header: one by one if live, otherwise several in flight."""
    from streamdeblur.frames import StreamItem

    if options.live:
        for line, frame in frames:
            deblurrer.edit(frame)
            yield line, frame
        return
    problem: list[InputError] = []

    def items() -> Iterator[StreamItem[bytes]]:
        try:
            for line, frame in frames:
                yield StreamItem(frame, payload=line)
        except InputError as error:
            # The frames that came whole are written first.
            problem.append(error)

    for item in deblurrer.stream(items(), look_ahead=options.look_ahead):
        yield item.payload, cast("av.VideoFrame", item.frame)
    if problem:
        raise problem[0]


def _write(target: BinaryIO, line: bytes, frame: av.VideoFrame) -> None:
    from streamdeblur.video.raw import write_raw
    from streamdeblur.video.y4m import write_y4m

    if line:
        write_y4m(target, line, frame)
    else:
        write_raw(target, frame)
    # so that a reader that waits for this frame gets all of it
    target.flush()


UNTOLD = ("judged", "gain_sum", "blur_before", "blur_after", "faces_by_track")
"""Counts from which others are made, and those that are not made here."""


def _report(deblurrer: FaceDeblurrer, seconds: float, *, json: bool) -> None:
    statistics = deblurrer.statistics
    for warning in missing_faces(deblurrer.options.only, statistics):
        logger.warning("%s.", warning)
    counts = {name: count for name, count in asdict(statistics).items() if name not in UNTOLD}
    counts |= {"expected_gain": statistics.expected_gain, "seconds": round(seconds, 1)}
    counts |= {"network": deblurrer.network.path.stem, "engine": deblurrer.engine.name, "detector": deblurrer.detector.name}
    if json:
        print_json(counts, err=True)
    else:
        logger.info(
            "%d frames in %.1f s (%.1f fps); %d faces, %d restored%s, %d left as they are; %s, %s",
            statistics.frames, seconds, statistics.frames / seconds, statistics.faces, statistics.restored,
            shown_sizes(statistics.restored_by_size), statistics.skipped_sharp + statistics.not_chosen,
            counts["network"], counts["engine"],
        )  # fmt: skip

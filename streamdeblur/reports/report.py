"""FaceReport: a report of the faces of a video, a row for each face and frame, as CSV, as Parquet, or as a page to look at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from streamdeblur.errors import OptionError, OutputError
from streamdeblur.faces.decision import FaceDecision
from streamdeblur.files import check_target
from streamdeblur.installation import install_command
from streamdeblur.partial_file import PartialFile, writing
from streamdeblur.video.planes import Planes, upright_box

NEEDED = {".csv": "", ".parquet": "pyarrow", ".html": "jinja2"}
"""Package that each kind of report needs, by its suffix."""


class FaceReport(Protocol):
    """Takes the faces of a video, frame by frame."""

    def add(
        self, frame: int, time: float, planes: Planes, faces: Sequence[FaceDecision], blur_after: Callable[[FaceDecision], float]
    ) -> None:
        """Take the faces of a frame.

        Args:
            frame: Its number among those of the output, from 0 on.
            time: Its time in seconds from the first frame of the input.
            planes: The frame with its restored faces.
            faces: What was done with each of its faces.
            blur_after: Returns the blur of one of them in this frame, 0 (sharp) to 1 (smooth).
        """


@dataclass(frozen=True)
class FaceRow:
    """A face of a frame in a report."""

    frame: int
    """Number of the frame in the output, from 0 on."""
    time: float
    """Of the frame, in seconds from the first frame of the input."""
    track: int | None
    x: float
    """Left edge of the face box, in pixels of the upright picture, as players show it."""
    y: float
    """Its upper edge."""
    width: float
    height: float
    blur: float
    """0 (sharp) to 1 (smooth), in the input."""
    blur_after: float
    """The same in the output."""
    gain: float | None
    """dB of PSNR that the restoration was expected to bring; None where the face was not judged."""
    decision: str
    """"restored" or "left"."""
    reason: str
    """See `FaceDecision.reason`."""
    seconds: float
    """From the face's submission to the engine until it was pasted, others in flight included."""

    @classmethod
    def of(cls, frame: int, time: float, planes: Planes, face: FaceDecision, after: float) -> FaceRow:
        """Return the row of a face, with its blur in the output; the other arguments are those of `FaceReport.add`."""
        x0, y0, x1, y1 = upright_box(planes, face.box)
        # a face that was not judged is as it was
        before = after if face.blur is None else face.blur
        return cls(
            frame=frame,
            time=round(time, 6),
            track=face.track_id,
            x=round(x0, 2),
            y=round(y0, 2),
            width=round(x1 - x0, 2),
            height=round(y1 - y0, 2),
            blur=round(before, 4),
            blur_after=round(after, 4),
            gain=None if face.gain is None else round(face.gain, 3),
            decision="restored" if face.restored else "left",
            reason=face.reason,
            seconds=round(face.seconds, 6),
        )


def check_report(path: Path, source: str | Path, target: Path, *, overwrite: bool) -> None:
    """Refuse a report that cannot be written.

    Args:
        path: The report.
        source: The video that it is about.
        target: What that becomes.
        overwrite: Replace a report that exists.

    Raises:
        OptionError: There is no such kind of report, or the package that it needs is not installed.
        OutputError: It exists, or is another file of the job.
    """
    suffix = path.suffix.lower()
    if suffix not in NEEDED:
        raise OptionError(f"Unknown kind of report '{path.name}'. Use .csv, .parquet or .html.")
    if os.path.abspath(path) == os.path.abspath(target):
        raise OutputError(f"{path} is the output itself. Choose another name for the report.")
    check_target(source, path, overwrite=overwrite)
    if NEEDED[suffix]:
        try:
            import_module(NEEDED[suffix])
        except ImportError:
            raise OptionError(
                f"Reports in {suffix} need {NEEDED[suffix]}. Install it with: {install_command('report')}; or write .csv."
            ) from None


@contextmanager
def open_report(path: Path, title: str) -> Iterator[FaceReport]:
    """Open a report; it has its name when it is complete, and only then.

    Args:
        path: A path that `check_report` accepts.
        title: Name of the video.

    Raises:
        OutputError: It cannot be written.
    """
    with PartialFile(path, exclusive=True) as partial, writing(path), _opened(path.suffix.lower(), partial, title) as report:
        yield report


def _opened(suffix: str, path: Path, title: str) -> AbstractContextManager[FaceReport]:
    if suffix == ".csv":
        from streamdeblur.reports.tables import CsvReport

        return CsvReport(path)
    if suffix == ".parquet":
        from streamdeblur.reports.tables import ParquetReport

        return ParquetReport(path)
    from streamdeblur.reports.page import PageReport

    return PageReport(path, title)

"""The report as a page: a timeline for each track, with its best and its worst moment. It needs no other file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Self

from streamdeblur.faces.decision import WORDS, FaceDecision, Reason
from streamdeblur.html_templates import html_template
from streamdeblur.reports.report import FaceRow
from streamdeblur.reports.tracks import FaceTrack
from streamdeblur.video.planes import Planes

MOST_TRACKS = 50
"""Tracks that are shown: those of the most frames."""
WIDTH, HEIGHT = 1000, 100
"""Of a timeline, in its own units."""
MOST_POINTS = 500
"""Of a timeline; more frames are averaged."""
LONGEST_GAP = 0.5
"""Seconds without the face over which its line goes on."""


class PageReport:
    """A report as one HTML file."""

    def __init__(self, path: Path, title: str) -> None:
        """`path`: the file to write at the end; `title`: name of the video."""
        self._path, self._title = path, title
        self._tracks: dict[int, FaceTrack] = {}
        self._dropped = self._frames = 0
        self._reasons = Counter[Reason]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._path.write_text(self._page(), encoding="utf-8", errors="backslashreplace")

    def add(
        self, frame: int, time: float, planes: Planes, faces: Sequence[FaceDecision], blur_after: Callable[[FaceDecision], float]
    ) -> None:
        self._frames += 1
        for face in faces:
            self._reasons[face.reason] += 1
            if face.track_id is not None:
                track = self._tracks.setdefault(face.track_id, FaceTrack(face.track_id))
                track.add(FaceRow.of(frame, time, planes, face, blur_after(face)), planes, face)
        if len(self._tracks) > 2 * MOST_TRACKS:
            self._drop(time)

    def _drop(self, now: float) -> None:
        """Forget the shortest tracks that have ended, so that a long video fits in memory."""
        ended = [track for track in self._longest() if now - track.times[-1] > LONGEST_GAP]
        for track in ended[MOST_TRACKS:]:
            del self._tracks[track.number]
            self._dropped += 1

    def _longest(self) -> list[FaceTrack]:
        return sorted(self._tracks.values(), key=lambda track: (-len(track.times), track.number))

    def _page(self) -> str:
        tracks = self._longest()
        blurs = [blur for track in tracks for blur in (*track.before, *track.after)] or [0.0, 1.0]
        restored = [(b, a) for t in tracks for b, a, r in zip(t.before, t.after, t.restored, strict=True) if r]
        template = html_template(__package__, "faces.html.j2", clock=clock, lines=_lines, spans=_spans, median=median)
        return template.render(
            title=self._title,
            frames=self._frames,
            faces=self._reasons.total(),
            counts=[(WORDS[reason], count) for reason, count in self._reasons.most_common()],
            blur=[median(values) for values in zip(*restored, strict=True)],
            tracks=tracks[:MOST_TRACKS],
            others=self._dropped + max(0, len(tracks) - MOST_TRACKS),
            size=(WIDTH, HEIGHT),
            scale=(math.floor(10 * min(blurs)) / 10, math.ceil(10 * max(blurs)) / 10),
        )


def clock(seconds: float) -> str:
    """Return a time as ``1:02.5``, with hours where there are any."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest / 10:04.1f}" if hours else f"{minutes}:{rest / 10:04.1f}"


def _lines(track: FaceTrack, values: Sequence[float], scale: tuple[float, float]) -> list[str]:
    """The points of a timeline: a line for each part of the track without a gap. `scale`: values at its lower and upper edge."""
    low, high = scale
    lines, points, size = [], list[str](), -(-len(values) // MOST_POINTS)
    last = track.times[0]
    for begin in range(0, len(values), size):
        time = fmean(track.times[begin : begin + size])
        if points and track.times[begin] - last > LONGEST_GAP:
            lines.append(" ".join(points))
            points = []
        down = HEIGHT * (high - fmean(values[begin : begin + size])) / max(high - low, 0.1)
        points.append(f"{_across(track, time):.1f},{down:.1f}")
        last = track.times[min(begin + size, len(values)) - 1]
    return [*lines, " ".join(points)]


def _spans(track: FaceTrack) -> list[tuple[float, float]]:
    """Where the face was restored: the left edge of each part of the timeline, and its width."""
    changes = [0, *(n for n, (a, b) in enumerate(pairwise(track.restored), 1) if a != b), len(track.restored)]
    spans = []
    for begin, end in pairwise(changes):
        if track.restored[begin]:
            left, right = (_across(track, track.times[min(n, len(track.times) - 1)]) for n in (begin, end))
            spans.append((round(left, 1), round(max(right - left, 1.0), 1)))
    return spans


def _across(track: FaceTrack, time: float) -> float:
    begin, end = track.times[0], track.times[-1]
    return WIDTH * (time - begin) / max(end - begin, 1e-3)

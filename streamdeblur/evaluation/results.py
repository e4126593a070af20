"""What methods made of cases, kept in a folder: pictures, and a line of figures for each, so that nothing is done twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from streamdeblur.errors import InputError, OutputError
from streamdeblur.evaluation.cases import Case, Image

LINES = "results.jsonl"
TIMES = "times.json"
PICTURES = "images"


@dataclass(frozen=True)
class Result:
    """What one method made of one case."""

    protocol: str
    case: str
    group: str
    identity: str
    digest: str
    """Of the blurry picture; see `Case.digest`."""
    method: str
    fingerprint: str
    """Of the method; see `Method.fingerprint`."""
    examiner: str
    """What the figures were taken with."""
    figures: dict[str, float]
    """One number of each kind."""
    embedding: list[float] | None = None
    """The identity in the restored face, where it was taken."""


class Results:
    """The results in a folder: ``results.jsonl``, a line each, and ``images/PROTOCOL/CASE/METHOD.png``.

    A line is written when its picture is; a run that was stopped goes on with what is missing.
    """

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            OutputError: the folder cannot be written to.
            InputError: its results are damaged.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot write to {folder}: {error.strerror}.") from None
        self._kept: dict[tuple[str, str, str], Result] = {}
        for result in self._read():
            self._kept[result.protocol, result.case, result.method] = result

    def _read(self) -> Iterator[Result]:
        lines = self.folder / LINES
        if not lines.exists():
            return
        text = lines.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            # the last line of a run that was killed is half of one
            lines.write_text(whole, encoding="utf-8")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                yield Result(**json.loads(line))
            except (ValueError, TypeError):
                raise InputError(f"{lines}, line {number}, is damaged. Remove the line, or the folder to begin anew.") from None

    def find(self, protocol: str, case: Case, method: str, fingerprint: str, examiner: str) -> Result | None:
        """The result that is kept, if it is of the same blurry picture, method and examiner."""
        kept = self._kept.get((protocol, case.name, method))
        asked = (case.digest, fingerprint, examiner)
        if kept is None or not fingerprint or (kept.digest, kept.fingerprint, kept.examiner) != asked:
            return None
        return kept if self.picture(protocol, case.name, method).exists() else None

    def keep(self, result: Result, restored: Image) -> None:
        """Keep a result and its picture.

        Raises:
            OutputError: they cannot be written.
        """
        self.write_picture(self.picture(result.protocol, result.case, result.method), restored)
        try:
            with (self.folder / LINES).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(result)) + "\n")
        except OSError as error:
            raise OutputError(f"Cannot write to {self.folder / LINES}: {error.strerror}.") from None
        self._kept[result.protocol, result.case, result.method] = result

    def milliseconds(self, method: str, fingerprint: str, measure: Callable[[], float]) -> float:
        """How long a method takes for one face: as it was measured before, or else by `measure`.

        Raises:
            OutputError: it cannot be kept.
        """
        path = self.folder / TIMES
        try:
            times: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError:
            times = {}
        key = f"{method} | {fingerprint}"
        if key not in times or not fingerprint:
            times[key] = measure()
            try:
                path.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")
            except OSError as error:
                raise OutputError(f"Cannot write to {path}: {error.strerror}.") from None
        return times[key]

    def picture(self, protocol: str, case: str, name: str) -> Path:
        """Where a picture of a case lies: of a method, or `sharp` or `reference`."""
        return self.folder / PICTURES / _file_name(protocol) / case / f"{_file_name(name)}.png"

    def write_picture(self, path: Path, picture: Image) -> None:
        """Write a PNG, whole or not at all; one that is there already is left as it is.

        Raises:
            OutputError: it cannot be written.
        """
        if (kept := _read_picture(path)) is not None and np.array_equal(kept, picture):
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part.png")
            unfinished.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
            unfinished.replace(path)
        except OSError as error:
            raise OutputError(f"Cannot write {path}: {error.strerror}.") from None

    def read_picture(self, protocol: str, case: str, name: str) -> Image | None:
        """A picture that was kept; None where there is none."""
        return _read_picture(self.picture(protocol, case, name))


def _read_picture(path: Path) -> Image | None:
    if not path.exists() or not (coded := np.fromfile(path, np.uint8)).size:
        return None
    pixels = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return None if pixels is None else np.ascontiguousarray(pixels[..., ::-1])


def _file_name(name: str) -> str:
    """A name as that of a file, on every system."""
    return "".join(letter if letter.isalnum() or letter in "._-+" else "-" for letter in name)

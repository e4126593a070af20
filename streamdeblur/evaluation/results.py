"""The results of an evaluation, stored in a folder: the restored pictures, and one line of metrics for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.files import fitting_name, make_folder
from streamdeblur.partial_file import write_file, writing

LINES = "results.jsonl"
TIMES = "times.json"
EVALUATIONS = "evaluations.json"
PICTURES = "images"
DECIMALS = 1
"""Decimals of the pixels of stored landmarks, which are only shown."""


@dataclass(frozen=True)
class FaceResult:
    """The metrics of one face that one method restored."""

    protocol: str
    case: str
    group: str
    identity: str
    digest: str
    """Digest of the blurry picture (`Case.digest`)."""
    method: str
    fingerprint: str
    """Fingerprint of the method (`Method.fingerprint`)."""
    evaluator: str
    """Fingerprint of the evaluator (`Evaluator.fingerprint`)."""
    metrics: dict[str, float]
    embedding: list[float] | None = None
    """Embedding of the restored face; None without an embedder."""
    landmarks: list[list[float]] | None = None
    """Landmarks that the first detector finds in the restored face, x and y in pixels; None without a detector."""
    true_landmarks: list[list[float]] | None = None
    """Where they should be; None where that is unknown."""


def as_list(values: NDArray[np.float64] | None, decimals: int | None = None) -> Any:
    """Return values as nested lists of numbers, for JSON, rounded to some decimals; None stays None."""
    if values is None:
        return None
    return (values if decimals is None else values.round(decimals)).tolist()


class ResultFolder:
    """The results in a folder: one line each in ``results.jsonl``, and ``images/PROTOCOL/CASE/METHOD.png``.

    ``evaluations.json`` says which cases and methods the last evaluation had, ``times.json`` how long methods took. A line is
    written after its picture, so an evaluation that was stopped continues with what is missing.
    """

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            OutputError: The folder cannot be written to.
            InputError: Its results are damaged.
        """
        self.folder = folder
        make_folder(folder)
        self._stored: dict[tuple[str, str, str], FaceResult] = {}
        for result in self._read():
            self._stored[result.protocol, result.case, result.method] = result

    def __repr__(self) -> str:
        return f"ResultFolder({str(self.folder)!r}, {len(self._stored)} results)"

    def _read(self) -> Iterator[FaceResult]:
        lines = self.folder / LINES
        if not lines.exists():
            return
        text = lines.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            # an evaluation that was killed leaves half a line at the end
            write_file(lines, whole)
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                yield FaceResult(**json.loads(line))
            except (ValueError, TypeError):
                raise InputError(f"{lines}, line {number}, is damaged. Remove the line, or the folder to start again.") from None

    def keep_evaluation(self, protocol: str, digests: Mapping[str, str], methods: Sequence[str]) -> None:
        """Note what an evaluation was of: the folder also has results of former ones, with other settings and methods.

        Args:
            protocol: Name of the protocol.
            digests: Of the blurry picture of each case, by its name.
            methods: Names of the methods that have results.

        Raises:
            OutputError: It cannot be stored.
        """
        noted = self._noted() | {protocol: {"cases": dict(digests), "methods": list(methods)}}
        write_file(self.folder / EVALUATIONS, json.dumps(noted, indent=1) + "\n")

    def _noted(self) -> dict[str, dict[str, Any]]:
        """What the last evaluation under each protocol was of."""
        path = self.folder / EVALUATIONS
        try:
            found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError:
            return {}
        return found

    def of_protocol(self, protocol: str) -> list[FaceResult]:
        """Return the results of the last evaluation under a protocol, in the order of its methods and cases."""
        noted = self._noted().get(protocol, {"cases": {}, "methods": []})
        found = (self._stored.get((protocol, case, method)) for method in noted["methods"] for case in noted["cases"])
        return [result for result in found if result is not None and result.digest == noted["cases"][result.case]]

    def find(self, protocol: str, case: Case, method: str, fingerprint: str, evaluator: str) -> FaceResult | None:
        """Find the stored result of a case.

        Args:
            protocol: Name of the protocol.
            case: The case, with its blurry picture.
            method: Name of the method.
            fingerprint: Of the method; '' finds nothing.
            evaluator: Fingerprint of the evaluator.

        Returns:
            The result, if it is of the same blurry picture, method and evaluator; else None.
        """
        stored = self._find(protocol, case, method, fingerprint)
        if stored is None or stored.evaluator != evaluator:
            return None
        return stored if self.picture(protocol, case.name, method).exists() else None

    def find_picture(self, protocol: str, case: Case, method: str, fingerprint: str) -> Image | None:
        """Find the stored picture of a case, whichever evaluator measured it; see `find`.

        Returns:
            uint8 RGB [H, W, 3], if it is of the same blurry picture and method; else None.
        """
        return self.read_picture(protocol, case.name, method) if self._find(protocol, case, method, fingerprint) else None

    def _find(self, protocol: str, case: Case, method: str, fingerprint: str) -> FaceResult | None:
        """The stored result of the same blurry picture and method; '' as a fingerprint finds nothing."""
        stored = self._stored.get((protocol, case.name, method))
        if stored is None or not fingerprint or (stored.digest, stored.fingerprint) != (case.digest, fingerprint):
            return None
        return stored

    def store(self, result: FaceResult, restored: Image) -> None:
        """Store a result and its picture.

        Raises:
            OutputError: They cannot be written.
        """
        self.write_picture(self.picture(result.protocol, result.case, result.method), restored)
        with writing(self.folder / LINES), (self.folder / LINES).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(result)) + "\n")
        self._stored[result.protocol, result.case, result.method] = result

    def milliseconds(self, protocol: str, method: str, fingerprint: str, measure: Callable[[], float]) -> float:
        """Return the time of a method for one face under a protocol: as it was measured before, or else by `measure`.

        Raises:
            OutputError: It cannot be stored.
        """
        path = self.folder / TIMES
        try:
            times: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError:
            times = {}
        key = f"{protocol} | {method} | {fingerprint}"
        if key not in times or not fingerprint:
            times[key] = measure()
            write_file(path, json.dumps(times, indent=1) + "\n")
        return times[key]

    def picture(self, protocol: str, case: str, name: str) -> Path:
        """Return the path of a picture of a case: a method's, or `blurry`, `sharp` or `reference`."""
        folders = [fitting_name(part) for part in case.split("/")]
        return self.folder.joinpath(PICTURES, safe_file_name(protocol), *folders, safe_file_name(name, ".png"))

    def write_picture(self, path: Path, picture: Image) -> None:
        """Write a PNG completely or not at all; a file that already holds these pixels is left as it is.

        Raises:
            OutputError: It cannot be written.
        """
        if (stored := _read_picture(path)) is not None and np.array_equal(stored, picture):
            return
        make_folder(path.parent)
        write_file(path, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())

    def read_picture(self, protocol: str, case: str, name: str) -> Image | None:
        """Read a stored picture: uint8 RGB [H, W, 3]; None if there is none."""
        return _read_picture(self.picture(protocol, case, name))


def _read_picture(path: Path) -> Image | None:
    if not path.exists() or not (encoded := np.fromfile(path, np.uint8)).size:
        return None
    pixels = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return None if pixels is None else np.ascontiguousarray(pixels[..., ::-1])


def safe_file_name(name: str, ending: str = "") -> str:
    """Return a name in letters that file names may have on every system, and of a length that they may have."""
    return fitting_name("".join(letter if letter.isalnum() or letter in "._-+" else "-" for letter in name), ending)

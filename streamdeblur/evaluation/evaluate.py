"""Evaluates methods on a data set: blurs, restores, examines, and keeps what was done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from streamdeblur.errors import MethodError, OptionError
from streamdeblur.evaluation.cases import Case, Comparison, Image, Method
from streamdeblur.evaluation.evaluator import NONE, Examiner, Figures, Instruments
from streamdeblur.evaluation.methods import open_method
from streamdeblur.evaluation.methods.faces import FaceByFace
from streamdeblur.evaluation.metrics.temporal import Stability, stability
from streamdeblur.evaluation.options import EvaluationOptions
from streamdeblur.evaluation.protocols import Protocol, comparisons_of
from streamdeblur.evaluation.results import Result, Results
from streamdeblur.evaluation.sources.dataset import DataSet

AT_ONCE = 16
"""Cases that are restored before they are kept."""
RUN = 12
"""Frames in a row that are restored of one clip."""
TIMED = 5
"""Faces that are restored one by one, with nothing beside, to time a method."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluated:
    """What one protocol gave."""

    protocol: str
    marked: bool
    """Whether the landmarks of all faces were marked by hand."""
    comparisons: Sequence[Comparison]
    results: dict[str, list[Result]]
    """Of each method, one for each case that it could work on."""
    steadiness: dict[str, list[Stability]] = field(default_factory=dict)
    """Of each method, one for each clip of which frames in a row were restored."""
    milliseconds: dict[str, float] = field(default_factory=dict)
    """Median time of each method for one face, by itself; none where nobody measured it."""
    failed: dict[str, str] = field(default_factory=dict)
    """Methods that could not work on these cases, and why."""
    baseline: str = ""
    """The method that all others are tested against; '' tests every two."""
    grouped_by: str = "clips or pictures"
    """What a group of cases is, for people."""


def evaluate(
    data: DataSet, options: EvaluationOptions, folder: Path, on_progress: Callable[[str, int, int], object] | None = None
) -> Iterator[Evaluated]:
    """Each protocol in turn. What `folder` holds already of the same blurry faces, methods and instruments is not done again.

    `on_progress` is called with a title, how many faces are done and how many there are.

    Raises:
        OptionError: a method, localiser or embedder is not known or not installed.
        InputError: the data cannot serve a protocol.
        OutputError: the folder cannot be written to.
    """
    methods = [open_method(name) for name in options.methods]
    results = Results(folder)
    _refuse_same_files(results, methods)
    instruments = Instruments(options.localiser, options.second, options.embedder)
    examiner = Examiner(instruments)
    with _workers(options.workers, instruments) as pool:
        run = _Run(results, examiner, pool, on_progress or (lambda *_: None))
        for name in options.protocols:
            yield run.protocol(Protocol.parse(name), data, options, methods)


def _refuse_same_files(results: Results, methods: Sequence[Method]) -> None:
    files: dict[Path, str] = {}
    for method in methods:
        file = results.picture("", "", method.name)
        if file in files:
            raise OptionError(f"'{files[file]}' and '{method.name}' would be kept under one name. Evaluate them one by one.")
        files[file] = method.name


class _Run:
    """One evaluation while it goes on."""

    def __init__(
        self, results: Results, examiner: Examiner, pool: Executor | None, on_progress: Callable[[str, int, int], object]
    ) -> None:
        self._results, self._examiner, self._pool, self._on_progress = results, examiner, pool, on_progress
        # frames in a row are compared with each other; landmarks and identities of all of them would take long
        self._plain = Examiner(Instruments(NONE, NONE, NONE))

    def protocol(self, protocol: Protocol, data: DataSet, options: EvaluationOptions, methods: Sequence[Method]) -> Evaluated:
        cases = list(protocol.cases(data, options.limit or None, options.seed, options.response))
        runs = protocol.runs(data, options.runs, RUN, options.seed, options.response)
        self._keep_inputs(str(protocol), cases)
        marked = all(case.landmarks is not None for case in cases)
        found = Evaluated(str(protocol), marked, comparisons_of(data, cases), {})
        for method in methods:
            try:
                found.results[method.name] = self._method(found.protocol, cases, method, self._examiner)
                found.milliseconds[method.name] = self._results.milliseconds(
                    method.name, method.fingerprint, partial(_time, method, cases)
                )
                found.steadiness[method.name] = self._steadiness(found.protocol, runs, method)
            except MethodError as error:
                log.warning("Warning: %s is left out of %s: %s", method.name, protocol, error)
                found.failed[method.name] = str(error)
        return found

    def _keep_inputs(self, protocol: str, cases: Sequence[Case]) -> None:
        for case in cases:
            for name, picture in (("blurry", case.blurry), ("sharp", case.sharp), ("reference", case.reference)):
                path = self._results.picture(protocol, case.name, name)
                if picture is not None:
                    self._results.write_picture(path, picture)

    def _steadiness(self, protocol: str, runs: Sequence[Sequence[Case]], method: Method) -> list[Stability]:
        title = f"{protocol} in a row"
        found = []
        for run in runs:
            self._keep_inputs(title, run)
            try:
                self._method(title, run, method, self._plain)
            except MethodError as error:
                # such as a folder of results made elsewhere, which has none of these
                log.warning("Warning: whether %s flickers is not measured: %s", method.name, error)
                return []
            restored = [self._results.read_picture(title, case.name, method.name) for case in run]
            found.append(stability([_there(frame) for frame in restored], [_there(case.sharp) for case in run]))
        return found

    def _method(self, protocol: str, cases: Sequence[Case], method: Method, examiner: Examiner) -> list[Result]:
        fingerprint = examiner.fingerprint
        kept = {case.name: self._results.find(protocol, case, method.name, method.fingerprint, fingerprint) for case in cases}
        missing = [case for case in cases if kept[case.name] is None]
        done = len(cases) - len(missing)
        for begin in range(0, len(missing), AT_ONCE):
            some = missing[begin : begin + AT_ONCE]
            for case, restored, (figures, embedding) in self._made(method, some, examiner):
                result = Result(
                    protocol, case.name, case.group, case.identity, case.digest, method.name, method.fingerprint, fingerprint,
                    figures, embedding,
                )  # fmt: skip
                self._results.keep(result, restored)
                kept[case.name] = result
            done += len(some)
            self._on_progress(f"{protocol}, {method.name}", done, len(cases))
        return [result for result in kept.values() if result is not None]

    def _made(
        self, method: Method, cases: list[Case], examiner: Examiner
    ) -> Iterator[tuple[Case, Image, tuple[Figures, list[float] | None]]]:
        """Restored faces and their figures, in several processes where there are any."""
        apart = isinstance(method, FaceByFace) and method.apart
        if self._pool and apart:
            restored = list(self._pool.map(_restore_one, [method] * len(cases), cases))
        else:
            restored = method.restore(cases)
        if self._pool and examiner is self._examiner:
            examined = list(self._pool.map(_examine_there, cases, restored))
        else:
            examined = [_examine(examiner, case, image) for case, image in zip(cases, restored, strict=True)]
        return zip(cases, restored, examined, strict=True)


def _there(picture: Image | None) -> Image:
    assert picture is not None
    return picture


def _time(method: Method, cases: Sequence[Case]) -> float:
    """Median milliseconds for one face, after one to warm up."""
    method.restore(cases[:1])
    times = []
    for case in cases[:TIMED]:
        began = time.perf_counter()
        method.restore([case])
        times.append(1000 * (time.perf_counter() - began))
    return median(times)


def _examine(examiner: Examiner, case: Case, restored: Image) -> tuple[Figures, list[float] | None]:
    figures, embedding = examiner(case, restored, examiner.truth(case))
    return figures, None if embedding is None else embedding.tolist()


# In worker processes

_examiner: Examiner


def _begin(instruments: Instruments) -> None:
    global _examiner
    _examiner = Examiner(instruments)


def _restore_one(method: Method, case: Case) -> Image:
    return method.restore([case])[0]


def _examine_there(case: Case, restored: Image) -> tuple[Figures, list[float] | None]:
    return _examine(_examiner, case, restored)


@contextmanager
def _workers(count: int, instruments: Instruments) -> Iterator[Executor | None]:
    if count == 1:
        yield None
        return
    # (forked processes would inherit the threads of the engines)
    with ProcessPoolExecutor(count, get_context("spawn"), _begin, (instruments,)) as pool:
        yield pool

"""Evaluation: each protocol blurs faces, each method restores them, and the evaluator measures the results."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from streamdeblur.errors import MethodError, OptionError, OutputError
from streamdeblur.evaluation.cases import Case, CaseSet, Comparison, Image, Method, Run
from streamdeblur.evaluation.evaluator import Evaluator, EvaluatorSettings, Measurement
from streamdeblur.evaluation.methods import open_method
from streamdeblur.evaluation.methods.per_face import PerFaceMethod
from streamdeblur.evaluation.metrics.flicker import Flicker, FlickerMeter
from streamdeblur.evaluation.metrics.temporal import TemporalStability, temporal_stability
from streamdeblur.evaluation.options import EvaluationOptions
from streamdeblur.evaluation.protocols import BlurProtocol, comparisons_of
from streamdeblur.evaluation.results import DECIMALS, FaceResult, ResultFolder, as_list
from streamdeblur.evaluation.sources.dataset import DataSet
from streamdeblur.evaluation.workers import measure_in_worker, restore_one, worker_pool
from streamdeblur.folder_lock import folder_held

BATCH = 16
"""Cases that are restored before their results are stored."""
SEQUENCE_LENGTH = 12
"""Consecutive frames of one clip that temporal stability is measured on."""
TIMED = 5
"""Faces that are restored one by one, with nothing else running, to time a method."""

Progress = Callable[[str, int, int], object]
"""Called with a title, the number of faces done and their total."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProtocolResults:
    """Return the results of all methods under one protocol."""

    protocol: str
    annotated: bool
    """Whether the landmarks of all faces are annotated by hand."""
    comparisons: Sequence[Comparison]
    results: dict[str, list[FaceResult]] = field(default_factory=dict, repr=False)
    """Results by method: one for each case that it could restore."""
    stabilities: dict[str, list[TemporalStability]] = field(default_factory=dict, repr=False)
    """Temporal stability by method: one for each clip of which consecutive frames were restored."""
    flickers: dict[str, list[Flicker]] = field(default_factory=dict, repr=False)
    """Flicker by method: one for each run of which several frames were restored."""
    milliseconds: dict[str, float] = field(default_factory=dict)
    """Median time for one face alone, by method. Methods that were not timed are missing."""
    failed: dict[str, str] = field(default_factory=dict)
    """Methods that could not restore these cases, and why."""
    baseline: str = ""
    """The method that all others are tested against; '' tests every two."""
    grouped_by: str = "clips or pictures"
    """What the cases are grouped by, for display."""


def evaluate(
    data: DataSet, options: EvaluationOptions, folder: Path, on_progress: Progress | None = None
) -> Iterator[ProtocolResults]:
    """Evaluate methods on a data set, one protocol after the other.

    Args:
        data: Sharp faces, or blurry ones for the protocol ``as-is``.
        options: Protocols, methods and models.
        folder: Stores pictures and metrics. Results that it has already of the same blurry faces, methods and models are reused.
        on_progress: Called with a title, the number of faces done and their total.

    Raises:
        OptionError: A method, landmark detector or embedder is unknown or not installed.
        InputError: The data cannot serve a protocol.
        OutputError: The folder cannot be written to, or another evaluation writes to it.
    """
    methods = [open_method(name) for name in options.methods]
    settings = EvaluatorSettings(options.landmark_detector, options.second_detector, options.embedder)
    case_sets = (_case_set(protocol, data, options) for protocol in options.protocols)
    with folder_held(folder, partial(_refuse, folder)):
        yield from evaluate_cases(case_sets, methods, settings, ResultFolder(folder), options.workers, on_progress)


def _refuse(folder: Path) -> None:
    raise OutputError(f"Another evaluation writes to {folder}. Wait until it ends, or name another folder.")


def _case_set(protocol: BlurProtocol, data: DataSet, options: EvaluationOptions) -> CaseSet:
    wanted = (data, options.limit or None, options.seed, options.response, options.noise, options.visible_blur)
    if protocol.frames:
        runs = list(protocol.runs(*wanted))
        cases = [run[-1] for run in runs]
        return CaseSet(str(protocol), cases, comparisons=comparisons_of(data, cases), runs=runs)
    cases = list(protocol.cases(*wanted, stride=options.stride))
    sequences = protocol.sequences(data, options.runs, SEQUENCE_LENGTH, options.seed, options.response, options.noise)
    return CaseSet(str(protocol), cases, sequences, comparisons=comparisons_of(data, cases))


def evaluate_cases(
    case_sets: Iterable[CaseSet],
    methods: Sequence[Method],
    settings: EvaluatorSettings,
    folder: ResultFolder | None = None,
    workers: int = 1,
    on_progress: Progress | None = None,
) -> Iterator[ProtocolResults]:
    """Evaluate methods on the cases of some protocols; see `evaluate`.

    Args:
        case_sets: The cases of each protocol.
        methods: Restore the cases.
        settings: Models that measure the results.
        folder: Stores pictures and metrics. Without it nothing is stored, methods are not timed, and temporal stability and
            flicker are not measured.
        workers: Processes that measure faces and run the slow methods.
        on_progress: Called with a title, the number of faces done and their total.

    Raises:
        OptionError: A landmark detector or embedder is unknown or not installed, or two methods would share a file.
        OutputError: The folder cannot be written to.
    """
    _refuse_shared_files(folder, methods)
    evaluator = Evaluator(settings)
    with worker_pool(workers, settings) as pool:
        run = _EvaluationRun(evaluator, folder, pool, on_progress or (lambda *_: None))
        for case_set in case_sets:
            yield run.evaluate(case_set, methods)


def _refuse_shared_files(folder: ResultFolder | None, methods: Sequence[Method]) -> None:
    if folder is None:
        return
    files: dict[Path, str] = {}
    for method in methods:
        file = folder.picture("", "", method.name)
        if file in files:
            raise OptionError(f"'{files[file]}' and '{method.name}' would be stored under one name. Evaluate them one by one.")
        files[file] = method.name


class _EvaluationRun:
    """The state of one evaluation."""

    def __init__(self, evaluator: Evaluator, folder: ResultFolder | None, pool: Executor | None, on_progress: Progress) -> None:
        self._evaluator, self._folder, self._pool, self._on_progress = evaluator, folder, pool, on_progress
        # the frames of sequences are compared with each other; detecting landmarks in all of them would take long
        self._pixel_evaluator = Evaluator(EvaluatorSettings.pixels_only())
        self._meter = FlickerMeter(evaluator.detectors.get("landmarks"))

    def evaluate(self, case_set: CaseSet, methods: Sequence[Method]) -> ProtocolResults:
        """Return the results of all methods under one protocol."""
        protocol, cases = case_set.protocol, case_set.cases
        annotated = all(case.landmarks is not None for case in cases)
        found = ProtocolResults(protocol, annotated, case_set.comparisons)
        self._store_inputs(protocol, cases)
        for method in methods:
            try:
                found.results[method.name] = self._evaluate_method(protocol, cases, method, self._evaluator)
                if self._folder:
                    found.milliseconds[method.name] = self._folder.milliseconds(
                        protocol, method.name, method.fingerprint, partial(_time, method, cases)
                    )
                    found.flickers[method.name] = self._flickers(self._folder, protocol, case_set.runs, method)
                    found.stabilities[method.name] = self._stabilities(self._folder, protocol, case_set.sequences, method)
            except MethodError as error:
                logger.warning("%s is left out of %s: %s", method.name, protocol, error)
                found.failed[method.name] = str(error)
        if self._folder:
            self._folder.keep_evaluation(protocol, {case.name: case.digest for case in cases}, list(found.results))
        return found

    def _store_inputs(self, protocol: str, cases: Sequence[Case]) -> None:
        if self._folder is None:
            return
        for case in cases:
            for name, picture in (("blurry", case.blurry), ("sharp", case.sharp), ("reference", case.reference)):
                if picture is not None:
                    self._folder.write_picture(self._folder.picture(protocol, case.name, name), picture)

    def _stabilities(
        self, folder: ResultFolder, protocol: str, sequences: Sequence[Sequence[Case]], method: Method
    ) -> list[TemporalStability]:
        # This name of the folder stays as it is, so that results of earlier evaluations are found again.
        title = f"{protocol} in a row"
        found = []
        for cases in sequences:
            self._store_inputs(title, cases)
            try:
                self._evaluate_method(title, cases, method, self._pixel_evaluator)
            except MethodError as error:
                # such as a folder of results made elsewhere, which has none of these
                logger.warning("The temporal stability of %s is not measured: %s", method.name, error)
                return []
            restored = [folder.read_picture(title, case.name, method.name) for case in cases]
            found.append(temporal_stability(_all_present(restored), _all_present([case.sharp for case in cases])))
        return found

    def _flickers(self, folder: ResultFolder, protocol: str, runs: Sequence[Run], method: Method) -> list[Flicker]:
        """The flicker of each run, whose present frame was restored; those before it are restored here."""
        title = f"{protocol}, before"
        found = []
        for run in runs:
            *before, present = run
            self._store_inputs(title, before)
            try:
                self._evaluate_method(title, before, method, self._pixel_evaluator)
            except MethodError as error:
                # such as a folder of results made elsewhere, which has none of these
                logger.warning("The flicker of %s is not measured: %s", method.name, error)
                return []
            restored = [folder.read_picture(title, case.name, method.name) for case in before]
            restored.append(folder.read_picture(protocol, present.name, method.name))
            found.append(self._meter(run, _all_present(restored)))
        return found

    def _evaluate_method(self, protocol: str, cases: Sequence[Case], method: Method, evaluator: Evaluator) -> list[FaceResult]:
        """The results of one method, in the order of the cases; those that the folder holds are reused."""
        stored = {case.name: self._find(protocol, case, method, evaluator) for case in cases}
        missing = [case for case in cases if stored[case.name] is None]
        done = len(cases) - len(missing)
        for begin in range(0, len(missing), BATCH):
            batch = missing[begin : begin + BATCH]
            for case, restored, measured in self._restore_and_measure(protocol, method, batch, evaluator):
                result = FaceResult(
                    protocol, case.name, case.group, case.identity, case.digest, method.name, method.fingerprint,
                    evaluator.fingerprint, measured.metrics, as_list(measured.embedding),
                    as_list(measured.landmarks, DECIMALS), as_list(measured.true_landmarks, DECIMALS),
                )  # fmt: skip
                if self._folder:
                    self._folder.store(result, restored)
                stored[case.name] = result
            done += len(batch)
            self._on_progress(f"{protocol}, {method.name}", done, len(cases))
        return [result for result in stored.values() if result is not None]

    def _find(self, protocol: str, case: Case, method: Method, evaluator: Evaluator) -> FaceResult | None:
        if self._folder is None:
            return None
        return self._folder.find(protocol, case, method.name, method.fingerprint, evaluator.fingerprint)

    def _restore_and_measure(
        self, protocol: str, method: Method, cases: list[Case], evaluator: Evaluator
    ) -> Iterator[tuple[Case, Image, Measurement]]:
        """Restored faces and what was measured of them, in several processes where there are any."""
        restored = self._restored(protocol, method, cases)
        if self._pool and evaluator is self._evaluator:
            measured = list(self._pool.map(measure_in_worker, cases, restored))
        else:
            measured = [evaluator(case, image) for case, image in zip(cases, restored, strict=True)]
        return zip(cases, restored, measured, strict=True)

    def _restored(self, protocol: str, method: Method, cases: list[Case]) -> list[Image]:
        """The restored faces; those that the folder has, measured by other detectors or embedders, are not restored again."""
        find = self._folder.find_picture if self._folder else lambda *_: None
        kept = [find(protocol, case, method.name, method.fingerprint) for case in cases]
        missing = [case for case, picture in zip(cases, kept, strict=True) if picture is None]
        if self._pool and isinstance(method, PerFaceMethod) and method.parallel:
            restored = self._pool.map(restore_one, [method] * len(missing), missing)
        else:
            restored = iter(method.restore(missing) if missing else [])
        return [next(restored) if picture is None else picture for picture in kept]


def _all_present(pictures: Sequence[Image | None]) -> list[Image]:
    present = [picture for picture in pictures if picture is not None]
    assert len(present) == len(pictures)
    return present


def _time(method: Method, cases: Sequence[Case]) -> float:
    """Median milliseconds for one face, after one to warm up."""
    method.restore(cases[:1])
    times = []
    for case in cases[:TIMED]:
        began = time.perf_counter()
        method.restore([case])
        times.append(1000 * (time.perf_counter() - began))
    return median(times)

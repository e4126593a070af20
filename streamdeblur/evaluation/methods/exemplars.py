"""Deconvolution with exemplars: the folder of sharp faces that the user names, and their landmarks."""

from __future__ import annotations

import logging
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import parse_qsl

from streamdeblur.errors import InputError, MethodError, OptionError
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.deconvolution.exemplars import Exemplar, ExemplarEdges
from streamdeblur.evaluation.deconvolution.nonblind import Final, deconvolve
from streamdeblur.evaluation.deconvolution.scales import Estimation, luma_of
from streamdeblur.evaluation.methods.deconvolution import final_step
from streamdeblur.evaluation.methods.per_face import PerFaceMethod, files_digest, versioned
from streamdeblur.evaluation.metrics.landmark_detectors import open_landmark_detector
from streamdeblur.evaluation.sources.files import find_files
from streamdeblur.evaluation.sources.pictures import read_face
from streamdeblur.training.datasets.pictures import PICTURES

NAME = "exemplars"
MOST = 400
"""Faces of a folder that are taken, evenly spread over its files by name: each needs 0.4 MB in each process."""
DETECTOR = "dlib"
"""Finds the landmarks of exemplars."""
ESTIMATION = Estimation()

logger = logging.getLogger(__name__)


def exemplars(argument: str) -> PerFaceMethod:
    """Make a method of blind deconvolution with the contours of sharp faces.

    Args:
        argument: FOLDER or FOLDER?final=STEP: a folder with pictures of sharp faces, of other people than those restored, and one
            of `FINAL_STEPS`. A picture of 256 x 256 px is taken as the crop of a face; of any other the largest face is detected.

    Raises:
        OptionError: No folder is named, an option is unknown, or dlib is not installed.
        MethodError: The folder holds no face.
    """
    folder, _, query = argument.partition("?")
    if not folder:
        raise OptionError(
            f"'{NAME}' needs sharp faces, whose contours it takes: give {NAME}:FOLDER, a folder with pictures of other people's "
            "faces, such as the stills of a training."
        )
    options = dict(parse_qsl(query, keep_blank_values=True))
    final = options.pop("final", "")
    if options:
        raise OptionError(f"{NAME}:{argument} has an unknown option, '{next(iter(options))}'. Known: final.")
    step = final_step(f"{NAME}:{folder}?final=", final)
    digest = files_digest(_files(Path(folder)))
    _opened(Path(folder), digest)
    settings = f"{NAME} {digest} {ExemplarEdges.prior!r} {ExemplarEdges.rounds} {ESTIMATION!r} {step!r}"
    restored = partial(_restored, Path(folder), digest, step)
    return PerFaceMethod(f"{NAME}:{argument}", versioned(settings), restored, parallel=True)


def _files(folder: Path) -> list[Path]:
    files = find_files(folder, PICTURES)[1] if folder.is_dir() else []
    if not files:
        raise MethodError(f"{folder} is no folder with pictures of sharp faces, which '{NAME}' needs.")
    count = min(MOST, len(files))
    return [files[number * len(files) // count] for number in range(count)]


@lru_cache(maxsize=2)
def _opened(folder: Path, digest: str) -> ExemplarEdges:
    """Read the exemplars of a folder, once in each process."""
    detector = open_landmark_detector(DETECTOR)
    found, problems = [], []
    for file in _files(folder):
        try:
            crop = read_face(file).crop
        except InputError as error:
            problems.append(str(error))
            continue
        found.append(Exemplar(luma_of(crop), detector(crop)))
    if not found:
        raise MethodError(f"None of the pictures in {folder} shows a face. {problems[0]}")
    if problems:
        logger.warning("%d pictures of %s are left out as exemplars. %s", len(problems), folder, problems[0])
    return ExemplarEdges(found)


def _restored(folder: Path, digest: str, final: Final, case: Case) -> Image:
    return deconvolve(case.blurry, _opened(folder, digest)(case.blurry, ESTIMATION), final)

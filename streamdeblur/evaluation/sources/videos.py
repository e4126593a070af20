"""Videos: their faces are detected, tracked and cropped as for training. The clips are stored in the user's cache folder."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from streamdeblur.caches import cache_folder
from streamdeblur.errors import OutputError
from streamdeblur.evaluation.sources.annotated_video import SHORTEST
from streamdeblur.evaluation.sources.dataset import DataSet, make_data_set
from streamdeblur.evaluation.sources.files import file_names, find_files, read_identities
from streamdeblur.evaluation.sources.identity_pairs import identity_pairs
from streamdeblur.evaluation.sources.pictures import find_reference
from streamdeblur.evaluation.sources.shards import clips_of
from streamdeblur.jobs.batch import VIDEO_SUFFIXES
from streamdeblur.training.datasets.clips import build_clips
from streamdeblur.training.datasets.dataset_assembly import AssemblyStep
from streamdeblur.training.datasets.options import ClipsOptions
from streamdeblur.training.datasets.part_tasks import part_name
from streamdeblur.training.datasets.random_access import open_clips
from streamdeblur.training.datasets.splits import SPLITS

logger = logging.getLogger(__name__)

OPTIONS = ClipsOptions(min_face=64.0, min_sharpness=0.0, min_frames=SHORTEST, held_out=1.0)
"""The faces that are taken: blurry ones as well, for the protocol ``as-is``."""


def has_videos(path: Path) -> bool:
    """Return whether this is a video, or a folder of videos."""
    return path.suffix.lower() in VIDEO_SUFFIXES if path.is_file() else bool(find_files(path, VIDEO_SUFFIXES)[1])


def open_videos(path: Path) -> DataSet:
    """Open a video, or a folder of videos with its subfolders.

    Faces are found once, as by ``streamdeblur dataset build`` (near-lossless clips without repeated frames); later calls with the
    same files read the stored clips. ``reference.png`` (or .jpg) beside videos is a sharp picture of the person whom they show.
    Identities come from ``FOLDER.csv`` beside the folder (columns file and identity), else each first subfolder is a person.

    Raises:
        InputError: Nothing in them can be used.
        OutputError: There is no folder to store the clips in.
    """
    root, files = find_files(path, VIDEO_SUFFIXES)
    identities = read_identities(root)
    cache = cache_folder("evaluation")
    if cache is None:
        raise OutputError("There is no folder to store clips in. Set STREAMDEBLUR_CACHE to a folder that can be written to.")
    built = cache / part_name(files, root, [OPTIONS.model_dump(), identities.table])
    summary = build_clips(path, built, OPTIONS, identities=identities, on_progress=_log_progress)
    bad = {source["file"]: source["problem"] for source in summary["sources"] if source["problem"]}
    references = dict(zip(file_names(files, root), map(find_reference, files), strict=True))
    # All people are held out, so all clips are in the split `test`.
    clips = [replace(clip, reference=references.get(clip.group)) for clip in clips_of(open_clips(built / SPLITS[1]))]
    return make_data_set(path, "videos", bad, clips=clips, comparisons=identity_pairs(clips))


def _log_progress(step: AssemblyStep) -> None:
    logger.info("Faces found in %d of %d videos: %s", step.done, step.total, step.title)

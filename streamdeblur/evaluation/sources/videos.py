"""Videos of faces: found, followed and cut as for training. The clips are kept in the user's cache folder."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from streamdeblur.caches import cache_folder
from streamdeblur.errors import OutputError
from streamdeblur.evaluation.sources.cutting import SHORTEST
from streamdeblur.evaluation.sources.dataset import DataSet, make_data_set
from streamdeblur.evaluation.sources.files import file_names, find_files, read_identities
from streamdeblur.evaluation.sources.pictures import find_reference
from streamdeblur.evaluation.sources.shards import clips_of
from streamdeblur.jobs.batch import VIDEO_SUFFIXES
from streamdeblur.training.datasets.assembly import Step
from streamdeblur.training.datasets.build import build_dataset
from streamdeblur.training.datasets.files import part_name
from streamdeblur.training.datasets.identities import SPLITS
from streamdeblur.training.datasets.options import BuildOptions
from streamdeblur.training.datasets.store import open_clips

log = logging.getLogger(__name__)

OPTIONS = BuildOptions(min_face=64.0, min_sharpness=0.0, min_frames=SHORTEST, held_out=1.0)
"""Which faces are taken. Blurry ones, too: videos that are blurry as they are can be evaluated on."""


def has_videos(path: Path) -> bool:
    """Whether this is a video, or a folder of some."""
    return path.suffix.lower() in VIDEO_SUFFIXES if path.is_file() else bool(find_files(path, VIDEO_SUFFIXES)[1])


def open_videos(path: Path) -> DataSet:
    """Open a video, or a folder of videos with its subfolders.

    Their faces are found as by ``streamdeblur dataset build`` (near-lossless clips, repeated frames left out), once: with the
    same files, later runs read what is kept. ``reference.png`` (or .jpg ...) beside videos is a sharp picture of the person
    whom they show. Identities come from ``FOLDER.csv`` beside the folder (columns file and identity), else a first subfolder
    is a person.

    Raises:
        InputError: nothing in them can be used.
        OutputError: the clips can be kept nowhere.
    """
    root, files = find_files(path, VIDEO_SUFFIXES)
    identities = read_identities(root)
    cache = cache_folder("evaluation")
    if cache is None:
        raise OutputError("The clips of videos can be kept nowhere: name a folder that can be written in STREAMDEBLUR_CACHE.")
    built = cache / part_name(files, root, [OPTIONS.model_dump(), identities.table])
    summary = build_dataset(path, built, OPTIONS, identities=identities, on_progress=_tell)
    bad = {source["file"]: source["problem"] for source in summary["sources"] if source["problem"]}
    references = dict(zip(file_names(files, root), map(find_reference, files), strict=True))
    # (all people are held out: their clips are those of `test`)
    clips = [replace(clip, reference=references.get(clip.group)) for clip in clips_of(open_clips(built / SPLITS[1]))]
    return make_data_set(path, "videos", bad, clips=clips)


def _tell(step: Step) -> None:
    log.info("Faces found in %d of %d videos: %s", step.done, step.total, step.title)

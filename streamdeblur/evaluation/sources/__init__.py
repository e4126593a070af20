"""Data sets to evaluate on; `open_data` recognises each by its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamdeblur.errors import InputError
from streamdeblur.evaluation.sources.dataset import DataSet
from streamdeblur.evaluation.sources.landmark_sets import has_300vw, has_annotated_pictures, open_300vw, open_annotated_pictures
from streamdeblur.evaluation.sources.lfw import has_pairs, open_lfw
from streamdeblur.evaluation.sources.pictures import has_pictures, open_pictures
from streamdeblur.evaluation.sources.shards import has_shards, open_shards
from streamdeblur.evaluation.sources.videos import has_videos, open_videos
from streamdeblur.evaluation.sources.youtube_faces import has_youtube_faces, open_youtube_faces

__all__ = ["DataSet", "open_data"]


@dataclass(frozen=True)
class _Layout:
    """One kind of data set, recognised by its files."""

    description: str
    recognises: Callable[[Path], bool]
    open: Callable[[Path], DataSet]


LAYOUTS = (
    _Layout("shards of stills or clips", has_shards, open_shards),
    _Layout("300VW (NNN/vid.avi with annot/000001.pts)", has_300vw, open_300vw),
    _Layout("YouTube Faces (frame_images_DB or aligned_images_DB, splits.txt)", has_youtube_faces, open_youtube_faces),
    _Layout("LFW (pairs.txt or pairs.csv beside its pictures)", has_pairs, open_lfw),
    _Layout("pictures with .pts files of 68 points", has_annotated_pictures, open_annotated_pictures),
    _Layout("videos", has_videos, open_videos),
    _Layout("pictures", has_pictures, open_pictures),
)
"""The known kinds, the more special before the more general: the first that recognises a folder opens it."""


def open_data(path: Path) -> DataSet:
    """Open a file or folder as the first of `LAYOUTS` that recognises it.

    Faces are read when they are needed. A warning lists files that cannot be used.

    Raises:
        InputError: It is not recognised, or nothing in it can be used.
        OutputError: There is no folder to cache what shards or videos hold.
    """
    if not path.exists():
        raise InputError(f"No such file or folder: {path}.")
    layout = next((layout for layout in LAYOUTS if layout.recognises(path)), None)
    if layout is None:
        raise InputError(f"{path} is not a data set to evaluate on. Known: {'; '.join(one.description for one in LAYOUTS)}.")
    return layout.open(path)

"""Data sets to evaluate on, recognised by themselves: see `open_data`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamdeblur.errors import InputError
from streamdeblur.evaluation.sources.annotated import has_300vw, has_marked_pictures, open_300vw, open_marked_pictures
from streamdeblur.evaluation.sources.dataset import DataSet
from streamdeblur.evaluation.sources.lfw import has_pairs, open_lfw
from streamdeblur.evaluation.sources.pictures import has_pictures, open_pictures
from streamdeblur.evaluation.sources.shards import has_shards, open_shards
from streamdeblur.evaluation.sources.videos import has_videos, open_videos
from streamdeblur.evaluation.sources.youtube_faces import has_youtube_faces, open_youtube_faces

__all__ = ["DataSet", "open_data"]


@dataclass(frozen=True)
class _Layout:
    """How one kind of data set lies on the disk."""

    description: str
    recognises: Callable[[Path], bool]
    open: Callable[[Path], DataSet]


LAYOUTS = (
    _Layout("shards of stills or clips", has_shards, open_shards),
    _Layout("300VW (NNN/vid.avi with annot/000001.pts)", has_300vw, open_300vw),
    _Layout("YouTube Faces (frame_images_DB or aligned_images_DB, splits.txt)", has_youtube_faces, open_youtube_faces),
    _Layout("LFW (pairs.txt or pairs.csv beside its pictures)", has_pairs, open_lfw),
    _Layout("pictures with .pts files of 68 points", has_marked_pictures, open_marked_pictures),
    _Layout("videos", has_videos, open_videos),
    _Layout("pictures", has_pictures, open_pictures),
)
"""What is known, the more special before the more general: the first that recognises a folder opens it."""


def open_data(path: Path) -> DataSet:
    """Open what lies at a path, a file or a folder, as the first of `LAYOUTS` that it is.

    Faces are read when they are asked for. A warning lists files that cannot be used.

    Raises:
        InputError: it is nothing of this kind, or nothing in it can be used.
        OutputError: what is read from shards or videos can be kept nowhere.
    """
    if not path.exists():
        raise InputError(f"No such file or folder: {path}.")
    layout = next((layout for layout in LAYOUTS if layout.recognises(path)), None)
    if layout is None:
        raise InputError(f"{path} is no data set to evaluate on. Known: {'; '.join(one.description for one in LAYOUTS)}.")
    return layout.open(path)

"""Pairs of a blurry and a sharp crop from clips: by averaging, forward and in reverse (Sec. 5.1 of the paper)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Unpack

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.settings import Settings
from streamdeblur.training.blur.averaging import Window
from streamdeblur.training.blur.exposures import Pair, average_clip
from streamdeblur.training.blur.response import open_response
from streamdeblur.training.blur.reverse import average_backwards
from streamdeblur.training.blur.scheme import Accepts, BlurScheme
from streamdeblur.training.datasets.dataset_assembly import BuildArguments, make_data_set
from streamdeblur.training.datasets.part_tasks import PartTask
from streamdeblur.training.datasets.pictures import png_bytes
from streamdeblur.training.datasets.random_access import Clips, StoredClip, open_clips
from streamdeblur.training.datasets.recipe import Recipe, fitted_responses
from streamdeblur.training.datasets.shards import Sample, json_bytes
from streamdeblur.training.datasets.source_files import SourceFile, sources_sample
from streamdeblur.training.datasets.splits import SPLITS, Split, split_folders


class PairOptions(Settings):
    """Which pairs are made of clips."""

    schemes: tuple[Annotated[BlurScheme, Accepts("vla", "vla:sequential", "pravg:L")], ...] = Field(
        default=(BlurScheme("vla"),),
        min_length=1,
        description="vla (grown at both sides), vla:sequential (one frame after the other), and pravg:L with any odd L.",
    )
    every: int = Field(
        default=5,
        ge=1,
        le=1_000_000,
        description="Frames from one middle frame to the next; of vla:sequential, from one first frame to the next.",
    )
    reverse: bool = Field(default=True, description="Read the clips in reverse order, too.")
    recipe: Recipe = Field(default=Recipe(), description="Its stop rules and camera responses; for sampled pairs all of it.")


def build_pairs(
    clips: Path,
    out: Path,
    options: PairOptions | None = None,
    **build: Unpack[BuildArguments],
) -> dict[str, Any]:
    """Make pairs of all clips of a data set; each split keeps its side.

    Args:
        clips: A data set of clips, or a split of one.
        out: Folder of the pairs.
        options: Which pairs are made; None for the defaults.
        build: See `BuildArguments`.

    Returns:
        The summary, which is also in ``out/dataset.json``.

    Raises:
        InputError: There are no clips, or no pairs can be made of them.
        OutputError: `out` holds something else, or cannot be written.
    """
    options = options or PairOptions()
    for response in options.recipe.responses:
        open_response(response)
    fitted = fitted_responses(options.recipe)
    tasks = []
    for split, folder in split_folders(clips).items():
        store = open_clips(folder)
        for number, (key, record) in enumerate(zip(store.keys, store.records, strict=True)):
            depends_on = {"clip": record, "split": split, "options": options.model_dump(mode="json"), **fitted}
            part = hashlib.sha256(json_bytes(depends_on)).hexdigest()[:32]
            name = f"{split}/{key}"
            work = partial(pairs_of_clip, folder, store.digest, number, key, name, options)
            tasks.append(PartTask(part, name, work, partial(_failed, name)))
    return make_data_set(out, "pairs", tasks, split=_split_of_name, settings={}, **build)


def _split_of_name(source: SourceFile) -> Split:
    return next(split for split in SPLITS if source.file.startswith(f"{split}/"))


def _failed(name: str, problem: str) -> list[Sample]:
    return [sources_sample([SourceFile(name, sha256=name, problem=problem)])]


@lru_cache(maxsize=2)
def _clips(folder: Path, digest: str) -> Clips:
    """Open the clips once per process and `digest`, which tells data sets of the same name apart."""
    return open_clips(folder)


def pairs_of_clip(folder: Path, digest: str, number: int, key: str, name: str, options: PairOptions) -> Iterator[Sample]:
    """Make the part of one clip of the data set with this digest: its pairs by each scheme, forward and then in reverse."""
    clip = _clips(folder, digest)[number]
    source = SourceFile(name, sha256=name, person=clip.identity)
    # the clips take the recipe's camera responses in turn
    name_of_response = options.recipe.responses[number % len(options.recipe.responses)]
    response, rules = open_response(name_of_response), options.recipe.rules
    for scheme in options.schemes:
        forward = list(average_clip(clip, scheme, response, rules=rules, every=options.every))
        chosen = [(*averaged, "forward") for averaged in forward]
        if options.reverse:
            known = [window for window, _ in forward]
            for averaged in average_backwards(clip, scheme, response, known, rules=rules, every=options.every):
                if averaged is None:
                    source.drop("reverse pairs with the blur of a forward one")
                else:
                    chosen.append((*averaged, "reverse"))
        for window, pair, direction in chosen:
            record = {"scheme": str(scheme), "direction": direction, "response": name_of_response}
            sample = _sample(clip, window, pair, record, f"{key}_{len(source.items):05d}")
            source.items.append({"key": sample.key})
            yield sample
    yield sources_sample([source])


def _sample(clip: StoredClip, window: Window, pair: Pair, made: dict[str, str], key: str) -> Sample:
    left, top = _crop_corner(clip, window.middle)
    part = (slice(top, top + CROP_SIZE), slice(left, left + CROP_SIZE))
    record = {
        "size": CROP_SIZE,
        **made,
        "length": window.length,
        "frames": list(window.frames),
        "stopped_by": window.stopped_by,
        "motion_px": window.motion_px,
        "crop": {"left": left, "top": top},
        "sharpness": round(float(clip.sharpness[window.middle]), 1),
        **{name: clip.record.get(name) for name in ("source", "source_sha256", "identity", "identity_from", "fps")},
    }
    return pair_sample(key, pair.blurry[part], pair.sharp[part], record)


def _crop_corner(clip: StoredClip, middle: int) -> tuple[int, int]:
    """Return left and top of the square of 256 px, within the frame, with the face of frame `middle` in its middle."""
    box = clip.boxes[middle]
    largest = clip.frames.shape[1] - CROP_SIZE
    left, top = (min(max(round(float(box[n] + box[n + 2] - CROP_SIZE) / 2), 0), largest) for n in (0, 1))
    return left, top


def pair_sample(key: str, blurry: NDArray[np.uint8], sharp: NDArray[np.uint8], record: dict[str, Any]) -> Sample:
    """Return a pair as a sample: two PNG files and its record."""
    return Sample(key, {"blurry.png": png_bytes(blurry), "sharp.png": png_bytes(sharp), "json": json_bytes(record)})

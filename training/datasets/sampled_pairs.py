"""Pairs sampled from a recipe, as a training samples them: to inspect, and to measure with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Unpack

from streamdeblur.errors import InputError
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.training.blur.averaging import FrameSequence
from streamdeblur.training.datasets.dataset_assembly import BuildArguments, make_data_set
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.datasets.pairs import pair_sample
from streamdeblur.training.datasets.part_tasks import PartTask
from streamdeblur.training.datasets.random_access import open_clips, open_stills
from streamdeblur.training.datasets.recipe import Recipe, fitted_responses
from streamdeblur.training.datasets.shards import Sample, json_bytes
from streamdeblur.training.datasets.source_files import SourceFile, sources_sample
from streamdeblur.training.datasets.splits import Split

CHUNK = 64
"""Pairs of one part: what an interruption loses."""


def build_sampled_pairs(
    stills: Path | None,
    clips: Path | None,
    out: Path,
    count: int,
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    split: Split = "train",
    **build: Unpack[BuildArguments],
) -> dict[str, Any]:
    """Write pairs 0 to count - 1 of a `PairMaker`, all of them to one split.

    Args:
        stills: A data set of stills, or None.
        clips: A data set of clips, or None.
        out: Folder of the pairs.
        count: Number of pairs.
        recipe: What they are made of; None for the default recipe.
        seed: Of the pair maker.
        split: The split that they go to.
        build: See `BuildArguments`.

    Returns:
        The summary, which is also in ``out/dataset.json``.

    Raises:
        InputError: There are neither stills nor clips.
        OutputError: `out` holds something else, or cannot be written.
    """
    if stills is None and clips is None:
        raise InputError("Pairs are made of stills or clips: give one of them.")
    recipe = recipe or Recipe()
    contents = (open_stills(stills).digest if stills else "", open_clips(clips).digest if clips else "")
    content = json_bytes({"data": contents, "responses": fitted_responses(recipe)}).decode()
    tasks = []
    for begin in range(0, count, CHUNK):
        numbers = range(begin, min(begin + CHUNK, count))
        depends_on = [content, recipe.model_dump(mode="json"), seed, begin, numbers.stop]
        part = hashlib.sha256(json_bytes({"pairs": depends_on})).hexdigest()[:32]
        work = partial(sample_pairs, stills, clips, recipe, seed, content, numbers)
        tasks.append(PartTask(part, f"{numbers.stop} of {count} pairs", work, partial(_failed, numbers)))
    return make_data_set(out, "pairs", tasks, split=lambda source: split, settings={"split": split}, **build)


def _failed(numbers: Sequence[int], problem: str) -> list[Sample]:
    name = f"pairs {numbers[0]} to {numbers[-1]}"
    return [sources_sample([SourceFile(name, sha256=name, problem=problem)])]


@lru_cache(maxsize=1)
def _maker(stills: Path | None, clips: Path | None, recipe: str, seed: int, content: str) -> PairMaker:
    """Open the pair maker once per process and `content`, which tells files of the same names apart."""
    opened_clips: Sequence[FrameSequence] = open_clips(clips) if clips else []
    return PairMaker(open_stills(stills) if stills else [], opened_clips, Recipe.model_validate_json(recipe), seed)


def sample_pairs(
    stills: Path | None, clips: Path | None, recipe: Recipe, seed: int, content: str, numbers: Sequence[int]
) -> Iterator[Sample]:
    """Make the part of the pairs of these numbers; `content` tells files of the same names apart."""
    maker = _maker(stills, clips, recipe.model_dump_json(), seed, content)
    name = f"pairs {numbers[0]} to {numbers[-1]}"
    source = SourceFile(name, sha256=name)
    for number in numbers:
        pair = maker.pair(number)
        sample = pair_sample(f"pair_{number:07d}", pair.blurry, pair.sharp, {"size": CROP_SIZE, "number": number, **pair.record})
        source.items.append({"key": sample.key})
        yield sample
    yield sources_sample([source])

"""Sequences of exposures for trainings of networks with a memory: crops per second, and where the time goes.

python benchmarks/sequences.py                     # the demonstration's faces
python benchmarks/sequences.py --stills STILLS --clips CLIPS --profile

The time is that of the processor, so that what else the machine does is not counted; sequences are made without the GIL nearly
all of the time, so two cores make nearly twice as many.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import time
from pathlib import Path

import cv2
import numpy as np

from blur import clips as swinging_clips
from harness import Row, table
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.config import TrainingConfig
from streamdeblur.training.datasets.pair_sources import open_sequence_maker
from streamdeblur.training.datasets.recipe import Recipe
from streamdeblur.training.datasets.sequence_maker import SequenceMaker

CONFIG = Path(__file__).parents[1] / "configs" / "stream.yaml"
EXPOSURES = 5
SEQUENCES = 40
"""Sequences of one measurement."""
CORES = 2


def measure(rounds: int, maker: SequenceMaker | None = None) -> list[Row]:
    """Measure the sequences of the recipe of `stream`, at its crop size, and those of each kind of blur alone."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    config = TrainingConfig.load(CONFIG)
    size = config.cgan.crop
    maker = maker or demonstration(config.recipe)
    maker.prepare()
    rows = [_row(f"sequences of {EXPOSURES} crops of {size} px, the recipe of stream", maker, size, rounds, ">= 120 on 2 cores")]
    for scheme in ("synthetic", "vla+camera", "pravg"):
        only = config.recipe.model_copy(update={"mix": dict.fromkeys(config.recipe.mix, 0.0) | {BlurScheme.parse(scheme): 1.0}})
        rows.append(_row(f"the same, {scheme} alone", _like(maker, only), size, rounds))
    cv2.setNumThreads(threads)
    return rows


def demonstration(recipe: Recipe) -> SequenceMaker:
    """A maker of sequences of the faces of the demonstration's photograph."""
    material = swinging_clips(6)
    stills = [np.ascontiguousarray(clip.frames[0, 20:276, 20:276]) for clip in material]
    return SequenceMaker(stills, material, recipe, seed=1, memory=EXPOSURES - 1)


def _like(maker: SequenceMaker, recipe: Recipe) -> SequenceMaker:
    made = SequenceMaker(maker.stills, maker.clips, recipe, maker.seed, memory=EXPOSURES - 1)
    made.prepare()
    return made


def _row(name: str, maker: SequenceMaker, size: int, rounds: int, target: str = "") -> Row:
    _seconds(maker, size)
    rates = [SEQUENCES * EXPOSURES / _seconds(maker, size) for _ in range(rounds)]
    return Row(
        name, f"{CORES * statistics.median(rates):.0f} crops/s", f"{statistics.median(rates):.0f} on one core", target=target
    )


def _seconds(maker: SequenceMaker, size: int) -> float:
    """Seconds of processor time."""
    began = time.process_time()
    for index in range(SEQUENCES):
        maker.sequence(index, size=size)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stills", type=Path, help="a data set of stills, with --clips")
    parser.add_argument("--clips", type=Path, help="a data set of clips")
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    arguments = parser.parse_args()
    config, maker = TrainingConfig.load(CONFIG), None
    if arguments.stills and arguments.clips:
        maker = open_sequence_maker([arguments.stills], [arguments.clips], config.recipe, 1, EXPOSURES - 1)
    print(table(measure(arguments.rounds, maker)))
    if arguments.profile:
        maker = maker or demonstration(config.recipe)
        with cProfile.Profile() as profile:
            _seconds(maker, config.cgan.crop)
        pstats.Stats(profile).sort_stats("tottime").print_stats(18)


if __name__ == "__main__":
    main()

"""A verification protocol for any clips of known people, as that of YouTube Faces: pairs of videos in ten folds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from streamdeblur.evaluation.cases import Comparison
from streamdeblur.evaluation.sources.dataset import EvaluationClip

FOLDS = 10
PAIRS_PER_PERSON = 10
"""Pairs of videos of one person at most, so that nobody outweighs the others."""
LEAST_PEOPLE = 4
"""People with two videos that are needed: two folds, each with two people."""


def identity_pairs(clips: Sequence[EvaluationClip]) -> list[Comparison]:
    """Pair the videos of clips whose people are known: as many pairs of one person as of two.

    The people of each fold are in no other one, as in YouTube Faces (Wolf et al. 2011), so that a threshold is chosen on other
    people than those that it is tested on. With few people there are fewer folds than ten, of two people each.

    Args:
        clips: The clips; those of one group are of one video.

    Returns:
        Comparisons of groups; none unless four people are in two videos each.
    """
    videos: dict[str, list[str]] = defaultdict(list)
    for clip in clips:
        if clip.identity and clip.group not in videos[clip.identity]:
            videos[clip.identity].append(clip.group)
    repeated = sorted(person for person, own in videos.items() if len(own) > 1)
    if len(repeated) < LEAST_PEOPLE:
        return []
    random = np.random.default_rng(0)
    folds = min(FOLDS, len(repeated) // 2)
    dealt = [repeated[n] for n in random.permutation(len(repeated))]
    return [
        comparison
        for fold in range(folds)
        for comparison in _fold_pairs(fold + 1, {person: videos[person] for person in dealt[fold::folds]}, random)
    ]


def _fold_pairs(fold: int, videos: Mapping[str, Sequence[str]], random: np.random.Generator) -> list[Comparison]:
    same = [pair for own in videos.values() for pair in list(combinations(own, 2))[:PAIRS_PER_PERSON]]
    others = [
        (first, second) for one, other in combinations(videos.values(), 2) for first in one for second in other
    ]  # fmt: skip
    different = [others[n] for n in random.permutation(len(others))[: len(same)]]
    pairs = [(pair, True) for pair in same[: len(different)]] + [(pair, False) for pair in different]
    return [Comparison(fold, first, second, is_same) for (first, second), is_same in pairs]

"""Pairs of videos for verification, from clips of known people."""

from __future__ import annotations

import pytest

from streamdeblur.evaluation.sources.dataset import EvaluationClip
from streamdeblur.evaluation.sources.identity_pairs import PAIRS_PER_PERSON, identity_pairs


def clips_of(people, videos, parts=2):
    """Clips of `people`, each in `videos` videos of `parts` clips."""
    names = [(f"p{p}", f"p{p}/v{v}") for p in range(people) for v in range(videos)]
    return [EvaluationClip(f"{group}/{part}", None, person, group) for person, group in names for part in range(parts)]


@pytest.mark.parametrize(("people", "videos", "folds"), [(40, 2, 10), (20, 7, 10), (5, 3, 2), (4, 2, 2)])
def test_folds_are_balanced_and_have_their_own_people(people, videos, folds):
    pairs = identity_pairs(clips_of(people, videos))
    assert {one.fold for one in pairs} == set(range(1, folds + 1))
    seen: dict[str, int] = {}
    for one in pairs:
        persons = [name.split("/")[0] for name in (one.first, one.second)]
        assert one.first != one.second
        assert one.same == (persons[0] == persons[1])
        assert all(seen.setdefault(person, one.fold) == one.fold for person in persons)
    for fold in range(1, folds + 1):
        kinds = [one.same for one in pairs if one.fold == fold]
        assert sum(kinds) == len(kinds) / 2 > 0
    assert len({frozenset((one.first, one.second)) for one in pairs}) == len(pairs)
    most = max(sum(one.same and one.first.startswith(f"p{p}/") for one in pairs) for p in range(people))
    assert most <= PAIRS_PER_PERSON
    assert identity_pairs(clips_of(people, videos)) == pairs


def test_people_must_be_known_and_in_several_videos():
    assert identity_pairs(clips_of(30, 1, parts=5)) == []
    assert identity_pairs(clips_of(3, 4)) == []
    assert identity_pairs([EvaluationClip(str(n), None, "", str(n)) for n in range(30)]) == []

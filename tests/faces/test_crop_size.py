"""The size of the crop of a face, chosen by its window."""

from __future__ import annotations

import itertools

import pytest

from streamdeblur.faces.crop_size import smallest_fitting

SIZES = (128, 192, 256)


@pytest.mark.parametrize(
    ("side", "size"), [(30, 128), (128, 128), (140, 128), (141, 192), (211, 192), (212, 256), (256, 256), (900, 256)]
)
def test_the_smallest_size_that_hardly_shrinks_the_window_is_taken(side, size):
    assert smallest_fitting(side, SIZES) == size


@pytest.mark.parametrize("side", [30, 128, 256, 900])
def test_a_network_of_one_size_gets_that(side):
    assert smallest_fitting(side, (256,)) == 256


def sizes_of(sides):
    taken = []
    for side in sides:
        taken.append(smallest_fitting(side, SIZES, taken[-1] if taken else None))
    return taken


def test_a_face_does_not_alternate_between_two_sizes():
    assert sizes_of([139, 142, 139, 142, 135, 129, 142]) == [128, *[192] * 6]
    assert sizes_of([142, 139, 129, 128, 129, 139, 140]) == [*[192] * 3, *[128] * 4]


def test_a_face_that_grows_and_shrinks_changes_its_size_once_on_each_way():
    taken = sizes_of([*range(100, 300, 2), *range(300, 100, -2)])
    assert sum(before != after for before, after in itertools.pairwise(taken)) == 4


def test_a_face_may_jump_over_a_size():
    assert sizes_of([300, 100, 300]) == [256, 128, 256]


def test_a_size_that_is_not_there_any_more_is_not_kept():
    assert smallest_fitting(100, (256,), 128) == 256

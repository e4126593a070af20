"""Work in threads on iterables that are longer than memory."""

from __future__ import annotations

import itertools

import pytest

from streamdeblur.training.bounded_map import IN_FLIGHT, bounded_map


def test_results_come_in_order_and_few_items_are_read_ahead():
    read: list[int] = []

    def items():
        for number in range(50):
            read.append(number)
            yield number

    ahead = [len(read) - number for number in map(int, bounded_map(str, items(), 2))]
    assert len(ahead) == 50
    assert max(ahead) <= IN_FLIGHT * 2
    assert list(bounded_map(str, range(20), 2)) == [str(number) for number in range(20)]
    assert next(bounded_map(str, itertools.count(), 2)) == "0"


def test_an_error_of_the_work_is_raised_in_its_place():
    results = bounded_map(lambda number: 6 // number, [3, 2, 0, 1], 2)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)

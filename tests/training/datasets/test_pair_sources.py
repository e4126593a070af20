"""Ready-made pairs as a training's source."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.errors import InputError
from streamdeblur.training.datasets.pair_sources import Concatenation, StoredPairs
from streamdeblur.training.datasets.pairs import pair_sample
from streamdeblur.training.datasets.shards import write_shards


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Six pairs that show their numbers, two of them in reverse."""
    folder = tmp_path_factory.mktemp("pairs")
    samples = []
    for number in range(6):
        image = np.full((256, 256, 3), 10 * number, np.uint8)
        image[:, :128] += 1
        record = {"size": 256, "scheme": "vla", "direction": "reverse" if number >= 4 else "forward"}
        samples.append(pair_sample(f"{number}", image, image, record))
    write_shards(folder, "pairs", samples, 1 << 30)
    return folder


def shown(source, indices):
    return [int(source.pair(index).sharp.min()) // 10 for index in indices]


def test_each_pair_comes_once_per_epoch_in_a_new_order(stored):
    source = StoredPairs([stored], "all", seed=1)
    first, second = shown(source, range(6)), shown(source, range(6, 12))
    assert sorted(first) == sorted(second) == list(range(6))
    assert first != second
    assert shown(StoredPairs([stored], "all", seed=1), [7, 3]) == [second[1], first[3]]


def test_half_of_them_are_mirrored_both_images_alike(stored):
    source = StoredPairs([stored], "all", seed=1)
    pairs = [source.pair(index) for index in range(60)]
    mirrored = [pair.sharp[0, 0, 0] < pair.sharp[0, -1, 0] for pair in pairs]
    assert 15 < sum(mirrored) < 45
    assert all(np.array_equal(pair.blurry, pair.sharp) for pair in pairs)
    plain = StoredPairs([stored], "all", seed=1, mirrored=False)
    assert all(plain.pair(index).sharp[0, 0, 0] > plain.pair(index).sharp[0, -1, 0] for index in range(12))


def test_parts_are_cut_out_of_both_images_alike(stored):
    source = StoredPairs([stored], "all", seed=1)
    parts = [source.pair(index, size=64) for index in range(30)]
    assert {pair.sharp.shape for pair in parts} == {(64, 64, 3)}
    assert all(np.array_equal(pair.blurry, pair.sharp) for pair in parts)
    assert len({int(pair.sharp[0].sum()) - int(pair.sharp[0, 0].sum()) * 64 for pair in parts}) > 3, "at various places"


def test_forward_pairs_alone(stored):
    assert sorted(shown(StoredPairs([stored], "forward", seed=1), range(4))) == [0, 1, 2, 3]


def test_pairs_without_the_direction_are_refused(tmp_path):
    image = np.zeros((256, 256, 3), np.uint8)
    write_shards(tmp_path, "pairs", [pair_sample("0", image, image, {"size": 256})], 1 << 30)
    with pytest.raises(InputError, match="none of the 1 pairs is of the direction 'forward'"):
        StoredPairs([tmp_path], "forward", seed=0)


def test_several_data_sets_are_one():
    several = Concatenation([[1, 2], [], [3]])
    assert len(several) == 3
    assert [several[n] for n in range(3)] == [1, 2, 3]

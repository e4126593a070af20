"""Pairs kept in shards: what is averaged, and which reverse pairs are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamdeblur.cli.commands.dataset.pairs import recipe_of
from streamdeblur.errors import InputError, OutputError
from streamdeblur.training.blur.response import gamma, srgb
from streamdeblur.training.blur.reverse import SAME_BLUR_DB
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.datasets.pairs import PairOptions, build_pairs
from streamdeblur.training.datasets.pictures import png_bytes
from streamdeblur.training.datasets.random_access import open_clips, open_pairs
from streamdeblur.training.datasets.recipe import Recipe
from streamdeblur.training.datasets.sampled_pairs import build_sampled_pairs
from support.cli import run
from support.metrics import psnr

PLAIN = Recipe(responses=("identity",))


@pytest.fixture(scope="module")
def clips(built):
    """Of both splits, by key."""
    stores = [open_clips(built[0] / split) for split in ("train", "test")]
    return {key: clip for store in stores for key, clip in zip(store.keys, store, strict=True)}


@pytest.fixture(scope="module")
def made(tmp_path_factory, built):
    folder = tmp_path_factory.mktemp("pairs") / "out"
    options = PairOptions(schemes=("pravg:5", "vla"), every=3, recipe=PLAIN)
    return folder, build_pairs(built[0], folder, options)


def pairs_of(folder):
    """(key, blurry, sharp, record) of both splits."""
    stores = [open_pairs(folder / split) for split in ("train", "test")]
    return [(key, *pair) for store in stores for key, pair in zip(store.keys, store, strict=True)]


def test_a_pair_is_the_mean_of_its_frames_and_the_middle_one(made, clips):
    pairs = pairs_of(made[0])
    assert len(pairs) == sum(made[1]["kept"].values())
    for key, blurry, sharp, record in pairs:
        clip, frames = clips[key.rpartition("_")[0]], record["frames"]
        left, top = record["crop"]["left"], record["crop"]["top"]
        part = clip.frames[frames, top : top + 256, left : left + 256]
        assert blurry.shape == sharp.shape == (256, 256, 3)
        assert np.array_equal(sharp, part[len(frames) // 2])
        assert np.abs(part.mean(axis=0) - blurry).max() <= 0.51
        assert record["length"] == len(frames)
        assert frames == sorted(frames)
        middle = clip.boxes[frames[len(frames) // 2]]
        assert middle[0] - left > 0
        assert middle[2] - left < 256
    assert {record["scheme"] for *_, record in pairs} == {"vla", "pravg:5"}
    assert all(record["length"] == 5 for *_, record in pairs if record["scheme"] == "pravg:5")


def test_reverse_pairs_begin_at_the_end_and_differ_from_forward_ones(made, clips):
    """Every third frame from the end: in a clip of 14 or 16 frames others than from the beginning."""
    pairs = pairs_of(made[0])
    for key, clip in clips.items():
        own = [(blurry, record) for k, blurry, _, record in pairs if k.startswith(key) and record["scheme"] == "pravg:5"]
        middles = {d: [r["frames"][2] for _, r in own if r["direction"] == d] for d in ("forward", "reverse")}
        count = len(clip.frames)
        assert middles["forward"] == [m for m in range(0, count, 3) if 2 <= m < count - 2]
        assert middles["reverse"] == [m for m in range(count - 1, -1, -3) if 2 <= m < count - 2 and m % 3]


def test_reverse_pairs_with_the_blur_of_a_forward_one_are_skipped_and_counted(tmp_path, built, clips):
    """Parsed at every frame, both directions give the same windows."""
    summary = build_pairs(built[0], tmp_path / "all", PairOptions(schemes=("pravg:7",), every=1, recipe=PLAIN))
    pairs = pairs_of(tmp_path / "all")
    assert {record["direction"] for *_, record in pairs} == {"forward"}
    skipped = sum(sum(source["dropped"].values()) for source in summary["sources"])
    assert skipped == len(pairs) == sum(len(clip.frames) - 6 for clip in clips.values())
    assert all(list(source["dropped"]) == ["reverse pairs with the blur of a forward one"] for source in summary["sources"])


def test_what_is_kept_is_further_than_the_threshold(tmp_path, built, clips):
    summary = build_pairs(built[0], tmp_path / "out", PairOptions(schemes=("pravg:11",), every=2, recipe=PLAIN))
    pairs = pairs_of(tmp_path / "out")
    kept = 0
    for key, _, _, record in pairs:
        if record["direction"] == "forward":
            continue
        kept += 1
        clip = clips[key.rpartition("_")[0]]
        x0, y0, x1, y1 = clip.boxes[record["frames"][5]].round().astype(int)
        own = clip.frames[record["frames"], y0:y1, x0:x1].mean(axis=0)
        others = [
            r["frames"] for k, *_, r in pairs if k.rpartition("_")[0] == key.rpartition("_")[0] and r["direction"] == "forward"
        ]
        assert max(psnr(own, clip.frames[frames, y0:y1, x0:x1].mean(axis=0)) for frames in others) < SAME_BLUR_DB + 0.5
    assert kept == sum(record["direction"] == "reverse" for *_, record in pairs)
    without = build_pairs(
        built[0], tmp_path / "forward", PairOptions(schemes=("pravg:11",), every=2, reverse=False, recipe=PLAIN)
    )
    assert sum(without["kept"].values()) == sum(summary["kept"].values()) - kept


def test_splits_keep_their_sides(made, built):
    for split in ("train", "test"):
        people = {clip.identity for clip in open_clips(built[0] / split)}
        assert {record["identity"] for *_, record in open_pairs(made[0] / split)} == people


def test_sampled_pairs_are_those_of_a_training(tmp_path, built):
    recipe = Recipe(responses=("identity",), severity=0.5)
    clips = built[0] / "test"
    build_sampled_pairs(None, clips, tmp_path / "out", 70, recipe, seed=3, split="test")
    pairs = open_pairs(tmp_path / "out")
    assert (tmp_path / "out" / "test").is_dir()
    assert len(pairs) == 70
    maker = PairMaker([], open_clips(clips), recipe, 3)
    for number in (0, 17, 69):
        expected = maker.pair(number)
        blurry, sharp, record = pairs[number]
        assert np.array_equal(blurry, expected.blurry)
        assert np.array_equal(sharp, expected.sharp)
        assert record["scheme"] == expected.record["scheme"]
    with pytest.raises(InputError, match="stills or clips"):
        build_sampled_pairs(None, None, tmp_path / "none", 3)


def test_pairs_of_other_files_are_not_taken_for_those_that_are_there(tmp_path, photograph):
    """The names of the pictures, of their folder, and of the response stay the same."""
    folder = tmp_path / "faces"
    folder.mkdir()
    srgb().save(tmp_path / "camera.json")
    recipe = Recipe(responses=(f"fitted:{tmp_path / 'camera.json'}",))

    def draw(**build):
        return build_sampled_pairs(folder, None, tmp_path / "out", 1, recipe, **build)

    (folder / "a.png").write_bytes(png_bytes(photograph[280:536, 668:924]))
    assert draw() == draw()
    before = (tmp_path / "out" / "train" / "pairs-00000.tar").read_bytes()
    (folder / "a.png").write_bytes(png_bytes(photograph[280:536, 924:668:-1]))
    with pytest.raises(OutputError, match="holds a data set of other files or settings"):
        draw()
    draw(overwrite=True)
    assert (tmp_path / "out" / "train" / "pairs-00000.tar").read_bytes() != before
    gamma(1.8).save(tmp_path / "camera.json")
    with pytest.raises(OutputError, match="holds a data set of other files or settings"):
        draw()


def test_pairs_by_another_response_of_the_same_name_are_not_taken_for_those_that_are_there(tmp_path, built):
    recipe = Recipe(responses=(f"fitted:{tmp_path / 'camera.json'}",))
    options = PairOptions(schemes=("pravg:3",), every=7, reverse=False, recipe=recipe)
    srgb().save(tmp_path / "camera.json")
    made = build_pairs(built[0], tmp_path / "out", options)
    assert build_pairs(built[0], tmp_path / "out", options) == made
    gamma(1.8).save(tmp_path / "camera.json")
    with pytest.raises(OutputError, match="holds a data set of other files or settings"):
        build_pairs(built[0], tmp_path / "out", options)


def test_the_command_takes_a_recipe(tmp_path, built):
    (tmp_path / "recipe.yaml").write_text("recipe:\n  responses: [identity]\n  rules: {longest: 5}\n")
    done = run("dataset", "pairs", built[0], tmp_path / "out", "--config", tmp_path / "recipe.yaml", "--workers", 1, "--json")
    assert done.exit_code == 0, done.stderr
    report = done.json
    pairs = pairs_of(tmp_path / "out")
    assert sum(report["kept"].values()) == len(pairs) > 4
    assert {record["length"] for *_, record in pairs} <= {3, 5}
    (tmp_path / "recipe.yaml").write_text("responses: [identity]\nrulez: {}\n")
    done = run("dataset", "pairs", built[0], tmp_path / "out", "--config", tmp_path / "recipe.yaml")
    assert done.exit_code == 2
    assert "rulez" in done.stderr
    done = run("dataset", "pairs", built[0], tmp_path / "out", "--scheme", "pravg:4")
    assert done.exit_code == 2
    assert "pravg:4" in done.stderr


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("ablations/small/final", (("identity",), 21)),
        ("paper", (("identity",), 255)),
        ("step", (("gamma:2.2",), 9)),
        ("compared", (("identity",), 7)),
        ("recipe", (("srgb",), 5)),
    ],
)
def test_pairs_are_those_of_a_configuration_with_its_bases(tmp_path, monkeypatch, config, expected):
    # what the base says is changed by the configuration, and the step that learns from the pairs has the last word
    own = {
        "step": "base: paper\nrecipe: {rules: {longest: 5}}\ncgan: {recipe: {rules: {longest: 9}, responses: ['gamma:2.2']}}\n",
        "compared": "base: compared/nah\ncompared: {recipe: {rules: {longest: 7}, responses: [identity]}}\n",
        "recipe": "rules: {longest: 5}\n",
    }
    for name, text in own.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    recipe = recipe_of(Path(f"{config}.yaml" if config in own else config))
    assert (recipe.responses, recipe.rules.longest) == expected

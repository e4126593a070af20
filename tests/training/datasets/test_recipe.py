"""Pairs from a seed and a number: the same in any order and thread, each scheme as its recipe says."""

from __future__ import annotations

import json
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from streamdeblur.errors import OptionError
from streamdeblur.training.blur.exposures import blur_image
from streamdeblur.training.blur.response import srgb
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.sensor import Sensor
from streamdeblur.training.blur.trajectories import sample_kernel
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.datasets.recipe import DEFAULT_MIX, Recipe
from support.media.motion import MovingFace, panned, steady
from support.metrics import psnr

NOTHING = {str(scheme): 0.0 for scheme in DEFAULT_MIX}
SCHEMES = ["synthetic", "vla", "pravg", "vla+camera", "pravg+camera", "sharp", "mild"]


@pytest.fixture(scope="module")
def stills(photograph):
    return [np.ascontiguousarray(photograph[100:356, x : x + 256]) for x in (0, 300, 500)] + [photograph[200:520, 400:720].copy()]


@pytest.fixture(scope="module")
def clips(photograph):
    return [panned(photograph, steady(step, 27), (300, 300)) for step in (1, 3)]


def recipe(*schemes, **settings):
    """A recipe of these schemes alone, without degradations."""
    mix = {str(scheme): float(str(scheme) in schemes) for scheme in DEFAULT_MIX}
    return Recipe(**{"mix": mix, "sensor": Sensor.none(), **settings})


def same(first, second):
    kernels = first.kernel is second.kernel or np.array_equal(first.kernel, second.kernel)
    pictures = np.array_equal(first.blurry, second.blurry) and np.array_equal(first.sharp, second.sharp)
    return pictures and kernels and first.record == second.record


def test_a_pair_depends_on_seed_and_number_alone(stills, clips):
    forward = [PairMaker(stills, clips, seed=3).pair(n) for n in range(24)]
    maker = PairMaker(stills, clips, seed=3)
    backward = [maker.pair(n) for n in reversed(range(24))][::-1]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(PairMaker(stills, clips, seed=3).pair, range(24)))
    assert all(same(a, b) and same(a, c) for a, b, c in zip(forward, backward, together, strict=True))
    assert not any(same(a, PairMaker(stills, clips, seed=4).pair(n)) for n, a in enumerate(forward[:6]))


def test_the_mix_is_that_of_the_recipe(stills, clips):
    mix = dict.fromkeys(SCHEMES, 1.0) | {"synthetic": 4.0}
    maker = PairMaker(stills, clips, Recipe(mix=mix, sensor=Sensor.none()))
    counts = Counter(maker.pair(n).record["scheme"] for n in range(300))
    assert set(counts) == set(SCHEMES)
    assert counts["synthetic"] == pytest.approx(120, abs=35)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pairs_are_crops_of_one_size(stills, clips, scheme):
    maker = PairMaker(stills, clips, recipe(scheme))
    for n in range(3):
        pair = maker.pair(n)
        assert json.loads(json.dumps(pair.record))["scheme"] == scheme
        for image in (pair.blurry, pair.sharp):
            assert (image.shape, image.dtype) == ((256, 256, 3), np.uint8)
        assert (pair.kernel is None) == ("clip" in pair.record)
        if pair.kernel is not None:
            assert pair.kernel.shape == (41, 41)
            assert pair.kernel.sum() == pytest.approx(1.0, abs=1e-4)


def test_sharp_pairs_are_left_alone_even_by_the_sensor(stills):
    maker = PairMaker(stills, [], recipe("sharp", sensor=Sensor()))
    for n in range(4):
        pair = maker.pair(n)
        assert np.array_equal(pair.blurry, pair.sharp)
        assert pair.record["degradations"] == {}


def test_mild_blur_hardly_shows(stills):
    mild, strong = (PairMaker(stills, [], recipe(scheme)) for scheme in ("mild", "synthetic"))
    quality = [np.median([psnr(p.blurry, p.sharp) for p in map(m.pair, range(12))]) for m in (mild, strong)]
    assert quality[0] > quality[1] + 4


def test_the_kernel_is_the_blur(stills):
    """Convolving the sharp crop with the recorded kernel gives the blurry one, also where it was mirrored."""
    maker = PairMaker(stills[:3], [], recipe("synthetic"))
    flipped = set()
    for n in range(6):
        pair = maker.pair(n)
        again = blur_image(pair.sharp, pair.kernel, srgb())
        inside = slice(21, -21)
        if "scale" not in pair.record:
            assert np.abs(pair.blurry[inside, inside].astype(int) - again[inside, inside]).max() <= 1
            flipped.add(pair.record["flipped"])
    assert flipped == {True, False}


def test_the_sharp_crop_of_a_clip_is_its_middle_frame(clips):
    maker = PairMaker([], clips, recipe("pravg", lengths=(5,)))
    pair = maker.pair(0)
    assert pair.record["last"] - pair.record["first"] == 4
    frame = clips[pair.record["clip"]].frames[pair.record["first"] + 2]
    sharp = pair.sharp[:, ::-1] if pair.record["flipped"] else pair.sharp
    inside = np.ascontiguousarray(sharp[40:200, 40:200])
    assert cv2.matchTemplate(frame, inside, cv2.TM_SQDIFF).min() < 100
    assert pair.record["motion_px"] == pytest.approx(4 * (1, 3)[pair.record["clip"]], rel=0.4)


def test_a_camera_blurs_more_than_the_face_alone(clips):
    quality = []
    for scheme in ("pravg", "pravg+camera"):
        maker = PairMaker([], clips, recipe(scheme, camera_extents=(15, 20), lengths=(3,)))
        quality.append(np.mean([psnr(pair.blurry, pair.sharp) for pair in map(maker.pair, range(8))]))
    assert quality[1] < quality[0]


def test_faces_of_another_size_are_brought_to_that_of_a_crop(photograph):
    clip = panned(photograph, steady(1, 9), (480, 480))
    small = MovingFace(clip.frames, clip.boxes + np.float32([-50, -40, 50, 40]))
    for n in range(3):
        pair = PairMaker([], [small], recipe("vla")).pair(n)
        assert pair.sharp.shape == (256, 256, 3)
        assert pair.sharp.std() > 20


def test_a_part_of_a_crop_is_blurred_as_the_whole(stills, clips):
    """Training cuts parts out of crops; only they are made."""
    for scheme in ("synthetic", "pravg"):
        maker, places = PairMaker(stills, clips, recipe(scheme)), set()
        for n in range(6):
            whole, part = maker.pair(n), maker.pair(n, size=100)
            assert part.blurry.shape == part.sharp.shape == (100, 100, 3)
            _, _, (left, top), _ = cv2.minMaxLoc(cv2.matchTemplate(whole.sharp, part.sharp, cv2.TM_SQDIFF))
            places.add((left, top))
            there = slice(top, top + 100), slice(left, left + 100)
            assert np.array_equal(whole.sharp[there], part.sharp)
            # Beyond the border of a still, the whole picture has its mirror image.
            assert np.median(np.abs(whole.blurry[there].astype(int) - part.blurry)) == 0
        assert len(places) > 3


@pytest.mark.parametrize("scheme", ["synthetic", "pravg+camera"])
@pytest.mark.parametrize("crop", [128, 192])
def test_a_small_crop_shows_the_same_face_under_a_blur_as_much_smaller(stills, clips, scheme, crop):
    maker = PairMaker(stills, clips, recipe(scheme))
    for n in range(6):
        whole, small = maker.pair(n), maker.pair(n, crop=crop)
        assert small.blurry.shape == small.sharp.shape == (crop, crop, 3)
        assert small.record["extent"] - 1 == pytest.approx((whole.record["extent"] - 1) * crop / 256, abs=0.02)
        for large, image in ((whole.sharp, small.sharp), (whole.blurry, small.blurry)):
            resampled = cv2.resize(large, (crop, crop), interpolation=cv2.INTER_AREA)
            # places in the picture are whole pixels in both
            aligned = cv2.matchTemplate(resampled, image[8:-8, 8:-8], cv2.TM_SQDIFF).min() / image[8:-8, 8:-8].size
            assert aligned < 60


def test_the_kernel_of_a_small_crop_is_its_blur(stills):
    maker = PairMaker(stills, [], recipe("synthetic"))
    for n in range(4):
        pair = maker.pair(n, crop=128)
        again = blur_image(pair.sharp, pair.kernel, srgb())
        inside = slice(12, -12)
        assert np.median(np.abs(pair.blurry[inside, inside].astype(int) - again[inside, inside])) <= 1


def test_a_small_crop_has_parts_as_well(stills, clips):
    for scheme in SCHEMES:
        pair = PairMaker(stills, clips, recipe(scheme)).pair(1, size=96, crop=128)
        assert pair.blurry.shape == pair.sharp.shape == (96, 96, 3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_part_has_its_size_whatever_is_done_to_it(stills, clips, scheme):
    always = {name: 1.0 for name, field in Sensor.model_fields.items() if field.annotation is float}
    maker = PairMaker(stills, clips, recipe(scheme, sensor=Sensor(**always)))
    for n in range(4):
        pair = maker.pair(n, size=96)
        assert pair.blurry.shape == pair.sharp.shape == (96, 96, 3)


def test_severity_begins_clean_and_mild(stills, clips):
    maker = PairMaker(stills, clips, recipe("synthetic", sensor=Sensor()))
    clean, full = ([maker.pair(n, severity) for n in range(30)] for severity in (0.0, 1.0))
    assert not any(pair.record["degradations"] for pair in clean)
    assert sum(bool(pair.record["degradations"]) for pair in full) > 15
    assert max(pair.record["extent"] for pair in clean) <= np.sqrt(3 * 34) + 0.01
    assert max(pair.record["extent"] for pair in full) > 15


def test_degradations_touch_the_blurry_crop_alone(stills):
    clean, degraded = (PairMaker(stills, [], recipe("synthetic", sensor=sensor), seed=2) for sensor in (Sensor.none(), Sensor()))
    for n in range(8):
        before, after = clean.pair(n), degraded.pair(n)
        assert np.array_equal(before.sharp, after.sharp)
        assert np.array_equal(before.blurry, after.blurry) == (not after.record["degradations"])


def test_a_scheme_that_is_not_named_keeps_its_default_weight():
    mix = Recipe(mix={"pravg:11": 0.5, "vla+camera": 0}).mix
    assert mix == DEFAULT_MIX | {BlurScheme("pravg", 11): 0.5, BlurScheme("vla", camera=True): 0.0}
    assert Recipe.model_validate_json(Recipe(mix=mix).model_dump_json()).mix == mix


def test_a_length_in_the_mix_is_that_of_the_averages(clips):
    maker = PairMaker([], clips, recipe(mix=dict.fromkeys(map(str, DEFAULT_MIX), 0.0) | {"pravg:9": 1.0}))
    assert {(maker.pair(n).record["scheme"], maker.pair(n).record["length"]) for n in range(4)} == {("pravg:9", 9)}


@pytest.mark.parametrize("scheme", ["vla_camera", "as-is", "pravg:8", "vla:3"])
def test_unknown_schemes_are_refused(scheme):
    with pytest.raises(OptionError, match=rf"'{scheme}'\. .*Known: vla, vla:sequential, .*pravg"):
        Recipe(mix={scheme: 1.0})


def test_without_clips_synthetic_blur_takes_their_weights_and_says_so(stills, caplog):
    with caplog.at_level(logging.WARNING):
        maker = PairMaker(stills, [])
        schemes = {maker.pair(n).record["scheme"] for n in range(40)}
    assert schemes == {"synthetic", "sharp", "mild"}
    assert [record.message.count("no clips") for record in caplog.records] == [1]


def test_without_stills_clips_are_all_there_is(clips):
    maker = PairMaker([], clips)
    assert {maker.pair(n).record["scheme"] for n in range(60)} == set(SCHEMES)


def test_clips_that_are_shorter_than_an_average_are_used_as_far_as_they_go(photograph):
    clip = panned(photograph, steady(3, 3), (300, 300))
    pair = PairMaker([], [clip], recipe("pravg", lengths=(21,))).pair(0)
    assert pair.record["length"] <= 3


@pytest.mark.parametrize(
    "settings",
    [
        {"extents": (0.5, 10)},
        {"extents": (20, 10)},
        {"camera_extents": (3, 99)},
        {"lengths": (7, 8)},
        {"lengths": ()},
        {"severity": 2},
        {"mix": {"vla": -1}},
    ],
)
def test_impossible_recipes_are_refused(settings):
    with pytest.raises(OptionError):
        Recipe(**settings)


def test_nothing_to_make_pairs_of_is_refused(stills):
    with pytest.raises(ValueError, match="neither"):
        PairMaker([], [])
    with pytest.raises(ValueError, match="zero"):
        PairMaker(stills, [], recipe())


def test_a_fraction_of_the_pairs_is_degraded_at_full_severity(stills):
    often = Sensor(**{name: {"probability": 1.0, "mild": 1.5, "severe": 3.0} for name in ("noise", "scaling")})
    usual, worst, all_worst = (recipe("synthetic", sensor=often, severity=0.1, worst=share) for share in (0.0, 0.3, 1.0))
    scaled = [
        sum(
            PairMaker(stills, [], one, seed=2).pair(n, size=64).record["degradations"].get("scaling") is not None
            for n in range(40)
        )
        for one in (usual, worst, all_worst)
    ]
    assert scaled[0] < scaled[1] < scaled[2] == 40


def test_a_family_of_kernels_is_kept_to(stills, monkeypatch):
    asked = []

    def sampled(random, extent, family):
        asked.append(family)
        return sample_kernel(random, extent, family)

    monkeypatch.setattr("streamdeblur.training.datasets.pair_maker.sample_kernel", sampled)
    kernels = {}
    for family in (None, "markov", "handshake"):
        scheme = f"synthetic:{family}" if family else "synthetic"
        maker = PairMaker(stills, [], recipe(mix=NOTHING | {scheme: 1}))
        kernels[family] = [maker.pair(n).kernel for n in range(4)]
        assert asked == [family] * 4
        asked.clear()
    assert not any(np.array_equal(a, b) for a, b in zip(kernels["markov"], kernels["handshake"], strict=True))


def test_windows_grow_as_the_scheme_says_and_in_both_directions(photograph):
    clips = [panned(photograph, [(round(n * n / 12), 0) for n in range(26)], size=(300, 300))]
    rules = {"least_overlap": 0.4, "least_similarity": 0.4}

    def windows(scheme, **settings):
        maker = PairMaker([], clips, recipe(mix=NOTHING | {scheme: 1}, rules=rules, **settings))
        assert maker.pair(0).record["scheme"] == scheme
        (found,) = maker._plan(0).windows.values()
        return [window.frames for window in found]

    symmetric, sequential = windows("vla"), windows("vla:sequential")
    assert sequential != symmetric
    assert windows("vla", reverse=True) == symmetric
    both = windows("vla:sequential", reverse=True)
    assert both[: len(sequential)] == sequential
    assert len(sequential) < len(both) == len(set(both))


def test_pairs_can_be_left_as_they_are(stills, clips):
    plain = recipe(mix=NOTHING | {"synthetic": 1, "vla": 1}, mirrored=False, jitter=False)
    maker = PairMaker(stills[:3], clips, plain)
    pairs = [maker.pair(n) for n in range(12)]
    assert not any(pair.record["flipped"] or "scale" in pair.record for pair in pairs)
    for pair in pairs:
        if "still" in pair.record:
            assert np.array_equal(pair.sharp, stills[pair.record["still"]])
    again = PairMaker(stills[:3], clips, recipe(mix=NOTHING | {"synthetic": 1, "vla": 1}))
    varied = [again.pair(n).record for n in range(12)]
    assert any(record["flipped"] for record in varied)
    assert any("scale" in record for record in varied)

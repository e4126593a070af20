"""Degradations: how often, how strongly, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.errors import OptionError
from streamdeblur.training.blur.broadcast import combed, sharpened, taped
from streamdeblur.training.blur.compression import down_and_up, h264, jpeg
from streamdeblur.training.blur.response import intensity_table, srgb
from streamdeblur.training.blur.sensor import Degradation, Degradations, Sensor, degrade, disc
from support.metrics import psnr


@pytest.fixture(scope="module")
def picture(photograph):
    return np.ascontiguousarray(photograph[220:476, 420:676])


@pytest.fixture(scope="module")
def intensity(picture):
    return intensity_table(srgb())[picture]


def test_values_are_log_uniform_between_mild_and_severe():
    degradation = Degradation(probability=0.5, mild=1.0, severe=16.0)
    values = [degradation.value(*pair, 1.0) for pair in np.random.default_rng(0).random((4000, 2))]
    sampled = np.log2([value for value in values if value is not None])
    assert len(sampled) == pytest.approx(2000, rel=0.06)
    assert np.histogram(sampled, bins=4, range=(0, 4))[0] / len(sampled) == pytest.approx(0.25, abs=0.04)


def test_severity_scales_probability_and_range():
    degradation = Degradation(probability=0.8, mild=95.0, severe=40.0)
    values = [degradation.value(*pair, 0.5) for pair in np.random.default_rng(0).random((2000, 2))]
    sampled = [value for value in values if value is not None]
    assert len(sampled) == pytest.approx(800, rel=0.08)
    assert min(sampled) >= np.sqrt(95 * 40)
    assert max(sampled) <= 95
    assert Sensor().sample(np.random.default_rng(0), 0.0).record() == {}


def test_what_else_is_sampled_does_not_depend_on_severity():
    states = []
    for severity in (0.0, 0.4, 1.0):
        random = np.random.default_rng(3)
        Sensor().sample(random, severity)
        states.append(random.random())
    assert len(set(states)) == 1


def test_without_degradations_light_is_only_developed(intensity, picture):
    assert np.array_equal(degrade(intensity, Sensor.none().sample(np.random.default_rng(0)), srgb()), picture)


@pytest.mark.parametrize(
    ("mild", "severe"),
    [
        ({"noise": 0.5}, {"noise": 12.0}),
        ({"defocus": 0.6}, {"defocus": 2.5}),
        ({"scaling": 1.2}, {"scaling": 2.5}),
        ({"tape": 0.6}, {"tape": 2.0}),
        ({"sharpening": 0.2}, {"sharpening": 1.0}),
        ({"combing": 0.5}, {"combing": 3.0}),
        ({"jpeg": 95.0}, {"jpeg": 30.0}),
        ({"h264": 20.0}, {"h264": 36.0}),
    ],
    ids=lambda values: next(iter(values)),
)
def test_each_degrades_the_more_the_severer_and_shifts_no_colour(intensity, picture, mild, severe):
    results = [degrade(intensity, Degradations(**values, key=5, moved=(2.5, -1.0)), srgb()) for values in (mild, severe)]
    assert psnr(results[0], picture) > psnr(results[1], picture) + 2
    assert psnr(results[1], picture) > 24
    for result in results:
        assert result.shape == picture.shape
        assert np.abs(result.mean((0, 1)) - picture.mean((0, 1))).max() < 1.5


def test_the_same_draw_gives_the_same_picture(intensity):
    sampled = Degradations(noise=3.0, scaling=1.5, jpeg=60.0, h264=28.0, key=9, moved=(1.0, 2.0))
    assert np.array_equal(degrade(intensity, sampled, srgb()), degrade(intensity.copy(), sampled, srgb()))
    assert not np.array_equal(degrade(intensity, sampled, srgb()), degrade(intensity, Degradations(noise=3.0, key=10), srgb()))


def test_light_beyond_white_clips():
    intensity = np.full((16, 16, 3), 2.5, np.float32)
    assert (degrade(intensity, Degradations(), srgb()) == 255).all()


def test_noise_grows_with_light_before_the_camera_curve(intensity):
    """Variance in light is gain times light over the full well, plus that of reading."""
    flat = np.full((200, 200, 3), 0.25, np.float32)
    noisy = degrade(flat, Degradations(noise=8.0, key=1), srgb())
    variance = intensity_table(srgb())[noisy].var()
    assert variance == pytest.approx(8.0 / 20_000 * 0.25 + (8.0 * 3.0 / 20_000) ** 2, rel=0.05)


def test_a_defocused_point_is_a_disc():
    kernel = disc(2.0)
    assert kernel.sum() == pytest.approx(1.0)
    assert np.array_equal(kernel, kernel.T)
    assert np.array_equal(kernel, kernel[::-1])
    assert (kernel > 0).sum() / (np.pi * 4) == pytest.approx(1.0, abs=0.7)


def test_combing_moves_every_second_line(picture):
    woven = combed(picture, (4.0, 0.0))
    assert np.array_equal(woven[::2], picture[::2])
    assert np.array_equal(woven[1::2, :-4], picture[1::2, 4:])


def test_a_tape_softens_along_the_lines_and_colours_most(picture):
    soft = taped(picture, 1.5).astype(float)
    along, across = (
        np.abs(np.diff(soft, axis=axis)).mean() / np.abs(np.diff(picture.astype(float), axis=axis)).mean() for axis in (1, 0)
    )
    assert along < 0.9 * across
    # two edges of the red channel: one of colour alone, at equal luma, and one of luma alone
    edges = np.full((32, 96, 3), (200, 60, 60), np.uint8)
    edges[:, 32:64] = (60, 131, 60)
    edges[:, 64:] = (111, 182, 111)
    steps = np.abs(np.diff(taped(edges, 1.5)[16, :, 0].astype(float)))
    assert steps[20:44].max() / 140 < 0.5 * steps[52:76].max() / 51


def test_halos_overshoot_beside_edges_and_leave_flat_parts():
    edge = np.full((32, 32, 3), 100, np.uint8)
    edge[:, 16:] = 150
    halo = sharpened(edge, 0.8)
    assert halo[16, 15, 0] < 100 < 150 < halo[16, 16, 0]
    assert (halo[:, :4] == 100).all()


def test_compression_keeps_size_and_place(picture):
    odd = np.ascontiguousarray(picture[:101, :77])
    assert down_and_up(odd, 1.7).shape == odd.shape
    assert jpeg(odd, 50).shape == odd.shape
    small = h264(picture[:64, :96].copy(), 24, (3.0, 1.0))
    shifts = [psnr(small[8:-8, 8:-8], np.roll(picture[:64, :96], s, axis=1)[8:-8, 8:-8]) for s in (-1, 0, 1)]
    assert np.argmax(shifts) == 1


@pytest.mark.parametrize(
    ("name", "mild", "severe"), [("jpeg", 95, 101), ("h264", 60, 30), ("scaling", 0.5, 2), ("defocus", 1, 9)]
)
def test_values_that_nothing_can_take_are_refused(name, mild, severe):
    with pytest.raises(OptionError, match=name):
        Sensor(**{name: Degradation(probability=0.5, mild=mild, severe=severe)})


@pytest.mark.parametrize("settings", [{"probability": 1.1}, {"mild": 0.0}, {"strength": 1}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(OptionError):
        Degradation(**{"probability": 0.5, "mild": 1.0, "severe": 2.0, **settings})

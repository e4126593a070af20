"""What a device draws is what the CPU makes, within one code value; noise included."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamdeblur.errors import OptionError
from streamdeblur.training.batches import collate
from streamdeblur.training.blur import broadcast, compression
from streamdeblur.training.blur.sensor import Sensor
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.datasets.recipe import DEFAULT_MIX, Recipe
from streamdeblur.training.datasets.sequence_maker import SequenceMaker
from streamdeblur.training.on_device import codecs
from streamdeblur.training.on_device.batches import open_drawer
from streamdeblur.training.on_device.light import noisy
from streamdeblur.training.on_device.pixel_pool import PixelPool
from support.media.motion import MovingFace, panned, steady
from support.metrics import psnr

CPU = torch.device("cpu")
SCHEMES = ["synthetic", "vla", "pravg", "vla+camera", "pravg+camera", "sharp", "mild"]
DRAWN = [name for name in Sensor.model_fields if name not in ("jpeg", "h264")]


@pytest.fixture(scope="module")
def stills(photograph):
    """Of two sizes, as folders of pictures and stills of data sets have them."""
    return [np.ascontiguousarray(photograph[100:356, x : x + 256]) for x in (0, 300)] + [photograph[200:520, 400:720].copy()]


@pytest.fixture(scope="module")
def clips(photograph):
    """Faces as large as a crop, smaller and larger."""
    clip, faster = (panned(photograph, steady(step, 11), (300, 300)) for step in (1, 3))
    small = MovingFace(clip.frames, clip.boxes + np.float32([10, 10, -10, -20]))
    return [clip, small, MovingFace(faster.frames, faster.boxes + np.float32([-50, -40, 50, 40]))]


def recipe(*schemes, **settings):
    mix = {str(scheme): float(str(scheme) in schemes) for scheme in DEFAULT_MIX}
    return Recipe(**{"mix": mix, "sensor": Sensor.none(), "lengths": (5,), "responses": ("srgb", "identity"), **settings})


def sensor(*names):
    """One that always has these degradations."""
    always = {name: getattr(Sensor(), name).model_copy(update={"probability": 1.0}) for name in names}
    return Sensor.none().model_copy(update=always)


def both(maker, count=6, size=64, crop=256):
    """Batches of the same samples, drawn by a device and made by the CPU."""
    drawer = open_drawer(maker, 1 << 30, CPU)
    make = maker.sequence if isinstance(maker, SequenceMaker) else maker.pair
    drawn = drawer.draw([drawer.plan(index, 1.0, size, crop) for index in range(count)], crop)
    return drawn, collate([make(index, 1.0, size, crop) for index in range(count)])


def code_differences(first, second):
    return ((first - second) * 255).abs()


def assert_same(drawn, made, limit=1.01):
    for name in ("blurry", "sharp"):
        first, second = getattr(drawn, name), getattr(made, name)
        assert first.shape == second.shape
        assert first.is_contiguous(memory_format=torch.channels_last)
        assert code_differences(first, second).max() < limit
        assert (code_differences(first, second) > 0.5).float().mean() < 0.05
    assert torch.allclose(drawn.kernels, made.kernels, atol=1e-5)
    assert torch.equal(drawn.kernels.flatten(2).any(2), made.kernels.flatten(2).any(2))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("crop", [256, 128])
def test_pairs_are_those_of_the_cpu(stills, clips, scheme, crop):
    drawn, made = both(PairMaker(stills, clips, recipe(scheme)), crop=crop)
    assert_same(drawn, made)


@pytest.mark.parametrize("name", DRAWN)
def test_each_degradation_is_that_of_the_cpu(stills, clips, name):
    # halos and tapes of pictures that differ by one code value differ by more
    limit = {"scaling": 2.01, "sharpening": 3.01, "tape": 3.01}.get(name, 1.01)
    assert_same(*both(PairMaker(stills, clips, recipe("synthetic", "pravg", sensor=sensor(name)))), limit)


def test_jpeg_is_like_that_of_libjpeg(stills, clips):
    drawn, made = both(PairMaker(stills, clips, recipe("synthetic", "pravg", sensor=sensor("jpeg"))))
    differences = code_differences(drawn.blurry, made.blurry)
    assert differences.mean() < 0.5
    assert differences.mean() < 0.25 * code_differences(made.blurry, made.sharp).mean()


def test_what_only_the_cpu_can_make_is_made_there(stills, clips):
    for maker in (PairMaker(stills, clips, recipe("synthetic", sensor=sensor("h264"))), PairMaker([], clips, recipe("mild"))):
        drawn, made = both(maker, count=2)
        assert torch.equal(drawn.blurry, made.blurry)
        assert torch.equal(drawn.kernels, made.kernels)


def test_all_pairs_of_a_batch_are_drawn_whatever_they_are(stills, clips):
    drawn, made = both(PairMaker(stills, clips, Recipe(lengths=(5,))), count=24)
    differences = code_differences(drawn.blurry, made.blurry).flatten(1)
    assert (differences.mean(1) < 1).all()
    assert torch.allclose(drawn.kernels, made.kernels, atol=1e-5)


@pytest.mark.parametrize("scheme", ["synthetic", "pravg+camera", "sharp"])
@pytest.mark.parametrize("crop", [256, 128])
def test_sequences_are_those_of_the_cpu(stills, clips, scheme, crop):
    settings = {"moving": 1.0, "strong_drift": 0.3}
    drawn, made = both(SequenceMaker(stills, clips, recipe(scheme, sequences=settings), seed=2, memory=2), count=5, crop=crop)
    assert_same(drawn, made)
    assert torch.equal(drawn.memory.validity, made.memory.validity)
    assert code_differences(drawn.memory.luma, made.memory.luma).max() < 1.01


def test_degraded_sequences_are_those_of_the_cpu(stills, clips):
    degradations = sensor("noise", "defocus", "highlights")
    drawn, made = both(SequenceMaker(stills, clips, recipe("mild", "vla", sensor=degradations), seed=1, memory=2), count=4)
    assert_same(drawn, made)
    assert code_differences(drawn.memory.luma, made.memory.luma).max() < 1.01


STREAMS = {"down_and_up": (1.2, 2.9), "taped": (0.5, 2.0), "sharpened": (0.2, 1.2), "combed": ((0.4, 3.0), (-6.0, 1.3))}


@pytest.mark.parametrize(("name", "values"), STREAMS.items())
def test_what_streams_do_to_the_same_picture_is_the_same(photograph, name, values):
    module = compression if name == "down_and_up" else broadcast
    picture = np.ascontiguousarray(photograph[300:380, 500:580])
    images = torch.from_numpy(picture).permute(2, 0, 1)[None].float().expand(len(values), -1, -1, -1)
    done = getattr(codecs, name)(images, torch.tensor(values)).permute(0, 2, 3, 1).numpy()
    for one, value in zip(done, values, strict=True):
        assert np.abs(one - getattr(module, name)(picture, value).astype(int)).max() <= 1


@pytest.mark.parametrize("quality", [95, 75, 30])
@pytest.mark.parametrize("size", [80, 58])
def test_jpeg_loses_what_libjpeg_loses(photograph, quality, size):
    picture = np.ascontiguousarray(photograph[300 : 300 + size, 500 : 500 + size])
    images = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    done = codecs.jpeg(images, torch.tensor([float(quality)]))[0].permute(1, 2, 0).numpy()
    expected = compression.jpeg(picture, quality)
    assert psnr(done.astype(np.uint8), expected) > psnr(picture, expected) + 6


def test_noise_has_the_variance_of_a_sensor():
    intensity = torch.full((2, 3, 64, 64), 0.25)
    differences = noisy(intensity, torch.tensor([4.0, 8.0]), torch.tensor([1, (1 << 32) - 5])) - intensity
    expected = torch.tensor([4.0 * 0.25 / 20_000 + (4.0 * 3 / 20_000) ** 2, 8.0 * 0.25 / 20_000 + (8.0 * 3 / 20_000) ** 2])
    assert torch.allclose(differences.var((1, 2, 3)), expected, rtol=0.05)
    assert (differences.mean((1, 2, 3)).abs() < 4 * (expected / differences[0].numel()).sqrt()).all()


def test_a_pool_makes_room_for_what_is_needed(stills):
    pool = PixelPool(2 * stills[0].nbytes + 10, CPU)
    for numbers in ((0, 1), (2,), (1,), (0, 1)):
        held = pool.hold({number: stills[number] for number in numbers})
        for number, place in held.items():
            at = place.begin
            pixels = pool._pixels[at : at + place.height * place.width].view(place.height, place.width, 3)
            assert np.array_equal(pixels.numpy(), stills[number])
    with pytest.raises(OptionError, match="--device cpu"):
        pool.hold(dict(enumerate(stills)))

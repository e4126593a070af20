"""The fit of the gain to be expected."""

from __future__ import annotations

import json

import numpy as np
import pytest

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.faces.gain import described
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.kernels.face_statistics import NAMES
from streamdeblur.training.datasets.pictures import jpeg_bytes
from streamdeblur.training.datasets.sequence_maker import SequenceMaker
from streamdeblur.training.gain.fitting import CLEAR, MISSED, NOTHING, WASTED, estimates_of, fit, thresholds
from streamdeblur.training.gain.measurement import FaceMaker, Measurements, measure, open_networks, read_or_measure
from streamdeblur.training.gain.populations import POPULATIONS, SMALLEST_WINDOW, sample_side
from streamdeblur.training.gain.report import shares, tables
from support.media.motion import panned, steady
from support.models.networks import write_network


@pytest.fixture(scope="module")
def measured():
    """Faces whose gain follows from two of the values."""
    random = np.random.default_rng(0)
    values = random.normal(0.0, 3.0, (2, 300, 2 + len(NAMES))).astype(np.float32)
    gains = np.clip(0.8 + 0.2 * values[..., 5] - 0.1 * values[..., 9], -0.4, 3.0)
    groups = random.integers(len(POPULATIONS), size=300)
    sides = np.where(random.random(300) < 0.5, CROP_SIZE, 100)
    return Measurements(values, gains.astype(np.float32), groups, np.full(300, 11), sides, np.arange(300))


@pytest.fixture(scope="module")
def fitted(measured):
    # as it is read from a file
    return json.loads(json.dumps(fit(measured, seed=0, steps=30)))


def test_the_estimate_follows_the_gain(fitted, measured):
    for estimates, gains in zip(estimates_of(fitted, measured), measured.gains, strict=True):
        assert np.corrcoef(estimates, gains)[0, 1] > 0.7


def test_a_fit_is_repeated(measured):
    assert fit(measured, seed=0, steps=3) == fit(measured, seed=0, steps=3)


@pytest.mark.parametrize("noise", [0.1, 0.6])
def test_thresholds_keep_what_they_promise(noise):
    random = np.random.default_rng(0)
    gains = random.uniform(-0.5, 3.0, 4000)
    estimates = gains + random.normal(0.0, noise, 4000)
    found = thresholds(estimates, gains)
    assert np.mean(estimates[gains < NOTHING] >= found["gentle"]) == pytest.approx(WASTED, abs=0.03)
    assert np.mean(estimates[gains > CLEAR] < found["normal"]) <= MISSED + 0.005
    assert found["normal"] <= found["gentle"]


def test_shares_of_a_threshold():
    estimates, gains = np.array([0.1, 0.3, 0.6, 0.9], np.float32), np.array([0.6, 0.0, 0.05, 2.0], np.float32)
    assert shares(estimates, gains, 0.2) == (0.5, 1.0)
    assert shares(estimates[:1], gains[:1], 0.2) == (1.0, None)


def test_the_report_has_a_row_for_each_kind_of_face(fitted, measured):
    lines = list(tables(fitted, measured))
    assert sum(line.startswith(POPULATIONS[0].name[:10], 2) for line in lines) == 4
    assert sum(line.startswith("| all (300)") for line in lines) == 2


def test_windows_are_even_and_as_large_as_a_crop_or_smaller():
    sides = {sample_side(np.random.default_rng(seed)) for seed in range(200)}
    assert max(sides) == CROP_SIZE
    assert min(sides) >= SMALLEST_WINDOW
    assert not any(side % 2 for side in sides)


def test_what_is_measured_is_what_the_product_does(photograph, tmp_path):
    still = np.ascontiguousarray(photograph[284:540, 668:924])
    clip = panned(photograph, steady(1, 20), (300, 300))
    maker = FaceMaker([SequenceMaker([still], [clip], one.recipe, 0, memory=2) for one in POPULATIONS], seed=0)
    networks = open_networks([str(write_network(tmp_path / f"{kind}.onnx", kind)) for kind in ("slots", "invert")])
    loaded = measure(networks, maker, 3)
    assert loaded.gains.shape == (2, 3)
    # the network that inverts is the one without a memory
    assert (loaded.gains[0] < -3).all()
    population, side, exposures = maker.face(0)
    assert (loaded.populations[0], loaded.sides[0]) == (population, side)
    if side == CROP_SIZE:
        assert np.array_equal(loaded.values[0, 0], described(exposures.blurry[-1], side))
    assert np.array_equal(measure(networks[:1], maker, 1).values[0, 0], loaded.values[0, 0])
    for network in networks:
        network.close()


def test_measurements_are_kept_for_the_same_networks_faces_and_numbers_alone(tmp_path, photograph):
    faces, file = tmp_path / "faces", tmp_path / "found.npz"
    faces.mkdir()
    face = np.ascontiguousarray(photograph[284:540, 668:924])
    (faces / "a.jpg").write_bytes(jpeg_bytes(face))
    networks = open_networks([str(write_network(tmp_path / f"{kind}.onnx", kind)) for kind in ("slots", "invert")])
    others = [FaceDeblurrer(network=write_network(tmp_path / "identity.onnx", "identity")), networks[1]]

    def written_again(networks=networks, seed=0, count=1):
        before = file.stat().st_ino if file.exists() else None
        found = read_or_measure(file, networks, FaceMaker.open([faces], [], seed, memory=2), count)
        assert found.gains.shape == (2, count)
        return file.stat().st_ino != before

    assert written_again()
    assert not written_again()
    assert written_again(networks=others)
    assert written_again(seed=1)
    assert written_again(seed=1, count=2)
    assert not written_again(seed=1, count=2)
    (faces / "a.jpg").write_bytes(jpeg_bytes(face[::-1]))
    assert written_again(seed=1, count=2)
    for network in (*networks, others[0]):
        network.close()

"""psi-hat and its tables."""

from __future__ import annotations

import json

import numpy as np
import pytest

from streamdeblur.errors import InputError, OptionError
from streamdeblur.training.blur.response import Response, gamma, identity, open_response, srgb
from streamdeblur.training.blur.response_fitting import fit_response

CODES = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("name", ["identity", "srgb", "gamma:1.8", "gamma:5", "gamma:0.6"])
def test_every_code_value_comes_back(name):
    response = open_response(name)
    assert response.name == name
    assert np.array_equal(response.develop(response.linearise(CODES)), CODES)


def test_identity_takes_codes_for_light():
    assert np.array_equal(identity().linearise(CODES), CODES)
    assert identity().full == 255


def test_srgb_is_the_standard_curve():
    # IEC 61966-2-1: code 188 has half the light of 255; below 11 it is a line of slope 1 / 12.92
    intensity = srgb().to_intensity / 65535
    assert intensity[188] == pytest.approx(0.5029, abs=1e-4)
    assert intensity[10] == pytest.approx(10 / 255 / 12.92, abs=1e-5)


def test_light_between_two_codes_becomes_the_nearer_one():
    response = srgb()
    intensity = np.arange(65536)
    distance = np.abs(response.to_intensity[response.develop(intensity)].astype(int) - intensity)
    for other in (-1, 1):
        neighbour = np.clip(response.develop(intensity).astype(int) + other, 0, 255)
        assert (distance <= np.abs(response.to_intensity[neighbour].astype(int) - intensity)).all()


def test_too_much_light_clips():
    assert srgb().develop(np.array([65535, 65536, 10**6])).tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["rec709", "gamma:x", "gamma:9", "fitted", ""])
def test_unknown_names_are_refused(name):
    with pytest.raises(OptionError):
        open_response(name)


def test_a_response_must_rise():
    with pytest.raises(ValueError, match="rises"):
        Response("falling", CODES[::-1].astype(np.uint16), CODES)


@pytest.mark.parametrize("content", ["", "[]", '{"light": [0, 1]}', '{"light": "x"}', json.dumps({"light": [1.0] * 256})])
def test_a_file_that_is_no_response_is_refused(tmp_path, content):
    path = tmp_path / "curve.json"
    path.write_text(content)
    with pytest.raises(InputError, match="not a fitted response"):
        open_response(f"fitted:{path}")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json"):
        open_response(f"fitted:{tmp_path / 'none.json'}")


def moving_examples(photograph, response, noise=1.0):
    """Exposures of a camera that moves over the photograph, as one with this response takes them."""
    examples = []
    for left, top, step in ((384, 180, (3, 1)), (100, 100, (-2, 4)), (700, 300, (5, 0))):
        frames = np.stack([photograph[top + k * step[1] :, left + k * step[0] :][:70, :70] for k in range(7)])
        intensity = np.rint(response.linearise(frames).astype(float).mean(axis=0)).astype(int)
        noisy = response.develop(intensity) + np.random.default_rng(0).normal(0, noise, intensity.shape)
        examples.append((frames, np.clip(np.rint(noisy), 0, 255).astype(np.uint8)))
    return examples


def test_a_response_is_found_from_pairs_and_saved(photograph, tmp_path, monkeypatch):
    monkeypatch.setattr("streamdeblur.training.blur.response_fitting.SAMPLES", 1500)
    truth = gamma(2.6)
    found = fit_response(moving_examples(photograph, truth))
    curve, other = found.to_intensity / found.full, srgb().to_intensity / 65535
    error = np.abs(curve - truth.to_intensity / truth.full)
    assert error.max() < 0.04
    assert error.mean() < 0.5 * np.abs(other - truth.to_intensity / truth.full).mean()
    found.save(tmp_path / "curve.json")
    again = open_response(f"fitted:{tmp_path / 'curve.json'}")
    assert np.abs(again.to_intensity.astype(int) - found.to_intensity).max() <= 1


def test_pictures_that_do_not_move_tell_no_response():
    still = np.full((7, 40, 40, 3), 90, np.uint8)
    with pytest.raises(InputError, match="Too little moves"):
        fit_response([(still, still[0])])

"""A configuration may hold only what differs from another one, and is read without torch."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from streamdeblur.errors import OptionError
from streamdeblur.training.config import TrainingConfig


def load(folder, text):
    (folder / "mine.yaml").write_text(text)
    return TrainingConfig.load(folder / "mine.yaml")


def test_values_are_replaced_level_by_level(tmp_path):
    lite = TrainingConfig.load(Path("lite"))
    mine = load(tmp_path, "base: lite\nnetwork: {generator: {widths: [48, 80, 144]}}\n")
    assert mine.network.generator.widths == (48, 80, 144)
    assert mine.network.generator.deconvolution == lite.network.generator.deconvolution
    assert mine.cgan == lite.cgan


def test_a_part_can_be_left_out(tmp_path):
    mine = load(tmp_path, "base: lite\nnetwork: {generator: {deconvolution: null}}\n")
    assert mine.network.generator.deconvolution is None


def test_a_part_of_the_wrong_type_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"mine\.yaml.*network"):
        load(tmp_path, "base: lite\nnetwork: 3\n")


def test_crops_of_each_size_have_their_share_of_any_run_of_steps(tmp_path):
    settings = load(tmp_path, "base: lite\ncgan: {face_crops: {256: 2, 192: 1, 128: 1}}\n").cgan
    for begin in (0, 1000):
        counts = Counter(settings.face_crop(step) for step in range(begin, begin + 40))
        assert counts == pytest.approx({256: 20, 192: 10, 128: 10}, abs=1)
    assert {TrainingConfig.load(Path("lite")).cgan.face_crop(step) for step in range(9)} == {256}


@pytest.mark.parametrize("sides", ["{}", "{100: 1}", "{512: 1}", "{256: 0}", "[256]"])
def test_crops_of_impossible_sizes_are_refused(tmp_path, sides):
    with pytest.raises(OptionError, match="face_crops"):
        load(tmp_path, f"base: lite\ncgan: {{face_crops: {sides}}}\n")


@pytest.mark.parametrize("module", ["config", "progress", "allocator", "networks.presets"])
def test_modules_without_networks_do_not_import_torch(module):
    code = f"import sys, streamdeblur.training.{module}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

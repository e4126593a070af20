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


def test_a_precision_that_scales_losses_is_refused_with_those_that_there_are(tmp_path):
    with pytest.raises(OptionError, match=r"precision: must be one of 32-true, bf16-mixed"):
        load(tmp_path, "base: lite\ncgan:\n  precision: 16-mixed\n")


def test_of_several_bases_each_changes_those_before_it(tmp_path):
    (tmp_path / "wide.yaml").write_text("network: {generator: {widths: [48, 80, 144]}}\ncgan: {batch: 4}\n")
    mine = load(tmp_path, f"base: [lite, {tmp_path / 'wide.yaml'}]\ncgan: {{batch: 2}}\n")
    lite = TrainingConfig.load(Path("lite"))
    assert (mine.network.generator.widths, mine.cgan.batch, mine.cgan.images) == ((48, 80, 144), 2, lite.cgan.images)


def test_the_small_variants_of_the_self_evaluation_differ_in_what_they_test_alone():
    names = [path.stem for path in (Path(__file__).parents[2] / "configs" / "ablations").glob("*.yaml")]
    small = {name: TrainingConfig.load(Path(f"ablations/small/{name}")) for name in names}
    assert len(small) == 8
    for name, config in small.items():
        large = TrainingConfig.load(Path(f"ablations/{name}"))
        assert (config.cgan.weights, config.cgan.pairs, config.cgan.generator, config.network.name) == (
            large.cgan.weights, large.cgan.pairs, large.cgan.generator, large.network.name,
        )  # fmt: skip
    equal = [
        (one.cgan.images, one.cgan.batch, one.cgan.optimiser, one.network.hourglass, one.network.discriminator, one.recipe)
        for one in small.values()
    ]
    assert all(one == equal[0] for one in equal)


@pytest.mark.parametrize("module", ["config", "progress", "allocator", "networks.presets"])
def test_modules_without_networks_do_not_import_torch(module):
    code = f"import sys, streamdeblur.training.{module}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_paper_is_what_its_text_says():
    paper = TrainingConfig.load(Path("paper"))
    steps = {"hourglass": paper.hourglass, "cgan": paper.cgan}
    mixes = {
        name: {str(scheme): weight for scheme, weight in paper.recipe_of(step).mix.items() if weight}
        for name, step in steps.items()
    }
    assert mixes == {"hourglass": {"synthetic:handshake": 1.0}, "cgan": {"vla:sequential": 1.0}}
    assert paper.recipe.reverse
    for step in steps.values():
        recipe = paper.recipe_of(step)
        assert (recipe.severity, recipe.mirrored, recipe.jitter, recipe.responses) == (0, False, False, ("identity",))
        assert {step.severity(n) for n in (0, step.steps // 2, step.steps)} == {1.0}
        assert (step.average, step.precision, step.part(0), set(step.face_crops)) == (0, "32-true", 256, {256})
    weights = paper.cgan.weights
    assert (weights.content, weights.gradient, weights.projection, weights.reconstruction) == (100, 100, 8, 100)
    assert (paper.hourglass.loss, paper.cgan.content_loss, paper.cgan.adversarial) == ("l1", "l1", "saturating")


def test_paper_small_differs_in_widths_and_in_how_long_it_is_trained():
    paper, small = (TrainingConfig.load(Path(name)) for name in ("paper", "paper_small"))
    wide = {"hourglass": {"width"}, "generator": {"width"}, "discriminator": {"widths"}, "name": True}
    assert small.network.model_dump(exclude=wide) == paper.network.model_dump(exclude=wide)
    assert small.network.generator.width <= 0.25
    assert small.network.hourglass.width <= paper.network.hourglass.width / 4
    assert (small.cgan.weights, small.cgan.adversarial, small.cgan.norm) == (
        paper.cgan.weights, paper.cgan.adversarial, paper.cgan.norm,
    )  # fmt: skip
    for step, whole in ((small.hourglass, paper.hourglass), (small.cgan, paper.cgan)):
        assert small.recipe_of(step).mix == paper.recipe_of(whole).mix
        assert [step.part(n) for n in (0, step.steps - 1)] == [128, 256]

"""Small trainings: a few faces, tiny networks, two steps."""

from __future__ import annotations

import yaml

from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.cgan import train_cgan
from streamdeblur.training.config import TrainingConfig
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.hourglass import train_hourglass
from streamdeblur.training.loop import TrainingData

TINY_PAPER = {
    "network": {"hourglass": {"width": 8, "depth": 2}, "generator": {"width": 1 / 32}, "discriminator": {"widths": [4, 4, 8, 8]}},
    "hourglass": {"images": 4, "batch": 2, "precision": "32-true", "validate_pairs": 4},
    "cgan": {"images": 4, "batch": 2, "precision": "32-true", "validate_pairs": 4},
}
TINY_LITE = {
    "network": {
        "hourglass": {"widths": [8, 8, 8], "encoder_blocks": [1, 1, 1], "decoder_blocks": [1, 1], "code": 8},
        "generator": {"widths": [8, 8, 8], "encoder_blocks": [1, 1, 1], "decoder_blocks": [1, 1]},
        "discriminator": {"widths": [4, 4, 8, 8]},
    },
    "hourglass": {"images": 8, "batch": 4, "crop": 64, "precision": "32-true", "validate_pairs": 4},
    "cgan": {"images": 8, "batch": 4, "crop": 64, "precision": "32-true", "validate_pairs": 4},
}
TINY_NAH = {
    "compared": {
        "method": {"channels": 4, "blocks": 1, "critic": 1},
        "images": 4,
        "batch": 2,
        "crop": 64,
        "precision": "32-true",
        "validate_pairs": 1,
    }
}

TINY_LANDMARKS = {
    "network": {"stem": 4, "widths": [4, 4, 4], "blocks": [1, 1, 1]},
    "images": 6, "batch": 2, "precision": "32-true", "checkpoint_minutes": 1e-6, "validate_images": 4,
}  # fmt: skip


def write_config(path, base, *changes):
    """A configuration file that extends a shipped one; later changes win."""
    content = {"base": base}
    for change in changes:
        content = merged(content, change)
    path.write_text(yaml.safe_dump(content))
    return path


def merged(base, change):
    both = {key: merged(base[key], change[key]) for key in base.keys() & change.keys() if isinstance(base[key], dict)}
    return {**base, **change, **both}


def load(path, base, *changes):
    return TrainingConfig.load(write_config(path, base, *changes))


def data_for(config, step, stills):
    recipe = config.recipe_of(getattr(config, step))
    mix = dict.fromkeys(recipe.mix, 0.0) | {BlurScheme("synthetic"): 1.0, BlurScheme("sharp"): 0.2}
    recipe = recipe.model_copy(update={"mix": mix})
    maker = PairMaker(stills, [], recipe, config.seed)
    return TrainingData(maker.pair, PairMaker(stills, [], recipe, config.seed + 1).pair)


def train_both_steps(config, faces, folder):
    """Train the hourglass in "hourglass" and the generator in "cgan" of a folder."""
    train_hourglass(config, data_for(config, "hourglass", faces), folder / "hourglass")
    train_cgan(config, data_for(config, "cgan", faces), folder / "cgan", folder / "hourglass")


def stopping_at(number, data, error):
    """The data of a training that ends with an error when it asks for the pair of a number."""

    def stopping(index, *arguments):
        if index >= number:
            raise error
        return data.training(index, *arguments)

    return TrainingData(stopping, data.held_out)

"""Figures of an exported network on people it was not trained on: what its model card states."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.metrics.fidelity import gmsd, ssim
from streamdeblur.evaluation.metrics.fidelity import psnr as psnr_of
from streamdeblur.evaluation.recognition import Recognised, Recogniser, identity_cosine, landmark_error
from streamdeblur.network import Network
from streamdeblur.training.blur.exposures import Pair
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.sensor import Sensor
from streamdeblur.training.datasets.recipe import DEFAULT_MIX, PairMaker, Recipe
from streamdeblur.training.datasets.sources import open_maker

NOISE = 1.5
"""Standard deviation in code values of the noise that the synthetic protocol adds, as any camera does."""
VISIBLE_BLUR_DB = 34.0
"""PrAvg windows whose blurred PSNR is above this hardly moved; they are left out."""
TRIES = 20
"""Pairs that are looked at for each that is wanted."""

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Protocol:
    """How blurry inputs are made, and how many."""

    name: str
    scheme: str
    count: int
    lengths: tuple[int, ...] = (11,)
    noise: float = 0.0
    visible: bool = False
    """Only pairs whose blur shows."""

    def recipe(self) -> Recipe:
        """The recipe of its pairs: extents from 4 to 34 px, uniform; a clean sensor."""
        return Recipe(
            mix=dict.fromkeys(DEFAULT_MIX, 0.0) | {BlurScheme.parse(self.scheme): 1.0},
            extents=(4.0, 34.0),
            camera_extents=(4.0, 24.0),
            spread="uniform",
            lengths=self.lengths,
            responses=("identity", "srgb"),
            sensor=Sensor.none(),
        )


PROTOCOLS = (
    Protocol("synthetic, 4 to 34 px", "synthetic", 140, noise=NOISE),
    Protocol("VLA with camera shake, 4 to 24 px", "vla+camera", 72),
    Protocol("VLA", "vla", 72, visible=True),
    Protocol("PrAvg 7", "pravg", 72, (7,), visible=True),
    Protocol("PrAvg 11", "pravg", 72, (11,), visible=True),
    Protocol("PrAvg 21", "pravg", 72, (21,), visible=True),
    Protocol("sharp", "sharp", 60),
)


Values = dict[str, float]
"""One figure of each kind, of one image against the sharp one."""

COLUMNS = {
    "psnr": ("PSNR dB", ".2f"),
    "ssim": ("SSIM", ".3f"),
    "gmsd": ("GMSD", ".3f"),
    "landmarks": ("landmark error %", ".2f"),
    "identity": ("identity cosine", ".3f"),
}
"""Title and format of each figure. Of GMSD and the landmark error, less is better."""


@dataclass(frozen=True)
class Figures:
    """Means over the pairs of a protocol, of the blurry and of the restored images."""

    protocol: str
    pairs: int
    blurred: Values
    restored: Values

    def __str__(self) -> str:
        cells = [
            f"{self.blurred[name]:{form}} -> {self.restored[name]:{form}}"
            for name, (_, form) in COLUMNS.items()
            if name in self.blurred
        ]
        return f"| {self.protocol} ({self.pairs}) | {' | '.join(cells)} |"


def header(figures: Figures) -> str:
    """The head of the table that these figures are a line of."""
    titles = [title for name, (title, _) in COLUMNS.items() if name in figures.blurred]
    return f"| input (pairs), blurred -> restored | {' | '.join(titles)} |\n|{' --- |' * (len(titles) + 1)}"


class Examiner:
    """Compares images with the sharp ones; with dlib installed (extra `eval`), as other programs see them, too."""

    def __init__(self) -> None:
        self._recognise: Recogniser | None = None
        with suppress(ImportError):
            self._recognise = Recogniser()

    def __call__(self, pair: Pair, restored: Image) -> tuple[Values, Values]:
        """Figures of the blurry and of the restored image."""
        true = self._recognise(pair.sharp) if self._recognise else None
        return self._values(pair.blurry, pair.sharp, true), self._values(restored, pair.sharp, true)

    def _values(self, image: Image, sharp: Image, true: Recognised | None) -> Values:
        values = {"psnr": psnr_of(image, sharp), "ssim": ssim(image, sharp), "gmsd": gmsd(image, sharp)}
        if self._recognise and true:
            seen = self._recognise(image)
            values |= {"landmarks": 100 * landmark_error(seen, true), "identity": identity_cosine(seen, true)}
        return values


def measure(network: Path, stills: Path | None, clips: Path | None, seed: int = 0) -> Iterator[Figures]:
    """Figures under each protocol that the data allow, of a network in ONNX.

    Raises:
        NetworkError: it is not a network of streamdeblur.
        InputError: the data cannot be opened.
    """
    model = Network.read(network).model
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    examine = Examiner()

    def restore(blurry: Image) -> Image:
        planes = (blurry.astype(np.float32) / 255.0).transpose(2, 0, 1)[None]
        restored = session.run(["restored"], {"blurry": planes})[0][0]
        return np.asarray(np.rint(255.0 * restored.transpose(1, 2, 0)), np.uint8, order="C")

    for protocol in PROTOCOLS:
        chosen = stills if protocol.scheme in ("synthetic", "sharp") else clips
        if chosen is None:
            continue
        maker = open_maker([chosen] if chosen is stills else [], [chosen] if chosen is clips else [], protocol.recipe(), seed)
        values = [examine(pair, restore(pair.blurry)) for pair in _pairs(maker, protocol, seed)]
        if not values:
            raise InputError(f"None of the clips moves enough for the protocol {protocol.name}.")
        blurred, restored = (
            {name: float(np.mean([of[name] for of in side])) for name in side[0]} for side in zip(*values, strict=True)
        )
        yield Figures(protocol.name, len(values), blurred, restored)


def _pairs(maker: PairMaker, protocol: Protocol, seed: int) -> Iterator[Pair]:
    found = 0
    for index in range(TRIES * protocol.count):
        pair = maker.pair(index)
        if protocol.noise:
            noise = np.random.default_rng((seed, index)).normal(0.0, protocol.noise, pair.blurry.shape)
            pair = Pair(np.clip(np.rint(pair.blurry + noise), 0, 255).astype(np.uint8), pair.sharp, pair.kernel, pair.record)
        if protocol.visible and psnr_of(pair.blurry, pair.sharp) >= VISIBLE_BLUR_DB:
            continue
        yield pair
        found += 1
        if found == protocol.count:
            return

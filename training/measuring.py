"""Figures of an exported network on people it was not trained on: what its model card states."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from streamdeblur.errors import InputError
from streamdeblur.network import Network
from streamdeblur.training.data.recipe import Pair, PairMaker, Recipe, Shares
from streamdeblur.training.data.sensor import Sensor
from streamdeblur.training.data.sources import open_maker

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
        nothing = dict.fromkeys(Shares.model_fields, 0.0)
        return Recipe(
            shares=Shares(**{**nothing, self.scheme: 1.0}),
            extents=(4.0, 34.0),
            camera_extents=(4.0, 24.0),
            spread="uniform",
            lengths=self.lengths,
            responses=("identity", "srgb"),
            sensor=Sensor.none(),
        )


PROTOCOLS = (
    Protocol("synthetic, 4 to 34 px", "synthetic", 140, noise=NOISE),
    Protocol("VLA with camera shake, 4 to 24 px", "vla_camera", 72),
    Protocol("VLA", "vla", 72, visible=True),
    Protocol("PrAvg 7", "pravg", 72, (7,), visible=True),
    Protocol("PrAvg 11", "pravg", 72, (11,), visible=True),
    Protocol("PrAvg 21", "pravg", 72, (21,), visible=True),
    Protocol("sharp", "sharp", 60),
)


@dataclass(frozen=True)
class Figures:
    """Means over the pairs of a protocol; PSNR in dB."""

    protocol: str
    pairs: int
    blurred_psnr: float
    restored_psnr: float
    blurred_ssim: float
    restored_ssim: float

    def __str__(self) -> str:
        return (
            f"| {self.protocol} ({self.pairs}) | {self.blurred_psnr:.2f} / {self.blurred_ssim:.3f} | "
            f"{self.restored_psnr:.2f} / {self.restored_ssim:.3f} | "
            f"{self.restored_psnr - self.blurred_psnr:+.2f} / {self.restored_ssim - self.blurred_ssim:+.3f} |"
        )


HEADER = "| input (pairs) | blurred, PSNR / SSIM | restored | gain |\n| --- | --- | --- | --- |"


def measure(network: Path, stills: Path | None, clips: Path | None, seed: int = 0) -> Iterator[Figures]:
    """Figures under each protocol that the data allow, of a network in ONNX.

    Raises:
        NetworkError: it is not a network of streamdeblur.
        InputError: the data cannot be opened.
    """
    model = Network.read(network).model
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def restore(blurry: Image) -> Image:
        planes = (blurry.astype(np.float32) / 255.0).transpose(2, 0, 1)[None]
        restored = session.run(["restored"], {"blurry": planes})[0][0]
        return np.asarray(np.rint(255.0 * restored.transpose(1, 2, 0)), np.uint8)

    for protocol in PROTOCOLS:
        from_stills = protocol.scheme in ("synthetic", "sharp")
        if (stills if from_stills else clips) is None:
            continue
        maker = open_maker(
            [stills] if from_stills and stills else [], [clips] if not from_stills and clips else [], protocol.recipe(), seed
        )
        pairs = list(_pairs(maker, protocol, seed))
        if not pairs:
            raise InputError(f"None of the clips moves enough for the protocol {protocol.name}.")
        with ThreadPoolExecutor(2) as pool:
            blurred = list(pool.map(_quality, [p.blurry for p in pairs], [p.sharp for p in pairs]))
            restored = list(pool.map(_quality, [restore(p.blurry) for p in pairs], [p.sharp for p in pairs]))
        (psnr, ssim), (better_psnr, better_ssim) = (np.mean(values, axis=0) for values in (blurred, restored))
        yield Figures(protocol.name, len(pairs), psnr, better_psnr, ssim, better_ssim)


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


def psnr_of(image: Image, sharp: Image) -> float:
    """Peak signal to noise ratio in dB of two uint8 images; 100 where they are the same."""
    error = float(np.square(image.astype(np.float32) - sharp).mean())
    return 100.0 if error == 0.0 else float(10.0 * np.log10(255.0**2 / error))


def _quality(image: Image, sharp: Image) -> tuple[float, float]:
    return psnr_of(image, sharp), float(structural_similarity(image, sharp, channel_axis=2, data_range=255))  # type: ignore[no-untyped-call]

"""Sensor: what cameras and streams do to a picture besides blurring it, each with a probability and a range.

In the order of nature: lights brighter than white are blurred as such and clip only then (`brighten`), the lens is out of
focus, photons and electronics add noise before the camera's curve; then the code values are scaled, put on tape, sharpened,
woven from two fields and compressed. Averages
of clean frames alone teach a network little about real blur (RSBlur, Rim et al. 2022: 30.1 dB against 32.1 dB with noise,
saturation and camera curve).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from streamdeblur.kernels.intensity import write_codes
from streamdeblur.kernels.sensor import write_noisy_codes
from streamdeblur.settings import Settings
from streamdeblur.training.blur.broadcast import combed, sharpened, taped
from streamdeblur.training.blur.compression import down_and_up, h264, jpeg
from streamdeblur.training.blur.convolution import convolve
from streamdeblur.training.blur.response import Response

FULL_WELL = 20_000.0
"""Electrons of a pixel at code value 255 and gain 1, of a small camera: the root of their number is its shot noise."""
READ_ELECTRONS = 3.0
"""Standard deviation of the read noise of a pixel at gain 1, in electrons."""
HIGHLIGHT = 0.75
"""Linear intensity of all channels above which highlights of a sharp picture may have clipped."""
STREAM_MOTION = 4.0
"""Largest motion in pixels from one frame of an H.264 stream to the next."""


class Degradation(Settings):
    """How often a degradation occurs, and how strongly."""

    probability: float = Field(ge=0.0, le=1.0)
    mild: float = Field(gt=0.0, le=1e6, description="Mildest value; values are log-uniform from mild to severe.")
    severe: float = Field(gt=0.0, le=1e6, description="Most severe value.")

    def value(self, chance: float, place: float, severity: float) -> float | None:
        """Return the value of the degradation, or None where it does not occur.

        Args:
            chance: A random number in [0, 1) that decides whether it occurs.
            place: A random number in [0, 1): where between mild and severe the value lies.
            severity: In [0, 1]; scales the probability, and how far values go from mild to severe.
        """
        if chance >= self.probability * severity:
            return None
        return float(self.mild * (self.severe / self.mild) ** (place * severity))


class Sensor(Settings):
    """The degradations of a training set. Frozen; `Sensor.none()` has none."""

    highlights: Degradation = Field(
        default=Degradation(probability=0.3, mild=1.2, severe=4.0),
        description="Linear intensity of what is white in the sharp picture; more than 1 clips after the blur.",
    )
    defocus: Degradation = Field(
        default=Degradation(probability=0.1, mild=0.5, severe=2.0),
        description="Radius in px of the disc that a point becomes, at most 4.",
    )
    noise: Degradation = Field(
        default=Degradation(probability=0.5, mild=0.5, severe=12.0),
        description="Gain of the amplifier, which amplifies shot and read noise.",
    )
    scaling: Degradation = Field(
        default=Degradation(probability=0.15, mild=1.1, severe=2.0),
        description="Factor by which the picture was smaller in between.",
    )
    tape: Degradation = Field(
        default=Degradation(probability=0.0, mild=0.6, severe=2.0),
        description="Softness of a video tape along a line, in px; colours are softer.",
    )
    sharpening: Degradation = Field(
        default=Degradation(probability=0.0, mild=0.2, severe=1.2), description="Strength of the halos of old cameras."
    )
    combing: Degradation = Field(
        default=Degradation(probability=0.0, mild=0.5, severe=8.0),
        description="Motion in px between the two fields of interlaced video.",
    )
    jpeg: Degradation = Field(default=Degradation(probability=0.2, mild=95.0, severe=40.0), description="Quality, 1 to 100.")
    h264: Degradation = Field(
        default=Degradation(probability=0.06, mild=20.0, severe=34.0),
        description="Quantiser of the P frame; webcams at 0.5 to 3 Mbit/s and 720p lie between 22 and 34.",
    )

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        for name, least, most in (("defocus", 0.0, 4.0), ("scaling", 1.0, 8.0), ("jpeg", 1.0, 100.0), ("h264", 0.0, 51.0)):
            degradation: Degradation = getattr(self, name)
            if not all(least <= value <= most for value in (degradation.mild, degradation.severe)):
                raise ValueError(f"{name} lies between {least:g} and {most:g}")
        return self

    @classmethod
    def none(cls) -> Sensor:
        """Return a sensor that degrades nothing."""
        return cls(**{name: field.default.model_copy(update={"probability": 0.0}) for name, field in cls.model_fields.items()})

    def sample(self, random: np.random.Generator, severity: float = 1.0) -> Degradations:
        """Sample what happens to one picture.

        The same number of random numbers is taken in any case, so that a pair keeps all else when severity changes.

        Args:
            random: Source of the random numbers.
            severity: In [0, 1]; scales probabilities and ranges, 0 is no degradation.
        """
        names = type(self).model_fields
        numbers = random.random((len(names) + 1, 2)).tolist()
        values = {name: getattr(self, name).value(*pair, severity) for name, pair in zip(names, numbers, strict=False)}
        moved_x, moved_y = (STREAM_MOTION * (2.0 * number - 1.0) for number in numbers[-1])
        return Degradations(**values, key=int(random.integers(1 << 32)), moved=(moved_x, moved_y))


KEY_STEP = 0x9E3779B9
"""Between the keys of two exposures. All noise is one row of 2^32 numbers, of which a picture takes those from its key on. The
parts of exposures must not overlap, and multiples of this number (2^32 over the golden ratio) lie far from one another."""


@dataclass(frozen=True)
class Degradations:
    """What happens to one picture: the sampled values, None where something does not occur."""

    highlights: float | None = None
    defocus: float | None = None
    noise: float | None = None
    scaling: float | None = None
    tape: float | None = None
    sharpening: float | None = None
    combing: float | None = None
    jpeg: float | None = None
    h264: float | None = None
    key: int = 0
    """Seed of the noise."""
    moved: tuple[float, float] = (0.0, 0.0)
    """Pixels since the frame before, in the H.264 stream; their direction is also that of the motion between two fields."""

    @property
    def none(self) -> bool:
        """Whether nothing happens to the picture."""
        return not self.record()

    @property
    def between_fields(self) -> tuple[float, float]:
        """Pixels (x, y) by which the picture moves from one field to the other."""
        length = max(float(np.hypot(*self.moved)), 1e-6)
        x, y = self.moved
        return x / length * (self.combing or 0.0), y / length * (self.combing or 0.0)

    def of_exposure(self, number: int) -> Degradations:
        """Return what happens to one exposure of several: the same, with its own noise."""
        return replace(self, key=(self.key + KEY_STEP * number) % (1 << 32))

    def record(self) -> dict[str, float]:
        """Return the values of what occurs, by name."""
        return {name: round(getattr(self, name), 4) for name in Sensor.model_fields if getattr(self, name) is not None}


CLEAN = Degradations()
"""Nothing happens to the picture."""


def disc(radius: float) -> NDArray[np.float32]:
    """Return the kernel of a lens out of focus: a disc of this radius in px with a soft edge, float32 [k, k], its sum 1."""
    reach = int(np.ceil(radius))
    x = np.arange(-reach, reach + 1)
    covered = np.clip(radius + 0.5 - np.hypot(x, x[:, None]), 0.0, 1.0)
    return np.asarray(covered / covered.sum(), np.float32)


def with_defocus(kernel: NDArray[np.float32], degradations: Degradations) -> NDArray[np.float32]:
    """Convolve a kernel, float32 [k, k], with the defocus that follows it, where there is any: float32 [k, k]."""
    if degradations.defocus is None:
        return kernel
    return np.asarray(cv2.filter2D(kernel, -1, disc(degradations.defocus), borderType=cv2.BORDER_CONSTANT), np.float32)


def degrade(intensity: NDArray[np.float32], degradations: Degradations, response: Response) -> NDArray[np.uint8]:
    """Make the picture that a camera and a stream deliver of blurred linear intensity.

    Args:
        intensity: float32 [H, W, 3], 1 for code value 255; more clips. H.264 needs even sides. Highlights are in it already
            (`kernels.sensor.brighten`).
        degradations: What happens to the picture.
        response: Response of the camera.

    Returns:
        uint8 [H, W, 3].
    """
    if degradations.defocus is not None:
        kernel = disc(degradations.defocus)
        reach = kernel.shape[0] // 2
        bordered = cv2.copyMakeBorder(intensity, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
        intensity = convolve(np.asarray(bordered, np.float32), kernel)
    image = np.empty(intensity.shape, np.uint8)
    if degradations.noise is not None:
        shot = degradations.noise / FULL_WELL
        read = (degradations.noise * READ_ELECTRONS / FULL_WELL) ** 2
        write_noisy_codes(intensity, shot, read, degradations.key, response.full, response.to_code, image)
    else:
        write_codes(intensity, response.full, response.to_code, image)
    if degradations.scaling is not None:
        image = down_and_up(image, degradations.scaling)
    if degradations.tape is not None:
        image = taped(image, degradations.tape)
    if degradations.sharpening is not None:
        image = sharpened(image, degradations.sharpening)
    if degradations.combing is not None:
        image = combed(image, degradations.between_fields)
    if degradations.jpeg is not None:
        image = jpeg(image, degradations.jpeg)
    if degradations.h264 is not None:
        image = h264(image, degradations.h264, degradations.moved)
    return image

"""psi-hat, the camera's response: which code value each linear intensity becomes, and back.

Frames are averaged in linear intensity, not in code values (eq. 9 of the paper). A response is a pair of tables, so that every
kernel takes any of them at the same cost; intensities are integers, so that sums over frames are exact whatever their order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError, OptionError
from streamdeblur.kernels.intensity import write_codes
from streamdeblur.known_names import shown, suggestion
from streamdeblur.partial_file import write_file

FINE = 65535
"""Intensity of code value 255 where the response is not linear: the darkest step of sRGB is 20 of these units."""


@dataclass(frozen=True, eq=False)
class Response:
    """A camera response as two tables."""

    name: str
    to_intensity: NDArray[np.uint16]
    """Linear intensity of each code value: uint16 [256], rising from 0."""
    to_code: NDArray[np.uint8]
    """Nearest code value of each intensity: uint8 [full + 1]."""

    def __post_init__(self) -> None:
        intensity = self.to_intensity.astype(np.int64)
        if intensity.shape != (256,) or intensity[0] != 0 or intensity[-1] < 255 or (np.diff(intensity) <= 0).any():
            raise ValueError(f"A response rises from 0 over 256 code values (got {self.name!r}: {intensity[:4]} ...).")

    def __repr__(self) -> str:
        return f"Response({self.name}, intensity 0 to {self.full})"

    @property
    def full(self) -> int:
        """The intensity of code value 255: 255 for `identity`, 65535 for all others."""
        return int(self.to_intensity[-1])

    @classmethod
    def from_curve(cls, name: str, curve: NDArray[np.floating], full: int = FINE) -> Response:
        """Make a response from the curve of its intensities.

        Neighbouring code values differ by at least one unit of intensity, so that every code value is recovered.

        Args:
            name: Name of the response.
            curve: Intensity of each code value, [256], in [0, 1] and not falling.
            full: Integer intensity of code value 255.
        """
        codes = np.arange(256)
        rising = np.maximum.accumulate(np.rint(np.clip(curve, 0.0, 1.0) * full) - codes) + codes
        intensity = np.minimum(rising, full - 255 + codes).astype(np.uint16)
        # halfway between the intensities of two code values the nearer one changes
        borders = (intensity[1:].astype(np.float64) + intensity[:-1]) / 2
        return cls(name, intensity, np.searchsorted(borders, np.arange(full + 1), side="right").astype(np.uint8))

    def linearise(self, image: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return the intensity of each sample of an image: uint8 of any shape to uint16 in [0, full]."""
        return self.to_intensity[image]

    def develop(self, intensity: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return the code values of integer intensities of any shape: uint8; intensities above `full` clip."""
        codes: NDArray[np.uint8] = self.to_code[np.clip(intensity, 0, self.full)]
        return codes

    def save(self, path: Path) -> None:
        """Write the response as a small JSON file, which `open_response("fitted:PATH")` reads.

        Raises:
            OutputError: It cannot be written.
        """
        write_file(path, json.dumps({"light": [round(v / self.full, 7) for v in self.to_intensity.tolist()]}) + "\n")


def intensity_table(response: Response) -> NDArray[np.float32]:
    """Return the linear intensity of each code value, 1 for 255: float32 [256]."""
    return response.to_intensity.astype(np.float32) / np.float32(response.full)


def develop(intensity: NDArray[np.float32], response: Response) -> NDArray[np.uint8]:
    """Return the code values of linear intensity (1 for code value 255; more clips): float32 of any shape to uint8."""
    out = np.empty(intensity.shape, np.uint8)
    write_codes(intensity, response.full, response.to_code, out)
    return out


@cache
def identity() -> Response:
    """Return the response that takes code values for intensities, as the paper's plain averages do: integer-exact."""
    return Response.from_curve("identity", np.arange(256) / 255, full=255)


@cache
def srgb() -> Response:
    """Return the sRGB curve of IEC 61966-2-1."""
    code = np.arange(256) / 255
    return Response.from_curve("srgb", np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4))


def gamma(exponent: float) -> Response:
    """Return a power function.

    Raises:
        OptionError: The exponent is outside [0.5, 5].
    """
    if not 0.5 <= exponent <= 5.0:
        raise OptionError(f"The exponent of a gamma response lies between 0.5 and 5 (got {exponent:g}).")
    return Response.from_curve(f"gamma:{exponent:g}", (np.arange(256) / 255) ** exponent)


def fitted(path: Path) -> Response:
    """Read a response that `fit_response` fitted and `Response.save` wrote.

    Raises:
        InputError: The file cannot be read, or does not hold a rising curve of 256 values.
    """
    try:
        curve = np.array(json.loads(path.read_text(encoding="utf-8"))["light"], np.float64)
    except OSError as error:
        raise InputError(f"Cannot read the response {path}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f'{path} is not a fitted response: a JSON file {{"light": [256 rising values from 0 to 1]}}.') from None
    rising = curve.shape == (256,) and curve[0] == 0 and curve[-1] == 1 and bool((np.diff(curve) >= 0).all())
    if not rising:
        raise InputError(f"{path} is not a fitted response: its 'light' must be 256 rising values from 0 to 1.")
    return Response.from_curve(f"fitted:{path}", curve)


RESPONSES = ("identity", "srgb", "gamma:EXPONENT", "fitted:FILE.json")


def open_response(name: str) -> Response:
    """Open a response by name.

    Args:
        name: identity, srgb, gamma:EXPONENT (gamma alone: 2.2) or fitted:FILE.json.

    Raises:
        OptionError: There is no response of this name.
        InputError: A fitted response cannot be read.
    """
    kind, _, value = name.partition(":")
    if kind == "fitted" and value:
        return fitted(Path(value))
    if kind == "gamma":
        try:
            return gamma(float(value or 2.2))
        except ValueError:
            raise OptionError(f"Unknown response {shown(name)}. Write gamma:2.2.") from None
    if name not in ("identity", "srgb"):
        raise OptionError(f"Unknown response {shown(name)}. {suggestion(name, RESPONSES)}")
    return identity() if name == "identity" else srgb()

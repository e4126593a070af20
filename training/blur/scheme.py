"""BlurScheme: a way in which sharp faces become blurry ones, and its spelling in commands, configurations and records.

To add a scheme, add its kind and spelling here, which frames it averages in `averaging.find_window`, and what its callers pass to
`exposures.expose`: `streaming` (blurred videos), `datasets.pair_maker` (training) and `evaluation.case_maker`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from pydantic_core import CoreSchema, core_schema

from streamdeblur.errors import OptionError
from streamdeblur.known_names import shown, suggestion

Kind = Literal["vla", "pravg", "synthetic", "mild", "sharp", "real-blur", "as-is"]

Growth = Literal["symmetric", "sequential"]
"""How the window of VLA grows: by a frame at either side of its middle frame, or by one frame after the other."""
Family = Literal["markov", "handshake"]
"""What moves the camera of synthetic blur; see `trajectories`."""

SPELLINGS = (
    "vla", "vla:sequential", "vla+camera", "vla+camera:sequential", "pravg", "pravg:L", "pravg+camera", "pravg+camera:L",
    "synthetic", "synthetic:markov", "synthetic:handshake", "mild", "sharp", "real-blur", "as-is",
)  # fmt: skip
"""All schemes; L stands for a number of frames."""
LONGEST = 255
"""Most frames of an average."""


def is_odd_length(length: int) -> bool:
    """Return whether an average of this many frames has a middle frame: an odd number, 3 or more."""
    return length >= 3 and length % 2 == 1


@dataclass(frozen=True)
class BlurScheme:
    """A way in which sharp faces become blurry ones, spelled ``KIND[+camera][:DETAIL]``.

    - ``vla``: variable length averaging, as many frames of a clip as the stop rules allow (Sec. 3.4 of the paper), a frame at
      either side of the middle one at a time; ``vla:sequential``: one frame after the other, so that the middle one moves;
    - ``pravg:L``: predefined averaging of L frames of a clip, the middle one is the sharp one; without L, as in the mix of a
      recipe, the length is sampled for each pair;
    - ``vla+camera``, ``pravg+camera:L``: the same while a hand-held camera shakes;
    - ``synthetic``: convolution with a random kernel of a shaking camera, of either family; ``synthetic:markov``: of those of
      Kupyn et al. 2018 alone; ``synthetic:handshake``: in the manner of Hradis et al. 2015 alone; ``mild``: with a kernel that
      hardly shows;
    - ``sharp``: no blur; ``as-is``: faces that are blurry already, without a sharp counterpart; ``real-blur``: those frames of a
      clip that were blurred when they were filmed.
    """

    kind: Kind
    length: int = 0
    """Frames of an average of PrAvg; 0 where the scheme does not fix it."""
    camera: bool = False
    """Whether a camera shakes during an average."""
    growth: Growth = "symmetric"
    """How the windows of VLA grow."""
    family: Family | None = None
    """What moves the camera of synthetic blur; None takes either."""

    @classmethod
    def parse(cls, text: str, known: Sequence[str] = SPELLINGS, name: str = "blur scheme") -> BlurScheme:
        """Parse the spelling of a scheme.

        Args:
            text: Such as ``vla+camera`` or ``pravg:11``.
            known: Those of `SPELLINGS` that are accepted.
            name: What the error message calls it.

        Raises:
            OptionError: It is none of those that are known; the message lists them.
        """
        stem, _, detail = text.partition(":")
        kind, _, camera = stem.partition("+")
        length = int(detail) if detail.isdecimal() and len(detail) <= 3 else 0
        numbered = f"{stem}:L" in known and is_odd_length(length) and length <= LONGEST
        if not numbered and (text not in known or detail == "L"):
            frames = f" (L: an odd number of frames from 3 to {LONGEST}, such as pravg:11)"
            listed = suggestion(text, known).removesuffix(".") + frames * any(spelling.endswith(":L") for spelling in known)
            raise OptionError(f"Unknown {name} {shown(text)}. {listed}.")
        growth: Growth = "sequential" if detail == "sequential" else "symmetric"
        family = cast(Family, detail) if detail in get_args(Family) else None
        return cls(cast(Kind, kind), length, bool(camera), growth, family)

    def __str__(self) -> str:
        detail = self.length or self.family or ("sequential" if self.growth == "sequential" else "")
        return f"{self.kind}{'+camera' * self.camera}{f':{detail}' if detail else ''}"

    @property
    def averages(self) -> bool:
        """Whether it averages sequential frames of a clip."""
        return self.kind in ("vla", "pravg")

    @property
    def is_real(self) -> bool:
        """Whether its faces are blurry already, so that their sharp version is unknown."""
        return self.kind in ("as-is", "real-blur")


class Accepts:
    """The schemes that a setting accepts, as text or as values: ``Annotated[BlurScheme, Accepts("vla", "pravg:L")]``.

    Others raise the OptionError of `BlurScheme.parse`.
    """

    def __init__(self, *known: str, name: str = "blur scheme") -> None:
        """Create it.

        Args:
            known: Those of `SPELLINGS` that are accepted.
            name: What the error message calls a scheme.
        """
        self.known, self.name = known, name

    @property
    def words(self) -> str:
        """What is allowed, for messages."""
        return f"one of {', '.join(self.known)}"

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check, serialization=core_schema.to_string_ser_schema())

    def _check(self, value: object) -> BlurScheme:
        if not isinstance(value, str | BlurScheme):
            raise ValueError(f"must be {self.words}")
        return BlurScheme.parse(str(value), self.known, self.name)

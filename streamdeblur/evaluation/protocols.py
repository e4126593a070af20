"""BlurProtocol: makes blurry faces of a data set, or runs of them (Sec. 5.2 of the paper, and the product's own tasks)."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal, Protocol, TypeVar

from pydantic_core import CoreSchema, core_schema

from streamdeblur.errors import InputError, OptionError
from streamdeblur.evaluation.case_maker import CaseMaker
from streamdeblur.evaluation.cases import Case, Comparison, Run
from streamdeblur.evaluation.metrics.fidelity import psnr
from streamdeblur.evaluation.run_maker import RunMaker
from streamdeblur.evaluation.sources.dataset import DataSet, EvaluationClip, EvaluationStill
from streamdeblur.training.blur.averaging import SHORTEST
from streamdeblur.training.blur.response import open_response
from streamdeblur.training.blur.scheme import BlurScheme

logger = logging.getLogger(__name__)

SCHEMES = (
    "pravg:L", "pravg+camera:L", "vla", "vla:sequential", "vla+camera", "vla+camera:sequential", "synthetic",
    "synthetic:markov", "synthetic:handshake", "real-blur", "as-is", "sharp",
)  # fmt: skip
"""The blur schemes that are protocols: those that define the blur of a face completely."""

Frames = Literal["runs", "sliding", ""]
PREFIXES: tuple[Frames, ...] = ("runs", "sliding")
"""What a protocol begins with that makes runs of exposures."""

Item = EvaluationStill | EvaluationClip
ItemT = TypeVar("ItemT", bound=Item)
MadeT = TypeVar("MadeT")
MadeT_co = TypeVar("MadeT_co", covariant=True)


@dataclass(frozen=True)
class BlurProtocol:
    """A way to make blurry faces of a data set.

    - ``pravg:L``: L frames of a clip are averaged, the middle one is the sharp face (predefined averaging);
    - ``vla``: as many frames as the paper's rules allow (variable length averaging, Sec. 3.4), a frame at either side of the
      sharp one at a time; ``vla:sequential``: one frame after the other, as the paper describes it;
    - ``pravg+camera:L``, ``vla+camera``: the same with the shake of a hand-held camera, over 4 to 24 px;
    - ``synthetic``: one random kernel of 4 to 34 px, on pictures or on the sharp frames of ``vla:sequential`` (in runs on any
      frames), of either family; ``synthetic:markov``: of those of Kupyn et al. 2018, as in the paper's tests;
      ``synthetic:handshake``: in the manner of Hradis et al. 2015;
    - ``real-blur``: the frames of clips that were blurred when they were filmed; the nearest sharp frame of the same track is the
      reference of the person (Sec. 5.6; `real_blur`);
    - ``as-is``: faces that are blurry already, with a sharp reference of the person or without;
    - ``sharp``: sharp faces, which a method should leave as they are.

    ``runs:SCHEME`` makes runs of consecutive exposures that do not overlap (`RunMaker`); of averages, each begins where the one
    before ends. ``sliding:SCHEME`` makes averages of which each begins one frame after the one before.
    """

    scheme: BlurScheme
    frames: Frames = ""
    """How the exposures of a run follow each other; '' makes single faces."""

    @classmethod
    def parse(cls, text: str) -> BlurProtocol:
        """Parse a protocol, such as ``pravg:11``.

        Raises:
            OptionError: It is unknown; the message lists the known ones.
        """
        prefix, colon, stem = text.partition(":")
        frames: Frames = next((known for known in PREFIXES if colon and prefix == known), "")
        scheme = BlurScheme.parse(stem if frames else text, SCHEMES, "protocol")
        if frames == "sliding" and not scheme.averages:
            raise OptionError(f"'{text}' is no protocol: only averages slide, such as sliding:pravg:11.")
        return cls(scheme, frames)

    def __str__(self) -> str:
        return f"{self.frames}:{self.scheme}" if self.frames else str(self.scheme)

    def cases(
        self,
        data: DataSet,
        limit: int | None,
        seed: int,
        response: str = "identity",
        noise: float = 0.0,
        visible: float | None = None,
        stride: int = 1,
    ) -> Iterator[Case]:
        """Make blurry faces of a data set.

        Each case depends only on the seed and its own name, and the cases of a smaller limit are among those of a larger one,
        except for a few where clips are short. Cases alternate between people, and each clip contributes one case before any
        contributes a second; in data with comparisons, both faces of one follow each other. Data that cannot be read are left
        out with a warning.

        Args:
            data: The data set.
            limit: Number of cases at most, above 0; None makes all.
            seed: Of the blur and of the choice of faces.
            response: The camera response: identity, srgb, gamma:EXPONENT or fitted:FILE.json.
            noise: Standard deviation in code values of the noise of the blurry faces.
            visible: PSNR in dB above which a blurry face shows hardly any blur, and is left out; None keeps all.
            stride: Fewest frames from one face of a clip to the next; of averages and synthetic blur, fewest distinct ones.

        Raises:
            InputError: The data cannot serve this protocol, or (at the end) there was no case; the message says what it needs.
            OptionError: The response is unknown.
        """
        maker = replace(self._maker(data, seed, response, noise), stride=stride)
        return self._make(data, limit, seed, lambda item: _visible(_made_of(item, maker), visible, lambda case: case))

    def runs(
        self,
        data: DataSet,
        limit: int | None,
        seed: int,
        response: str = "identity",
        noise: float = 0.0,
        visible: float | None = None,
    ) -> Iterator[Run]:
        """Make runs of consecutive exposures of a data set, in the order of `cases`.

        Args:
            data: The data set.
            limit: Number of runs at most, above 0; None makes all.
            seed: Of the blur and of the choice of faces.
            response: The camera response.
            noise: Standard deviation in code values of the noise of each exposure.
            visible: As for `cases`; that of the present exposure counts.

        Raises:
            InputError: As by `cases`.
            OptionError: The response is unknown.
        """
        maker = RunMaker(self._maker(data, seed, response, noise), self.frames == "sliding")
        return self._make(data, limit, seed, lambda item: _visible(_made_of(item, maker), visible, lambda run: run[-1]))

    def _maker(self, data: DataSet, seed: int, response: str, noise: float) -> CaseMaker:
        maker = CaseMaker(self.scheme, open_response(response), seed, noise)
        if self._of_clips and not data.clips:
            others = "Give videos, or one of: synthetic, as-is, sharp."
            use = "averages" if self.scheme.averages else "looks for blurry"
            raise InputError(f"The protocol {self} {use} frames of clips, and {data.name} holds none ({data.kind}). {others}")
        return maker

    @property
    def _of_clips(self) -> bool:
        """Whether it needs clips, and pictures are of no use."""
        return self.scheme.averages or self.scheme.kind == "real-blur"

    def sequences(
        self, data: DataSet, clips: int, length: int, seed: int, response: str = "identity", noise: float = 0.0
    ) -> list[list[Case]]:
        """Make blurry sequences of consecutive frames; see `CaseMaker.sequence`.

        Args:
            data: The data set.
            clips: Number of sequences at most; each is of another clip.
            length: Frames of each sequence.
            seed: Of the blur and of the choice of clips.
            response: The camera response.
            noise: Standard deviation in code values of the noise of each frame.

        Returns:
            Fewer sequences, or none, if the data have no such frames or the protocol makes none.

        Raises:
            OptionError: The response is unknown.
        """
        maker = CaseMaker(self.scheme, open_response(response), seed, noise)
        found: list[list[Case]] = []
        for clip in fair_order(data.clips, (), seed):
            if len(found) == clips:
                break
            with suppress(InputError):
                sequence = maker.sequence(clip, length)
                found += [sequence] if sequence else []
        return found

    def _make(self, data: DataSet, limit: int | None, seed: int, make: Callable[[Item], Iterator[MadeT]]) -> Iterator[MadeT]:
        items: list[Item] = [*data.clips] if self._of_clips else [*data.stills, *data.clips]
        made = 0
        for number, item in enumerate(fair_order(items, data.comparisons, seed)):
            # an equal part of the rest: later items make up for those that have fewer cases
            count = None if limit is None else -(-(limit - made) // (len(items) - number))
            if count == 0:
                return
            try:
                for one in islice(make(item), count):
                    made += 1
                    yield one
            except InputError as error:
                logger.warning("%s is left out: %s", item.name, error)
        if not made:
            raise InputError(f"The protocol {self} finds nothing to work on in {data.name}: {self._needs()}")

    def _needs(self) -> str:
        if self.scheme.kind == "real-blur":
            return "it needs clips in which a face moves so fast that it is blurred, and is sharp at other times."
        if self.frames:
            return "it needs clips that are long enough for a run of exposures, without a cut."
        if self.scheme.kind == "synthetic":
            return f"it needs pictures that can be read, or clips with {SHORTEST} consecutive frames that differ, without a cut."
        if not self.scheme.averages:
            return "none of its faces can be read."
        length = self.scheme.length
        return (
            f"it needs {f'{length} consecutive frames that differ, without a cut' if length else 'clips in which a face moves'}."
        )


class AcceptsProtocols:
    """The protocols that a setting accepts, as text or as values: ``Annotated[BlurProtocol, AcceptsProtocols()]``."""

    words = f"one of {', '.join(SCHEMES)}, or runs: or sliding: and one of these"
    """What is allowed, for messages."""

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check, serialization=core_schema.to_string_ser_schema())

    def _check(self, value: object) -> BlurProtocol:
        if not isinstance(value, str | BlurScheme | BlurProtocol):
            raise ValueError(f"must be {self.words}")
        return BlurProtocol.parse(str(value))


class _Maker(Protocol[MadeT_co]):
    """What makes cases, or runs, of a picture or a clip."""

    def still(self, still: EvaluationStill, /) -> Iterator[MadeT_co]: ...

    def clip(self, clip: EvaluationClip, /) -> Iterator[MadeT_co]: ...


def _made_of(item: Item, maker: _Maker[MadeT]) -> Iterator[MadeT]:
    return maker.still(item) if isinstance(item, EvaluationStill) else maker.clip(item)


def _visible(made: Iterator[MadeT], limit: float | None, present: Callable[[MadeT], Case]) -> Iterator[MadeT]:
    """Those whose blur shows: the PSNR of the blurry face is at most the limit."""
    for one in made:
        case = present(one)
        if limit is None or case.sharp is None or psnr(case.blurry, case.sharp) <= limit:
            yield one


def fair_order(items: Sequence[ItemT], comparisons: Sequence[Comparison], seed: int) -> list[ItemT]:
    """Order items so that any number of first ones is a fair choice.

    The first item of every person, in random order, comes before the second of anyone, and so on. Of data with comparisons: the
    first item of every group that is compared, pair by pair, with folds and with same and different people alternating.
    """
    owners: dict[str, list[ItemT]] = defaultdict(list)
    for item in items:
        owners[item.group if comparisons else item.identity or item.group].append(item)
    ranks = {name: rank for rank, name in enumerate(_compared_groups(comparisons))}
    random_key = _random_key(seed)

    def rank_of(owner: str) -> tuple[int, bytes]:
        return ranks.get(owner, len(ranks)), random_key(owner)

    in_order = [sorted(owners[owner], key=lambda item: random_key(item.name)) for owner in sorted(owners, key=rank_of)]
    longest = max(map(len, in_order), default=0)
    return [own[turn] for turn in range(longest) for own in in_order if turn < len(own)]


def _compared_groups(comparisons: Sequence[Comparison]) -> list[str]:
    """Names of the groups that are compared: one comparison of each fold and kind after the other."""
    kinds: dict[tuple[int, bool], list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        kinds[comparison.fold, comparison.same].append(comparison)
    ranked = [(rank, one) for of_kind in kinds.values() for rank, one in enumerate(of_kind)]
    ranked.sort(key=lambda both: both[0])
    return list(dict.fromkeys(name for _, one in ranked for name in (one.first, one.second)))


def _random_key(seed: int) -> Callable[[str], bytes]:
    """A random sort key for every name, independent of all other names."""
    return lambda name: hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogatepass")).digest()


def comparisons_of(data: DataSet, cases: Sequence[Case]) -> list[Comparison]:
    """Return the comparisons of a data set's groups of which both have cases."""
    groups = {case.group for case in cases}
    return [one for one in data.comparisons if one.first in groups and one.second in groups]

"""Protocol: how a data set becomes blurry faces to restore (Sec. 5.2 of the paper, and the product's own tasks)."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import cast

from streamdeblur.errors import InputError
from streamdeblur.evaluation.blurring import Blurring
from streamdeblur.evaluation.cases import Case, Comparison
from streamdeblur.evaluation.sources.dataset import Clip, DataSet, Still
from streamdeblur.training.blur.response import open_response
from streamdeblur.training.blur.scheme import BlurScheme

log = logging.getLogger(__name__)

SCHEMES = ("pravg:L", "pravg+camera:L", "vla", "vla+camera", "synthetic", "as-is", "sharp")

Item = Still | Clip


@dataclass(frozen=True)
class Protocol:
    """How blurry faces are made.

    - ``pravg:L``: L frames of a clip are averaged, the middle one is the sharp face (predefined averaging);
    - ``vla``: as many frames as the paper's rules allow (variable length averaging, Sec. 3.4);
    - ``pravg+camera:L``, ``vla+camera``: the same while a hand-held camera shakes, over 4 to 24 px;
    - ``synthetic``: one random kernel of 4 to 34 px, on pictures or frames of clips;
    - ``as-is``: blurry faces as they are, with a sharp reference of the person or none;
    - ``sharp``: sharp faces, which must not get worse.
    """

    scheme: BlurScheme

    @classmethod
    def parse(cls, text: str) -> Protocol:
        """A protocol from its name, such as ``pravg:11``.

        Raises:
            OptionError: it is none; the message lists those that are known.
        """
        return cls(BlurScheme.parse(text, SCHEMES, "protocol"))

    def __str__(self) -> str:
        return str(self.scheme)

    def cases(self, data: DataSet, limit: int | None, seed: int, response: str = "identity") -> Iterator[Case]:
        """Blurry faces of a data set: `limit` at most, or all there are.

        Each depends on the seed and its own name alone, and those of a smaller limit are among those of a larger one, but for a
        few where clips are short. Every clip has its turn before one has a second, people in turns; of data with comparisons,
        both faces of one come one after the other. What cannot be read is left out with a warning.

        limit: above 0; response: where light adds up: identity, srgb, gamma:EXPONENT or fitted:FILE.json.

        Raises:
            InputError: the data cannot serve this protocol; the message says what it needs. At the end, if there was no case.
            OptionError: the response is not known.
        """
        blurring = Blurring(self.scheme, open_response(response), seed)
        if self.scheme.averages and not data.clips:
            raise InputError(f"The protocol {self} averages frames of clips, and {data.name} holds none ({data.kind}). {_OTHERS}")
        return self._dealt(data, limit, blurring)

    def runs(self, data: DataSet, clips: int, length: int, seed: int, response: str = "identity") -> list[list[Case]]:
        """Blurry frames in a row, `length` of each of so many clips at most; see `Blurring.run`. Fewer, or none, where the data
        have no such frames or this protocol makes none.

        Raises:
            OptionError: the response is not known.
        """
        blurring = Blurring(self.scheme, open_response(response), seed)
        found: list[list[Case]] = []
        for item in in_turn([*data.clips], (), seed):
            if len(found) == clips:
                break
            with suppress(InputError):
                run = blurring.run(cast(Clip, item), length)
                found += [run] if run else []
        return found

    def _dealt(self, data: DataSet, limit: int | None, blurring: Blurring) -> Iterator[Case]:
        items: list[Item] = [*data.clips] if self.scheme.averages else [*data.stills, *data.clips]
        made = 0
        for number, item in enumerate(in_turn(items, data.comparisons, blurring.seed)):
            # an equal share of what is left: what one cannot give, those after it do
            share = None if limit is None else -(-(limit - made) // (len(items) - number))
            if share == 0:
                return
            try:
                for case in islice(_cases_of(item, blurring), share):
                    made += 1
                    yield case
            except InputError as error:
                log.warning("Warning: %s is left out: %s", item.name, error)
        if not made:
            length = self.scheme.length
            wanted = f"{length} frames in a row that differ, without a cut" if length else "clips in which a face moves"
            needs = f"it needs {wanted}." if self.scheme.averages else "none of its faces can be read."
            raise InputError(f"The protocol {self} finds nothing to work on in {data.name}: {needs}")


_OTHERS = "Give videos, or one of: synthetic, as-is, sharp."


def _cases_of(item: Item, blurring: Blurring) -> Iterator[Case]:
    return blurring.still(item) if isinstance(item, Still) else blurring.clip(item)


def in_turn(items: Sequence[Item], comparisons: Sequence[Comparison], seed: int) -> list[Item]:
    """Items in an order whose every beginning is a fair choice of them.

    The first of every person, in random order, then the second of everyone who has one, and so on. Of data with comparisons: the
    first of every group that is compared, pair by pair, folds and same and different people in turns.
    """
    owners: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        owners[item.group if comparisons else item.identity or item.group].append(item)
    turns = {name: turn for turn, name in enumerate(_compared(comparisons))}
    chance = _chance(seed)

    def turn_of(owner: str) -> tuple[int, bytes]:
        return turns.get(owner, len(turns)), chance(owner)

    in_order = [sorted(owners[owner], key=lambda item: chance(item.name)) for owner in sorted(owners, key=turn_of)]
    longest = max(map(len, in_order), default=0)
    return [own[turn] for turn in range(longest) for own in in_order if turn < len(own)]


def _compared(comparisons: Sequence[Comparison]) -> list[str]:
    """Names of what is compared: one comparison of each fold and kind after the other."""
    kinds: dict[tuple[int, bool], list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        kinds[comparison.fold, comparison.same].append(comparison)
    ranked = [(rank, one) for of_kind in kinds.values() for rank, one in enumerate(of_kind)]
    ranked.sort(key=lambda both: both[0])
    return list(dict.fromkeys(name for _, one in ranked for name in (one.first, one.second)))


def _chance(seed: int) -> Callable[[str], bytes]:
    """A random place for every name, which does not depend on what else there is."""
    return lambda name: hashlib.sha256(f"{seed}\0{name}".encode()).digest()


def comparisons_of(data: DataSet, cases: Sequence[Case]) -> list[Comparison]:
    """The comparisons of a data set, of cases: of the first case of each group. Those without cases for both are left out."""
    first: dict[str, str] = {}
    for case in cases:
        first.setdefault(case.group, case.name)
    return [
        replace(one, first=first[one.first], second=first[one.second])
        for one in data.comparisons
        if one.first in first and one.second in first
    ]

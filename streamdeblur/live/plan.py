"""What a live stream restores with the time that it has: by which network, in crops of which size, how many faces, at which rate.

Nothing here measures, waits or looks at a clock: measured costs and the time come in, a plan comes out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from streamdeblur.faces.crop_size import smallest_fitting

BUDGET_SHARE = 0.85
"""Share of the time between two frames that a frame may take; the rest is for pasting and showing."""
FULL, ROOM = 0.95, 0.75
"""Share of its budget that a frame may be expected to take by the plan that is followed, and by a better one that replaces it."""
TIGHT = 1.3
"""How much more than that a frame with one face may take, before the rate falls below a smooth one: its frames come later, and
faster than they go on average."""
SMOOTH_FPS, LOWEST_FPS = 24.0, 10.0
"""Frames per second that are kept before a face is left out, and before all faces are."""
MOST_LEFT_OUT = 60
"""Largest n of which every n-th frame is shown."""
FIRST_HOLD, LONGEST_HOLD = 2.0, 60.0
"""Seconds for which a better plan must fit before it replaces the present one; doubled each time when that was too much."""
OVERLOADS = 2
"""Successive looks that must find the present plan too slow."""


@dataclass(frozen=True)
class Costs:
    """What a frame costs on this machine, in this stream."""

    faces: Mapping[tuple[str, int], float]
    """Seconds for a face, by the network and the side of the crop; networks in the order of their quality, best first."""
    rest: float
    """Seconds that a frame takes beside its faces."""
    parallel: int = 1
    """Faces that are restored at the same time, each in the time of one."""

    @cached_property
    def networks(self) -> list[str]:
        """The networks, best first."""
        return list(dict.fromkeys(network for network, _ in self.faces))

    def sizes(self, network: str) -> list[int]:
        """Return the sides of the crops that a network takes, smallest first."""
        return sorted(size for name, size in self.faces if name == network)

    def worthwhile(self, network: str) -> list[int]:
        """Return those of the sides in which the network is worth its time, smallest first.

        In half of its largest crop and less, the next network restores more in as little time (docs/results.md).
        """
        sizes = self.sizes(network)
        return sizes if network == self.networks[-1] else [size for size in sizes if 2 * size > sizes[-1]]

    def up_to(self, network: str) -> Costs:
        """Return the costs of a network and of those that are not as good."""
        names = self.networks[self.networks.index(network) :] if network in self.networks else self.networks
        return replace(self, faces={face: seconds for face, seconds in self.faces.items() if face[0] in names})

    def seconds(self, sides: Sequence[float], network: str, smallest_crop: int, largest_crop: int) -> float:
        """Return the time of a frame in which faces with windows of these sides are restored."""
        sizes = [size for size in self.sizes(network) if smallest_crop <= size <= largest_crop]
        return self.rest + time_together((self.faces[network, smallest_fitting(side, sizes)] for side in sides), self.parallel)


def time_together(seconds: Iterable[float], parallel: int) -> float:
    """Return the time of pieces of work of which several are done at the same time, the longest ones first."""
    ends = [0.0] * parallel
    for piece in sorted(seconds, reverse=True):
        ends[ends.index(min(ends))] += piece
    return max(ends)


@dataclass(frozen=True)
class Wanted:
    """What a stream asks for."""

    sides: tuple[float, ...]
    """Sides in pixels of the windows of the faces to restore, the most important one first."""
    interval: float
    """Seconds between two frames."""
    budget: float | None = None
    """Seconds that a frame may take, where the user has set it."""
    small_crops: bool = False
    """Whether small faces are restored in smaller crops even where there is time for large ones."""

    def limit(self, every: int) -> float:
        """Return the seconds that a frame may take if every n-th one is restored and shown."""
        return BUDGET_SHARE * self.interval * every if self.budget is None else min(self.budget, self.interval * every)

    def rates(self, lowest_fps: float) -> range:
        """Return for which n every n-th frame is at least this rate, or as many as are left with the budget that was set."""
        slowest = math.floor(1 / (self.interval * lowest_fps) + 1e-9)
        if self.budget is not None:
            slowest = max(slowest, math.ceil(self.budget / self.interval - 1e-9))
        return range(1, min(max(1, slowest), MOST_LEFT_OUT) + 1)


@dataclass(frozen=True)
class Plan:
    """What is restored."""

    network: str
    largest_crop: int
    """Side of the largest crop; larger windows are reduced to it."""
    faces: int
    """Number of faces at most."""
    every: int = 1
    """Every n-th frame is restored and shown; the others are left out."""
    tight: bool = False
    """Whether frames may take more of their time than usual; never more than the user has set."""
    smallest_crop: int = 0
    """Side of the smallest crop, to which smaller windows are enlarged. By default that of the largest: the network restores the
    same face the better, the larger it is in the crop."""

    def __post_init__(self) -> None:
        if not self.smallest_crop:
            object.__setattr__(self, "smallest_crop", self.largest_crop)

    def seconds(self, costs: Costs, wanted: Wanted) -> float:
        """Return the time that a frame is expected to take."""
        return costs.seconds(wanted.sides[: self.faces], self.network, self.smallest_crop, self.largest_crop)

    def fits(self, costs: Costs, wanted: Wanted, share: float = FULL) -> bool:
        """Return whether a frame is expected to take at most a share of its budget."""
        return not self.faces or self.seconds(costs, wanted) <= share * self.limit(wanted)

    def limit(self, wanted: Wanted) -> float:
        """Return the seconds that a frame may take."""
        return wanted.limit(self.every) * (TIGHT if self.tight and wanted.budget is None else 1.0)


def choose(costs: Costs, wanted: Wanted, share: float = FULL) -> Plan:
    """Return the first plan of `preferences` that fits, for as many more faces as fit as well."""
    sides = wanted.sides or (float(max(size for _, size in costs.faces)),)
    wanted = replace(wanted, sides=sides)
    plan = next(plan for plan in preferences(costs, wanted) if plan.fits(costs, wanted, share))
    return replace(plan, faces=_capacity(plan, costs, wanted, share))


def preferences(costs: Costs, wanted: Wanted) -> Iterator[Plan]:
    """Yield the plans from the best one to none at all.

    All faces are restored rather than few of them, and each by smaller crops rather than by a worse network, as long as they
    are more than half as large; small faces get smaller crops first, as long as they fit into them. A rate that still looks
    smooth is given up before a face is, and a lower one before the last face is; before that, its frames may come late.
    """
    for faces in range(len(wanted.sides), 0, -1):
        for every in wanted.rates(SMOOTH_FPS):
            yield from _of_all_networks(costs, faces, every, wanted.small_crops)
    for every in wanted.rates(SMOOTH_FPS):
        yield from (replace(plan, tight=True) for plan in _of_all_networks(costs, 1, every, wanted.small_crops))
    for every in wanted.rates(LOWEST_FPS):
        yield from _of_all_networks(costs, 1, every, wanted.small_crops)
    network = costs.networks[-1]
    yield Plan(network, costs.sizes(network)[0], 0)


def _of_all_networks(costs: Costs, faces: int, every: int, small_crops: bool) -> Iterator[Plan]:
    for network in costs.networks:
        sizes = costs.worthwhile(network)
        # small faces lose more by a smaller crop than large ones do by not having a larger one
        for smallest in sizes[:1] if small_crops else reversed(sizes):
            for largest in reversed(sizes[sizes.index(smallest) :]):
                yield Plan(network, largest, faces, every, smallest_crop=smallest)


def _capacity(plan: Plan, costs: Costs, wanted: Wanted, share: float) -> int:
    """Number of faces that fit: those of the plan, and more of the mean cost of them."""
    if plan.faces < len(wanted.sides) or plan.tight:
        return plan.faces
    spare = share * wanted.limit(plan.every) - plan.seconds(costs, wanted)
    each = (plan.seconds(costs, wanted) - costs.rest) / plan.faces
    return plan.faces + (int(spare / each) if each > 0 else plan.faces)


class Planner:
    """Follows a stream with a plan: leaves one that is too slow at once, and takes a better one when it has fitted for a while.

    Attributes:
        plan: The present one.
    """

    def __init__(self, plan: Plan) -> None:
        """Begin with a plan, which the first costs that were measured replace."""
        self.plan = plan
        self._begun = False
        self._overloads = 0
        self._hold = FIRST_HOLD
        self._better_since: float | None = None

    def __repr__(self) -> str:
        return f"Planner({self.plan})"

    def update(self, costs: Costs, wanted: Wanted, now: float) -> bool:
        """Look at what was measured in the last second.

        Args:
            costs: What a frame costs.
            wanted: The faces that a frame has.
            now: The time in seconds.

        Returns:
            Whether the plan has changed.
        """
        if not wanted.sides:
            return False
        before, fits = self.plan, self.plan.fits(costs, wanted)
        self._overloads = 0 if fits else self._overloads + 1
        # a better network is not opened where it would just fit, and never because the present one is too slow
        fitting, better = choose(costs.up_to(self.plan.network), wanted), choose(costs, wanted, ROOM)
        if not self._begun:
            self.plan, self._begun = min(fitting, better, key=lambda plan: _rank(plan, costs, wanted)), True
        elif self._overloads >= OVERLOADS:
            self._leave(fitting)
        elif fits and _rank(better, costs, wanted) < _rank(self.plan, costs, wanted):
            self._approach(better, now)
        else:
            self._better_since = None
            if fits:
                self._keep(fitting)
        return self.plan != before

    def _leave(self, plan: Plan) -> None:
        """Take a plan in place of one that is too slow."""
        self._hold = min(LONGEST_HOLD, 2 * self._hold)
        self.plan, self._overloads, self._better_since = plan, 0, None

    def _approach(self, better: Plan, now: float) -> None:
        """Take a better plan if it has fitted for long enough."""
        if self._better_since is None:
            self._better_since = now
        if now - self._better_since >= self._hold:
            self.plan, self._better_since = better, None

    def _keep(self, fitting: Plan) -> None:
        """Keep everything that is seen, but take more faces where they fit in the same way."""
        if fitting.faces > self.plan.faces and replace(fitting, faces=self.plan.faces) == self.plan:
            self.plan = fitting


def _rank(plan: Plan, costs: Costs, wanted: Wanted) -> int:
    """The place of a plan among the preferences, 0 for the best."""
    places = list(preferences(costs, wanted))
    alike = replace(plan, faces=min(plan.faces, len(wanted.sides))) if plan.faces else places[-1]
    return places.index(alike) if alike in places else len(places)

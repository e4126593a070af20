"""Adaptation: measures what the frames of a live stream cost, and decides by it what is restored of them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from streamdeblur.deblurrer import FaceLimits, FaceWork
from streamdeblur.live.plan import Costs, Plan, Planner, Wanted, choose, time_together

FIRST_SECONDS, LOOK_SECONDS = 1.0, 0.5
"""Time that is measured before the first decision, and between two decisions."""
RECENT_FRAMES = 45
"""Number of frames that a decision is based on."""
FEWEST_FRAMES = 8
"""Frames with restored faces without which nothing is decided."""
LOAD_QUANTILE, REST_QUANTILE = 0.8, 0.9
"""Of the measured times: few frames may be late."""
WANTED_SHARE = 0.25
"""Share of the recent frames that must have had as many faces: one that flashes up does not count."""
FIRST_REST = 0.3
"""Share of the time between two frames that is expected to be needed beside the faces, before that was measured."""
GRACE = 1.3
"""How long a frame is waited for, in units of the time between two frames that are shown: a frame that is late for once is
better than one whose faces are blurred."""
PROBE_SECONDS = 5.0
"""Time after which it is tried again how long a face takes, while none is restored."""


@dataclass(frozen=True)
class Pace:
    """The time that a stream leaves for a frame."""

    interval: float
    """Seconds between two frames."""
    budget: float | None = None
    """Seconds from the arrival of a frame until it is restored, where the user has set it."""
    small_crops: bool = False
    """Whether small faces are restored in smaller crops even where there is time for large ones."""

    def wanted(self, sides: tuple[float, ...]) -> Wanted:
        """Return what the stream asks for with faces whose windows have these sides."""
        return Wanted(sides, self.interval, self.budget, self.small_crops)


class Adaptation:
    """What is restored of a stream; decided after the first second, and again when the times or the faces change.

    Attributes:
        pace: The time that there is; may be replaced while the stream runs.
        decided: Whether anything has been measured.
    """

    def __init__(self, pace: Pace, seconds: Mapping[tuple[str, int], float], network: str, parallel: int = 1) -> None:
        """Begin with a network.

        Args:
            pace: The time that there is.
            seconds: What a face takes when nothing else runs, by network, best first, and side of the crop.
            network: The network that is running.
            parallel: Faces that are restored at the same time.
        """
        self.pace, self.decided = pace, False
        self._alone, self._running, self._parallel = dict(seconds), network, parallel
        self._loads, self._rests = deque[float](maxlen=RECENT_FRAMES), deque[float](maxlen=RECENT_FRAMES)
        self._sides = deque[tuple[float, ...]](maxlen=RECENT_FRAMES)
        self._began: float | None = None
        self._next_look = self._probed = 0.0
        self._planner = Planner(self._best_of_running())

    def __repr__(self) -> str:
        return f"Adaptation({self.plan}, decided={self.decided})"

    @property
    def plan(self) -> Plan:
        """What is to be restored; perhaps by another network than the one that is running."""
        return self._planner.plan

    @property
    def running_plan(self) -> Plan:
        """What the network that is running restores: all of the plan if it is that of the plan."""
        return self.plan if self.plan.network == self._running else self._best_of_running()

    @property
    def limits(self) -> FaceLimits:
        """What is restored of the next frame."""
        plan = self.running_plan
        return FaceLimits(plan.faces, plan.largest_crop, plan.smallest_crop)

    @property
    def patience(self) -> float:
        """Seconds after its arrival at which a frame is passed on, whether its faces are ready or not."""
        return self.pace.budget if self.pace.budget is not None else GRACE * self.pace.interval * self.plan.every

    @property
    def limit(self) -> float:
        """Seconds that a frame may take by the plan."""
        return self.plan.limit(self.pace.wanted(()))

    @property
    def fps(self) -> float:
        """Frames per second that are restored and shown."""
        return 1 / (self.pace.interval * self.plan.every)

    def exchanged(self, network: str) -> None:
        """Take note of another network that is running now."""
        if network != self._running:
            self._running = network
            self._loads.clear()

    def exclude(self, network: str) -> None:
        """Do without a network that cannot be opened."""
        self._alone = {face: seconds for face, seconds in self._alone.items() if face[0] != network or network == self._running}
        self._planner = Planner(self._best_of_running())

    def add(self, work: FaceWork, wanted: Iterable[float], rest: float) -> None:
        """Add what was measured of a frame.

        Args:
            work: Of the engine.
            wanted: Sides of the windows of the faces that would gain, most important first.
            rest: Seconds that the frame took beside it.
        """
        self._sides.append(tuple(wanted))
        self._rests.append(rest)
        if work.sizes:
            self.add_load(work.sizes, work.seconds)

    def add_load(self, sizes: Sequence[int], seconds: float) -> None:
        """Add the seconds that crops of these sides took."""
        self._loads.append(seconds / time_together((self._alone[self._running, size] for size in sizes), self._parallel))

    def decide(self, now: float) -> bool:
        """Decide if it is time to; returns whether something was decided for the first time, or otherwise than before."""
        if self._began is None:
            self._began, self._next_look = now, now + FIRST_SECONDS
        if now < self._next_look or not self._wanted.sides or (len(self._loads) < FEWEST_FRAMES and self.plan.faces):
            return False
        self._next_look = now + LOOK_SECONDS
        first, self.decided = not self.decided, True
        before = self.plan
        self._planner.update(self.costs, self._wanted, now)
        if self.plan.faces and (self.plan.smallest_crop, self.plan.largest_crop) != (before.smallest_crop, before.largest_crop):
            # other crops are measured anew; where none is restored any more, what was measured last stays known
            self._loads.clear()
        return first or self.plan != before

    def is_probe_due(self, now: float) -> bool:
        """Return whether it should be measured how long a face takes: none is restored that could show it."""
        if self.plan.faces or not self._wanted.sides or now - self._probed < PROBE_SECONDS:
            return False
        self._probed = now
        self._loads.clear()
        return True

    @property
    def costs(self) -> Costs:
        """What a frame costs in this stream."""
        # copies: the thread that restores adds to them while another one shows what is planned
        loads, rests = list(self._loads), list(self._rests)
        load = _quantile(loads, LOAD_QUANTILE) if loads else 1.0
        rest = _quantile(rests, REST_QUANTILE) if rests else FIRST_REST * self.pace.interval
        return Costs({face: load * seconds for face, seconds in self._alone.items()}, rest, self._parallel)

    @property
    def face_seconds(self) -> float:
        """Seconds that a face takes by the plan."""
        plan, costs = self.running_plan, self.costs
        sides = self._wanted.sides[:1] or (float(plan.largest_crop),)
        return costs.seconds(sides, plan.network, plan.smallest_crop, plan.largest_crop) - costs.rest

    @property
    def description(self) -> str:
        """What is restored, and why: a sentence for users."""
        plan, wanted, costs = self.plan, self._wanted, self.costs
        why = (
            f"a face takes {1000 * self.face_seconds:.0f} ms, everything else {1000 * costs.rest:.0f} ms, "
            f"and a frame may take {1000 * self.limit:.0f} ms."
        )
        if not plan.faces:
            return f"No face is restored, even by {plan.network} in crops of {plan.largest_crop} px: {why}"
        faces = "all faces" if plan.faces >= len(wanted.sides) else f"{plan.faces} of {len(wanted.sides)} faces"
        sizes = costs.sizes(plan.network)
        crops = f" in crops of at most {plan.largest_crop} px" if plan.largest_crop < max(sizes) else ""
        crops += ", small faces in smaller ones" if plan.smallest_crop < plan.largest_crop else ""
        rate = f", {self.fps:.3g} of {1 / self.pace.interval:.3g} frames per second" if plan.every > 1 else ""
        return f"Restored by {plan.network}{crops}: {faces}{rate}; {why}"

    @property
    def _wanted(self) -> Wanted:
        recent = list(self._sides)
        counts = sorted(map(len, recent), reverse=True)
        usual = counts[int(WANTED_SHARE * len(counts))] if counts else 0
        sides = next((sides[:usual] for sides in reversed(recent) if len(sides) >= usual), ())
        return self.pace.wanted(sides)

    def _best_of_running(self) -> Plan:
        costs = self.costs
        faces = {face: seconds for face, seconds in costs.faces.items() if face[0] == self._running}
        return choose(replace(costs, faces=faces), self._wanted)


def _quantile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1]

"""What a live stream restores, by what it costs: the decision alone, by its table."""

from __future__ import annotations

import pytest

from streamdeblur.live.plan import LONGEST_HOLD, ROOM, Costs, Plan, Planner, Wanted, choose

SIZES = (128, 192, 256)
FAST = {("best", 256): 0.003, ("quick", 256): 0.002}
"""A machine with many cores; networks of one size."""
MIDDLE = {("best", 256): 0.013, ("quick", 256): 0.008}
"""Two threads of a core with bf16."""
AVX2 = {("quick", 128): 0.0082, ("quick", 192): 0.0141, ("quick", 256): 0.0254}
"""Two cores without bf16; a network of three sizes."""
WITH_NANO = AVX2 | {("nano", 128): 0.0025, ("nano", 192): 0.0045, ("nano", 256): 0.008}
TIGHT = {("quick", 256): 0.025}
"""Two cores without bf16; a network of one size."""
SLOW = {("quick", 256): 0.040}
HOPELESS = {("quick", 256): 0.2}
ONE, TWO, THREE, SIX = (240.0,), (240.0, 200.0), (240.0, 200.0, 120.0), (240.0,) * 6


def wanted(sides, fps=30, budget=None):
    return Wanted(sides, 1 / fps, budget)


@pytest.mark.parametrize(
    ("machine", "stream", "network", "largest_crop", "faces", "every"),
    [
        # what the machine can do is done
        (FAST, wanted(ONE), "best", 256, 6, 1),
        (FAST, wanted(SIX), "best", 256, 6, 1),
        (FAST, wanted(THREE, fps=60), "quick", 256, 3, 1),
        (MIDDLE, wanted(ONE), "best", 256, 1, 1),
        # smaller crops of the same network come before a cheaper network
        (AVX2, wanted(ONE), "quick", 192, 1, 1),
        (AVX2, wanted(TWO), "quick", 128, 2, 1),
        (WITH_NANO, wanted(ONE), "quick", 192, 1, 1),
        # but not in half of the size: the cheaper network restores more in that time
        (WITH_NANO, wanted(TWO), "nano", 256, 2, 1),
        # a cheaper network comes before fewer faces
        (MIDDLE, wanted(TWO), "quick", 256, 2, 1),
        (WITH_NANO, wanted(THREE), "nano", 256, 3, 1),
        (WITH_NANO, wanted(SIX), "nano", 128, 8, 1),
        # fewer faces come before a rate that is not smooth
        (AVX2, wanted(THREE), "quick", 128, 2, 1),
        (MIDDLE, wanted(SIX), "quick", 256, 2, 1),
        # a rate that is smooth comes before fewer faces
        (AVX2, wanted(TWO, fps=60), "quick", 128, 2, 2),
        (FAST, wanted(SIX, fps=60), "best", 256, 6, 2),
        (MIDDLE, wanted(SIX, fps=120), "quick", 256, 3, 5),
        # and frames that come late for one face before that; not if the user has set how late
        (TIGHT, wanted(SIX), "quick", 256, 1, 1),
        (TIGHT, wanted(ONE, budget=0.028), "quick", 256, 0, 1),
        # a rate that is not smooth comes before no face
        (SLOW, wanted(SIX), "quick", 256, 1, 2),
        (HOPELESS, wanted(ONE), "quick", 256, 0, 1),
        # where no face is seen, one of the largest size is expected
        (AVX2, wanted(()), "quick", 192, 1, 1),
        # a budget that the user has set is kept, and larger ones than the interval are used
        (MIDDLE, wanted(THREE), "quick", 256, 2, 1),
        (MIDDLE, wanted(THREE, budget=0.033), "quick", 256, 3, 1),
        (MIDDLE, wanted(ONE, budget=0.01), "quick", 256, 0, 1),
        (HOPELESS, wanted(ONE, budget=0.3), "quick", 256, 1, 7),
    ],
)
def test_the_plan_for_a_machine_and_a_stream(machine, stream, network, largest_crop, faces, every):
    plan = choose(Costs(machine, rest=0.006), stream)
    assert (plan.network, plan.largest_crop, plan.faces, plan.every) == (network, largest_crop, faces, every)
    assert plan.tight is (machine is TIGHT and faces > 0)


@pytest.mark.parametrize(
    ("sides", "rest", "smallest", "largest"),
    [
        ((100.0,), 0.001, 256, 256),
        ((180.0,), 0.004, 192, 256),
        ((100.0,), 0.004, 192, 256),
        ((240.0,), 0.004, 192, 192),
        ((240.0, 120.0), 0.004, 128, 192),
        ((120.0, 120.0), 0.004, 128, 256),
        ((240.0, 240.0), 0.004, 128, 128),
    ],
)
def test_small_faces_get_smaller_crops_only_where_time_is_short(sides, rest, smallest, largest):
    plan = choose(Costs(AVX2, rest), wanted(sides))
    assert (plan.smallest_crop, plan.largest_crop) == (smallest, largest)


def test_small_crops_may_be_asked_for():
    costs = Costs({face: seconds / 10 for face, seconds in AVX2.items()}, rest=0.004)
    assert choose(costs, wanted((100.0,))) == Plan("quick", 256, 9)
    asked = Wanted((100.0,), 1 / 30, small_crops=True)
    assert choose(costs, asked) == Plan("quick", 256, 27, smallest_crop=128)


@pytest.mark.parametrize("machine", [FAST, MIDDLE, AVX2, WITH_NANO, SLOW, HOPELESS])
@pytest.mark.parametrize("rest", [0.0, 0.006, 0.02, 0.1])
@pytest.mark.parametrize("fps", [15, 25, 30, 60, 480])
def test_every_plan_fits_and_more_time_never_gives_less(machine, rest, fps):
    costs, before = Costs(machine, rest), None
    for faces in (6, 3, 1):
        plan = choose(costs, wanted((200.0,) * faces, fps))
        assert plan.fits(costs, wanted((200.0,) * faces, fps))
        assert plan.every == 1 or fps / plan.every >= 10
    for slower in (8, 4, 2, 1):
        plan = choose(Costs({face: slower * seconds for face, seconds in machine.items()}, slower * rest), wanted(THREE, fps))
        assert before is None or min(plan.faces, 3) >= before
        before = min(plan.faces, 3)


@pytest.mark.parametrize(("parallel", "faces"), [(1, 2), (2, 4), (4, 8)])
def test_faces_that_are_restored_at_the_same_time_take_the_time_of_one(parallel, faces):
    costs = Costs({("quick", 256): 0.0115}, rest=0.002, parallel=parallel)
    assert choose(costs, wanted(SIX)).faces == min(6, faces)
    assert costs.seconds((240.0,) * faces, "quick", 256, 256) == pytest.approx(0.025)
    # three faces on two: one of them begins when another one is ready
    assert Costs(AVX2, 0.0, 2).seconds((100.0, 100.0, 240.0), "quick", 128, 256) == pytest.approx(0.0254)


def looks(planner, costs, stream, seconds, start=0.0):
    """The plans that a planner changes to while it looks twice a second."""
    changes = []
    for n in range(round(2 * seconds)):
        if planner.update(costs, stream, start + n / 2):
            changes.append((start + n / 2, planner.plan))
    return changes


def test_the_first_look_decides_and_a_plan_that_fits_is_kept():
    planner = Planner(Plan("quick", 256, 1))
    assert looks(planner, Costs(AVX2, 0.006), wanted(ONE), 60) == [(0.0, Plan("quick", 192, 1))]


def test_one_slow_look_changes_nothing_and_two_do():
    planner, slow = Planner(Plan("quick", 256, 1)), Costs(AVX2, 0.014)
    usual = Costs({("quick", 128): 0.002, ("quick", 192): 0.003, ("quick", 256): 0.005}, 0.006)
    looks(planner, usual, wanted(ONE), 2)
    kept = planner.plan
    for moment in range(3, 20, 2):
        assert not planner.update(slow, wanted(ONE), moment)
        assert not planner.update(usual, wanted(ONE), moment + 0.5)
    assert planner.plan == kept
    assert looks(planner, slow, wanted(ONE), 1, 30) == [(30.5, Plan("quick", 128, 1))]


def test_a_better_plan_waits_until_it_has_fitted_for_a_while_and_longer_each_time():
    planner = Planner(Plan("quick", 128, 1))
    loaded, free = Costs(AVX2, 0.015), Costs(AVX2, 0.001)
    waited, moment = [], 0.0
    for _ in range(7):
        looks(planner, loaded, wanted(ONE), 5, moment)
        assert planner.plan.largest_crop == 128
        changes = looks(planner, free, wanted(ONE), 80, moment + 5)
        waited.append(changes[0][0] - moment - 5)
        assert planner.plan.largest_crop == 192
        moment += 85
    assert waited[0] == 2
    assert waited == sorted(waited)
    assert waited[-1] == LONGEST_HOLD


def test_a_tight_plan_is_left_for_a_better_one_and_taken_again():
    planner = Planner(Plan("quick", 256, 1))
    assert looks(planner, Costs(TIGHT, 0.007), wanted(ONE), 10) == [(0.0, Plan("quick", 256, 1, tight=True))]
    half = {face: seconds / 2 for face, seconds in TIGHT.items()}
    ((moment, plan),) = looks(planner, Costs(half, 0.007), wanted(ONE), 10, 10)
    assert (moment, plan) == (12.0, Plan("quick", 256, 1))
    ((moment, plan),) = looks(planner, Costs(TIGHT, 0.007), wanted(ONE), 10, 20)
    assert (moment, plan) == (20.5, Plan("quick", 256, 1, tight=True))
    ((moment, plan),) = looks(planner, Costs(TIGHT, 0.02), wanted(ONE), 10, 30)
    assert plan == Plan("quick", 256, 1, every=2)


def test_a_load_at_the_limit_does_not_alternate():
    """Costs that vary by a tenth around what just fits."""
    planner = Planner(Plan("quick", 256, 1))
    changes = 0
    for n in range(1200):
        costs = Costs(AVX2, 0.012 * (0.9 if n % 3 else 1.1))
        changes += planner.update(costs, wanted(ONE), n / 2)
    assert changes <= 3


def test_a_better_network_is_taken_only_with_room_to_spare_and_never_because_of_an_overload():
    planner = Planner(Plan("quick", 256, 1))
    assert not Plan("best", 256, 1).fits(Costs(MIDDLE, 0.010), wanted(ONE), ROOM)
    assert {plan.network for _, plan in looks(planner, Costs(MIDDLE, 0.010), wanted(ONE), 60)} == {"quick"}
    assert [plan.network for _, plan in looks(planner, Costs(MIDDLE, 0.004), wanted(ONE), 10, 60)] == ["best"]
    sizes = {("best", 128): 0.0105, ("best", 256): 0.020, ("quick", 128): 0.004, ("quick", 256): 0.0155}
    planner = Planner(Plan("quick", 256, 1))
    planner.update(Costs(sizes, 0.011), wanted(ONE), 0.0)
    assert planner.plan == Plan("quick", 256, 1)
    assert Plan("best", 128, 1).fits(Costs(sizes, 0.0125), wanted(ONE))
    changes = looks(planner, Costs(sizes, 0.0125), wanted(ONE), 10, 1.0)
    assert [(moment, plan.network, plan.largest_crop) for moment, plan in changes] == [(1.5, "quick", 128)]


def test_faces_that_come_are_restored_as_soon_as_they_fit():
    planner, costs = Planner(Plan("best", 256, 1)), Costs(MIDDLE, 0.004)
    planner.update(costs, wanted(ONE), 0.0)
    assert planner.plan == Plan("best", 256, 1)
    changes = looks(planner, costs, wanted(TWO), 10, 1.0)
    assert [(plan.network, plan.faces) for _, plan in changes] == [("quick", 2)]
    assert changes[0][0] <= 4.0


def test_without_faces_nothing_changes():
    planner = Planner(Plan("quick", 256, 1))
    assert looks(planner, Costs(HOPELESS, 0.1), wanted(()), 20) == []

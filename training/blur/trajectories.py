"""Random blur kernels of a shaking camera: seeded, of a chosen extent, centred on their centroid.

Two families:

- `markov`: the Markov process of Kupyn et al. 2018 (after Boracchi & Foi 2012): a point of constant speed with inertia, random
  acceleration, a pull to where it began and now and then a sudden shake; a random part of it is the exposure.
- `handshake`: in the manner of Hradis et al. 2015: seconds of hand-shake, a sum of waves from slow sway to tremor (0.3 to
  12 Hz) whose amplitude falls with frequency; an exposure of 20 ms to 1.5 s is cut from it.

The *extent* of a kernel is the larger side of the box that its footprint fills: the path's span in pixels, and one more for
the pixel itself; extent 1 is no blur at all. It is exact in continuous coordinates; with sub-pixel positions the box of taps
above zero has ceil(extent) or one more on its larger side.

A kernel's centroid is its centre, so that blur does not shift the picture. The few lopsided paths that would then reach
beyond the array are moved inside by as little as needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.trajectories import markov_path, render_path, sum_of_waves
from streamdeblur.training.blur.scheme import Family

SIZE = 41
"""Side of a kernel's array, and its largest extent."""

MARKOV_STEPS = 2000
MARKOV_LENGTH = 60.0
"""Steps and length in pixels of a trajectory of Kupyn et al., for which their constants hold."""
MARKOV_ANXIETY = (0.01, 0.009, 0.008, 0.007, 0.005, 0.003)
MARKOV_PART = (0.1, 1.0)
"""Fraction of the trajectory that falls into the exposure."""

WAVES = 10
WAVE_HERTZ = (0.3, 12.0)
WAVE_FALL = 1.3
"""Amplitude falls with this power of the frequency: between a random walk (1) and what a heavy camera damps (2)."""
WAVE_SECONDS = (0.02, 1.5)
WAVE_SAMPLES = 400


def consecutive_exposures(parts: NDArray[np.floating], extent: float, present: int) -> NDArray[np.float32]:
    """Centre the parts of a path that goes on over several exposures, and scale them all alike.

    Args:
        parts: float [exposures, points, 2 or more], of which the first two are x and y.
        extent: Extent of the present exposure in pixels; less where that of another one would exceed the largest kernel's.
        present: Index of the present exposure.

    Returns:
        float32 of the same shape.
    """
    centred = parts - parts.mean(1, keepdims=True)
    spans = np.ptp(centred[..., :2], axis=1).max(1)
    scale = min((extent - 1.0) / max(float(spans[present]), 1e-9), (SIZE - 2.0) / max(float(spans.max()), 1e-9))
    return np.asarray(centred * scale, np.float32)


def resampled(path: NDArray[np.floating], points: int) -> NDArray[np.float64]:
    """Return a path, [n, 2] at equal intervals, at another number of them: [points, 2]."""
    places, known = np.linspace(0.0, len(path) - 1.0, points), np.arange(len(path))
    return np.stack([np.interp(places, known, path[:, axis]) for axis in (0, 1)], -1)


def markov_trajectory(random: np.random.Generator) -> NDArray[np.float32]:
    """Sample a trajectory of the Markov process: float32 [points, 2], x and y, of a length of at most 1."""
    normals = random.standard_normal((MARKOV_STEPS - 1, 2), np.float32)
    chances = random.random((MARKOV_STEPS - 1, 2), np.float32)
    direction, pull, sudden, strength, part = random.random(5)
    anxiety = MARKOV_ANXIETY[random.integers(len(MARKOV_ANXIETY))]
    path = np.empty((MARKOV_STEPS, 2), np.float32)
    # the pull acts on pixels, the path here is in units of its length
    traits = np.array([2 * np.pi * direction, 0.7 * pull * MARKOV_LENGTH, 0.2 * sudden, 10.0 * strength, anxiety])
    markov_path(normals, chances, traits, path)
    return path[: int(MARKOV_STEPS * (MARKOV_PART[0] + (MARKOV_PART[1] - MARKOV_PART[0]) * part))]


def handshake(random: np.random.Generator, axes: int, samples: int, seconds: float) -> NDArray[np.float32]:
    """Sample hand-shake along independent axes.

    Args:
        random: Source of the random numbers.
        axes: Number of axes.
        samples: Number of points, at equal intervals.
        seconds: Duration.

    Returns:
        float32 [samples, axes], smooth.
    """
    lowest, highest = np.log(WAVE_HERTZ)
    hertz = np.exp(lowest + (highest - lowest) * (np.arange(WAVES) + random.random(WAVES)) / WAVES)
    amplitudes = random.random((axes, WAVES)) * hertz**-WAVE_FALL
    path = np.empty((samples, axes), np.float32)
    sum_of_waves(amplitudes, 2 * np.pi * random.random((axes, WAVES)), 2 * np.pi * hertz * seconds / samples, path)
    return path


def handshake_trajectory(random: np.random.Generator) -> NDArray[np.float32]:
    """Sample a trajectory of the hand: float32 [points, 2], x and y."""
    shortest, longest = np.log(WAVE_SECONDS)
    seconds = float(np.exp(random.uniform(shortest, longest)))
    return handshake(random, 2, WAVE_SAMPLES, seconds)


_FAMILIES: dict[Family, Callable[[np.random.Generator], NDArray[np.float32]]] = {
    "markov": markov_trajectory,
    "handshake": handshake_trajectory,
}


def kernel_of(trajectory: NDArray[np.float32], extent: float, size: int = SIZE) -> NDArray[np.float32]:
    """Render the blur kernel of a trajectory.

    Args:
        trajectory: Positions x and y at equal intervals, float32 [points, 2].
        extent: Extent of the kernel in pixels, to which the trajectory is scaled.
        size: Side of the kernel.

    Returns:
        float32 [size, size], its sum 1.

    Raises:
        ValueError: The extent is outside [1, size].
    """
    if not 1.0 <= extent <= size:
        raise ValueError(f"The extent of a kernel lies between 1 and {size} px (got {extent:g}).")
    intensity = np.empty((size, size), np.float32)
    render_path(trajectory, extent - 1.0, intensity)
    return intensity


def trimmed(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the middle of a kernel [size, size] that holds all of its weight: float32 [k, k], k odd."""
    lines, columns = np.nonzero(kernel)
    middle = kernel.shape[0] // 2
    reach = int(max(np.abs(lines - middle).max(), np.abs(columns - middle).max()))
    return kernel[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]


def sample_kernel(
    random: np.random.Generator, extent: float, family: Family | None = None, size: int = SIZE
) -> NDArray[np.float32]:
    """Sample a random kernel.

    Args:
        random: Source of the random numbers.
        extent: Extent in pixels.
        family: `markov` or `handshake`; None takes either.
        size: Side of the kernel.

    Returns:
        float32 [size, size], its sum 1.
    """
    if family is None:
        family = "markov" if random.random() < 0.5 else "handshake"
    return kernel_of(_FAMILIES[family](random), extent, size)


def sample_kernels(
    seed: int,
    extents: Sequence[float] | NDArray[np.floating],
    family: Family | None = None,
    *,
    size: int = SIZE,
    workers: int = 2,
) -> NDArray[np.float32]:
    """Sample random kernels. Kernel i depends on `seed`, i and its extent alone.

    Args:
        seed: Of the random numbers.
        extents: Extent of each kernel in pixels.
        family: `markov` or `handshake`; None takes either.
        size: Side of the kernels.
        workers: Threads.

    Returns:
        float32 [n, size, size].
    """
    kernels = np.empty((len(extents), size, size), np.float32)

    def sample(numbers: range) -> None:
        for i in numbers:
            kernels[i] = sample_kernel(np.random.default_rng((seed, i)), float(extents[i]), family, size)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(sample, (range(w, len(extents), workers) for w in range(workers))))
    return kernels

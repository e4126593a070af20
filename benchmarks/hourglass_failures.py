"""What a network of two steps makes of faces of which its first step fails (Fig. 24 of the paper).

python benchmarks/hourglass_failures.py DATA WORK --network paper-small --protocol synthetic:markov

DATA is what `streamdeblur evaluate` takes. Faces are grouped by what the first step, the output `coarse` of the network, gains in
PSNR over the blurry face; each row tells how much the whole network gains on those faces. WORK keeps the results.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from picture_rows import results_of
from scipy.stats import spearmanr

from harness import markdown
from streamdeblur.evaluation.results import ResultFolder

GROUPS = 4
"""Groups of equally many faces."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--network", default="paper-small")
    parser.add_argument("--protocol", default="synthetic:markov")
    parser.add_argument("--limit", type=int, default=0, help="faces at most; 0: all")
    arguments = parser.parse_args()
    first, whole = f"onnx:{arguments.network}?output=coarse", f"onnx:{arguments.network}"
    options = ["--protocol", arguments.protocol, "--limit", str(arguments.limit), "--runs", "0"]
    command = ["evaluate", str(arguments.data), *options, "--methods", f"blurred,{first},{whole}", "--out", str(arguments.work)]
    subprocess.run([sys.executable, "-m", "streamdeblur", *command], check=True, stdout=sys.stderr)
    print(table(*gains(ResultFolder(arguments.work), arguments.protocol, first, whole)))


def gains(results: ResultFolder, protocol: str, first: str, whole: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The gains in dB of the first step and of the whole network over the blurry face: float64 [N] each."""
    faces = [face for face in results_of(results, protocol).values() if first in face and whole in face]
    blurred, *others = (np.array([face[name].metrics["psnr"] for face in faces]) for name in ("blurred", first, whole))
    return others[0] - blurred, others[1] - blurred


def table(first: NDArray[np.float64], whole: NDArray[np.float64]) -> str:
    """A row for each group of faces, from those of which the first step gains least, and their rank correlation."""
    rows = []
    for group in np.array_split(np.argsort(first), GROUPS):
        low, high = first[group].min(), first[group].max()
        worse = f"{100 * (whole[group] < 0).mean():.0f} %"
        rows.append([f"{low:+.1f} to {high:+.1f} dB", str(len(group)), f"{whole[group].mean():+.2f} dB", worse])
    found = spearmanr(first, whole)
    head = ["gain of the first step", "faces", "mean gain of the whole network", "worse than the blurry face"]
    return markdown(head, rows) + f"\n\nRank correlation of both gains: {found.statistic:.2f} (p {found.pvalue:.2g})."


if __name__ == "__main__":
    main()

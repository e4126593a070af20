"""A table of docs/results.md: what methods gain on the most and the least blurred faces, and whether the paper's order holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from result_tables import PAPER_METHODS, PAPER_PROTOCOLS, paper_figures, rank_agreement, short_name

from harness import markdown
from streamdeblur.evaluation.columns import COLUMNS
from streamdeblur.evaluation.results import FaceResult, ResultFolder
from streamdeblur.evaluation.statistics import mean_interval
from streamdeblur.evaluation.summary import LOWER, UNRANKED

PARTS = 4
"""Of the faces, ordered by the PSNR of the blurry ones; the first and the last are shown."""
SHOWN = ("auc", "psnr")

Faces = Mapping[str, Sequence[FaceResult]]
"""By method, in one order of the faces."""


@dataclass(frozen=True)
class Stratum:
    """The most or the least blurred faces of a protocol."""

    protocol: str
    which: str
    faces: Faces

    @property
    def title(self) -> str:
        """For the head of a column: with the number of faces, and the mean PSNR of the blurry ones."""
        blurred = COLUMNS["psnr"].values(self.faces[LOWER])
        return f"{self.protocol}, {self.which} ({len(blurred)}; {blurred.mean():.1f} dB)"

    def gains(self, metric: str, method: str) -> NDArray[np.float64]:
        """What a method gains over the blurry faces: float64 [N]."""
        return COLUMNS[metric].values(self.faces[method]) - COLUMNS[metric].values(self.faces[LOWER])


def strength_tables(results: ResultFolder, protocols: Sequence[str]) -> list[str]:
    """A table for each metric: the mean gain over the blurry faces, with half of the width of its 95 % interval over clips."""
    strata = [stratum for protocol in protocols for stratum in strata_of(protocol, results.of_protocol(protocol))]
    return [_table(metric, strata) for metric in SHOWN]


def strata_of(protocol: str, results: Sequence[FaceResult]) -> list[Stratum]:
    """The most and the least blurred faces, with the methods that have all faces."""
    found: dict[str, dict[str, FaceResult]] = defaultdict(dict)
    for one in results:
        found[short_name(one.method)][one.case] = one
    cases = sorted(found[LOWER], key=lambda case: found[LOWER][case].metrics["psnr"])
    count = max(1, len(cases) // PARTS)
    whole = {method: faces for method, faces in found.items() if faces.keys() >= set(cases)}
    return [
        Stratum(protocol, which, {method: [faces[case] for case in chosen] for method, faces in whole.items()})
        for which, chosen in (("most", cases[:count]), ("least", cases[-count:]))
    ]


def _table(metric: str, strata: Sequence[Stratum]) -> str:
    methods = dict.fromkeys(method for stratum in strata for method in stratum.faces if method not in (LOWER, *UNRANKED))
    rows = [[f"`{method}`", *(_cell(metric, stratum, method) for stratum in strata)] for method in methods]
    if metric == "auc":
        rows.append(["tau", *map(_agreement, strata)])
    title = (
        f"Gain in {COLUMNS[metric].title} on the quarter of the faces that is blurred most, and on that which is blurred least"
    )
    told = ", and Kendall's tau of the order of the methods with the paper's" if metric == "auc" else ""
    return f"{title}{told}:\n\n" + markdown(["method", *(stratum.title for stratum in strata)], rows)


def _cell(metric: str, stratum: Stratum, method: str) -> str:
    if method not in stratum.faces:
        return ""
    spec = COLUMNS[metric].format_spec
    found = mean_interval(stratum.gains(metric, method), [one.group for one in stratum.faces[method]])
    half = (found.high - found.low) / 2
    return f"{found.value:+{spec}}" + ("" if np.isnan(half) else f" ±{half:{spec}}")


def _agreement(stratum: Stratum) -> str:
    """How far the methods, the blurry faces among them, are in the paper's order by AUC."""
    published = paper_figures().get(PAPER_PROTOCOLS.get(stratum.protocol, ""), {})
    common = [method for method, theirs in PAPER_METHODS.items() if method in stratum.faces and theirs in published]
    ours = [float(COLUMNS["auc"].values(stratum.faces[method]).mean()) for method in common]
    return rank_agreement([published[PAPER_METHODS[method]] for method in common], ours) if len(common) > 2 else ""

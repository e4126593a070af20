"""A table of docs/results.md: what methods gain on the most and the least blurred faces, and whether the paper's order holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

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


def strength_tables(results: ResultFolder, protocols: Sequence[str]) -> list[str]:
    """A table for each metric: the mean gain over the blurry faces, with half of the width of its 95 % interval over clips."""
    strata: dict[str, Faces] = {}
    for protocol in protocols:
        faces = faces_of(results.of_protocol(protocol))
        order = np.argsort(COLUMNS["psnr"].values(faces[LOWER]))
        for name, chosen in (("most", order[: len(order) // PARTS]), ("least", order[-(len(order) // PARTS) :])):
            part = {method: [found[number] for number in chosen] for method, found in faces.items()}
            blurred = COLUMNS["psnr"].values(part[LOWER]).mean()
            strata[f"{protocol}, {name} ({len(chosen)}; {blurred:.1f} dB)"] = part
    return [_table(metric, strata, dict(zip(strata, np.repeat(protocols, 2).tolist(), strict=True))) for metric in SHOWN]


def faces_of(results: Sequence[FaceResult]) -> Faces:
    """The results of each method that has all faces, in one order."""
    found: dict[str, dict[str, FaceResult]] = defaultdict(dict)
    for one in results:
        found[short_name(one.method)][one.case] = one
    cases = sorted(found[LOWER])
    return {method: [faces[case] for case in cases] for method, faces in found.items() if faces.keys() >= set(cases)}


def gains_of(metric: str, faces: Faces, method: str) -> NDArray[np.float64]:
    """What a method gains over the blurry faces: float64 [N]."""
    return COLUMNS[metric].values(faces[method]) - COLUMNS[metric].values(faces[LOWER])


def _table(metric: str, strata: Mapping[str, Faces], protocols: Mapping[str, str]) -> str:
    spec = f"+{COLUMNS[metric].format_spec}"
    methods = [method for method in next(iter(strata.values())) if method not in (LOWER, *UNRANKED)]

    def cell(faces: Faces, method: str) -> str:
        found = mean_interval(gains_of(metric, faces, method), [one.group for one in faces[method]])
        return f"{found.value:{spec}} ±{(found.high - found.low) / 2:{spec[1:]}}"

    rows = [[f"`{method}`", *(cell(faces, method) for faces in strata.values())] for method in methods]
    if metric == "auc":
        rows.append(["tau", *(_agreement(faces, protocols[name]) for name, faces in strata.items())])
    title = (
        f"Gain in {COLUMNS[metric].title} on the quarter of the faces that is blurred most, and on that which is blurred least"
    )
    told = ", and Kendall's tau of the order of the methods with the paper's" if metric == "auc" else ""
    return f"{title}{told}:\n\n" + markdown(["method", *strata], rows)


def _agreement(faces: Faces, protocol: str) -> str:
    """How far the methods, the blurry faces among them, are in the paper's order by AUC."""
    published = paper_figures().get(PAPER_PROTOCOLS.get(protocol, ""), {})
    common = [method for method, theirs in PAPER_METHODS.items() if method in faces and theirs in published]
    ours = [float(COLUMNS["auc"].values(faces[method]).mean()) for method in common]
    return rank_agreement([published[PAPER_METHODS[method]] for method in common], ours) if len(common) > 2 else ""

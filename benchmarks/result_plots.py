"""Curves of docs/results.md: landmark errors and identities of the first methods of each protocol, or identities of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from page_pictures import picture_beside, shown
from result_tables import short_name

from harness import markdown
from streamdeblur.evaluation.metrics.landmarks import LIMIT, auc
from streamdeblur.evaluation.report.plots import alone, begin_of_densities, cosine_densities, error_curves
from streamdeblur.evaluation.results import FaceResult, ResultFolder, safe_file_name
from streamdeblur.evaluation.summary import LOWER, UNRANKED

FIRST, FIRST_IDENTITIES = 3, 4
"""Methods that are drawn of landmark errors and of identities, beside the blurred faces and the network of the paper: as many as
in Figs. 11 and 12, and 20 to 22 of the paper."""
BESIDE = 4
"""Methods of one picture where all are drawn, in several pictures."""
ALWAYS = (LOWER, "paper-small")


def curve_table(results: ResultFolder, name: str, protocols: Sequence[str], page: Path) -> str:
    """Write the curves of an evaluation as SVG files beside a page; returns a table that shows them, one protocol a row.

    Of landmarks the first ones are those of the largest AUC, of identities those of the largest mean cosine. The sharp faces are
    drawn as well where landmarks are annotated, so that they have errors.
    """
    rows = []
    for protocol in protocols:
        values = values_of(results.of_protocol(protocol))
        cells = [f"`{protocol}`"]
        if "landmarks" in values:
            errors = first_ones(values["landmarks"], lambda found: auc(found, LIMIT), FIRST)
            errors |= {one: values["landmarks"][one] for one in UNRANKED if any(values["landmarks"].get(one, ()))}
            cells.append(_written(error_curves(errors, LIMIT), f"{name} {protocol} landmarks", page))
        cosines = first_ones(values["cosine"], lambda found: sum(found) / len(found), FIRST_IDENTITIES)
        cells.append(_written(cosine_densities(cosines), f"{name} {protocol} identities", page))
        rows.append(cells)
    titles = ["landmarks: cumulative error"] if len(rows[0]) > 2 else []
    return markdown(["protocol", *titles, "identities: density of the cosine"], rows)


def identity_table(results: ResultFolder, name: str, protocol: str, page: Path) -> str:
    """Write the densities of the cosines of all methods beside a page, some in each picture with those of the blurred faces.

    Returns a table that shows them.
    """
    values = values_of(results.of_protocol(protocol))["cosine"]
    methods = [method for method in values if method not in (LOWER, *UNRANKED)]
    parts = [methods[first : first + BESIDE] for first in range(0, len(methods), BESIDE)]
    drawn = [{method: values[method] for method in (LOWER, *part) if method in values} for part in parts]
    lowest = min(begin_of_densities(part) for part in drawn)
    cells = [
        _written(cosine_densities(part, lowest), f"{name} {protocol} identities {number}", page)
        for number, part in enumerate(drawn, 1)
    ]
    return markdown([", ".join(f"`{method}`" for method in part) for part in parts], [cells])


def values_of(results: Sequence[FaceResult]) -> dict[str, dict[str, list[float]]]:
    """The values of each metric by method, under their short names."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in results:
        for metric, value in one.metrics.items():
            found[metric][short_name(one.method)].append(value)
    return found


def first_ones(values: Mapping[str, list[float]], score: Callable[[list[float]], float], count: int) -> dict[str, list[float]]:
    """The methods of the largest score, and those that are always drawn."""
    ranked = sorted((name for name in values if name not in (LOWER, *UNRANKED)), key=lambda name: -score(values[name]))
    return {name: values[name] for name in dict.fromkeys([*ranked[:count], *ALWAYS]) if name in values}


def _written(svg: str, name: str, page: Path) -> str:
    """Write a picture beside the page; returns the Markdown that shows it."""
    target = picture_beside(page, safe_file_name(name, ".svg"))
    target.write_text(alone(svg))
    return shown(target, name)

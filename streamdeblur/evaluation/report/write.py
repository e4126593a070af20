"""Writes the report of an evaluation: report.html, report.md and report.json, and the curves as SVG files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamdeblur.evaluation.cases import Image
from streamdeblur.evaluation.evaluate import ProtocolResults
from streamdeblur.evaluation.report.html import html_page
from streamdeblur.evaluation.report.markdown import markdown_page
from streamdeblur.evaluation.report.panels import Panel, chosen_cases, with_landmarks
from streamdeblur.evaluation.report.plots import alone, curves_of
from streamdeblur.evaluation.results import ResultFolder, safe_file_name
from streamdeblur.evaluation.summary import LOWER, UPPER, MethodRow, ProtocolSummary
from streamdeblur.files import make_folder
from streamdeblur.partial_file import write_file

TITLE = "Deblurring of faces"
FIGURES = "figures"
"""Folder of the curves."""


def write_report(
    folder: Path, conditions: Mapping[str, str], found: Sequence[ProtocolResults], summaries: Sequence[ProtocolSummary]
) -> Path:
    """Write the report of an evaluation.

    Args:
        folder: The folder that holds the pictures of the evaluation.
        conditions: How the results were made, by name; listed at the top of the report.
        found: The results of each protocol.
        summaries: Their summaries.

    Returns:
        The path of the HTML page.

    Raises:
        OutputError: It cannot be written.
    """
    results = ResultFolder(folder)
    panels = {one.protocol: _panels(results, one) for one in found}
    figures = {summary.protocol: _write_figures(folder, summary) for summary in summaries}
    files = {
        "report.html": html_page(TITLE, conditions, summaries, panels),
        "report.md": markdown_page(TITLE, conditions, summaries, figures),
        "report.json": json.dumps({"made": conditions, "protocols": [as_json(one) for one in summaries]}, indent=1) + "\n",
    }
    for name, text in files.items():
        write_file(folder / name, text)
    return folder / "report.html"


def _write_figures(folder: Path, summary: ProtocolSummary) -> dict[str, str]:
    """Write the curves of a protocol as SVG files; their paths in the folder by title."""
    written = {}
    for title, svg in curves_of(summary).items():
        name = f"{FIGURES}/{safe_file_name(f'{summary.protocol} {title}', '.svg')}"
        make_folder(folder / FIGURES)
        write_file(folder / name, alone(svg))
        written[title] = name
    return written


def _panels(results: ResultFolder, found: ProtocolResults) -> list[Panel]:
    """The best, the median and the worst faces of the first method that competes, by its gain in PSNR (or else in cosine)."""
    before = found.baseline or LOWER
    own = next((name for name in found.results if name not in (before, UPPER) and found.results[name]), None)
    own = own or next(iter(found.results), None)
    if own is None:
        return []
    blurry = {result.case: result.metrics for result in found.results.get(before, ()) if own != before}
    gains = {}
    for result in found.results[own]:
        metric = next((name for name in ("psnr", "cosine") if name in result.metrics), None)
        gains[result.case] = result.metrics[metric] - blurry.get(result.case, {}).get(metric, 0.0) if metric else 0.0
    chosen = [(rank, case) for rank, cases in chosen_cases(gains).items() for case in cases]
    panels = [Panel(f"{rank}: {case}", _pictures(results, found, case)) for rank, case in chosen]
    overlays = [(rank, case, _overlays(results, found, case)) for rank, case in chosen]
    return panels + [Panel(f"landmarks, {rank}: {case}", pictures) for rank, case, pictures in overlays if pictures]


def _pictures(results: ResultFolder, found: ProtocolResults, case: str) -> dict[str, Image]:
    competing = [name for name in found.results if name not in (LOWER, UPPER)]
    names = ["blurry", *competing, "sharp", "reference"]
    read = {name: results.read_picture(found.protocol, case, name) for name in names}
    return {name: picture for name, picture in read.items() if picture is not None}


def _overlays(results: ResultFolder, found: ProtocolResults, case: str) -> dict[str, Image]:
    """The pictures of a case with the landmarks that were found in each, and where they should be; none without a detector."""
    overlays, true = {}, None
    for method, own in found.results.items():
        result = next((one for one in own if one.case == case), None)
        picture = results.read_picture(found.protocol, case, method)
        if method != UPPER and picture is not None and result is not None and result.landmarks is not None:
            error = f", {100 * result.metrics['landmarks']:.1f} %" if "landmarks" in result.metrics else ""
            overlays[method + error] = with_landmarks(picture, result.landmarks, result.true_landmarks)
        true = result.true_landmarks if result and result.true_landmarks else true
    sharp = results.read_picture(found.protocol, case, "sharp")
    if overlays and sharp is not None and true is not None:
        overlays["sharp"] = with_landmarks(sharp, None, true)
    return overlays


def as_json(summary: ProtocolSummary) -> dict[str, Any]:
    """Return a summary as report.json and ``--json`` have it; values that are not finite are null."""
    content: dict[str, Any] = _finite_or_null(
        {
            "protocol": summary.protocol,
            "faces": summary.faces,
            "groups": summary.groups,
            "baseline": summary.baseline,
            "pseudo_ground_truth": summary.pseudo_ground_truth,
            "ranking_holds": summary.ranking_holds,
            "rows": [_row_as_json(row) for row in summary.rows],
            "steadiness": [asdict(row) for row in summary.stabilities],
            "flicker": [asdict(row) for row in summary.flickers],
            "flicker_reference": summary.flicker_reference,
            "tests": [asdict(test) for test in summary.tests],
            "failed": summary.failed,
        }
    )
    return content


def _row_as_json(row: MethodRow) -> dict[str, Any]:
    verification = row.verification
    return {
        "method": row.method,
        "images": row.images,
        "milliseconds": row.milliseconds,
        "figures": {name: asdict(metric) for name, metric in row.metrics.items()},
        "gap_closed": {name: asdict(fraction) for name, fraction in row.gaps_closed.items()},
        "places": row.places,
        "worse_than_baseline": list(row.worse),
        "verification": {"mean": verification.mean, "deviation": verification.deviation} if verification else None,
    }


def _finite_or_null(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite_or_null(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite_or_null(item) for item in value]
    return value

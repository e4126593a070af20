"""Writes the report of an evaluation: report.html, report.md and report.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamdeblur.errors import OutputError
from streamdeblur.evaluation.evaluate import Evaluated
from streamdeblur.evaluation.report.html import page
from streamdeblur.evaluation.report.markdown import markdown
from streamdeblur.evaluation.report.panels import Panel, chosen_cases
from streamdeblur.evaluation.results import Results
from streamdeblur.evaluation.summary import LOWER, UPPER, Summary

TITLE = "Deblurring of faces"


def write_report(folder: Path, made: Mapping[str, str], evaluated: Sequence[Evaluated], summaries: Sequence[Summary]) -> Path:
    """Write the report of these protocols into the folder that holds their pictures; returns the page's path.

    Raises:
        OutputError: it cannot be written.
    """
    results = Results(folder)
    panels = {one.protocol: _panels(results, one) for one in evaluated}
    files = {
        "report.html": page(TITLE, made, summaries, panels),
        "report.md": markdown(TITLE, made, summaries),
        "report.json": json.dumps({"made": made, "protocols": [as_json(summary) for summary in summaries]}, indent=1) + "\n",
    }
    for name, text in files.items():
        path = folder / name
        unfinished = path.with_name(f"{name}.part")
        try:
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
        except OSError as error:
            raise OutputError(f"Cannot write {path}: {error.strerror}.") from None
    return folder / "report.html"


def _panels(results: Results, evaluated: Evaluated) -> list[Panel]:
    """The best, the median and the worst faces of the first method that competes, by its gain in PSNR (or else by cosine)."""
    before = evaluated.baseline or LOWER
    own = next((name for name in evaluated.results if name not in (before, UPPER) and evaluated.results[name]), None)
    own = own or next(iter(evaluated.results), None)
    if own is None:
        return []
    blurry = {result.case: result.figures for result in evaluated.results.get(before, ()) if own != before}
    gains = {}
    for result in evaluated.results[own]:
        figure = next((name for name in ("psnr", "cosine") if name in result.figures), None)
        gains[result.case] = result.figures[figure] - blurry.get(result.case, {}).get(figure, 0.0) if figure else 0.0
    return [
        Panel(f"{rank}: {case}", _pictures(results, evaluated, case))
        for rank, cases in chosen_cases(gains).items()
        for case in cases
    ]


def _pictures(results: Results, evaluated: Evaluated, case: str) -> dict[str, Any]:
    competing = [name for name in evaluated.results if name not in (LOWER, UPPER)]
    names = ["blurry", *competing, "sharp", "reference"]
    read = {name: results.read_picture(evaluated.protocol, case, name) for name in names}
    return {name: picture for name, picture in read.items() if picture is not None}


def as_json(summary: Summary) -> dict[str, Any]:
    """A summary as JSON holds it: what is not a number is null."""
    rows = []
    for row in summary.rows:
        told = row.verification
        kept = {
            "method": row.method,
            "images": row.images,
            "milliseconds": row.milliseconds,
            "figures": {name: asdict(figure) for name, figure in row.figures.items()},
            "gap_closed": {name: asdict(share) for name, share in row.gaps.items()},
            "verification": {"mean": told.mean, "deviation": told.deviation} if told else None,
        }
        rows.append(kept)
    whole = {
        "protocol": summary.protocol,
        "faces": summary.faces,
        "groups": summary.groups,
        "pseudo_ground_truth": summary.pseudo,
        "ranking_holds": summary.ranking_holds,
        "rows": rows,
        "steadiness": [asdict(one) for one in summary.steadiness],
        "tests": [asdict(test) for test in summary.tests],
        "failed": summary.failed,
    }
    content: dict[str, Any] = _plain(whole)
    return content


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value

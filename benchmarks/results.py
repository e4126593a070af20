"""The tables of docs/results.md, from the reports of `streamdeblur evaluate --protocol A,B,C`.

python benchmarks/results.py clips/report.json stills/report.json
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness import markdown
from streamdeblur.evaluation.columns import COLUMNS
from streamdeblur.evaluation.summary import LOWER, UNRANKED

PAPER_FINAL = {"pravg:7": 65, "pravg:9": 50, "pravg:11": 47, "pravg:15": 43, "pravg:21": 38, "vla": 60, "synthetic": 50}
"""Share of the gap in AUC that the paper's network closes, in percent (Tables 5, 6 and 7 of the paper, see docs/methods.md)."""
PLACES = {1: "**{}**", 2: "*{}*"}

Summary = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=Path, help="report.json of evaluations; no protocol twice")
    summaries = [one for path in parser.parse_args().reports for one in json.loads(path.read_text())["protocols"]]
    tables = [share_table(summaries), *(metric_table(name, summaries) for name in TITLES), stability_table(summaries)]
    tables += [flicker_table(title, ratio, summaries) for title, ratio in FLICKER.items()]
    # a table of what none of the protocols measures has no rows
    print("\n\n".join(table for table in tables if table.count("\n") > HEAD_LINES))


TITLES = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "gmsd": "GMSD",
    "gradient": "Gradient error",
    "auc": "AUC of the landmark errors up to 0.08",
    "auc_second": "The same by the second landmark detector",
    "failure": "Landmark failures, %",
    "cosine": "Cosine to the sharp face",
}
"""Titles of the tables, by metric."""
FLICKER = {
    "Flicker, relative to the blurry runs'": "flicker_ratio",
    "Velocity error of landmarks, relative to the blurry runs'": "velocity_ratio",
}
"""Titles of the tables of runs, and their keys in the reports."""
HEAD_LINES = 3
"""Line breaks of a table without rows."""


def metric_table(name: str, summaries: list[Summary]) -> str:
    """One metric of all methods under all protocols: the first of a column is bold, the second italic, and what is worse than the
    blurry faces is marked."""
    metric = COLUMNS[name]
    columns = [_column(summary, lambda row: row["figures"].get(name)) for summary in summaries]
    shown = [
        {method: f"{figure['value']:{metric.format_spec}}" for method, figure in column.items() if figure["value"] is not None}
        for column in columns
    ]
    costs = [_costs(column, metric.more_is_better) for column in shown]

    def cell(number: int, method: str) -> str:
        if method not in shown[number]:
            return ""
        placed = PLACES.get(_place(method, costs[number]), "{}").format(shown[number][method])
        return f"{placed} worse" if costs[number][method] > costs[number].get(LOWER, math.inf) else placed

    return _table(TITLES[name], summaries, cell)


def share_table(summaries: list[Summary]) -> str:
    """The share of the gap in AUC that each method closes, with its interval, and the paper's own."""
    columns = [_column(summary, lambda row: row["gap_closed"].get("auc")) for summary in summaries]

    def cell(number: int, method: str) -> str:
        share = columns[number].get(method)
        if share is None or any(share[end] is None for end in ("value", "low", "high")):
            return ""
        return f"{100 * share['value']:.0f} [{100 * share['low']:.0f} to {100 * share['high']:.0f}]"

    paper = ["the paper's `final`, on 300VW", *(str(PAPER_FINAL.get(summary["protocol"], "")) for summary in summaries)]
    return _table("Share of the gap in AUC that is closed, %", summaries, cell) + "\n| " + " | ".join(paper) + " |"


def stability_table(summaries: list[Summary]) -> str:
    """Temporal stability: the change of a restored video from frame to frame, in percent of the sharp video's."""
    columns = [{one["method"]: one["share"]["value"] for one in summary["steadiness"]} for summary in summaries]

    def cell(number: int, method: str) -> str:
        value = columns[number].get(method)
        return "" if value is None else f"{value:.0f}"

    return _table("Change between frames, % of the sharp video's", summaries, cell)


def flicker_table(title: str, ratio: str, summaries: list[Summary]) -> str:
    """How much the changes of restored runs differ from those of the sharp ones, relative to the blurry ones."""
    columns = [{row["method"]: row[ratio] for row in summary["flicker"] if row[ratio]} for summary in summaries]

    def cell(number: int, method: str) -> str:
        value = columns[number].get(method)
        if value is None or any(value[end] is None for end in ("value", "low", "high")):
            return ""
        return f"{value['value']:.2f} [{value['low']:.2f} to {value['high']:.2f}]"

    return _table(title, summaries, cell)


def _column(summary: Summary, figure: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
    found = {row["method"]: figure(row) for row in summary["rows"]}
    return {method: value for method, value in found.items() if value is not None}


def _costs(shown: Mapping[str, str], more_is_better: bool) -> dict[str, float]:
    """The values that a table shows, with a sign such that less is better."""
    return {method: -float(text) if more_is_better else float(text) for method, text in shown.items()}


def _place(method: str, costs: Mapping[str, float]) -> int:
    """The place among the methods that compete, `blurred` among them: equal ones share it; 0 for none, or if all are equal."""
    ranked = sorted({cost for other, cost in costs.items() if other not in UNRANKED})
    return ranked.index(costs[method]) + 1 if method not in UNRANKED and len(ranked) > 1 else 0


def _table(title: str, summaries: list[Summary], cell: Callable[[int, str], str]) -> str:
    methods = list(dict.fromkeys(row["method"] for summary in summaries for row in summary["rows"]))
    head = ["method", *(f"{summary['protocol']} ({summary['faces']})" for summary in summaries)]
    cells = {method: [cell(number, method) for number in range(len(summaries))] for method in methods}
    return f"{title}:\n\n" + markdown(head, [[f"`{method}`", *row] for method, row in cells.items() if any(row)])


if __name__ == "__main__":
    main()

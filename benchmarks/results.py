"""The tables of docs/results.md, from the reports of `streamdeblur evaluate --protocol A,B,C`.

python benchmarks/results.py clips/report.json stills/report.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from streamdeblur.evaluation.columns import COLUMNS
from streamdeblur.evaluation.summary import BOUNDS

PAPER_FINAL = {"pravg:7": 65, "pravg:9": 50, "pravg:11": 47, "pravg:15": 43, "pravg:21": 38, "vla": 60, "synthetic": 50}
"""Share of the gap in AUC that the paper's network closes, in percent (Tables 5, 6 and 7 of the paper, see docs/methods.md)."""
PLACES = {1: "**{}**", 2: "*{}*"}

Summary = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=Path, help="report.json of evaluations; no protocol twice")
    summaries = [one for path in parser.parse_args().reports for one in json.loads(path.read_text())["protocols"]]
    tables = [share_table(summaries), *(metric_table(name, summaries) for name in TITLES), stability_table(summaries)]
    print("\n\n".join(tables))


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


def metric_table(name: str, summaries: list[Summary]) -> str:
    """One metric of all methods under all protocols; bold and italic are the first and second of a column."""
    metric = COLUMNS[name]
    columns = [_column(summary, lambda row: row["figures"].get(name)) for summary in summaries]
    ranks = [_ranks(column, metric.more_is_better) for column in columns]

    def cell(number: int, method: str) -> str:
        figure = columns[number].get(method)
        text = "" if figure is None or figure["value"] is None else f"{figure['value']:{metric.format_spec}}"
        return PLACES.get(ranks[number].get(method, 0), "{}").format(text)

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


def _column(summary: Summary, figure: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
    found = {row["method"]: figure(row) for row in summary["rows"]}
    return {method: value for method, value in found.items() if value is not None}


def _ranks(column: Mapping[str, Any], more_is_better: bool) -> dict[str, int]:
    """Places of the methods that compete: equal ones have the same place, and if all are equal there are none."""
    values = {method: figure["value"] for method, figure in column.items() if method not in BOUNDS}
    known = {method: value for method, value in values.items() if value is not None}
    order = sorted(set(known.values()), reverse=more_is_better)
    return {method: order.index(value) + 1 for method, value in known.items()} if len(order) > 1 else {}


def _table(title: str, summaries: list[Summary], cell: Callable[[int, str], str]) -> str:
    methods = list(dict.fromkeys(row["method"] for summary in summaries for row in summary["rows"]))
    head = ["method", *(f"{summary['protocol']} ({summary['faces']})" for summary in summaries)]
    lines = [f"{title}:", "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for method in methods:
        cells = [cell(number, method) for number in range(len(summaries))]
        if any(cells):
            lines.append("| " + " | ".join([f"`{method}`", *cells]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

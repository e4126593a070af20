"""The tables of docs/results.md, from the reports of `streamdeblur evaluate`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from scipy.stats import kendalltau

from harness import markdown
from streamdeblur.evaluation.columns import COLUMNS
from streamdeblur.evaluation.evaluate import TIMED
from streamdeblur.evaluation.summary import LOWER, UNRANKED

PAPER = Path(__file__).parents[1] / "docs" / "methods.md"
"""Has the tables of the paper."""
PAPER_TABLES = {
    "auc": "AUC of the landmark errors up to 0.08, and the share of the gap in percent",
    "failure": "Landmark failures, in percent: errors above 0.08",
    "ssim": "SSIM (Tables 5, 6 and 7;",
}
"""The words before the paper's table of each metric."""
PAPER_METHODS = {
    "krishnan": "Krishnan 2011", "babacan": "Babacan 2012", "zhang": "Zhang 2013", "xu": "Xu 2013", "pan-l0": "Pan 2014b",
    "exemplars": "Pan 2014a", "dark-channel": "Pan 2016", "chakrabarti": "Chakrabarti 2016", "nah": "Nah 2017",
    "kupyn": "Kupyn 2018, their data", "zhu": "Zhu 2017, their data", "paper-small": "`final`", "blurred": "`blurred`",
}  # fmt: skip
"""Names of methods in the paper's tables, of those trained on the paper's data where there are two."""
PAPER_PROTOCOLS = {
    "pravg:7": "PrAvg 7", "pravg:9": "PrAvg 9", "pravg:11": "PrAvg 11", "pravg:15": "PrAvg 15", "pravg:21": "PrAvg 21",
    "vla:sequential": "VLA", "synthetic:markov": "synthetic",
}  # fmt: skip
PLACES = {1: "**{}**", 2: "*{}*"}

Summary = Mapping[str, Any]


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
HEAD_LINES = 3
"""Line breaks of a table without rows."""


def short_name(method: str) -> str:
    """The name of a method in a table or a picture: networks are named by their files, without options."""
    family, _, argument = method.partition(":")
    return Path(argument.partition("?")[0]).stem if family == "onnx" else family


def comparison_tables(summaries: list[Summary]) -> list[str]:
    """A table for each metric, with a column for each protocol: share of the gap, order in the paper, and metrics."""
    metrics = (metric_table(name, summaries) for name in TITLES)
    return _filled([share_table(summaries), order_table(summaries), *metrics])


def one_table(summaries: list[Summary]) -> list[str]:
    """A table for each protocol, with a column for each metric, and for verification where it was measured."""
    return _filled([*(metrics_of(summary) for summary in summaries), stability_table(summaries)])


def _filled(tables: list[str]) -> list[str]:
    """Those that have rows."""
    return [table for table in tables if table.count("\n") > HEAD_LINES]


def metrics_of(summary: Summary) -> str:
    """All metrics of one protocol, with a row for each method."""
    names = [name for name in (*TITLES, "error", "sharpness") if any(name in row["figures"] for row in summary["rows"])]
    verified = any(row["verification"] for row in summary["rows"])
    head = ["method", *(COLUMNS[name].title for name in names), *(["verification %"] if verified else [])]
    costs = {name: _costs(_shown_values(name, _figures(name, summary)), COLUMNS[name].more_is_better) for name in names}
    rows = []
    for row in summary["rows"]:
        cells = [
            _shown(row["figures"].get(name), COLUMNS[name].format_spec, _is_worse(row["method"], costs[name])) for name in names
        ]
        if verified:
            found = row["verification"]
            cells.append(f"{100 * found['mean']:.1f} ± {100 * found['deviation']:.1f}" if found else "")
        rows.append([f"`{row['method']}`", *cells])
    return f"`{summary['protocol']}`, {summary['faces']} faces of {summary['groups']} clips or pictures:\n\n" + markdown(
        head, rows
    )


def _shown(figure: Mapping[str, float | None] | None, spec: str, worse: bool) -> str:
    if figure is None or figure["value"] is None:
        return ""
    text = f"{figure['value']:{spec}}"
    if figure["low"] is not None and figure["high"] is not None and figure["high"] > figure["low"]:
        half = f"{(figure['high'] - figure['low']) / 2:{spec}}"
        text += f" ±{half}" if float(half) else ""
    return f"{text} worse" if worse else text


def metric_table(name: str, summaries: list[Summary]) -> str:
    """One metric of all methods under all protocols, with half of the width of the 95 % interval: the first of a column is bold,
    the second italic, and what is worse than the blurry faces is marked."""
    metric = COLUMNS[name]
    columns = [_figures(name, summary) for summary in summaries]
    shown = [_shown_values(name, column) for column in columns]
    costs = [_costs(column, metric.more_is_better) for column in shown]

    def cell(number: int, method: str) -> str:
        if method not in shown[number]:
            return ""
        text = _shown(columns[number][method], metric.format_spec, _is_worse(method, costs[number]))
        value = shown[number][method]
        return text.replace(value, PLACES.get(_place(method, costs[number]), "{}").format(value), 1)

    return _table(TITLES[name], summaries, cell)


def time_table(summaries: list[Summary]) -> str:
    """Milliseconds of each method for one face alone: the median over the protocols, and the least and the most of them."""
    times: dict[str, list[float]] = {}
    for summary in summaries:
        for row in summary["rows"]:
            times.setdefault(row["method"], []).extend([row["milliseconds"]] if row["milliseconds"] else [])
    rows = [
        [f"`{method}`", f"{sorted(found)[len(found) // 2]:.0f}", f"{min(found):.0f} to {max(found):.0f}"]
        for method, found in times.items()
        if found
    ]
    title = (
        f"Milliseconds for one face of 256 x 256 pixels: median and range of {len(summaries)} protocols, {TIMED} faces of each"
    )
    return f"{title}:\n\n" + markdown(["method", "ms", "range"], rows)


def order_table(summaries: list[Summary]) -> str:
    """How far the methods are in the paper's order: Kendall's tau over those that both have, with the blurred faces."""
    rows = []
    for summary in summaries:
        orders = {name: _both_orders(name, summary) for name in PAPER_TABLES}
        if not orders["auc"]:
            continue
        first, here = (", ".join(f"`{name}`" for name in _best(values)) for values in orders["auc"])
        taus = [rank_agreement(*map(list, (order.values() for order in both))) if both else "" for both in orders.values()]
        rows.append([summary["protocol"], str(len(orders["auc"][0])), *taus, first, here])
    title = (
        "The order of the methods that the paper has, too, `blurred` among them, beside the paper's (Kendall's tau: 1 is the "
        "same order, 0 no relation, -1 the reverse order), and the first three by AUC"
    )
    head = ["protocol", "methods", "tau of AUC", "tau of failures", "tau of SSIM", "in the paper", "here"]
    return f"{title}:\n\n" + markdown(head, rows)


def _both_orders(metric: str, summary: Summary) -> tuple[dict[str, float], dict[str, float]] | None:
    """The paper's figures of a metric and ours, of the methods that both have; None of fewer than three."""
    published = paper_figures(metric).get(PAPER_PROTOCOLS.get(summary["protocol"], ""), {})
    figures = _figures(metric, summary)
    common = [method for method, theirs in PAPER_METHODS.items() if method in figures and theirs in published]
    theirs = {method: published[PAPER_METHODS[method]] for method in common}
    return (theirs, {method: figures[method]["value"] for method in common}) if len(common) > 2 else None


def rank_agreement(theirs: list[float], ours: list[float]) -> str:
    """Kendall's tau of two lists of figures of the same methods, and its p value; nothing where all figures are equal."""
    found = kendalltau(theirs, ours)
    return "" if math.isnan(found.statistic) else f"{found.statistic:.2f} (p {p_value(found.pvalue, 2)})"


def p_value(value: float, decimals: int) -> str:
    """A p value; one that would be shown as 0 as less than the smallest that is shown."""
    return f"{value:.{decimals}f}" if round(value, decimals) else f"< {10**-decimals:.{decimals}f}"


def _best(values: Mapping[str, float]) -> list[str]:
    return sorted(values, key=lambda name: (values[name], name), reverse=True)[:3]


@cache
def paper_rows(title: str) -> dict[str, dict[str, str]]:
    """A table of the paper as the page of the methods has it, by the first lines' words: its cells by method and column."""
    lines = PAPER.read_text().partition(title)[2].split("\n\n")[1].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def paper_figures(metric: str = "auc") -> dict[str, dict[str, float]]:
    """The paper's figures of a metric by protocol and method."""
    rows = paper_rows(PAPER_TABLES[metric])
    return {
        protocol: {method: float(row[protocol].split()[0]) for method, row in rows.items()}
        for protocol in PAPER_PROTOCOLS.values()
    }


def paper_shares() -> dict[str, float]:
    """The share of the gap in AUC that the paper's network closes, by protocol, in percent."""
    closed = {}
    for name, protocol in PAPER_PROTOCOLS.items():
        column = paper_figures()[protocol]
        closed[name] = 100 * (column["`final`"] - column["`blurred`"]) / (column["`oracle`"] - column["`blurred`"])
    return closed


def share_table(summaries: list[Summary]) -> str:
    """The share of the gap in AUC that each method closes, with its interval, and the paper's own."""
    columns = [_column(summary, lambda row: row["gap_closed"].get("auc")) for summary in summaries]

    def cell(number: int, method: str) -> str:
        share = columns[number].get(method)
        if share is None or any(share[end] is None for end in ("value", "low", "high")):
            return ""
        return f"{100 * share['value']:.0f} [{100 * share['low']:.0f} to {100 * share['high']:.0f}]"

    shares = paper_shares()
    published = [shares.get(summary["protocol"]) for summary in summaries]
    paper = ["the paper's `final`, on 300VW", *("" if share is None else f"{share:.0f}" for share in published)]
    return _table("Share of the gap in AUC that is closed, %", summaries, cell) + "\n| " + " | ".join(paper) + " |"


def stability_table(summaries: list[Summary]) -> str:
    """Temporal stability: the change of a restored video from frame to frame, in percent of the sharp video's."""
    columns = [{one["method"]: one["share"] for one in summary["steadiness"]} for summary in summaries]

    def cell(number: int, method: str) -> str:
        return _shown(columns[number].get(method), ".0f", worse=False)

    counts = [f"{max((one['clips'] for one in summary['steadiness']), default=0)} clips" for summary in summaries]
    return _table("Change between frames, % of the sharp video's", summaries, cell, counts)


def _column(summary: Summary, figure: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
    found = {row["method"]: figure(row) for row in summary["rows"]}
    return {method: value for method, value in found.items() if value is not None}


def _figures(name: str, summary: Summary) -> dict[str, Any]:
    """The figures of a metric, by method."""
    return _column(summary, lambda row: row["figures"].get(name))


def _shown_values(name: str, figures: Mapping[str, Any]) -> dict[str, str]:
    """The values of a metric as a table shows them, by method."""
    spec = COLUMNS[name].format_spec
    return {method: f"{figure['value']:{spec}}" for method, figure in figures.items() if figure["value"] is not None}


def _is_worse(method: str, costs: Mapping[str, float]) -> bool:
    """Whether what a table shows of a method is worse than that of the blurry faces."""
    return method in costs and costs[method] > costs.get(LOWER, math.inf)


def _costs(shown: Mapping[str, str], more_is_better: bool) -> dict[str, float]:
    """The values that a table shows, with a sign such that less is better."""
    return {method: -float(text) if more_is_better else float(text) for method, text in shown.items()}


def _place(method: str, costs: Mapping[str, float]) -> int:
    """The place among the methods that compete, `blurred` among them: equal ones share it; 0 for none, or if all are equal."""
    ranked = sorted({cost for other, cost in costs.items() if other not in UNRANKED})
    return ranked.index(costs[method]) + 1 if method not in UNRANKED and len(ranked) > 1 else 0


def _table(
    title: str, summaries: list[Summary], cell: Callable[[int, str], str], counts: Sequence[str | int] | None = None
) -> str:
    """A row for each method, a column for each protocol with what it counts: faces, if nothing else is said."""
    methods = list(dict.fromkeys(row["method"] for summary in summaries for row in summary["rows"]))
    of = counts or [summary["faces"] for summary in summaries]
    head = ["method", *(f"{summary['protocol']} ({count})" for summary, count in zip(summaries, of, strict=True))]
    cells = {method: [cell(number, method) for number in range(len(summaries))] for method in methods}
    return f"{title}:\n\n" + markdown(head, [[f"`{method}`", *row] for method, row in cells.items() if any(row)])

"""The report in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamdeblur.evaluation.report.tables import (
    Cell,
    Table,
    flicker_table,
    metrics_table,
    notes,
    paired_tests_table,
    stability_table,
)
from streamdeblur.evaluation.summary import ProtocolSummary

PLACES = {0: "{}", 1: "**{}** (1)", 2: "{} (2)", 3: "{} (3)"}


def markdown_page(
    title: str,
    conditions: Mapping[str, str],
    summaries: Sequence[ProtocolSummary],
    figures: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Render the whole report; see `html.html_page`. The figures are paths of curves by protocol and title."""
    parts = [f"# {title}", "\n".join(f"- {name}: {value}" for name, value in conditions.items())]
    for summary in summaries:
        parts += [f"## {summary.protocol}", summary_text(summary)]
        parts += [f"![{name}]({path})" for name, path in (figures or {}).get(summary.protocol, {}).items()]
    return "\n\n".join(parts) + "\n"


def summary_text(summary: ProtocolSummary) -> str:
    """Render all tables and notes of one protocol."""
    parts = [table_text(metrics_table(summary)), *notes(summary)]
    if summary.stabilities:
        parts.append(table_text(stability_table(summary)))
    if summary.flickers:
        parts.append(table_text(flicker_table(summary)))
    if summary.tests:
        parts.append(table_text(paired_tests_table(summary)))
    return "\n\n".join(parts)


def table_text(table: Table) -> str:
    """Render a table in Markdown; (1), (2) and (3) are the places in a column, and "worse" is worse than the baseline."""
    lines = [_line(list(map(str, table.head))), "|" + " --- |" * len(table.head)]
    return "\n".join(lines + [_line([_text(cell) for cell in row]) for row in table.rows])


def _text(cell: Cell) -> str:
    placed = PLACES[cell.place].format(cell.text)
    marked = f"{placed} worse" if cell.worse else placed
    return f"{marked} [{cell.interval}]" if cell.interval else marked


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

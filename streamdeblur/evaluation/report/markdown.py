"""The report in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamdeblur.evaluation.report.tables import Cell, Table, figures_table, notes, steadiness_table, tests_table
from streamdeblur.evaluation.summary import Summary

MARKS = {0: "{}", 1: "**{}** (1)", 2: "{} (2)", 3: "{} (3)"}


def markdown(title: str, made: Mapping[str, str], summaries: Sequence[Summary]) -> str:
    """The whole report: `made` says how it was made."""
    parts = [f"# {title}", "\n".join(f"- {name}: {value}" for name, value in made.items())]
    for summary in summaries:
        parts += [f"## {summary.protocol}", summary_text(summary)]
    return "\n\n".join(parts) + "\n"


def summary_text(summary: Summary) -> str:
    """All tables and notes of one protocol."""
    parts = [table_text(figures_table(summary)), *notes(summary)]
    if summary.steadiness:
        parts.append(table_text(steadiness_table(summary)))
    if summary.tests:
        parts.append(table_text(tests_table(summary)))
    return "\n\n".join(parts)


def table_text(table: Table) -> str:
    """A table in Markdown; (1), (2), (3) mark the places in a column."""
    lines = [_line(table.head), "|" + " --- |" * len(table.head)]
    return "\n".join(lines + [_line([_text(cell) for cell in row]) for row in table.rows])


def _text(cell: Cell) -> str:
    marked = MARKS[cell.place].format(cell.text)
    return f"{marked} [{cell.interval}]" if cell.interval else marked


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

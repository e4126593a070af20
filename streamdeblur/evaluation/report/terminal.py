"""The tables of a report for a terminal, as narrow as it is."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

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

WIDTH = 80
"""Columns of a terminal whose size is unknown."""
LONGEST_NAME = 24
"""Characters of the name of a row on one line; longer ones are folded."""
PADDING = 3
"""Characters between two cells."""


def terminal_text(summary: ProtocolSummary, width: int = WIDTH, *, tests: bool = True) -> str:
    """Render the tables and notes of a protocol.

    Args:
        summary: What is shown.
        width: Characters of a line. A table that is wider is continued below, with the names of its rows again.
        tests: Show the tests of pairs of methods, too.
    """
    tables = [metrics_table(summary)]
    tables += [stability_table(summary)] if summary.stabilities else []
    tables += [flicker_table(summary)] if summary.flickers else []
    tables += [paired_tests_table(summary)] if summary.tests and tests else []
    return "\n".join([summary.protocol, _rendered(tables, notes(summary), width)])


def _rendered(tables: Sequence[Table], paragraphs: Sequence[str], width: int) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as Grid

    console = Console(file=io.StringIO(), width=width, color_system=None, markup=False, highlight=False, emoji=False)
    for table in tables:
        for columns in _fitting(table, width):
            grid = Grid(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
            names, *figures = columns
            grid.add_column(str(table.head[names]), overflow="fold", min_width=_name_width(table))
            for column in figures:
                grid.add_column(str(table.head[column]), justify="right", overflow="fold")
            for row in table.rows:
                grid.add_row(*(_text(row[column]) for column in columns))
            console.print(grid)
            console.print()
    for paragraph in paragraphs:
        console.print(paragraph)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def _fitting(table: Table, width: int) -> Iterator[list[int]]:
    """The columns of each part of a table that fits into a width; the first one, with the names, is in all parts."""
    widths = [_width(table, column) for column in range(len(table.head))]
    name = _name_width(table) + PADDING
    part, used = [0], name
    for column in range(1, len(widths)):
        if len(part) > 1 and used + PADDING + widths[column] > width:
            yield part
            part, used = [0], name
        part.append(column)
        used += PADDING + widths[column]
    yield part


def _name_width(table: Table) -> int:
    """Characters of the column with the names of the rows."""
    return min(_width(table, 0), LONGEST_NAME)


def _width(table: Table, column: int) -> int:
    """Characters of a column: of the longest word of its heading, and of the longest line of its cells."""
    lines = [line for row in table.rows for line in _text(row[column]).splitlines()]
    return max(map(len, [*str(table.head[column]).split(), *lines]), default=0)


def _text(cell: Cell) -> str:
    """The value with its place, and the interval below."""
    place = f" ({cell.place})" if cell.place else ""
    value = f"{cell.text}{place}{' worse' if cell.worse else ''}"
    return f"{value}\n{cell.interval}" if cell.interval else value

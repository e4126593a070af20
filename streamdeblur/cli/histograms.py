"""Statistics of a data set as a table and bars of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamdeblur.training.datasets.statistics import Statistics

WIDTH = 50
"""Characters of the longest bar."""


def print_statistics(found: Statistics) -> None:
    """Print the table and a histogram of each kind of value."""
    from rich.console import Console
    from rich.table import Table

    from streamdeblur.training.datasets.statistics import EDGES, TITLES

    console = Console()
    table = Table("", "videos", "identities", "frames", "seq. frames", "identity info", "clips or stills", title="Data set")
    for row in found.rows:
        videos, identities, frames, samples = (f"{n:,}" for n in (row.videos, row.identities, row.frames, row.samples))
        table.add_row(row.name, videos, identities, frames, _mark(row.sequential), _mark(row.identity_info), samples)
    console.print(table)
    for name in found.values:
        bars = Table.grid(padding=(0, 1))
        counts, edges = found.histogram(name), EDGES[name]
        ends = [f"- {edge:g}" for edge in edges[1:]] + ["and more"]
        for begin, end, count in zip(edges, ends, counts, strict=True):
            bars.add_row(f"{begin:g} {end}", str(count), "█" * round(WIDTH * count / max(counts)))
        console.print(f"\n{TITLES[name]}")
        console.print(bars)


def _mark(value: bool) -> str:
    return "yes" if value else "no"

"""The report as one HTML page that needs no other file: tables, curves, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from streamdeblur.evaluation.metrics.landmarks import LIMIT
from streamdeblur.evaluation.report.panels import Panel, picture_address
from streamdeblur.evaluation.report.plots import cosine_curves, error_curves
from streamdeblur.evaluation.report.tables import Cell, Table, figures_table, notes, steadiness_table, tests_table
from streamdeblur.evaluation.summary import Summary

STYLE = """
:root { color-scheme: light dark; --line: #8884; --first: #2a82; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td small { display: block; opacity: .65; }
td.first { background: var(--first); font-weight: 700; }
td sup { opacity: .7; }
.curves { display: flex; flex-wrap: wrap; gap: 1rem; }
.curves svg { background: #fff; max-width: 100%; height: auto; }
.panel { display: flex; gap: .3rem; overflow-x: auto; margin: .5rem 0 1.2rem; }
.panel figure { margin: 0; text-align: center; }
.panel figcaption { font-size: .85em; }
.panel img { display: block; width: 192px; height: 192px; }
"""


def page(title: str, made: Mapping[str, str], summaries: Sequence[Summary], panels: Mapping[str, Sequence[Panel]]) -> str:
    """The whole page; `panels` are those of each protocol."""
    body = "".join(_section(summary, panels.get(summary.protocol, ())) for summary in summaries)
    facts = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in made.items())
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1><ul>{facts}</ul>{body}</main></body></html>\n"
    )


def _section(summary: Summary, panels: Sequence[Panel]) -> str:
    told = "".join(f"<p>{escape(note)}</p>" for note in notes(summary))
    steady = f"<h3>Steadiness</h3>{_table(steadiness_table(summary))}" if summary.steadiness else ""
    tests = f"<h3>Paired tests</h3>{_table(tests_table(summary))}" if summary.tests else ""
    shown = "".join(_panel(panel) for panel in panels)
    pictures = f"<h3>Pictures</h3>{shown}" if shown else ""
    return (
        f"<section><h2>{escape(summary.protocol)}</h2>{_table(figures_table(summary))}{told}"
        f'<div class="curves">{_curves(summary)}</div>{steady}{tests}{pictures}</section>'
    )


def _curves(summary: Summary) -> str:
    drawn = []
    if summary.errors:
        drawn.append(("Cumulative error of landmarks", error_curves(summary.errors, LIMIT)))
    if summary.cosines:
        drawn.append(("Cosine of identities", cosine_curves(summary.cosines)))
    return "".join(f"<figure><figcaption>{title}</figcaption>{curve}</figure>" for title, curve in drawn)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in table.head)
    rows = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in table.rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(cell: Cell) -> str:
    place = f"<sup>{cell.place}</sup>" if cell.place else ""
    interval = f"<small>{escape(cell.interval)}</small>" if cell.interval else ""
    marked = ' class="first"' if cell.place == 1 else ""
    return f"<td{marked}>{escape(cell.text)}{place}{interval}</td>"


def _panel(panel: Panel) -> str:
    figures = "".join(
        f'<figure><img src="{picture_address(picture)}" alt="{escape(name)} face" loading="lazy">'
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for name, picture in panel.pictures.items()
    )
    return f'<p>{escape(panel.title)}</p><div class="panel">{figures}</div>'

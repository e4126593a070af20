"""The report as one HTML page that needs no other file: tables, curves and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from streamdeblur.evaluation.report.panels import Panel
from streamdeblur.evaluation.report.plots import curves_of
from streamdeblur.evaluation.report.tables import Table, flicker_table, metrics_table, notes, paired_tests_table, stability_table
from streamdeblur.evaluation.summary import ProtocolSummary
from streamdeblur.html_templates import html_template
from streamdeblur.pictures.data_url import data_url


@dataclass(frozen=True)
class _Section:
    """The part of the page about one protocol, as the template needs it."""

    title: str
    metrics: Table
    notes: Sequence[str]
    curves: Mapping[str, Markup]
    """SVG by title."""
    stability: Table | None
    flicker: Table | None
    tests: Table | None
    panels: Sequence[Panel]


def html_page(
    title: str, conditions: Mapping[str, str], summaries: Sequence[ProtocolSummary], panels: Mapping[str, Sequence[Panel]]
) -> str:
    """Render the whole page.

    Args:
        title: Title of the page.
        conditions: How the report was made, by name.
        summaries: One of each protocol.
        panels: The pictures of each protocol, by its name.
    """
    sections = [_section(summary, panels.get(summary.protocol, ())) for summary in summaries]
    template = html_template(__package__, "report.html.j2", data_url=data_url)
    return template.render(title=title, conditions=conditions, sections=sections)


def _section(summary: ProtocolSummary, panels: Sequence[Panel]) -> _Section:
    return _Section(
        summary.protocol,
        metrics_table(summary),
        notes(summary),
        # matplotlib escapes the names of the methods in its SVG
        {name: Markup(svg) for name, svg in curves_of(summary).items()},
        stability_table(summary) if summary.stabilities else None,
        flicker_table(summary) if summary.flickers else None,
        paired_tests_table(summary) if summary.tests else None,
        panels,
    )

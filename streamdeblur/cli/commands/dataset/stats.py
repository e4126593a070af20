"""streamdeblur dataset stats: a table of what a data set holds, and histograms in text."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.output import print_json, print_table
from streamdeblur.cli.parameters import Json

if TYPE_CHECKING:
    from streamdeblur.training.datasets.statistics import DatasetStatistics, StatisticsRow

logger = logging.getLogger(__name__)

WIDTH = 50
"""Characters of the longest bar."""
COLUMNS = ("", "videos", "identities", "frames", "seq. frames", "identity info", "clips or stills")

DataSet = Annotated[Path, typer.Argument(help="A data set of clips or stills.")]
AgeModelFile = Annotated[
    Path | None,
    typer.Option(
        "--age-model", help="InsightFace's genderage.onnx.", show_default="the one in InsightFace's folder, if there is one"
    ),
]


def command(data_set: DataSet, age_model: AgeModelFile = None, json: Json = False) -> None:
    with handle_errors(json=json):
        from streamdeblur.training.datasets.ages import MODEL, USUAL_FOLDER, AgeModel, find_age_model
        from streamdeblur.training.datasets.statistics import measure

        model = find_age_model(age_model)
        found = measure(data_set, AgeModel(model) if model else None)
        if model is None:
            logger.info("No histogram of ages: %s of InsightFace is not in %s/*/. Give it with --age-model.", MODEL, USUAL_FOLDER)
        if json:
            print_json(found.as_dict() | {"age_model": model})
        else:
            print_table(COLUMNS, [_cells(row) for row in found.rows], title="Data set")
            _print_histograms(found)


def _cells(row: StatisticsRow) -> tuple[object, ...]:
    sequential, identity_info = ("yes" if value else "no" for value in (row.sequential, row.identity_info))
    return row.name, row.videos, row.identities, row.frames, sequential, identity_info, row.samples


def _print_histograms(found: DatasetStatistics) -> None:
    from streamdeblur.training.datasets.statistics import EDGES, TITLES

    for name in found.values:
        counts, edges = found.histogram(name), EDGES[name]
        ends = [f"- {edge:g}" for edge in edges[1:]] + ["and more"]
        bins = [f"{begin:g} {end}" for begin, end in zip(edges, ends, strict=True)]
        typer.echo(f"\n{TITLES[name]}")
        for title, count in zip(bins, counts, strict=True):
            bar = "█" * round(WIDTH * count / max(counts))
            typer.echo(f"{title:<{max(map(len, bins))}} {count:<{len(str(max(counts)))}} {bar}")

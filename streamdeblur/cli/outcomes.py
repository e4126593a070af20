"""What became of each of several files: a table or JSON, and the exit code."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from streamdeblur.cli.existing import in_options
from streamdeblur.cli.exit_codes import FAILED
from streamdeblur.cli.output import print_json, print_table
from streamdeblur.jobs.batch import Outcome

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

logger = logging.getLogger(__name__)


def report_outcomes(
    outcomes: Sequence[Outcome[DataclassInstance]],
    columns: Sequence[str],
    *,
    quiet: bool,
    json: bool,
    unfinished: Sequence[Path] | None = None,
) -> None:
    """Print what became of each file.

    Args:
        outcomes: One for each file.
        columns: Fields of the summaries to show in the table.
        quiet: Print errors only.
        json: Print JSON instead of the table.
        unfinished: Files that others go on with, or that were not begun; None where there cannot be any.

    Raises:
        typer.Exit: A file failed; the exit code is 1.
    """
    outcomes = [replace(outcome, error=in_options(outcome.error)) for outcome in outcomes]
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if not quiet and not json:
        print_table(["file", "status", *columns], [_row(outcome, columns) for outcome in outcomes])
    for outcome in failed:
        logger.error(outcome.error)
    if json:
        counts = {status: sum(o.status == status for o in outcomes) for status in ("done", "skipped", "failed")}
        more = {} if unfinished is None else {"unfinished": [str(path) for path in unfinished]}
        print_json({**counts, **more, "files": [_content(outcome) for outcome in outcomes]})
    if failed:
        raise typer.Exit(FAILED)


def _row(outcome: Outcome[DataclassInstance], columns: Sequence[str]) -> list[object]:
    values = [getattr(outcome.summary, column) if outcome.summary else "" for column in columns]
    return [outcome.job.source.name, outcome.status, *values]


def _content(outcome: Outcome[DataclassInstance]) -> dict[str, object]:
    paths = {"input": str(outcome.job.source), "output": str(outcome.job.target)}
    summary = asdict(outcome.summary) if outcome.summary else {}
    return {**paths, "status": outcome.status, "error": outcome.error, **summary}

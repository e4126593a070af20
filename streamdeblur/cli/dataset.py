"""What the commands that make data sets share: options, progress and report."""

from __future__ import annotations

import logging
import shlex
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from streamdeblur.cli.clusters import processes_of
from streamdeblur.cli.output import print_json
from streamdeblur.cli.progress import ProgressLine
from streamdeblur.cli.resuming import goes_on_with_the_same_command
from streamdeblur.cores import usable_cores

logger = logging.getLogger(__name__)

Out = Annotated[Path, typer.Argument(help="Folder of the data set.")]
IdentityTable = Annotated[
    Path | None,
    typer.Option("--identities", help="CSV with the columns file and identity; by default, subfolders name the people."),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="one for each core")]
ShardMegabytes = Annotated[int, typer.Option("--shard-mb", min=1, help="Largest size of a shard in MB.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a data set made of other files or settings.")]


def run_build(
    work: Callable[..., dict[str, Any]],
    out: Path,
    *,
    workers: int | None,
    ray: str | None,
    shard_mb: int,
    overwrite: bool,
    quiet: bool,
    json: bool,
) -> None:
    """Make a data set with its progress shown, and print its summary.

    Args:
        work: A function of `streamdeblur.training.datasets` that makes the data set and returns its summary.
        out: Folder of the data set.
        workers: Processes; None takes one for each core.
        ray: Address of a Ray cluster that has the processes; None for this machine.
        shard_mb: Largest size of a shard in MB.
        overwrite: Replace a data set made of other files or settings.
        quiet: Print warnings only.
        json: Print the summary as JSON.
    """
    began = time.monotonic()
    with (
        goes_on_with_the_same_command(out),
        processes_of(ray) as cores,
        ProgressLine(out.name, quiet=quiet) as line,
    ):
        summary = work(
            workers=workers or cores or usable_cores(),
            shard_bytes=shard_mb * 1_000_000,
            overwrite=overwrite,
            on_progress=line.show_step,
        )
    bad = [source for source in summary["sources"] if source["problem"]]
    for source in bad:
        logger.warning("%s: %s", source["file"], source["problem"])
    seconds, dropped = round(time.monotonic() - began, 1), _dropped(summary)
    if json:
        counts = {"kept": summary["kept"], "shards": summary["shards"], "files": len(summary["sources"]), "dropped": dropped}
        print_json({"out": out, "kind": summary["kind"], **counts, "bad": bad, "seconds": seconds})
    elif not quiet:
        kind, kept = summary["kind"], summary["kept"]
        sources = f"{len(summary['sources'])} {'clips' if kind == 'pairs' else 'files'}"
        sides = f"{kept['train']} train, {kept['test']} test"
        typer.echo(f"{out}: {sum(kept.values())} {kind} ({sides}) from {sources} in {seconds:.0f} s")
        if dropped:
            typer.echo("Left out: " + ", ".join(f"{count} {reason}" for reason, count in dropped.items()))
        typer.echo(f"Next: {_next_command(kind, out)}")


def _next_command(kind: str, out: Path) -> str:
    """The command that trains with a data set of this kind."""
    train, test = (shlex.quote(str(out / side)) for side in ("train", "test"))
    held_out = "" if kind == "pairs" else f" --held-out-{kind} {test}"
    return f"streamdeblur train hourglass lite --{kind} {train}{held_out} --out RUN"


def _dropped(summary: dict[str, Any]) -> dict[str, int]:
    """How much was left out, by reason, most frequent first."""
    counts = Counter[str]()
    for source in summary["sources"]:
        counts.update(source["dropped"])
    return dict(counts.most_common())

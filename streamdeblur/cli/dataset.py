"""What the commands that make data sets share: options, progress and report."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from streamdeblur.cli.output import print_json
from streamdeblur.cli.progress import ProgressLine

logger = logging.getLogger(__name__)

Out = Annotated[Path, typer.Argument(help="Folder of the data set.")]
IdentityTable = Annotated[
    Path | None,
    typer.Option("--identities", help="CSV with the columns file and identity; by default, subfolders name the people."),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="one for each core")]
ShardMegabytes = Annotated[int, typer.Option("--shard-mb", min=1, help="Largest size of a shard in MB.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a data set made of other files or settings.")]


@dataclass(frozen=True)
class Making:
    """How a data set is made, and what is printed about it."""

    out: Path
    workers: int | None
    shard_mb: int
    overwrite: bool
    quiet: bool
    json: bool

    def run(self, work: Callable[..., dict[str, Any]]) -> None:
        """Make the data set by `work`, a function of `streamdeblur.training.datasets`, and print its summary."""
        began = time.monotonic()
        with ProgressLine(self.out.name, quiet=self.quiet) as line:
            summary = work(
                workers=self.workers or os.cpu_count() or 1,
                shard_bytes=self.shard_mb * 1_000_000,
                overwrite=self.overwrite,
                on_progress=line.show_step,
            )
        bad = [source for source in summary["sources"] if source["problem"]]
        for source in bad:
            logger.warning("%s: %s", source["file"], source["problem"])
        seconds = round(time.monotonic() - began, 1)
        if self.json:
            print_json(
                {
                    "out": self.out, "kind": summary["kind"], "kept": summary["kept"], "shards": summary["shards"],
                    "files": len(summary["sources"]), "dropped": _dropped(summary), "bad": bad, "seconds": seconds,
                }
            )  # fmt: skip
        elif not self.quiet:
            self._print(summary, seconds)

    def _print(self, summary: dict[str, Any], seconds: float) -> None:
        kind, kept, dropped = summary["kind"], summary["kept"], _dropped(summary)
        sources = f"{len(summary['sources'])} {'clips' if kind == 'pairs' else 'files'}"
        sides = f"{kept['train']} train, {kept['test']} test"
        typer.echo(f"{self.out}: {sum(kept.values())} {kind} ({sides}) from {sources} in {seconds:.0f} s")
        if dropped:
            typer.echo("Left out: " + ", ".join(f"{count} {reason}" for reason, count in dropped.items()))


def _dropped(summary: dict[str, Any]) -> dict[str, int]:
    """How much was left out, by reason, most frequent first."""
    counts = Counter[str]()
    for source in summary["sources"]:
        counts.update(source["dropped"])
    return dict(counts.most_common())

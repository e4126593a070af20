"""streamdeblur engine: the TensorRT engines of this GPU, built ahead of time, listed and deleted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamdeblur.cli.commands.video import Json, Quiet
from streamdeblur.cli.report import exits, needs_extra, print_json

if TYPE_CHECKING:
    from streamdeblur.engines.tensorrt.cache import CachedEngine
    from streamdeblur.engines.tensorrt.engine import TensorRTEngine
    from streamdeblur.network import Network

app = typer.Typer()

Weights = Annotated[Path | None, typer.Option(help="A network exported by streamdeblur (ONNX) instead of the embedded one.")]


@app.command(help="Build a network's engine for this GPU, which takes minutes, so that no video waits for it.")
def build(weights: Weights = None, quiet: Quiet = False, json: Json = False) -> None:
    with exits(quiet=quiet, json=json):
        from streamdeblur.network import Network
        from streamdeblur.weights import default_network

        network = Network.read(weights or default_network())
        with needs_extra("tensorrt", "Building engines"):
            import pycuda.driver  # noqa: F401
            import tensorrt  # noqa: F401
        engine = _build(network, quiet=quiet)
        reason = engine.reason
        engine.close()
        if json:
            print_json({"network": str(network.path), "reason": reason})
        elif not quiet:
            typer.echo(reason)


def _build(network: Network, *, quiet: bool) -> TensorRTEngine:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from streamdeblur.engines.tensorrt.opening import open_tensorrt

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task("Opening the GPU")
        return open_tensorrt(
            network, lambda step: progress.update(task, description=step.phase, total=step.steps, completed=step.done)
        )


@app.command("list", help="Show the engines that are built.")
def show(json: Json = False) -> None:
    with exits(json=json):
        from streamdeblur.engines.tensorrt.cache import EngineCache

        cache = EngineCache()
        entries = cache.entries()
        if json:
            print_json({"folder": str(cache.folder), "engines": [_told(entry) for entry in entries]})
            return
        for entry in entries:
            typer.echo(_line(entry))
        typer.echo(f"{len(entries)} in {cache.folder}")


def _told(entry: CachedEngine) -> dict[str, Any]:
    rest = {"file": str(entry.path), "megabytes": round(entry.megabytes, 1), "seconds": entry.seconds, "built": entry.built}
    return {**vars(entry.key), **rest}


def _line(entry: CachedEngine) -> str:
    key = entry.key
    made_for = f"{key.gpu}, TensorRT {key.tensorrt}, {key.precision}, {key.shapes}, network {key.network[:12]}"
    return f"{made_for}: {entry.megabytes:.1f} MB, built {entry.built} in {entry.seconds:.0f} s"


@app.command(help="Delete all engines that are built; they are built again when they are wanted.")
def clear(quiet: Quiet = False, json: Json = False) -> None:
    with exits(quiet=quiet, json=json):
        from streamdeblur.engines.tensorrt.cache import EngineCache

        cache = EngineCache()
        deleted = cache.clear()
        if json:
            print_json({"folder": str(cache.folder), "deleted": deleted})
        elif not quiet:
            typer.echo(f"{deleted} deleted from {cache.folder}")

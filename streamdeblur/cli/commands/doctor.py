"""streamdeblur doctor: what streamdeblur found on this machine, and what it will use."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.output import print_json

if TYPE_CHECKING:
    from streamdeblur.cores import ThreadPlan
    from streamdeblur.diagnosis import Diagnosis

Benchmark = Annotated[
    bool,
    typer.Option("--benchmark", help="Measure the shipped networks on each engine again, which takes some seconds."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def command(benchmark: Benchmark = False, json: Json = False) -> None:
    with handle_errors():
        from streamdeblur.diagnosis import diagnose

        found = diagnose(benchmark=benchmark) if benchmark else diagnose()
        if json:
            print_json(asdict(found))
        else:
            _print(found)


def _threads(plan: ThreadPlan) -> str:
    crops = f"{plan.network.pictures} crop{'s' if plan.network.pictures > 1 else ''} at the same time"
    each = f" on {plan.network.each} threads each" if plan.network.each > 1 else ""
    return f"{crops}{each}, {plan.detector.total} to detect faces, {plan.decoder} to decode, {plan.encoder} to encode"


def _print(found: Diagnosis) -> None:
    typer.echo(f"streamdeblur {found.streamdeblur}, Python {found.python}, {found.system}")
    packages = ", ".join(f"{name} {version or '(absent)'}" for name, version in found.packages.items())
    typer.echo(f"Packages: {packages}")
    features = ", ".join(found.cpu.features) or "no vector extensions known to matter"
    typer.echo(f"CPU: {found.cpu.name}, {found.cpu.cores} cores, {features}")
    typer.echo(f"Threads: for a file, {_threads(found.threads.file)}; for a live stream, {_threads(found.threads.live)}")
    typer.echo("Engines, fastest first:")
    for engine in found.engines:
        state = "used by 'auto'" if engine.chosen else "available" if engine.available else "absent"
        typer.echo(f"  {engine.name}: {state}; {engine.reason}")
    _print_cards(found)
    network = found.network
    kind = f"a memory of {network.memory} crops" if network.memory else "each crop alone"
    crops = f"crops of {', '.join(map(str, network.crop_sizes))} px"
    typer.echo(f"Network: {network.file}, preset {network.preset}, {kind}, {crops}, {network.megabytes} MB; {network.training}")
    _print_speeds(found)
    typer.echo("Detectors:")
    for name, state in found.detectors.items():
        typer.echo(f"  {name}: {state}")
    typer.echo(f"Video encoders of this FFmpeg (hardware encoders need their device, too): {', '.join(found.encoders)}")
    typer.echo(f"Cache: {found.cache or 'no folder is writable; networks are compiled again in each process'}")


def _print_cards(found: Diagnosis) -> None:
    """Print the NVIDIA cards with what runs on them, or why there are none."""
    if not found.cards:
        typer.echo(f"NVIDIA cards: none. {found.cards_problem}")
        return
    typer.echo("NVIDIA cards, by the number for --device:")
    for card in found.cards:
        free = "" if card.free_gb is None else f" ({card.free_gb} GB free)"
        driver = f"driver {card.driver}, " if card.driver else ""
        held = f"; process {', '.join(map(str, card.processes))} computes on it" if card.processes else ""
        runs = ", ".join(card.runs) or "nothing that is installed here"
        typer.echo(
            f"  {card.number}: {card.name}, {card.memory_gb} GB{free}, compute capability {card.capability}, {driver}"
            f"CUDA {card.cuda}{held}; runs: {runs}"
        )


def _print_speeds(found: Diagnosis) -> None:
    """Print the time of each network, and what 'auto' makes of it."""
    if not found.speeds:
        typer.echo("Speed of the networks: not measured yet (streamdeblur doctor --benchmark)")
        return
    typer.echo("Speed of the networks: engine, network, crop, time per face, faces at 30 fps if nothing else took any time")
    for one in found.speeds:
        time = "cannot run it" if one.ms is None else f"{one.ms:6.1f} ms {one.faces_at_30_fps:4d}"
        typer.echo(f"  {one.engine:<16} {one.network:<8} {one.crop_size} px {time}")
    if found.auto_network:
        typer.echo(f"--network auto: {', '.join(f'{name} ({use})' for use, name in found.auto_network.items())}")

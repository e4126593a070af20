"""streamdeblur doctor: what there is on this machine, and what will be used."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from streamdeblur.cli.report import exits, print_json

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def command(json: Json = False) -> None:
    with exits():
        from streamdeblur.diagnosis import diagnose

        found = diagnose()
        if json:
            print_json(found)
        else:
            _print(found)


def _print(found: dict[str, Any]) -> None:
    typer.echo(f"streamdeblur {found['streamdeblur']}, Python {found['python']}, {found['system']}")
    packages = ", ".join(f"{name} {version or '(absent)'}" for name, version in found["packages"].items())
    typer.echo(f"Packages: {packages}")
    cpu = found["cpu"]
    typer.echo(
        f"CPU: {cpu['name']}, {cpu['cores']} cores, {', '.join(cpu['features']) or 'no vector extensions known to matter'}"
    )
    typer.echo("Engines, fastest first:")
    for engine in found["engines"]:
        mark = "used by 'auto'" if engine["chosen"] else "available" if engine["available"] else "absent"
        typer.echo(f"  {engine['name']}: {mark}; {engine['reason']}")
    network = found["network"]
    typer.echo(f"Network: {network['file']}, preset {network['preset']}, {network['megabytes']} MB; {network['training']}")
    typer.echo("Detectors:")
    for name, state in found["detectors"].items():
        typer.echo(f"  {name}: {state}")
    typer.echo(f"Video encoders of this FFmpeg (hardware ones need their device, too): {', '.join(found['encoders'])}")
    typer.echo(f"Cache: {found['cache'] or 'no folder can be written; networks are compiled anew in each process'}")

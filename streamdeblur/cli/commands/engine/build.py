"""streamdeblur engine build: the TensorRT engine of a network, built ahead of time."""

from __future__ import annotations

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.extras import needs_extra
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.output import print_json
from streamdeblur.cli.parameters import Json, Quiet
from streamdeblur.cli.progress import ProgressLine
from streamdeblur.options import RestorationOptions


@with_settings(RestorationOptions, ["network", "device"])
def command(quiet: Quiet = False, json: Json = False, **settings: object) -> None:
    with handle_errors(quiet=quiet, json=json):
        from streamdeblur.engines.registry import card_number
        from streamdeblur.engines.tensorrt.library import installed_library
        from streamdeblur.network import Network
        from streamdeblur.speeds import chosen_network

        options, library = RestorationOptions.validated(settings), installed_library()
        network = Network.read(chosen_network(options.changed(engine=library.name), real_time=False))
        with needs_extra(library.name, "Building engines"):
            import pycuda.driver  # noqa: F401

            library.module  # noqa: B018  # imports it
        from streamdeblur.engines.tensorrt.opening import open_tensorrt

        with ProgressLine(network.path.name, quiet=quiet) as line:
            line.show(0, None, "Opening the GPU")
            engine = open_tensorrt(
                network,
                lambda step: line.show(step.done, step.steps, step.phase),
                library=library,
                card=card_number(options.device),
            )
        reason = engine.reason
        engine.close()
        if json:
            print_json({"network": str(network.path), "reason": reason})
        elif not quiet:
            typer.echo(reason)

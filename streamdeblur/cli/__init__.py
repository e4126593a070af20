"""The command line of streamdeblur."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: the entry point of the `streamdeblur` command.

    Args:
        arguments: What stands after the program's name; None takes the arguments of the process.

    Raises:
        SystemExit: Always, with the exit code.
    """
    from streamdeblur.cli.interrupts import ended_at_once

    # until a command begins its work, see `exit_codes.handle_errors`
    with ended_at_once():
        from streamdeblur.cli.app import build_app
        from streamdeblur.cli.process import prepared_process

        with prepared_process():
            build_app()(arguments, prog_name="streamdeblur")

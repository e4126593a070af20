"""streamdeblur serve: a page for the browser, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.extras import needs_extra
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.parameters import Config, Quiet
from streamdeblur.errors import OptionError
from streamdeblur.options import RestorationOptions

Host = Annotated[str, typer.Option(help="Address to listen on. Addresses that other machines can reach require a token.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
Token = Annotated[bool, typer.Option("--token", help="Require a token on this machine, too.")]
Name = Annotated[
    list[str] | None,
    typer.Option(help="Host name under which a reverse proxy serves the page; requires a token (may be given several times)."),
]
Certificate = Annotated[
    Path | None, typer.Option(help="Certificate (PEM) for https: browsers give cameras to secure pages only.")
]
Key = Annotated[Path | None, typer.Option(help="Private key (PEM) of the certificate, if it is not in the same file.")]


@with_settings(RestorationOptions)
def command(
    host: Host = "127.0.0.1",
    port: Port = 8765,
    token: Token = False,
    name: Name = None,
    certificate: Certificate = None,
    key: Key = None,
    config: Config = None,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    with handle_errors(quiet=quiet):
        options = RestorationOptions.load(config, **settings)
        if key and not certificate:
            raise OptionError("--key needs --certificate.")
        with needs_extra("live", "The page"):
            from streamdeblur.live.serve.server import serve
        from streamdeblur.live.serve.access import Access

        access = Access(host, port, token=token, names=name or ())
        serve(options, access, certificate=certificate, key=key, on_open=_show_address)


def _show_address(address: str) -> None:
    """Print the address, with --quiet too: it holds the token."""
    typer.echo(f"Open {address} in a browser; Ctrl-C ends.", err=True)

"""streamdeblur serve: a page for the browser, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streamdeblur.cli.commands.video import Config, Quiet
from streamdeblur.cli.report import exits, needs_extra, tell
from streamdeblur.cli.settings import STREAM, accepts
from streamdeblur.errors import OptionError
from streamdeblur.options import RestorationOptions

Host = Annotated[str, typer.Option(help="Address to listen on. Any but this machine's own asks for a token.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
Token = Annotated[bool, typer.Option("--token", help="Ask for a token, on this machine, too.")]
Name = Annotated[
    list[str] | None, typer.Option(help="Host name under which a reverse proxy offers the page; asks for a token. Repeatable.")
]
Certificate = Annotated[
    Path | None, typer.Option(help="Certificate (PEM) for https: browsers give cameras to secure pages only.")
]
Key = Annotated[Path | None, typer.Option(help="Its private key (PEM), where it is not in the same file.")]


@accepts(*STREAM, model=RestorationOptions)
def command(
    host: Host = "127.0.0.1", port: Port = 8765, token: Token = False, name: Name = None, certificate: Certificate = None,
    key: Key = None, config: Config = None, quiet: Quiet = False, **settings: Any,
) -> None:  # fmt: skip
    with exits(quiet=quiet):
        options = RestorationOptions.load(config, **settings)
        if key and not certificate:
            raise OptionError("--key needs --certificate.")
        with needs_extra("live", "The page"):
            from streamdeblur.live.serve.server import serve
        from streamdeblur.live.serve.access import Access

        access = Access(host, port, token=token, names=name or ())

        def told(address: str) -> None:
            # (not for --quiet: without it nobody would know the token)
            tell(f"Open {address} in a browser; Ctrl-C ends.")

        serve(options, access, certificate=certificate, key=key, on_open=told)

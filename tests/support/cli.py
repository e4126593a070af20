"""The command line as the tests run it: in this process, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamdeblur.cli import main

COMMAND = [sys.executable, "-m", "streamdeblur"]


@dataclass(frozen=True)
class Completed:
    """What a command printed, and how it ended."""

    exit_code: int
    output: bytes
    """All of stdout, which may be frames."""
    stderr: str

    @property
    def stdout(self) -> str:
        return self.output.decode()

    @property
    def json(self) -> Any:
        """The JSON object in the last line of stdout."""
        return json.loads(self.stdout.splitlines()[-1])


def run(*arguments: object, cwd: str | Path = ".") -> Completed:
    """Run a command in this process, which saves the start of another one."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr), contextlib.chdir(cwd):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            return Completed(int(end.code or 0), stdout.getvalue().encode(), stderr.getvalue())
    raise AssertionError("main() ends by SystemExit")


def run_process(*arguments: object, env: Mapping[str, str] | None = None, **settings: Any) -> Completed:
    """Run a command in a process of its own, for what depends on one: pipes, limits, the environment, imports.

    Args:
        arguments: Of the command line.
        env: Environment variables to set besides those of this process.
        settings: For `subprocess.run`: `input` is the bytes of stdin.
    """
    command, environment = [*COMMAND, *map(str, arguments)], {**os.environ, **(env or {})}
    done = subprocess.run(command, capture_output=True, check=False, timeout=240, env=environment, **settings)
    return Completed(done.returncode, done.stdout, done.stderr.decode())


def start(*arguments: object, **settings: Any) -> subprocess.Popen[Any]:
    """Start a command in a process of its own, which takes interrupts even where the tests run in the background."""
    prepare = take_interrupts if os.name == "posix" else None
    return subprocess.Popen([*COMMAND, *map(str, arguments)], preexec_fn=prepare, **settings)


def take_interrupts() -> None:
    """Prepare a process that is about to start."""
    # shells start background jobs with interrupts ignored, and their children inherit it
    signal.signal(signal.SIGINT, signal.SIG_DFL)

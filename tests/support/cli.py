"""The command line as the tests run it: in this process, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from unittest import mock

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
        exit_code = _exit_code(arguments)
    return Completed(exit_code, stdout.getvalue().encode(), stderr.getvalue())


def run_with_files(
    *arguments: object, input: bytes | BinaryIO = b"", output: BinaryIO | None = None, encoding: str = "utf-8"
) -> Completed:
    """Run a command in this process that reads or writes frames: its stdin and stdout are files, which have descriptors.

    Args:
        arguments: Of the command line.
        input: The bytes of stdin, or an open file for it.
        output: An open file for stdout, such as the end of a pipe; `Completed.output` is empty then.
        encoding: Of the text on stdout.
    """
    stderr = io.StringIO()
    with contextlib.ExitStack() as files:
        if isinstance(input, bytes):
            given = files.enter_context(tempfile.TemporaryFile())
            given.write(input)
            given.seek(0)
        else:
            given = input
        taken = files.enter_context(tempfile.TemporaryFile()) if output is None else output
        stdin, stdout = io.TextIOWrapper(given), io.TextIOWrapper(taken, encoding)
        with mock.patch("sys.stdin", stdin), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            exit_code = _exit_code(arguments)
        stdin.detach()
        stdout.detach()
        if output is not None:
            return Completed(exit_code, b"", stderr.getvalue())
        taken.seek(0)
        return Completed(exit_code, taken.read(), stderr.getvalue())


def pipe_without_reader() -> BinaryIO:
    """The end to write to of a pipe whose reader has ended."""
    reading, writing = os.pipe()
    os.close(reading)
    return open(writing, "wb")


def _exit_code(arguments: Iterable[object]) -> int:
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
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

"""Methods that are not part of this project: functions, programs, and results from elsewhere."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from streamdeblur.errors import InputError, MethodError, OptionError
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.methods.per_face import PerFaceMethod, checked, files_digest
from streamdeblur.training.datasets.pictures import PICTURES, decode_picture, png_bytes

TAIL_LINES = 5
"""Last lines of a failed program's output that the error message shows."""


def python(argument: str) -> PerFaceMethod:
    """Make a method of a Python function.

    Args:
        argument: MODULE:FUNCTION, also from the working folder. The function takes and returns uint8 RGB [H, W, 3].

    Raises:
        OptionError: The argument has another form.
        MethodError: It cannot be imported, or cannot be called.
    """
    name = f"python:{argument}"
    module, _, attribute = argument.partition(":")
    if not module or not attribute:
        raise OptionError(f"'{name}' does not name a function. Give python:MODULE:FUNCTION.")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        function = getattr(import_module(module), attribute)
    except Exception as error:
        # guards the import of the user's module, which may raise anything
        raise MethodError(f"Cannot import {name}: {error}") from error
    if not callable(function):
        raise MethodError(f"{name} is a {type(function).__name__}; a function is required.")

    def restore(case: Case) -> Image:
        return _called(name, function, case)

    return PerFaceMethod(name, "", restore)


def _called(name: str, function: Callable[[Image], Image], case: Case) -> Image:
    try:
        return function(case.blurry.copy())
    except Exception as error:
        # guards the user's function, which may raise anything
        raise MethodError(f"{name} failed on {case.name}: {type(error).__name__}: {error}") from error


def folder(argument: str) -> PerFaceMethod:
    """Make a method of restored pictures in a folder.

    Args:
        argument: The folder DIR, which holds DIR/CASE.png for each case, or with another suffix of a picture.

    Raises:
        MethodError: There is no such folder.
    """
    root = Path(argument)
    if not root.is_dir():
        raise MethodError(f"No such folder: {root}. folder:DIR takes results made elsewhere, DIR/CASE.png.")
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() in PICTURES)
    pictures = {file.relative_to(root).with_suffix("").as_posix(): file for file in files}

    def read(case: Case) -> Image:
        if case.name not in pictures:
            raise MethodError(f"{root / case.name}.png is missing: folder: needs a picture for every case.")
        return _read(pictures[case.name])

    return PerFaceMethod(f"folder:{argument}", files_digest(files), read)


def command(argument: str) -> Command:
    """Make a method of a program.

    Args:
        argument: The program and its arguments, with {input} and {output} in place of the two folders. They are split as by a
            shell, but run without one; write ``sh -c '...'`` to use a shell.

    Raises:
        OptionError: The argument cannot be split, or lacks one of the folders.
    """
    name = f"command:{argument}"
    try:
        words = shlex.split(argument)
    except ValueError as error:
        raise OptionError(f"'{name}' cannot be split into words: {error}.") from None
    for folder_name in ("{input}", "{output}"):
        if folder_name not in argument:
            raise OptionError(f"'{name}' lacks {folder_name}. Give command:PROGRAM ... {{input}} ... {{output}}.")
    return Command(name, tuple(words))


@dataclass(frozen=True)
class Command:
    """A program that restores a folder of PNG pictures into another folder; it runs once for each batch of cases.

    A result has the name of its input, with the suffix of any picture; it may be in a subfolder of the output.
    """

    name: str
    words: tuple[str, ...]
    fingerprint: str = ""

    def restore(self, cases: Sequence[Case]) -> list[Image]:
        """Restore some cases; see `Method.restore`.

        Raises:
            MethodError: The program cannot be started, fails, or leaves out a picture.
        """
        with tempfile.TemporaryDirectory(prefix="streamdeblur-") as temporary:
            source, target = Path(temporary, "input"), Path(temporary, "output")
            try:
                source.mkdir()
                target.mkdir()
                for number, case in enumerate(cases):
                    (source / f"{number:05}.png").write_bytes(png_bytes(case.blurry))
            except OSError as error:
                raise MethodError(f"Cannot write the pictures for {self.name} to {source}: {error.strerror}.") from None
            self._run(source, target)
            made = {file.stem: file for file in sorted(target.rglob("*")) if file.suffix.lower() in PICTURES}
            missing = [f"{number:05}.png" for number in range(len(cases)) if f"{number:05}" not in made]
            if missing:
                raise MethodError(f"{self.name} left out {len(missing)} of {len(cases)} pictures; the first is {missing[0]}.")
            return [checked(self.name, case, _read(made[f"{number:05}"])) for number, case in enumerate(cases)]

    def _run(self, source: Path, target: Path) -> None:
        words = [word.replace("{input}", str(source)).replace("{output}", str(target)) for word in self.words]
        try:
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        except OSError as error:
            raise MethodError(f"{self.name} cannot be started: {words[0]}: {error.strerror}.") from None
        except subprocess.CalledProcessError as error:
            tail = "\n".join((error.stderr or error.stdout).strip().splitlines()[-TAIL_LINES:])
            raise MethodError(f"{self.name} ended with exit code {error.returncode}: {tail}") from None


def _read(file: Path) -> Image:
    try:
        return decode_picture(file.read_bytes())
    except InputError as error:
        raise MethodError(f"Cannot read {file}: {error}.") from None
    except OSError as error:
        raise MethodError(f"Cannot read {file}: {error.strerror}.") from None

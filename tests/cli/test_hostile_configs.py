"""Hostile configuration files, given to the commands that take one: refused in words or used, within seconds."""

from __future__ import annotations

import faulthandler
import os
import random
import sys
import time

import pytest

from streamdeblur.live.options import LiveOptions
from streamdeblur.options import ArchiveOptions, ImageBatchOptions, PipeOptions
from streamdeblur.training.config import TrainingConfig
from support.cli import run
from support.memory import peak_memory

FILES = 100
SECONDS = 10
MEGABYTES = 300
COMMANDS = (
    ("video", "absent.mp4", "out.mp4", "--config"),
    ("batch", "@absent", "--out", "sharp", "--config"),
    ("image", "absent.png", "out.png", "--config"),
    ("live", "--source", "absent.mp4", "--headless", "--config"),
    ("pipe", "--size", "big", "--config"),
    ("evaluate", "absent", "--config"),
    ("train", "hourglass", "--out", "run", "--stills", "absent"),
    ("dataset", "pairs", "absent", "out", "--config"),
)
NAMES = [name for model in (ArchiveOptions, ImageBatchOptions, LiveOptions, PipeOptions) for name in model.flat_fields()] + [
    *TrainingConfig.model_fields, *TrainingConfig.model_fields["hourglass"].annotation.model_fields,
    "restoration", "base", "<<", "mix", "",
]  # fmt: skip
VALUES = (
    "1", "-1", "0", "1e309", "-1e309", ".inf", ".nan", "9" * 5000, "0x10", "1_000", "1:30", "00:01:30.5",
    "2024-01-01", "2024-01-01T00:00:00Z",
    "true", "no", "~", "''", "'a\\0b'", '"a\\0b"', '"\\ud800"', '"\\U0010ffff"', "x" * 5000,
    "!!python/object/apply:os.system [ls]", "!!binary aGk=",
    "!!set {a}", "!!timestamp 1", "&a [*a]", "*a", "&a 1", "[1, 2, 3]", "{a: 1}", "{}", "[]", "|\n  text\n", ">\n  text\n",
    "\t", "@", "`", "%",
    "lite", "paper", "preview", "libx264", "pattern", "-", "/dev/zero", "../../../etc/passwd", "1280x720", "[" * 200,
    "{a: " * 200, "centerface",
)  # fmt: skip
PLAIN = ("strength: 0.5", "min-face: 60", "always: yes", "engine: openvino", "detector: centerface", "seed: 3", "overwrite: true")


def hostile_file(chance: random.Random, path) -> bytes:
    """A file of names and values of all kinds, or of good ones; every third has bytes changed, removed or put in."""
    if chance.random() < 0.3:
        return "\n".join(chance.sample(PLAIN, chance.randint(1, 2))).encode()
    lines = [f"{chance.choice(NAMES)}: {chance.choice(VALUES)}" for _ in range(chance.randint(1, 5))]
    if chance.random() < 0.3:
        lines = ["hourglass:", *(f"  {line}" for line in lines)]
    if chance.random() < 0.1:
        lines = [f"{name}: &{name} [{','.join(['*' + before] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)]
    if chance.random() < 0.05:
        lines *= 20_000
    if chance.random() < 0.1:
        lines.append(f"base: {path}")
    content = bytearray("\n".join(lines).encode(chance.choice(["utf-8"] * 6 + ["utf-16", "utf-8-sig", "latin-1"]), "replace"))
    if chance.random() < 0.33:
        for _ in range(chance.randint(1, 8)):
            place = chance.randrange(len(content) + 1)
            content[place : place + chance.choice([0, 1, 3])] = chance.randbytes(chance.choice([0, 1, 4]))
    return bytes(content)


def arguments_of(command, path):
    return (*command[:2], path, *command[2:]) if command[0] == "train" else (*command, path)


@pytest.mark.slow
def test_hostile_files_are_refused_or_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chance = random.Random(18)
    path = tmp_path / "c.yaml"
    longest, refused = 0.0, []
    path.write_text("")
    for command in COMMANDS:
        # imports what the command needs
        run(*arguments_of(command, path))
    before = peak_memory()
    for number in range(FILES):
        content = hostile_file(chance, path)
        path.write_bytes(content)
        for command in COMMANDS:
            began = time.monotonic()
            faulthandler.dump_traceback_later(6 * SECONDS, exit=True, file=sys.__stderr__)  # ends a test that hangs
            done = run(*arguments_of(command, path))
            longest = max(longest, time.monotonic() - began)
            told = f"file {number}: {content[:300]!r}\n{done.stderr}"
            assert done.exit_code == 2, told
            assert not any(words in done.stderr for words in ("Traceback", "Internal error", "pydantic", "Input should")), told
            assert len(done.stderr) < 20_000, told[:3000]
            assert os.listdir(tmp_path) == ["c.yaml"], told
            refused.append("c.yaml" in done.stderr)
    faulthandler.cancel_dump_traceback_later()
    grown = (peak_memory() - before) / 1e6
    print(f"{len(refused)} runs, {sum(refused)} refused for the file, longest {longest:.2f} s, {grown:.0f} MB more memory")
    assert longest < SECONDS
    assert grown < MEGABYTES

"""Run every command in one process, with standard streams as they were given to it, and write down how each ended.

python every_command.py RESULTS [--no-home] [--no-folder] [--no-training]

With --no-training those that import torch, which takes longer than all the others together, are left out.
"""

from __future__ import annotations

import io
import json
import os
import pwd
import sys
import traceback

ARGUMENTS = [
    ["--help"],
    ["--version"],
    ["doctor"],
    ["models"],
    ["video", "--help"],
    ["video", "absent.mp4", "out.mp4", "--json"],
    ["batch", "@absent", "--out", "sharp"],
    ["image", "absent.png", "out.png"],
    ["preview", "absent.mp4", "--at", "1"],
    ["blur", "absent.mp4", "out"],
    ["live", "--source", "absent.mp4", "--headless"],
    ["serve", "--key", "absent.pem"],
    ["pipe", "--size", "big"],
    ["evaluate", "--list"],
    ["evaluate", "absent"],
    ["compare", "--reference", "absent.mp4"],
    ["export", "absent", "out.onnx"],
    ["config", "init", "absent/settings.yaml"],
    ["config", "show", "--config", "absent"],
    ["config", "schema"],
    ["dataset", "build", "absent", "out"],
    ["dataset", "stills", "absent", "out"],
    ["dataset", "pairs", "absent", "out"],
    ["dataset", "stats", "absent"],
    ["train", "hourglass", "lite", "--out", "run"],
    ["train", "cgan", "lite", "--out", "run"],
    ["train", "compared", "compared/nah", "--out", "run"],
    ["train", "gain", "--out", "run", "--stills", "a", "--clips", "b", "--held-out-stills", "c", "--held-out-clips", "d"],
    ["train", "landmarks", "--out", "run"],
    ["train", "measure", "absent.onnx"],
    ["engine", "list"],
    ["engine", "clear", "--quiet"],
    ["gstreamer", "where"],
    ["no-such-command"],
]
"""Every command, called so that it ends at once."""
TRAINING = ("train", "export")
"""Commands that import torch."""


def main() -> None:
    descriptors = {number: os.dup(number) for number in (1, 2) if _is_open(number)}
    if "--no-home" in sys.argv:
        os.environ.pop("HOME", None)
        pwd.getpwuid = _no_entry
    if "--no-folder" in sys.argv:
        os.mkdir("gone")
        os.chdir("gone")
        os.rmdir("../gone")
    left_out = TRAINING if "--no-training" in sys.argv else ()
    chosen = [arguments for arguments in ARGUMENTS if arguments[0] not in left_out]
    ends = {" ".join(arguments): _end_of(arguments, descriptors) for arguments in chosen}
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(ends, file)


def _end_of(arguments: list[str], descriptors: dict[int, int]) -> int | str:
    """The exit code of a command, or the traceback that it would have shown."""
    from streamdeblur.cli import main as command

    for number, descriptor in descriptors.items():
        # the former command may have turned a stream away that nobody can read
        os.dup2(descriptor, number)
        stream = io.TextIOWrapper(io.FileIO(number, "w", closefd=False), encoding=os.environ.get("ENCODING", "utf-8"))
        setattr(sys, "stdout" if number == 1 else "stderr", stream)
    try:
        command(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        return traceback.format_exc()
    return "main() ends by SystemExit"


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _no_entry(uid: int) -> None:
    raise KeyError(f"getpwuid(): uid not found: {uid}")


if __name__ == "__main__":
    main()

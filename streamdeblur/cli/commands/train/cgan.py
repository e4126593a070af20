"""streamdeblur train cgan: step 2 of the method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.extras import needs_extra
from streamdeblur.cli.resuming import goes_on_with_the_same_command
from streamdeblur.cli.training import (
    CHECKPOINT,
    Clips,
    Compile,
    Config,
    DataFolders,
    Device,
    HeldOutClips,
    HeldOutStills,
    Init,
    Pairs,
    RunFolder,
    Stills,
    is_helper_process,
    tell_next,
)

Hourglass = Annotated[Path | None, typer.Option(help="Step 1: its run, a checkpoint, or an exported ONNX file.")]
Identity = Annotated[
    str, typer.Option(help="Face recognition network of the identity loss: FILE.onnx or vgg16:FILE.safetensors.")
]
Teacher = Annotated[Path | None, typer.Option(help="Exported network from whose restorations this one learns, too.")]


def command(
    config: Config,
    run: RunFolder,
    hourglass: Hourglass = None,
    stills: Stills = None,
    clips: Clips = None,
    pairs: Pairs = None,
    held_out_stills: HeldOutStills = None,
    held_out_clips: HeldOutClips = None,
    init: Init = None,
    identity: Identity = "",
    teacher: Teacher = None,
    device: Device = "auto",
    compile: Compile = False,  # the name of the option
) -> None:
    with handle_errors(quiet=is_helper_process()):
        folders = DataFolders(stills, clips, pairs, held_out_stills, held_out_clips)
        with needs_extra("train", "Training"):
            from streamdeblur.training.cgan import train_cgan
            from streamdeblur.training.config import TrainingConfig
            from streamdeblur.training.machine import Machine, card_errors

        loaded = TrainingConfig.load(config)
        machine = Machine(device, compile)
        data = folders.open(loaded, loaded.cgan)
        with goes_on_with_the_same_command(run / CHECKPOINT), card_errors(run / CHECKPOINT, machine):
            train_cgan(loaded, data, run, hourglass, init, identity, teacher, machine)
        tell_next(run, "cgan", config, folders)

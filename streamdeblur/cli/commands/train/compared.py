"""streamdeblur train compared: the learned methods that the paper compares with."""

from __future__ import annotations

from typing import Annotated

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.extras import needs_extra
from streamdeblur.cli.resuming import goes_on_with_the_same_command
from streamdeblur.cli.training import (
    CHECKPOINT,
    Clips,
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

Features = Annotated[
    str, typer.Option(help="Network of the content term of Kupyn: vgg16:FILE.safetensors or FILE.onnx; else pixels are compared.")
]


def command(
    config: Config,
    run: RunFolder,
    stills: Stills = None,
    clips: Clips = None,
    pairs: Pairs = None,
    held_out_stills: HeldOutStills = None,
    held_out_clips: HeldOutClips = None,
    init: Init = None,
    features: Features = "",
    device: Device = "auto",
) -> None:
    with handle_errors(quiet=is_helper_process()):
        folders = DataFolders(stills, clips, pairs, held_out_stills, held_out_clips)
        with needs_extra("train", "Training"):
            from streamdeblur.training.compared.train import train_compared
            from streamdeblur.training.config import TrainingConfig
            from streamdeblur.training.machine import Machine, card_errors

        loaded = TrainingConfig.load(config)
        machine = Machine(device)
        data = folders.open(loaded, loaded.settings_of_compared())
        with goes_on_with_the_same_command(run / CHECKPOINT), card_errors(run / CHECKPOINT, machine):
            train_compared(loaded, data, run, init, features, machine)
        tell_next(run, "compared", config, folders)

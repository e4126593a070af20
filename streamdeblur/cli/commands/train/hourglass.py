"""streamdeblur train hourglass: step 1 of the method."""

from __future__ import annotations

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
from streamdeblur.errors import OptionError


def command(
    config: Config,
    run: RunFolder,
    stills: Stills = None,
    clips: Clips = None,
    pairs: Pairs = None,
    held_out_stills: HeldOutStills = None,
    held_out_clips: HeldOutClips = None,
    init: Init = None,
    device: Device = "auto",
    compile: Compile = False,  # the name of the option
) -> None:
    with handle_errors(quiet=is_helper_process()):
        folders = DataFolders(stills, clips, pairs, held_out_stills, held_out_clips)
        with needs_extra("train", "Training"):
            from streamdeblur.training.config import TrainingConfig
            from streamdeblur.training.hourglass import train_hourglass
            from streamdeblur.training.machine import Machine, card_errors

        loaded = TrainingConfig.load(config)
        if loaded.takes_step_1 is None:
            raise OptionError(f"{config} has no step 1: its generator sees the blurry image alone. Begin with 'train cgan'.")
        machine = Machine(device, compile)
        data = folders.open(loaded, loaded.hourglass)
        with goes_on_with_the_same_command(run / CHECKPOINT), card_errors(run / CHECKPOINT, machine):
            train_hourglass(loaded, data, run, init, machine)
        identity = loaded.cgan.weights.identity > 0
        tell_next(run, "hourglass", config, folders, identity=identity, option=loaded.takes_step_1)

"""The panels of a command's help: which of its options stand together.

A new option names its panel here: its name, which is that of the parameter or of the field of the settings, is added to one line
of `PANELS`. Options that stand in no line are shown last, under `OTHER`.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperOption

PANELS = {
    "Input": (
        "start", "duration", "allow_network", "camera", "source", "realtime", "loop", "size", "fps", "format",
        "watch", "settle", "idle", "reference", "stills", "clips", "pairs", "held_out", "held_out_stills", "held_out_clips",
        "init",
    ),
    "Faces": ("min_face", "threshold", "always", "detector", "detect_every"),
    "Restoration": ("strength", "network", "look_ahead", "small_crops", "segment"),
    "Output": (
        "out", "to", "codec", "quality", "preset", "audio", "no_audio", "no_subtitles", "no_data", "side_by_side",
        "view", "overlay", "headless", "overwrite", "resume", "keep_tree",
    ),
    "Performance": (
        "engine", "device", "cores", "workers", "worker_memory", "attempts", "max_failures", "shard", "ray", "budget", "compile",
    ),
}  # fmt: skip
"""The panels, in the order of the help, with the names of their options."""

OTHER = "Other"
"""The last panel."""


def panel_of(name: str) -> str:
    """Return the panel of an option."""
    return next((panel for panel, names in PANELS.items() if name in names), OTHER)


class PanelledCommand(TyperCommand):
    """A command whose help shows its options in panels."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        order = [*PANELS, OTHER]
        options = [param for param in self.params if isinstance(param, TyperOption)]
        for option in options:
            option.rich_help_panel = panel_of(option.name)
        options.sort(key=lambda option: order.index(panel_of(option.name)))
        self.params = [*(param for param in self.params if not isinstance(param, TyperOption)), *options]

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """Return the option --help, which is shown with the last ones."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.rich_help_panel = OTHER
        return option

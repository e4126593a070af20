"""The panels of a command's help: which of its options stand together.

A new option names its panel here: its name, which is that of the parameter or of the field of the settings, is added to one line
of `PANELS`. Options that stand in no line are shown last, under `OTHER`.
"""

from __future__ import annotations

PANELS = {
    "Input": (
        "start", "end", "duration", "frames", "at", "allow_network", "list_cameras", "camera", "source", "realtime", "loop",
        "size", "fps", "format", "watch", "settle", "idle", "reference", "stills", "clips", "pairs", "held_out",
        "held_out_stills", "held_out_clips", "init",
    ),
    "Faces": ("only", "min_face", "threshold", "always", "detector", "detect_every"),
    "Restoration": ("strength", "network", "look_ahead", "small_crops", "segment"),
    "Output": (
        "out", "to", "container", "codec", "quality", "preset", "audio", "no_audio", "no_subtitles", "no_data", "side_by_side",
        "zoom", "show_faces", "report", "view", "overlay", "headless", "overwrite", "resume", "keep_tree",
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


def place_of(name: str) -> int:
    """Return the place of the panel of an option among the panels."""
    return [*PANELS, OTHER].index(panel_of(name))

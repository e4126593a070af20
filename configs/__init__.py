"""Shipped configuration files. They are of two kinds: settings for common uses, and trainings."""

SETTINGS = ("archive", "best", "fast", "preview", "social", "webcam")
"""Names of the settings. Each command takes those that make sense for it, and of these the settings that it has."""
VIDEO = ("archive", "best", "fast", "preview", "social")
"""Names of the settings for the commands `video` and `batch`."""
LIVE = ("fast", "webcam")
"""Names of the settings for the command `live`."""
ALL = ("best", "fast")
"""Names of the settings for all other commands that restore faces."""

TRAINING = (
    "lite", "lite_clips", "lite_whole", "lite_sizes", "nano", "stream", "paper", "paper_small",
    "ablations/final", "ablations/cgan-no-hg", "ablations/cgan-no-hg-only-2mf2", "ablations/hg-disc", "ablations/hg-disc-vgg",
    "ablations/hg-vanilla-cgan", "ablations/hg-vanilla-cgan-vgg", "ablations/vanilla-cgan-vgg",
    "ablations/small/final", "ablations/small/cgan-no-hg", "ablations/small/cgan-no-hg-only-2mf2", "ablations/small/hg-disc",
    "ablations/small/hg-disc-vgg", "ablations/small/hg-vanilla-cgan", "ablations/small/hg-vanilla-cgan-vgg",
    "ablations/small/vanilla-cgan-vgg", "ablations/small/changes",
    "compared/chakrabarti", "compared/kupyn", "compared/nah", "compared/zhu",
)  # fmt: skip
"""Names of the files for the commands that train."""
LANDMARKS = ("landmarks",)
"""Names of the files for the command that trains the landmark network of the evaluation."""

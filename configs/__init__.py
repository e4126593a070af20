"""Shipped configuration files: settings for common uses, and trainings."""

VIDEO = ("archive", "preview")
"""Names of the files for the command `video`."""
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

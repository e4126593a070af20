"""The figures of the model card, which lies beside the networks."""

from __future__ import annotations

import re
from importlib.resources import files

SECTION = re.compile(r"^## `([\w-]+)`$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (.+?) \(\d+\) \| ([\d.]+) -> ([\d.]+) \|", re.MULTILINE)
"""What was blurred and how, how many pairs, and the PSNR in dB before and after."""


def gains_of(network: str) -> dict[str, float]:
    """Return what a shipped network gains on people that it was not trained on, in dB of PSNR, by the kind of blur."""
    card = (files("streamdeblur.weights") / "MODEL_CARD.md").read_text(encoding="utf-8")
    rows = ROW.findall(dict(SECTION.findall(card)).get(network, ""))
    return {blur: round(float(after) - float(before), 2) for blur, before, after in rows if blur != "sharp"}

"""The engines of this machine that run any network."""

from __future__ import annotations

from streamdeblur.engines import engine_choices
from streamdeblur.engines.registry import EIGHT_BITS

ENGINES = [choice.name for choice in engine_choices() if choice.available and choice.name != EIGHT_BITS]

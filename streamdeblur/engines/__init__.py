"""Engines run the deblurring network. `open_engine` opens the fastest one that works here."""

from streamdeblur.engines.engine import Engine, FrameFaces, PasteOutcome, PendingFaces
from streamdeblur.engines.registry import EngineChoice, engine_choices, open_engine

__all__ = ["Engine", "EngineChoice", "FrameFaces", "PasteOutcome", "PendingFaces", "engine_choices", "open_engine"]

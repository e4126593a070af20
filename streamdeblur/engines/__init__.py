"""Engines: what runs the deblurring network. `open_engine` chooses the fastest one here and says why."""

from streamdeblur.engines.engine import Engine, Ticket
from streamdeblur.engines.registry import Choice, engine_choices, open_engine

__all__ = ["Choice", "Engine", "Ticket", "engine_choices", "open_engine"]

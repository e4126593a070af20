"""What a message says of a name that is not known: the nearest one, and those that are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_SHOWN = 60
"""Characters of a value that a message shows."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was probably meant to be; None if none is near.

    Names of several parts are also found by one of them: 'cuda' is near to 'onnxruntime:cuda', 'final' to 'ablations/final'.
    """
    spellings: dict[str, str] = {}
    for one in known:
        lower = one.lower()
        for part in (lower, *lower.replace("/", ":").split(":")):
            spellings.setdefault(part, one)
    # difflib takes quadratic time
    near = difflib.get_close_matches(name[:LONGEST_SHOWN].lower(), spellings, n=1, cutoff=0.6)
    return spellings[near[0]] if near else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return sentences that name the nearest known name, if there is one, and all of them."""
    known = list(known)
    near = nearest(name, known)
    return (f"Did you mean '{near}'? " if near else "") + f"Known: {', '.join(known)}."


def shown(value: object) -> str:
    """Return a value as a message shows it: shortened, with escapes for what cannot be printed."""
    try:
        text = repr(value)
    except Exception:
        # guards the representation of a value of any type: that of an integer with 5,000 digits raises a ValueError
        text = "<"
    if text.startswith("<"):
        return f"a value of the type {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 4]} ..."

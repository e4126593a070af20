"""Pictures beside a page of the documentation."""

from __future__ import annotations

from pathlib import Path

FOLDER = "results"
"""The folder of the pictures, beside the page."""


def picture_beside(page: Path, name: str) -> Path:
    """Return the path of a picture beside a page, in a folder that exists."""
    folder = page.parent / FOLDER
    folder.mkdir(exist_ok=True)
    return folder / name


def shown(picture: Path, description: str) -> str:
    """Return the Markdown that shows a picture beside a page."""
    return f"![{description}]({FOLDER}/{picture.name})"


def remove_others(page: Path, name: str, text: str) -> None:
    """Remove the curves of an evaluation that its part of the page no longer shows."""
    for picture in (page.parent / FOLDER).glob(f"{name}-*.svg"):
        if picture.name not in text:
            picture.unlink()

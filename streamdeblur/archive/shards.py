"""Shard: the share of a batch that one of several processes works on which know nothing of each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """The share with this number, from 1 on, of as many as there are."""

    number: int
    count: int

    @property
    def name(self) -> str:
        """Its name in those of files."""
        return f"shard-{self.number}-of-{self.count}"

    def has(self, place: int) -> bool:
        """Return whether the task in this place of the plan belongs to it."""
        return place % self.count == self.number - 1

"""UploadSettings: what the page asks for an upload; UploadProgress: how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import Field

from streamdeblur.errors import InputError, OptionError
from streamdeblur.options import TimeRange


class UploadSettings(TimeRange):
    """The settings of one upload, which come with its request."""

    strength: float | None = Field(default=None, ge=0.0, le=1.0)
    """Share of the restoration that is added to each face; None for that of the server."""

    @classmethod
    def of_query(cls, query: Mapping[str, str]) -> Self:
        """Read the settings from the query of a request.

        Raises:
            InputError: A name or value is not valid.
        """
        try:
            return cls.validated(dict(query))
        except OptionError as error:
            raise InputError(str(error)) from None


@dataclass(frozen=True)
class UploadProgress:
    """How far the restoration of an upload is."""

    share: float | None = None
    """0 to 1; None while the upload arrives or waits for others."""
    seconds_left: float | None = None
    """None where it is unknown."""

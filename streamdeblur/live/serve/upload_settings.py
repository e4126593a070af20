"""UploadSettings: what the page asks for an upload; UploadProgress: how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from streamdeblur.errors import InputError, OptionError
from streamdeblur.options import Settings
from streamdeblur.setting_types import LONGEST_TIME, Seconds


class UploadSettings(Settings):
    """The settings of one upload, which come with its request."""

    strength: float | None = Field(default=None, ge=0.0, le=1.0)
    """Share of the restoration that is added to each face; None for that of the server."""
    start: Seconds = Field(default=0.0, ge=0.0, le=LONGEST_TIME)
    """Time of a clip to begin at."""
    end: Seconds | None = Field(default=None, gt=0.0, le=LONGEST_TIME)
    """Time of a clip to end at; None for its end."""

    @model_validator(mode="after")
    def _refuse_nothing(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError("the end of the clip has to lie behind its beginning")
        return self

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

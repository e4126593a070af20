"""What all settings have in common: they are validated, frozen, and given flat in Python, in YAML files and on command lines."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from streamdeblur.config_files import is_shipped, read_config
from streamdeblur.errors import OptionError
from streamdeblur.setting_messages import explanation

LONGEST_TEXT = 4096
"""Characters of a text, as paths of Linux."""


class Settings(BaseModel):
    """Base of all settings: frozen, and unknown names and wrong values are errors in words for users.

    Raises:
        OptionError: A name or value is not valid.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    if not TYPE_CHECKING:
        # type checkers derive the arguments from the fields
        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise OptionError(f"Invalid setting: {self._explained(error)}.") from None

        # pydantic validates settings within others without this function, and so their errors keep their place
        __init__.__pydantic_base_init__ = True

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise OptionError(f"{type(self).__name__} is frozen: changed({name}=...) returns a copy with another value.")

    @field_validator("*")
    @classmethod
    def _check_text(cls, value: Any) -> Any:
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str | PurePath):
                _refuse_unusable(str(text))
        return value

    @classmethod
    def _explained(cls, error: ValidationError) -> str:
        return explanation(error, cls)

    @classmethod
    def validated(cls, values: Mapping[str, Any], config: Path | None = None) -> Self:
        """Validate settings.

        Args:
            values: Settings by name.
            config: The file that they were read from, for messages.

        Raises:
            OptionError: A name or value is not valid.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            where = f"In {config}" if config else "Invalid setting"
            raise OptionError(f"{where}: {cls._explained(error)}.") from None

    def changed(self, **settings: Any) -> Self:
        """Return a validated copy with other values for `settings`.

        Raises:
            OptionError: A name or value is not valid.
        """
        return self.validated({**self.model_dump(exclude_unset=True), **settings})

    @classmethod
    def parts(cls) -> dict[str, type[Settings]]:
        """Return the fields that are settings themselves, and whose own fields are given without their name."""
        return {}

    @classmethod
    def flat_fields(cls) -> dict[str, FieldInfo]:
        """Return the fields by the name that YAML files, command lines and keyword arguments use."""
        return dict(cls.model_fields)


class UserSettings(Settings):
    """Settings that a YAML file and a command line, or keyword arguments, give together."""

    shipped: ClassVar[Collection[str]] = ()
    """Names of the shipped files for these settings."""

    @classmethod
    def read(cls, config: str | Path) -> dict[str, Any]:
        """Return the settings in a YAML file by name; of those in a shipped one, the settings that there are here.

        Args:
            config: A YAML file, or the name of a shipped one.

        Raises:
            OptionError: The file cannot be read.
        """
        path = Path(config)
        values = read_config(path, cls.shipped)
        if is_shipped(path, cls.shipped):
            values = {name: value for name, value in values.items() if name in cls.flat_fields()}
        return values

    @classmethod
    def load(cls, config: str | Path | None = None, **settings: Any) -> Self:
        """Read settings from a YAML file and override them.

        Args:
            config: A YAML file, or the name of a shipped one.
            settings: Settings by flat name; they win over the file, and None leaves its value or the default.

        Raises:
            OptionError: The file cannot be read, or a name or value is not valid.
        """
        values = {} if config is None else cls.read(config)
        values |= {name: value for name, value in settings.items() if value is not None}
        return cls.validated(values, None if config is None else Path(config))


class ComposedSettings(UserSettings):
    """Settings that consist of parts but are given flat: ``strength: 0.8`` goes to the part that has a field `strength`."""

    @classmethod
    def parts(cls) -> dict[str, type[Settings]]:
        """Return the fields that are settings themselves."""
        kinds = {name: field.annotation for name, field in cls.model_fields.items()}
        return {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, Settings)}

    @classmethod
    def _explained(cls, error: ValidationError) -> str:
        return explanation(error, cls, cls.parts())

    @classmethod
    def flat_fields(cls) -> dict[str, FieldInfo]:
        parts, fields = cls.parts(), dict[str, FieldInfo]()
        for name, field in cls.model_fields.items():
            part = parts.get(name)
            fields |= part.flat_fields() if part else {name: field}
        return fields

    @model_validator(mode="before")
    @classmethod
    def _compose(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        composed = dict(values)
        for name, part in cls.parts().items():
            nested = composed.get(name, {})
            if isinstance(nested, Settings):
                nested = nested.model_dump(exclude_unset=True)
            if not isinstance(nested, Mapping):
                continue  # validation reports it
            flat = {key: composed.pop(key) for key in part.model_fields if key in composed}
            if flat:
                composed[name] = {**nested, **flat}
        return composed


def _refuse_unusable(text: str) -> None:
    """Refuse text that no file, network or codec could be named by."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"text has at most {LONGEST_TEXT} characters")
    if "\0" in text:
        raise ValueError("text has no NUL characters")
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError("text has no halves of characters (surrogates)") from None

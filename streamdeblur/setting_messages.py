"""What is wrong with settings, in words for users: the errors of pydantic are translated here."""

from __future__ import annotations

import types
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from streamdeblur.known_names import nearest, shown
from streamdeblur.setting_types import Spelling

MOST_SHOWN = 8
"""Problems, or unknown names, that one message lists."""
GROUP = "lines of 'name: value'"


class ValueType(NamedTuple):
    """The type of a setting, taken apart."""

    kind: Any
    """The type itself, without None."""
    metadata: tuple[Any, ...]
    """Bounds, spellings and whatever else stands beside the type in its annotation."""

    @classmethod
    def of(cls, annotation: Any, metadata: Sequence[Any] = ()) -> ValueType:
        """Take apart an annotation, such as ``Annotated[float, Ge(0)] | None``."""
        beside = tuple(metadata)
        while True:
            if get_origin(annotation) is Annotated:
                annotation, *more = get_args(annotation)
                beside += tuple(more)
            elif get_origin(annotation) in (Union, types.UnionType):
                annotation = next(kind for kind in get_args(annotation) if kind is not types.NoneType)
            else:
                break
        flat = [part for one in beside for part in (one.metadata if isinstance(one, FieldInfo) else (one,))]
        return cls(annotation, tuple(flat))

    @classmethod
    def of_field(cls, field_info: FieldInfo) -> ValueType:
        """Take apart the type of a field."""
        return cls.of(field_info.annotation, field_info.metadata)

    @property
    def spelling(self) -> Spelling | None:
        """How the value is written, where text stands for something else."""
        return next((part for part in self.metadata if isinstance(part, Spelling)), None)

    @property
    def limits(self) -> dict[str, Any]:
        """The limits of the value, or of its length, by pydantic's names."""
        names = ("gt", "ge", "lt", "le", "multiple_of", "min_length")
        return {name: getattr(part, name) for part in self.metadata for name in names if getattr(part, name, None) is not None}

    @property
    def telling_limits(self) -> dict[str, Any]:
        """The limits without those that nobody reaches, and without zero alone, which goes without saying."""
        limits = {name: value for name, value in self.limits.items() if value < 100_000}
        return {name: value for name, value in limits.items() if value or limits.keys() & {"le", "lt"}}

    @property
    def is_list(self) -> bool:
        """Whether it is a list of any length."""
        return get_origin(self.kind) is tuple and get_args(self.kind)[-1] is Ellipsis

    @property
    def group(self) -> type[BaseModel] | None:
        """The model, if it is one."""
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, BaseModel) else None


def in_words(limits: dict[str, Any]) -> str:
    """Return the limits of a number in words; empty if there are none."""
    words = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most", "multiple_of": "a multiple of"}
    if "ge" in limits and "le" in limits:
        rest = {name: value for name, value in limits.items() if name not in ("ge", "le")}
        return ", ".join(filter(None, [f"{_number(limits['ge'])} to {_number(limits['le'])}", in_words(rest)]))
    return ", ".join(f"{words[name]} {_number(value)}" for name, value in limits.items() if name in words)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100_000 else f"{value:g}"


def allowed(value_type: ValueType) -> str:
    """Return in words what a setting of this type accepts, as the object of "must be"."""
    words = _kind_in_words(value_type)
    bounds = in_words(value_type.limits)
    return f"{words}, {bounds}" if bounds else words


def _kind_in_words(value_type: ValueType) -> str:
    kind, arguments = value_type.kind, get_args(value_type.kind)
    named = next((str(part.words) for part in value_type.metadata if hasattr(part, "words")), None)
    if named is not None:
        return named
    if value_type.group is not None:
        return GROUP
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if value_type.is_list:
        least = value_type.limits.get("min_length")
        return f"a list{f' of at least {least}' if least else ''}, each {allowed(ValueType.of(arguments[0]))}"
    if get_origin(kind) is tuple:
        return f"a list of {len(arguments)}, each {allowed(ValueType.of(arguments[0]))}"
    if get_origin(kind) is dict:
        return f"{GROUP}, each value {allowed(ValueType.of(arguments[1]))}"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}.get(
        kind, "another value"
    )


def explanation(error: ValidationError, model: type[BaseModel], flat: Collection[str] = ()) -> str:
    """Describe what is wrong: each setting with its value and what is allowed, unknown names with the nearest known one.

    Args:
        error: Raised when settings were validated.
        model: The model of these settings.
        flat: Fields whose own fields are given without the name of the field.
    """
    problems = _Problems(model, frozenset(flat))
    for problem in error.errors(include_url=False):
        problems.add(problem)
    return "; ".join(problems.clauses())


@dataclass
class _Problems:
    """Problems of one validation."""

    model: type[BaseModel]
    flat: frozenset[str]
    """See `explanation`."""
    texts: dict[str, None] = field(default_factory=dict)
    """Wrong values; ordered, and each once."""
    unknown: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    """Unknown names, by the group that they were given in."""

    def add(self, problem: Any) -> None:
        """Add an entry of `ValidationError.errors`."""
        location = tuple(part for part in problem["loc"] if isinstance(part, str) and part != "[key]")
        if problem["type"] == "extra_forbidden":
            self.unknown.setdefault(location[:-1], []).append(location[-1])
            return
        name = ".".join(_escaped(part) for part in self._as_given(location))
        subject = f"{name}: " if name else ""
        self.texts[f"{subject}{self._wrong(problem, location)}"] = None

    def _wrong(self, problem: Any, location: tuple[str, ...]) -> str:
        if problem["type"] == "missing" and isinstance(problem["loc"][-1], str):
            return "is missing"
        value_type = self._type_at(location)
        own = problem["type"] == "value_error" and not (value_type and value_type.spelling)
        got = f" (got {shown(problem['input'])}"
        if own:
            reason = str(problem["ctx"]["error"])
            return reason if isinstance(problem["input"], dict | BaseModel) else f"{reason}{got})"
        value, kind = problem["input"], value_type.kind if value_type else None
        near = nearest(value, get_args(kind)) if isinstance(value, str) and get_origin(kind) is Literal else None
        hint = f"; did you mean '{near}'?" if near else ""
        return f"must be {allowed(value_type) if value_type else GROUP}{got}{hint})"

    def _as_given(self, location: tuple[str, ...]) -> tuple[str, ...]:
        """A location without the name of a flat field."""
        return location[1:] if len(location) > 1 and location[0] in self.flat else location

    def _type_at(self, location: Sequence[str]) -> ValueType | None:
        """The type of the setting at a location, or of the one that holds it; None for the settings as a whole."""
        model: type[BaseModel] | None = self.model
        found = None
        for name in location:
            if found is not None and get_origin(found.kind) is dict:
                found = ValueType.of(get_args(found.kind)[1])
            elif model is not None and name in model.model_fields:
                found = ValueType.of_field(model.model_fields[name])
            model = found.group if found else None
        return found

    def _known_at(self, location: tuple[str, ...]) -> list[str]:
        """The names of the settings in the group at a location; those of flat fields stand for the field."""
        value_type = self._type_at(location)
        model = (value_type.group if value_type else None) or self.model
        known: list[str] = []
        for name, field_info in model.model_fields.items():
            part = ValueType.of_field(field_info).group
            known += part.model_fields if part and model is self.model and name in self.flat else [name]
        return known

    def clauses(self) -> Iterator[str]:
        """Yield a clause for each wrong value, and for unknown names; what is known in a group is listed once."""
        yield from list(self.texts)[:MOST_SHOWN]
        if len(self.texts) > MOST_SHOWN:
            yield f"and {len(self.texts) - MOST_SHOWN} more"
        for location, names in self.unknown.items():
            known, far = self._known_at(location), []
            for name in names[:MOST_SHOWN]:
                near = nearest(name.replace("-", "_"), known)
                if near:
                    yield f"unknown setting {self._quoted(location, name)} (did you mean '{near}'?)"
                else:
                    far.append(self._quoted(location, name))
            if far:
                yield f"unknown setting{'s' * (len(far) > 1)} {', '.join(far)} (known: {', '.join(known)})"
            if len(names) > MOST_SHOWN:
                yield f"and {len(names) - MOST_SHOWN} more unknown names"

    def _quoted(self, location: tuple[str, ...], name: str) -> str:
        return shown(".".join((*self._as_given((*location, name)),)))


def _escaped(text: str) -> str:
    """Part of a name as a message shows it, without quotes."""
    return shown(text)[1:-1] if not text.isidentifier() else text

"""Configuration files: YAML that holds names and plain values, within limits, and the files that are shipped."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from streamdeblur.configs import LANDMARKS, SETTINGS, TRAINING
from streamdeblur.errors import OptionError
from streamdeblur.known_names import shown, suggestion

LARGEST_FILE = 65_536
"""Bytes; the shipped files have up to 2,000."""
DEEPEST = 12
"""Levels of groups and lists; the shipped files have four."""
LONGEST_NUMBER = 40
"""Characters of a number."""


def read_config(path: Path, shipped: Collection[str] = ()) -> dict[str, Any]:
    """Read the settings in a YAML file.

    The files are plain: text, numbers, true, false and null, in groups and lists. Aliases, tags, merge keys and repeated
    names are refused, so that a short file cannot stand for a huge value. Dates stay text, and so do the names of settings.

    Args:
        path: The file, or one of the names in `shipped`.
        shipped: Names of files in `streamdeblur.configs` that can be given without a path.

    Raises:
        OptionError: The file cannot be read, or does not consist of lines ``name: value``.
    """
    content = _parse(_read(path, shipped), path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise OptionError(f"{path} must hold lines of 'name: value' (got {shown(content)}).")
    settings: dict[str, Any] = {}
    for key, value in content.items():
        # YAML files and command lines spell names with hyphens, Python with underscores
        name = key.replace("-", "_")
        if name in settings:
            raise OptionError(f"{path} holds {shown(name)} twice.")
        settings[name] = value
    return settings


def is_shipped(path: Path, shipped: Collection[str]) -> bool:
    """Return whether this is the name of a shipped file, and no file here has it."""
    return path.as_posix() in shipped and not (path.exists() and not path.is_dir())


def _read(path: Path, shipped: Collection[str]) -> bytes:
    try:
        place = Path(str(files("streamdeblur.configs"))) / f"{path}.yaml" if is_shipped(path, shipped) else path
        content = _first_bytes(place)
    except OSError as error:
        known = _known(path.as_posix(), shipped) if isinstance(error, FileNotFoundError) else ""
        raise OptionError(f"Cannot read the configuration {path}: {error.strerror}.{known}") from None
    except ValueError:
        raise OptionError(f"Cannot read the configuration {shown(str(path))}: this is no path.") from None
    if len(content) > LARGEST_FILE:
        raise OptionError(f"{path} is no configuration: it has more than {LARGEST_FILE:,} bytes.")
    return content


def _known(name: str, shipped: Collection[str]) -> str:
    """What else could have been meant by a name, with what it is the name of elsewhere."""
    if name in SETTINGS:
        elsewhere = f" The shipped settings '{name}' are for other commands."
    else:
        elsewhere = f" '{name}' is a shipped training (streamdeblur train)." if name in (*TRAINING, *LANDMARKS) else ""
    return elsewhere + (f" {suggestion(name, shipped)}" if shipped else "")


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST_FILE + 1)


def _parse(content: bytes, path: Path) -> Any:
    try:
        # the byte order marks that editors on Windows write
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise OptionError(f"{path} is not UTF-8 text.") from None
    try:
        return _PlainLoader(text).get_single_data()
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise OptionError(f"{path} is not valid YAML: line {line} has the character {shown(chr(error.character))}.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        reason = ", ".join(filter(None, (error.context, error.problem)))
        raise OptionError(f"{path} is not valid YAML: {where}{reason}.") from None


class _PlainLoader(yaml.SafeLoader):
    """Builds dictionaries, lists and plain values only."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node, unless it is one that plain files do not have."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML has no hints for it
        if isinstance(event, yaml.AliasEvent):
            raise _refusal("aliases (*name) are not supported: write the value out", event)
        if getattr(event, "tag", None):
            raise _refusal(f"tags ({shown(event.tag)[1:-1]}) are not supported", event)
        if self._depth == DEEPEST:
            raise _refusal(f"more than {DEEPEST} levels of groups and lists", event)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        """Build a dictionary whose keys are text, each there once."""
        content: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.value:
                raise _refusal("the name of a setting is missing, or is no text", key)
            if key.value == "<<":
                raise _refusal("merge keys (<<) are not supported: write the values out", key)
            if key.value in content:
                raise _refusal(f"{shown(key.value)} is there twice", key)
            content[key.value] = self.construct_object(value, deep=True)
        return content

    def sequence(self, node: yaml.SequenceNode) -> list[Any]:
        """Build a list."""
        return [self.construct_object(value, deep=True) for value in node.value]

    def number(self, node: yaml.ScalarNode) -> int | float:
        """Build a number."""
        text = node.value
        if len(text) > LONGEST_NUMBER:
            raise _refusal(f"a number with more than {LONGEST_NUMBER} characters", node)
        if text.lower().lstrip("+-") in (".inf", ".nan"):
            return float(text.replace(".", "", 1))
        return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)

    def boolean(self, node: yaml.ScalarNode) -> bool:
        """Build a truth value."""
        return str(node.value).lower() in ("true", "yes", "on")

    def nothing(self, node: yaml.ScalarNode) -> None:
        """Build null."""

    def text(self, node: yaml.ScalarNode) -> str:
        """Build text."""
        return str(node.value)


def _refusal(problem: str, place: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)


# The core schema of YAML 1.2, with the words for true and false of YAML 1.1; 1:30 and dates stay text.
_RESOLVED = (
    ("null", _PlainLoader.nothing, r"(?:~|null|Null|NULL|)", "~nN\0"),
    (
        "bool",
        _PlainLoader.boolean,
        r"(?:true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)",
        "tTfFyYnNoO",
    ),
    (
        "float",
        _PlainLoader.number,
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
)
# without those of the base class
_PlainLoader.yaml_implicit_resolvers = {}
_PlainLoader.yaml_constructors = {}
for _name, _build, _pattern, _first in _RESOLVED:
    _tag = f"tag:yaml.org,2002:{_name}"
    _PlainLoader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), [letter.strip("\0") for letter in _first])
    _PlainLoader.add_constructor(_tag, _build)
_PlainLoader.add_constructor("tag:yaml.org,2002:str", _PlainLoader.text)
_PlainLoader.add_constructor("tag:yaml.org,2002:map", _PlainLoader.mapping)
_PlainLoader.add_constructor("tag:yaml.org,2002:seq", _PlainLoader.sequence)

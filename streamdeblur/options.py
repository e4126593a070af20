"""Options: every setting of streamdeblur in one validated object."""

from __future__ import annotations

import difflib
import typing
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamdeblur.errors import OptionError


class Settings(BaseModel):
    """What every set of settings keeps to: frozen, and unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def validated(cls, values: dict[str, Any], config: Path | None = None) -> Self:
        """Settings with `values`, which came from the file `config` if one is given.

        Raises:
            OptionError: a key or value is not valid.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise OptionError(_explanation(error, cls, config)) from None


class Options(Settings):
    """Settings of a `FaceDeblurrer` and of what is made with it. The defaults are those of the command line."""

    strength: float = Field(
        default=1.0, ge=0.0, le=1.0, description="Share of the restoration that is added to each face, 0 to 1."
    )
    min_face: float = Field(default=48.0, ge=12.0, description="Size in pixels of the smallest face that is looked for.")
    always: bool = Field(default=False, description="Restore faces that are sharp already, too.")
    detector: str = Field(
        default="centerface", description="centerface, scrfd:FILE.onnx or scrfd:PACK (an InsightFace model pack)."
    )
    detect_every: int = Field(default=5, ge=1, le=120, description="Frames between two detections on the full frame.")
    engine: str = Field(
        default="auto",
        description="auto, tensorrt, openvino, onnxruntime or onnxruntime:PROVIDER (cuda, tensorrt, coreml, directml).",
    )
    weights: Path | None = Field(
        default=None, description="A network exported by streamdeblur (ONNX) instead of the embedded one."
    )

    codec: str | None = Field(
        default=None, description="FFmpeg's name of the video encoder; by default of the source's codec family."
    )
    quality: float | None = Field(
        default=None, ge=0, le=63, description="Constant quality on the encoder's own scale (CRF, CQ or QP); lower is better."
    )
    preset: str | None = Field(default=None, description="Speed preset of the encoder.")
    start: float = Field(default=0.0, ge=0.0, description="Seconds of the input to leave out at its beginning.")
    duration: float | None = Field(default=None, gt=0.0, description="Seconds of the input to process.")
    side_by_side: bool = Field(default=False, description="Show the input at the left and the result at the right.")
    overwrite: bool = Field(default=False, description="Replace outputs that exist.")
    resume: bool = Field(default=False, description="Skip outputs that are complete.")
    allow_network: bool = Field(default=False, description="Read URLs, and playlists that reach other files or hosts.")

    @classmethod
    def load(cls, config: Path | None = None, **settings: Any) -> Self:
        """Options from a YAML file, then from `settings` (None leaves the file's value, or the default).

        Raises:
            OptionError: the file cannot be read, or a key or value is not valid.
        """
        given = read_config(config) if config else {}
        given |= {name: value for name, value in settings.items() if value is not None}
        return cls.validated(given, config)

    def changed(self, **settings: Any) -> Self:
        """A copy with other settings, validated.

        Raises:
            OptionError: a key or value is not valid.
        """
        return self.load(None, **{**self.model_dump(), **settings})


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, or in the shipped one of that name ('archive', 'preview', 'lite', 'ablations/final').

    Raises:
        OptionError: it cannot be read, or is not a list of ``name: value``.
    """
    shipped = Path(str(files("streamdeblur.configs"))) / f"{path}.yaml"
    if not path.exists() and not path.is_absolute() and ".." not in path.parts and shipped.is_file():
        path = shipped
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"Cannot read the configuration {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise OptionError(f"{path} is not valid YAML: it is no text.") from None
    except yaml.YAMLError as error:
        raise OptionError(f"{path} is not valid YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise OptionError(f"{path} must hold lines of 'name: value' (got a {type(content).__name__}).")
    # YAML files and command lines spell names with hyphens, Python with underscores
    return {str(key).replace("-", "_"): value for key, value in content.items()}


def _explanation(error: ValidationError, model: type[BaseModel], config: Path | None) -> str:
    """What is wrong with settings, in words: each key with its value, unknown keys with the nearest known one."""
    problems = []
    for problem in error.errors():
        location = [part for part in problem["loc"] if isinstance(part, str)]
        name = ".".join(location)
        if problem["type"] == "extra_forbidden":
            known = _fields_at(model, location[:-1])
            near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
            hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(known)}."
            problems.append(f"unknown setting '{name}'. {hint}")
        else:
            problems.append(f"{name}: {problem['msg'].lower()} (got {problem['input']!r})")
    where = f"In {config}: " if config else "Invalid setting: "
    return where + "; ".join(problems)


def _fields_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """Names of the fields of the model that lies at `location` within another."""
    for name in location:
        annotation = model.model_fields[name].annotation
        kinds = [kind for kind in (annotation, *typing.get_args(annotation)) if isinstance(kind, type)]
        model = next((kind for kind in kinds if issubclass(kind, BaseModel)), model)
    return list(model.model_fields)

"""What a restoration, an encoder and a job can be told: validated, with one source for Python, YAML and the command line."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypedDict, Unpack

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from streamdeblur.errors import OptionError


class Settings(BaseModel):
    """Base of all settings: frozen, and unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
            raise OptionError(_explanation(error, cls, config)) from None

    def changed(self, **settings: Any) -> Self:
        """Return a validated copy with other values for `settings`.

        Raises:
            OptionError: A name or value is not valid.
        """
        return self.validated({**self.model_dump(exclude_unset=True), **settings})

    @classmethod
    def flat_fields(cls) -> dict[str, FieldInfo]:
        """Return the fields by the name that YAML files, command lines and keyword arguments use."""
        return dict(cls.model_fields)


class UserSettings(Settings):
    """Settings that a YAML file and a command line, or keyword arguments, give together."""

    @classmethod
    def load(cls, config: str | Path | None = None, **settings: Any) -> Self:
        """Read settings from a YAML file and override them.

        Args:
            config: A YAML file, or the name of a shipped one.
            settings: Settings by flat name; they win over the file, and None leaves its value or the default.

        Raises:
            OptionError: The file cannot be read, or a name or value is not valid.
        """
        config = None if config is None else Path(config)
        values = read_config(config) if config else {}
        values |= {name: value for name, value in settings.items() if value is not None}
        return cls.validated(values, config)


class ComposedSettings(UserSettings):
    """Settings that consist of parts but are given flat: ``strength: 0.8`` goes to the part that has a field `strength`."""

    @classmethod
    def parts(cls) -> dict[str, type[Settings]]:
        """Return the fields that are settings themselves."""
        kinds = {name: field.annotation for name, field in cls.model_fields.items()}
        return {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, Settings)}

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


class RestorationSettings(TypedDict, total=False):
    """Fields of `RestorationOptions` as keyword arguments."""

    strength: float
    min_face: float
    always: bool
    detector: str
    detect_every: int
    engine: str
    weights: str | Path | None


class VideoSettings(RestorationSettings, total=False):
    """Flat fields of `VideoOptions` as keyword arguments."""

    codec: str | None
    quality: float | None
    preset: str | None
    audio: Literal["copy", "convert"] | None
    no_audio: bool
    no_subtitles: bool
    no_data: bool
    start: float
    duration: float | None
    side_by_side: bool
    overwrite: bool
    allow_network: bool


class RestorationOptions(UserSettings):
    """What a `FaceDeblurrer` needs: which faces are restored, how much, and what runs the networks."""

    strength: float = Field(default=1.0, ge=0.0, le=1.0, description="Share of the restoration that is added to each face.")
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

    if TYPE_CHECKING:
        # Editors and type checkers complete and check the settings by name.
        @classmethod
        def load(cls, config: str | Path | None = None, **settings: Unpack[RestorationSettings]) -> Self: ...  # type: ignore[override]
        def changed(self, **settings: Unpack[RestorationSettings]) -> Self: ...  # type: ignore[override]


class EncodingOptions(UserSettings):
    """What a video encoder needs."""

    codec: str | None = Field(
        default=None, description="FFmpeg's name of the video encoder; by default of the source's codec family."
    )
    quality: float | None = Field(
        default=None, ge=0, le=63, description="Constant quality on the encoder's own scale (CRF, CQ or QP); lower is better."
    )
    preset: str | None = Field(default=None, description="Speed preset of the encoder.")


Audio = Annotated[
    Literal["copy", "convert"] | None,
    Field(description="copy: never encode audio again; convert: always. By default what the output cannot hold is converted."),
]
NoAudio = Annotated[bool, Field(description="Leave audio out.")]
NoSubtitles = Annotated[bool, Field(description="Leave subtitles out.")]
NoData = Annotated[bool, Field(description="Leave data streams out, such as positions and time codes.")]


class StreamOptions(UserSettings):
    """What happens to the streams beside the video."""

    audio: Audio = None
    no_audio: NoAudio = False
    no_subtitles: NoSubtitles = False
    no_data: NoData = False

    def keeps(self, kind: str) -> bool:
        """Return whether streams of this kind ('audio', 'subtitle', 'data', ...) are kept."""
        return not {"audio": self.no_audio, "subtitle": self.no_subtitles, "data": self.no_data}.get(kind, False)


Overwrite = Annotated[bool, Field(description="Replace outputs that exist.")]
Resume = Annotated[bool, Field(description="Skip outputs that are complete.")]


class VideoOptions(ComposedSettings):
    """What `deblur_video` needs for one video file."""

    restoration: RestorationOptions = RestorationOptions()
    encoding: EncodingOptions = EncodingOptions()
    streams: StreamOptions = StreamOptions()
    start: float = Field(default=0.0, ge=0.0, description="Seconds of the input to leave out at its beginning.")
    duration: float | None = Field(default=None, gt=0.0, description="Seconds of the input to process.")
    side_by_side: bool = Field(default=False, description="Show the input at the left and the result at the right.")
    overwrite: Overwrite = False
    allow_network: bool = Field(default=False, description="Read URLs, and playlists that reach other files or hosts.")

    if TYPE_CHECKING:
        # Editors and type checkers complete and check the settings by name.
        @classmethod
        def load(cls, config: str | Path | None = None, **settings: Unpack[VideoSettings]) -> Self: ...  # type: ignore[override]
        def changed(self, **settings: Unpack[VideoSettings]) -> Self: ...  # type: ignore[override]


class VideoBatchOptions(VideoOptions):
    """What the command ``video`` needs for one or many files."""

    resume: Resume = False


class ImageBatchOptions(ComposedSettings):
    """What the command ``image`` needs for one or many files."""

    restoration: RestorationOptions = RestorationOptions()
    overwrite: Overwrite = False
    resume: Resume = False


def read_config(path: Path) -> dict[str, Any]:
    """Read the settings in a YAML file, or in the shipped file of that name ('archive', 'preview', 'lite', 'ablations/final').

    Raises:
        OptionError: The file cannot be read, or does not consist of lines ``name: value``.
    """
    shipped = Path(str(files("streamdeblur.configs"))) / f"{path}.yaml"
    if not path.exists() and not path.is_absolute() and ".." not in path.parts and shipped.is_file():
        path = shipped
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"Cannot read the configuration {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise OptionError(f"{path} is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        raise OptionError(f"{path} is not valid YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise OptionError(f"{path} must hold lines of 'name: value' (got a {type(content).__name__}).")
    # YAML files and command lines spell names with hyphens, Python with underscores
    return {str(key).replace("-", "_"): value for key, value in content.items()}


def _explanation(error: ValidationError, model: type[Settings], config: Path | None) -> str:
    """Describe what is wrong: each name with its value, unknown names with the nearest known one."""
    problems = []
    for problem in error.errors():
        location = [part for part in problem["loc"] if isinstance(part, str)]
        if issubclass(model, ComposedSettings) and len(location) > 1 and location[0] in model.parts():
            location = location[1:]
        name = ".".join(location)
        if problem["type"] == "extra_forbidden":
            known = _fields_at(model, location[:-1])
            near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
            problems.append(f"unknown setting '{name}' ({hint})")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            problems.append(f"{name}: {message[:1].lower()}{message[1:]} (got {problem['input']!r})")
    where = f"In {config}: " if config else "Invalid setting: "
    return where + "; ".join(problems) + "."


def _fields_at(model: type[Settings], location: list[str]) -> list[str]:
    """Return the names of the fields of the settings that lie at `location` within others."""
    for name in location:
        annotation = model.model_fields[name].annotation
        kinds = [kind for kind in (annotation, *typing.get_args(annotation)) if isinstance(kind, type)]
        model = next((kind for kind in kinds if issubclass(kind, Settings)), model)
    return list(model.flat_fields())

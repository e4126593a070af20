"""What a restoration, an encoder and a job can be told: validated, with one source for Python, YAML and the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypedDict, Unpack

from pydantic import Field, model_validator

from streamdeblur.configs import ALL, VIDEO
from streamdeblur.faces.tracked_face import TrackedFace
from streamdeblur.setting_types import (
    CONTAINER,
    LARGEST_COUNT,
    LARGEST_SIDE,
    LONGEST_TIME,
    Device,
    FrameRange,
    Only,
    Seconds,
    ShardOf,
    Size,
    Threshold,
)
from streamdeblur.settings import ComposedSettings, Settings, UserSettings
from streamdeblur.weights import AUTO, DEFAULT_NETWORK, REAL_TIME_NETWORK, network_names

if TYPE_CHECKING:
    from streamdeblur.network import Network

LOOK_AHEAD, LARGEST_LOOK_AHEAD = 2, 5
"""Later frames from which a face of a file takes neighbours, by default and at most: as far as they help."""
LookAhead = Annotated[
    int,
    Field(
        ge=0,
        le=LARGEST_LOOK_AHEAD,
        description="Later frames that help to restore a face, beside the earlier ones, if the network has a memory.",
    ),
]


class RestorationSettings(TypedDict, total=False):
    """Fields of `RestorationOptions` as keyword arguments."""

    strength: float
    min_face: float
    threshold: Literal["gentle", "normal", "always"] | float
    always: bool
    only: str | int | Callable[[TrackedFace], bool] | None
    detector: str
    detect_every: int
    engine: str
    device: str | int
    network: str | Path
    small_crops: bool
    cores: int | None


class VideoSettings(RestorationSettings, total=False):
    """Flat fields of `VideoOptions` as keyword arguments."""

    codec: str | None
    quality: float | None
    preset: str | None
    audio: Literal["copy", "convert"] | None
    no_audio: bool
    no_subtitles: bool
    no_data: bool
    start: float | str
    end: float | str | None
    duration: float | str | None
    frames: tuple[int, int | None] | str | None
    look_ahead: int
    segment: float | str
    container: Container | str
    side_by_side: bool
    zoom: Literal["faces"] | None
    show_faces: bool
    report: str | Path | None
    overwrite: bool
    allow_network: bool


class RestorationOptions(UserSettings):
    """What a `FaceDeblurrer` needs: which faces are restored, how much, and what runs the networks."""

    shipped = ALL

    strength: float = Field(default=1.0, ge=0.0, le=1.0, description="Share of the restoration that is added to each face.")
    min_face: float = Field(
        default=48.0, ge=12.0, le=LARGEST_SIDE, description="Size in pixels of the smallest face that is looked for."
    )
    threshold: Threshold = Field(
        default="normal",
        description="Gain to be expected from which a face is restored: gentle (clearly blurred ones), normal (in doubt, too), "
        "always, or a number of dB.",
    )
    always: bool = Field(default=False, description="Restore all faces, sharp ones, too: --threshold always.")
    only: Only | None = Field(
        default=None, description="Restore these faces alone: largest, a number of the largest, track:ID or region:x,y,w,h."
    )
    detector: str = Field(
        default="centerface", description="centerface, scrfd:FILE.onnx or scrfd:PACK (an InsightFace model pack)."
    )
    detect_every: int = Field(default=5, ge=1, le=120, description="Frames between two searches for new faces.")
    engine: str = Field(
        default="auto",
        description="auto, tensorrt, rtx, openvino, openvino:int8, onnxruntime or onnxruntime:PROVIDER "
        "(cuda, tensorrt, coreml, directml).",
    )
    device: Device = Field(
        default="auto", description="What computes: auto (a card if an engine for it works), cpu, or the number of a card."
    )
    network: Path = Field(
        default=Path(DEFAULT_NETWORK),
        description=f"Name of a shipped network ({', '.join(network_names())}), {AUTO} (the best one that is fast enough on this "
        f"machine; the default where frames are restored in real time), or an ONNX file that streamdeblur exported.",
    )
    small_crops: bool = Field(
        default=False,
        description="Restore faces that are small in a frame in smaller crops, where the network has them: faster, but less is "
        "restored.",
    )
    cores: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Cores to share out among the stages, at most; by default all that the process may use.",
    )

    @property
    def names_a_track(self) -> bool:
        """Whether the faces to restore are chosen by the number of a track."""
        return isinstance(self.only, str) and self.only.startswith("track")

    def in_real_time(self) -> RestorationOptions:
        """Return the options for a stream in real time: another network is the default."""
        return self if "network" in self.model_fields_set else self.changed(network=Path(REAL_TIME_NETWORK))

    if TYPE_CHECKING:
        # Editors and type checkers complete and check the settings by name, which the base class takes as any.
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

    def unused(self) -> list[str]:
        """Return a warning for each setting that is given and has no effect."""
        return ["the setting audio has no effect: audio is left out"] if self.audio and self.no_audio else []

    def keeps(self, kind: str) -> bool:
        """Return whether streams of this kind ('audio', 'subtitle', 'data', ...) are kept."""
        return not {"audio": self.no_audio, "subtitle": self.no_subtitles, "data": self.no_data}.get(kind, False)


ShowFaces = Annotated[
    bool, Field(description="Draw the faces into the picture: track, blur, what was done, and the gain that was expected.")
]
Container = Literal["matroska", "webm", "mpegts", "nut", "mp4", "mov", "y4m"]
"""A container that can be written to a pipe; MP4 and MOV in fragments."""

Overwrite = Annotated[bool, Field(description="Replace outputs that exist.")]
AllowNetwork = Annotated[bool, Field(description="Read URLs, and playlists that reach other files or hosts.")]
Resume = Annotated[bool, Field(description="Skip outputs that are complete.")]


def unused_look_ahead(options: VideoOptions | PipeOptions, network: Network) -> list[str]:
    """Return a warning if a look-ahead is given for a network without a memory."""
    given = "look_ahead" in options.model_fields_set and options.look_ahead > 0
    return ["look_ahead has no effect: the network has no memory"] if given and not network.memory else []


class TimeRange(Settings):
    """From which time of a video to which other it is worked on."""

    start: Seconds = Field(default=0.0, ge=0.0, le=LONGEST_TIME, description="Time of the input to begin at.")
    end: Seconds | None = Field(default=None, gt=0.0, le=LONGEST_TIME, description="Time of the input to end at.")

    @model_validator(mode="after")
    def _refuse_nothing(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"end must lie behind start (got {self.end:g} s, and {self.start:g} s)")
        return self


class RangeOptions(TimeRange):
    """Which part of a video is worked on."""

    duration: Seconds | None = Field(default=None, gt=0.0, le=LONGEST_TIME, description="How much of the input to process.")
    frames: FrameRange | None = Field(
        default=None, description="Frames of the input to process, counted from 0, such as 100-199; 100- up to the end."
    )

    @model_validator(mode="after")
    def _refuse_several(self) -> Self:
        if self.end is not None and self.duration is not None:
            raise ValueError("end and duration both say where to end: give one of them")
        if self.frames is not None and (self.start or self.end is not None or self.duration is not None):
            raise ValueError("frames says where to begin and to end: give neither start, end nor duration with it")
        if self.frames is not None and not 0 <= self.frames[0] <= (self.frames[0] if self.frames[1] is None else self.frames[1]):
            raise ValueError("frames are counted from 0, and the last one must not lie before the first")
        return self

    @property
    def whole(self) -> bool:
        """Whether it is all of it."""
        return not self.start and self.end is None and self.duration is None and self.frames is None


class VideoOptions(RangeOptions, ComposedSettings):
    """What `deblur_video` needs for one video file."""

    shipped = VIDEO

    restoration: RestorationOptions = RestorationOptions()
    encoding: EncodingOptions = EncodingOptions()
    streams: StreamOptions = StreamOptions()
    look_ahead: LookAhead = LOOK_AHEAD
    segment: Seconds = Field(
        default=60.0,
        ge=0.0,
        le=LONGEST_TIME,
        description="Length at least of the segments of a long file, which can be worked on apart: in each, faces are followed "
        "anew. 0 for none.",
    )
    container: Annotated[Container, CONTAINER] = Field(
        default="matroska",
        description="Container of a video that goes to stdout: matroska, webm, mpegts, nut, mp4, mov (both in fragments) or y4m.",
    )
    side_by_side: bool = Field(default=False, description="Show the input at the left and the result at the right.")
    zoom: Literal["faces"] | None = Field(
        default=None, description="'faces' enlarges the part of the picture with the faces, side by side."
    )
    show_faces: ShowFaces = False
    report: Path | None = Field(
        default=None, description="Write a row for each face and frame to a .csv or .parquet file, or a page to look at: .html."
    )
    overwrite: Overwrite = False
    allow_network: AllowNetwork = False

    @property
    def numbers_tracks(self) -> bool:
        """Whether a user sees or names the numbers of tracks, which therefore hold for the whole video."""
        return self.show_faces or self.report is not None or self.restoration.names_a_track

    @model_validator(mode="after")
    def _refuse_zoom_alone(self) -> Self:
        if self.zoom and not self.side_by_side:
            raise ValueError("zoom needs side_by_side (--side-by-side)")
        return self

    if TYPE_CHECKING:
        # Editors and type checkers complete and check the settings by name, which the base class takes as any.
        @classmethod
        def load(cls, config: str | Path | None = None, **settings: Unpack[VideoSettings]) -> Self: ...  # type: ignore[override]
        def changed(self, **settings: Unpack[VideoSettings]) -> Self: ...  # type: ignore[override]


class VideoBatchOptions(VideoOptions):
    """What the command ``video`` needs for one or many files."""

    resume: Resume = False


class ArchiveOptions(VideoBatchOptions):
    """What the command ``batch`` needs."""

    keep_tree: bool = Field(
        default=False,
        description="Keep the folders of files that are given by name, list or pattern, and the names of several folders.",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Processes, each with its engine; by default as many as the cores of this machine have work for.",
    )
    worker_memory: float | None = Field(
        default=None, gt=0, le=65_536, description="Gigabytes from which on a process is replaced when it has done its task."
    )
    attempts: int = Field(
        default=3, ge=1, le=100, description="How often a task is tried whose worker was lost, or failed for no known reason."
    )
    max_failures: int | None = Field(
        default=None, ge=0, le=LARGEST_COUNT, description="Stop when more files have failed; by default all others are done."
    )
    shard: ShardOf | None = Field(
        default=None, description="Do the share of one of several processes that need not know of each other."
    )

    ray: str | None = Field(
        default=None,
        description="Address of a Ray cluster that does the work; alone, that of RAY_ADDRESS, or a cluster on this machine.",
    )
    watch: bool = Field(default=False, description="Go on with files as they arrive in the folders, until an interruption.")
    settle: Seconds = Field(
        default=10.0, ge=0.1, le=LONGEST_TIME, description="Time for which a file has not changed when a watch takes it."
    )
    idle: Seconds | None = Field(
        default=None, gt=0, le=LONGEST_TIME, description="End a watch when nothing has come for this long."
    )

    @model_validator(mode="after")
    def _refuse_unused(self) -> Self:
        if self.ray is not None and self.shard is not None:
            raise ValueError("ray shares the work out itself, and shard is a share of it: give one of them")
        if self.watch and self.shard is not None:
            raise ValueError("watch is of one batch, and shard is a share of a plan: give one of them")
        if self.report is not None:
            raise ValueError("report is about one video: give it with one input and one output")
        if callable(self.restoration.only):
            raise ValueError("only: a function cannot be given to the processes of a batch; a text can")
        if not self.watch and (given := {"settle", "idle"} & self.model_fields_set):
            raise ValueError(f"{sorted(given)[0]} is of a watch, and needs watch")
        return self

    def work(self) -> VideoOptions:
        """Return the settings that the outputs depend on."""
        own = set(ArchiveOptions.model_fields) - set(VideoOptions.model_fields)
        return VideoOptions.validated(self.model_dump(exclude_unset=True, exclude=own))


class FrameOptions(ComposedSettings):
    """What commands need that restore single frames."""

    shipped = ALL

    restoration: RestorationOptions = RestorationOptions()
    overwrite: Overwrite = False

    @model_validator(mode="after")
    def _refuse_tracks(self) -> Self:
        if self.restoration.names_a_track:
            raise ValueError("only: tracks are numbered in whole videos; give largest, a number, or region:x,y,w,h")
        return self


class PreviewOptions(FrameOptions):
    """What the command ``preview`` needs."""

    at: Seconds | None = Field(
        default=None, ge=0.0, le=LONGEST_TIME, description="Time of the frame; by default the middle of the video."
    )
    allow_network: AllowNetwork = False


class ImageBatchOptions(FrameOptions):
    """What the command ``image`` needs for one or many files."""

    side_by_side: bool = Field(
        default=False, description="Show the picture before and after, and each face enlarged with what was done with it."
    )
    resume: Resume = False


def unused_overwrite(options: VideoBatchOptions | ImageBatchOptions) -> list[str]:
    """Return a warning if outputs that exist are to be replaced, and to be skipped."""
    both = options.overwrite and options.resume
    return ["overwrite has no effect: resume skips outputs that exist"] if both else []


class PipeOptions(ComposedSettings):
    """What the command ``pipe`` needs."""

    shipped = ALL

    restoration: RestorationOptions = RestorationOptions()
    size: Size | None = Field(
        default=None, description="Width and height of raw frames, such as 1280x720. Without it: YUV4MPEG2."
    )
    format: str = Field(default="yuv420p", description="Pixel format of raw frames, by FFmpeg's name.")
    look_ahead: LookAhead = LOOK_AHEAD
    live: bool = Field(default=False, description="Write each frame before the next is read, for the lowest delay.")

    @model_validator(mode="after")
    def _refuse_unused(self) -> Self:
        if self.live and "look_ahead" in self.model_fields_set and self.look_ahead:
            raise ValueError(f"live writes each frame before the next is read, so look_ahead must be 0 (got {self.look_ahead})")
        if self.size is None and "format" in self.model_fields_set:
            raise ValueError("format is that of raw frames, and needs a size; YUV4MPEG2, without a size, states its own")
        return self

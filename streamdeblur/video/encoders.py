"""Which encoder writes a video, in which pixel format, at which quality."""

from __future__ import annotations

import io
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING

from streamdeblur.errors import OptionError
from streamdeblur.known_names import nearest, shown, suggestion
from streamdeblur.video.trial import StreamRefusedError, add_video, codec_name, placeholder, try_stream
from streamdeblur.video.y4m import PIXEL_FORMATS

if TYPE_CHECKING:
    import av

# The encoder of each codec family; a source of another family is written as H.264.
ENCODER_OF_FAMILY = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "vp8": "libvpx",
    "mpeg4": "mpeg4",
    "mpeg2video": "mpeg2video",
    "mpeg1video": "mpeg2video",
    "mjpeg": "mjpeg",
    "prores": "prores_ks",
    "dnxhd": "dnxhd",
    "ffv1": "ffv1",
    "ffvhuff": "ffvhuff",
    "huffyuv": "huffyuv",
    "utvideo": "utvideo",
    "rawvideo": "rawvideo",
    "png": "png",
    "qtrle": "qtrle",
}

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".nut")
"""Suffixes of the files that can be written."""


def writable_suffix(suffix: str) -> str:
    """Return the suffix of the file to write for a video of any kind: the same where it can be written."""
    if suffix.lower() in SUFFIXES:
        return suffix
    # MP4 takes no Vorbis; all else that is in older kinds of files is kept or converted in it
    return ".mkv" if suffix.lower() in (".ogv", ".ogg") else ".mp4"


# The family to write into a container that takes few codecs, where it does not take that of the source.
FAMILY_OF_CONTAINER = {"webm": "vp9", "avi": "mpeg4", "yuv4mpegpipe": "rawvideo"}

FORMATS_OF_CONTAINER = {
    "yuv4mpegpipe": [*(name for name in PIXEL_FORMATS.values() if name != "yuva444p"), "yuvj420p", "yuvj422p", "yuvj444p"],
}
"""The pixel formats of the containers that take uncompressed frames alone, by FFmpeg's name."""

QSCALE = 118
"""FFmpeg's global_quality units per step of -q:v (FF_QP2LAMBDA)."""


@dataclass(frozen=True)
class EncoderDefaults:
    """Options of an encoder for constant quality close to the source, at a speed that does not dominate a transcode."""

    quality: str
    """Name of the option for constant quality; 'qscale' for FFmpeg's own -q:v."""
    value: float
    preset: str | None = None
    speed: str | None = None
    """Default value of the speed preset, whose option is named `preset`."""
    options: dict[str, str] = field(default_factory=dict)
    unit: int = QSCALE
    """Steps of FFmpeg's global_quality per step of -q:v."""


X264_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
"""Presets of x264 and x265, whose option FFmpeg describes as any text."""

DEFAULTS = {
    "libx264": EncoderDefaults("crf", 17, "preset", "veryfast"),
    "libx265": EncoderDefaults("crf", 19, "preset", "faster", {"x265-params": "log-level=error"}),
    "libsvtav1": EncoderDefaults("crf", 22, "preset", "9"),
    "libvpx-vp9": EncoderDefaults("crf", 20, "cpu-used", "5", {"b": "0", "row-mt": "1", "deadline": "good"}),
    "libvpx": EncoderDefaults("crf", 6, "cpu-used", "5", {"b": "40M", "deadline": "good"}),
    "h264_nvenc": EncoderDefaults("cq", 19, "preset", "p4", {"rc": "vbr", "b": "0"}),
    "hevc_nvenc": EncoderDefaults("cq", 21, "preset", "p4", {"rc": "vbr", "b": "0"}),
    "av1_nvenc": EncoderDefaults("cq", 25, "preset", "p4", {"rc": "vbr", "b": "0"}),
    "h264_qsv": EncoderDefaults("global_quality", 19, "preset", "medium"),
    "hevc_qsv": EncoderDefaults("global_quality", 21, "preset", "medium"),
    "av1_qsv": EncoderDefaults("global_quality", 25, "preset", "medium"),
    "h264_amf": EncoderDefaults("qp_i", 19, "quality", "balanced", {"rc": "cqp"}),
    "hevc_amf": EncoderDefaults("qp_i", 21, "quality", "balanced", {"rc": "cqp"}),
    "h264_videotoolbox": EncoderDefaults("qscale", 65),
    "hevc_videotoolbox": EncoderDefaults("qscale", 65),
    "mpeg4": EncoderDefaults("qscale", 2),
    "mpeg2video": EncoderDefaults("qscale", 2),
    # "unofficial": video of limited range, too, which is outside of the JPEG standard
    "mjpeg": EncoderDefaults("qscale", 2, options={"strict": "unofficial"}),
    "prores_ks": EncoderDefaults("qscale", 4, unit=1),
}

PROFILES = {
    "dnxhd": {"yuv422p": "dnxhr_hq", "yuv422p10le": "dnxhr_hqx", "yuv444p10le": "dnxhr_444", "gbrp10le": "dnxhr_444"},
}
"""The profile of an encoder by pixel format, where its default takes few sizes and rates only."""

PARAMETERS = {"libx265": "x265-params", "libx264": "x264-params", "libsvtav1": "svtav1-params"}
"""The option of an encoder that takes parameters of its own library."""


AV1_LEVELS = (1, 2, 5, 11, 23)
"""Most cores for which SVT-AV1 (from 3.0 on) itself chooses each of its levels of parallelism, 1 to 5; the last one is 6."""


def open_codec(name: str) -> av.codec.Codec:
    """Return FFmpeg's video encoder `name`.

    Raises:
        OptionError: There is no such encoder.
    """
    import av

    try:
        codec = av.codec.Codec(name, "w")
    except ValueError:
        codec = None
    if codec is None or codec.type != "video":
        near = nearest(name, DEFAULTS)
        hint = f"Did you mean '{near}'?" if near else f"Try {', '.join(list(DEFAULTS)[:5])} ..."
        raise OptionError(f"Unknown video encoder {shown(name)}. {hint} 'streamdeblur doctor' lists all.")
    return codec


def choose_encoder(asked: str | None, source_family: str, container: av.container.OutputContainer) -> av.codec.Codec:
    """Choose the requested encoder, else that of the source's codec family, else one whose codec the container takes.

    Args:
        asked: Name of an FFmpeg encoder; None leaves the choice to the source and the container.
        source_family: FFmpeg's canonical name of the source's codec.
        container: The file to write.

    Raises:
        OptionError: The encoder is unknown, or the container does not take its codec.
    """
    if asked is not None:
        codec = open_codec(asked)
        if not _takes(container.format.name, asked):
            raise OptionError(f"A {container.format.name} file cannot hold {codec.canonical_name} video (--codec {asked}).")
        return codec
    for family in (source_family, FAMILY_OF_CONTAINER.get(container.format.name, "h264")):
        encoder = ENCODER_OF_FAMILY.get(family)
        if encoder and _takes(container.format.name, encoder):
            return open_codec(encoder)
    raise OptionError(
        f"A {container.format.name} file cannot hold video that streamdeblur writes. Use .mp4, .mkv, .mov, .webm or .avi."
    )


def _takes(kind: str, encoder: str) -> bool:
    """Return whether a container of this kind takes the codec of `encoder`, tried on a file in memory."""
    import av

    codec = av.codec.Codec(encoder, "w").canonical_name
    if kind in FORMATS_OF_CONTAINER:
        return codec == "rawvideo"
    try:
        with av.open(io.BytesIO(), "w", format=kind) as trial:
            trial.add_stream(encoder, rate=25)
            if kind in ("mov", "mpegts"):
                # MOV refuses some codecs with its header only, and transport streams hide those that they do not know
                packets = placeholder if kind == "mpegts" else lambda _: []
                try_stream(trial, partial(add_video, codec=codec), packets, lambda stream: codec_name(stream) == codec)
    except (ValueError, av.FFmpegError, StreamRefusedError):
        return False
    return True


def choose_pixel_format(wanted: str, codec: av.codec.Codec, kind: str = "") -> str:
    """Choose the source's pixel format, or the one of the encoder's that loses least depth, subsampling and alpha.

    Args:
        wanted: The pixel format of the source.
        codec: The encoder.
        kind: FFmpeg's name of the container, which may take few of the encoder's.
    """
    import av

    formats = FORMATS_OF_CONTAINER.get(kind) or [f.name for f in codec.video_formats or []]
    if not formats or wanted in formats:
        return wanted
    source = _qualities(av.VideoFormat(wanted))

    def loss(name: str) -> tuple[int, bool, int, int]:
        target = _qualities(av.VideoFormat(name))
        lost = [max(0, s - t) for s, t in zip(source, target, strict=True)]
        gained = [max(0, t - s) for s, t in zip(source, target, strict=True)]
        family = av.VideoFormat(name).is_rgb != av.VideoFormat(wanted).is_rgb
        return (sum(lost[1:]), family, lost[0], sum(gained))

    usable = [name for name in formats if av.VideoFormat(name).components]
    return min(usable or formats, key=loss)


def _qualities(pixel_format: av.VideoFormat) -> tuple[int, int, int, int]:
    """(alpha, bits, chroma columns, chroma lines) of a pixel format; larger is better."""
    components = pixel_format.components
    colour = [c for c in components if not c.is_alpha]
    bits = max((c.bits for c in colour), default=0)
    if len(colour) < 3:
        return (len(components) - len(colour), bits, 0, 0)
    return (len(components) - len(colour), bits, pixel_format.chroma_width(16) // 4, pixel_format.chroma_height(16) // 4)


def configure(context: av.VideoCodecContext, name: str, quality: float | None, preset: str | None) -> None:
    """Set constant quality and speed preset of an encoder that is not open yet.

    Args:
        context: The encoder's codec context.
        name: Name of the encoder.
        quality: On the encoder's own scale (CRF for x264, for example); None for the default of `DEFAULTS`.
        preset: One of the encoder's own speed presets; None for the default.

    Raises:
        OptionError: `quality` or `preset` was given, and the encoder has none.
    """
    private = {option.name for option in context.supported_options.private}
    defaults = DEFAULTS.get(name) or _guess(private)
    options = dict(defaults.options)
    value = defaults.value if quality is None else quality
    if defaults.quality == "qscale":
        context.qscale = True
        context.global_quality = round(value * defaults.unit)
    elif defaults.quality == "global_quality":
        context.global_quality = round(value)
    elif defaults.quality:
        options[defaults.quality] = f"{value:g}"
    elif quality is not None:
        raise OptionError(f"The encoder {name} has no constant quality: leave --quality out.")
    if defaults.preset:
        if preset is not None:
            _check_preset(context, name, defaults.preset, preset)
        options[defaults.preset] = preset or str(defaults.speed)
    elif preset is not None:
        raise OptionError(f"The encoder {name} has no presets: leave --preset out.")
    if profile := PROFILES.get(name, {}).get(str(context.pix_fmt)):
        options["profile"] = profile
    context.options = options
    if name == "libx264" and _has_avx512():
        # x264's code with AVX-512 for its trees of macroblocks reads memory that it has not written, where a frame is no multiple
        # of 256 px wide: two runs gave files that differ. That with AVX2 gives the same as it otherwise, and takes as long.
        add_parameters(context, ["asm=avx2"])


@lru_cache(maxsize=1)
def _has_avx512() -> bool:
    """Whether this CPU has AVX-512, and so AVX2 as well; False where NumPy does not tell."""
    with suppress(ImportError, AttributeError):
        features = import_module("numpy._core._multiarray_umath").__cpu_features__
        return bool(features.get("AVX512F") and features.get("AVX2"))
    return False


def add_parameters(context: av.VideoCodecContext, parameters: Sequence[str]) -> None:
    """Add "name=value" parameters of the encoder's own library; encoders other than those of PARAMETERS ignore them."""
    option = PARAMETERS.get(context.name)
    if option and parameters:
        options = dict(context.options)
        options[option] = ":".join([*filter(None, [options.get(option)]), *parameters])
        context.options = options


def set_threads(context: av.VideoCodecContext, count: int) -> None:
    """Let an encoder that is not open yet compute with `count` threads, as far as it can be told."""
    if context.name == "libx265":
        # FFmpeg's count is that of frames, by which x265 waits for the threads of its pool
        add_parameters(context, [f"pools={count}"])
    elif context.name == "libsvtav1":
        add_parameters(context, [f"lp={1 + bisect_left(AV1_LEVELS, count)}"])
    else:
        context.thread_count = count


def _check_preset(context: av.VideoCodecContext, name: str, option: str, preset: str) -> None:
    """Refuse a preset that the encoder does not have: some of them print lines of their own about it."""
    described = next((one for one in context.supported_options.private if one.name == option), None)
    names = X264_PRESETS if name in ("libx264", "libx265") else [choice.name for choice in described.choices] if described else []
    try:
        in_range = described is not None and described.min < described.max and described.min <= float(preset) <= described.max
    except ValueError:
        in_range = False
    if preset in names or in_range or (described is None and not names):
        return
    if names:
        raise OptionError(f"The encoder {name} has no preset {shown(preset)}. {suggestion(preset, names)}")
    assert described is not None
    raise OptionError(f"The presets of {name} are numbers from {described.min:g} to {described.max:g} (got {shown(preset)}).")


def _guess(private: set[str]) -> EncoderDefaults:
    """Defaults for an encoder without an entry in DEFAULTS, from the options that it has."""
    preset = next((option for option in ("preset", "cpu-used", "speed") if option in private), None)
    quality = next((option for option in ("crf", "cq", "qp") if option in private), "")
    return EncoderDefaults(quality, 20, preset, "medium" if preset == "preset" else "5")

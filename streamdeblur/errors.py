"""The errors of streamdeblur. Every message states what was wrong, with which file or value, and what to do."""

from __future__ import annotations


class StreamDeblurError(Exception):
    """Base of all errors of streamdeblur. Nothing is left half-written when one is raised."""


class OptionError(StreamDeblurError):
    """A setting has a value that cannot be used."""


class InputError(StreamDeblurError):
    """An input cannot be read, or holds nothing to work on."""


class BeyondEndError(InputError):
    """A part of a video begins where the video has ended."""


class OutputError(StreamDeblurError):
    """An output cannot be written; the temporary file has been removed."""


class BusyOutputError(OutputError):
    """An output is being written by another process."""


class NoReaderError(OutputError):
    """The program that read the output has ended, as `head` does."""


class NetworkError(StreamDeblurError):
    """A network file (ONNX) is not one that streamdeblur can run."""


class EngineError(StreamDeblurError):
    """No engine can run the network here."""


class DetectorError(StreamDeblurError):
    """A face detector cannot be opened."""


class TrainingError(StreamDeblurError):
    """A training cannot continue; its last good checkpoint is intact."""


class MethodError(StreamDeblurError):
    """A method that is evaluated cannot be opened, or fails on a face."""

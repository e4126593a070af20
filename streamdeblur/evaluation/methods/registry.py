"""The registry of methods: their names, and how each is opened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Method
from streamdeblur.evaluation.methods.averaging import RunningAverage
from streamdeblur.evaluation.methods.classical import blurred, oracle, richardson_lucy, unsharp, wiener
from streamdeblur.evaluation.methods.deconvolution import KERNEL_ESTIMATORS, blind, known_kernel
from streamdeblur.evaluation.methods.exemplars import exemplars
from streamdeblur.evaluation.methods.external import command, folder, python
from streamdeblur.evaluation.methods.network import default_network_output, network
from streamdeblur.known_names import shown, suggestion

METHODS = {
    "blurred": "the blurry face, unchanged: the lower bound",
    "oracle": "the sharp face: the upper bound",
    "ours": "the default weights",
    "coarse": "the first step of the default weights alone",
    "unsharp": "an unsharp mask",
    "richardson-lucy": "Richardson 1972 and Lucy 1974, for Gaussian blur",
    "wiener": "Orieux et al. 2010, for Gaussian blur",
    "krishnan": "blind, normalised sparsity: Krishnan et al. 2011",
    "xu": "blind, unnatural l0 of gradients: Xu et al. 2013",
    "pan-l0": "blind, l0 of intensity and gradients: Pan et al. 2014",
    "dark-channel": "blind, l0 of the dark channel and gradients: Pan et al. 2016",
    "babacan": "blind, variational Bayes: Babacan et al. 2012",
    "zhang": "blind, coupled adaptive prior: Zhang et al. 2013",
    "exemplars:FOLDER": "blind, contours of sharp faces in FOLDER: Pan et al. 2014, exemplars",
    "tv-oracle": "total variation with the true kernel: a bound for all of one kernel",
    "average:METHOD": "a motion-gated running average over the frames of a run that METHOD restored",
    "onnx:FILE": "any network in ONNX; see `network`",
    "python:MODULE:FUNCTION": "uint8 RGB [H, W, 3] to the same",
    "command:TEMPLATE": "a program that turns the pictures in {input} into those in {output}",
    "folder:DIR": "results made elsewhere: DIR/CASE.png",
}
"""The names that `open_method` takes, with descriptions. Blind ones take a final step, such as ``xu:hyper`` (default ``:tv``)."""

_PLAIN: dict[str, Callable[[], Method]] = {
    "blurred": blurred,
    "oracle": oracle,
    "unsharp": unsharp,
    "richardson-lucy": richardson_lucy,
    "wiener": wiener,
    "tv-oracle": known_kernel,
}
_OWN = {"ours": "restored", "coarse": "coarse"}
"""Outputs of the default network."""
_WITH_ARGUMENT: dict[str, Callable[[str], Method]] = {
    "average": lambda argument: RunningAverage(open_method(argument)),
    "onnx": network,
    "python": python,
    "command": command,
    "folder": folder,
    "exemplars": exemplars,
    **{name: partial(blind, name) for name in KERNEL_ESTIMATORS},
}


def open_method(name: str) -> Method:
    """Open a method by its name, one of `METHODS`.

    Raises:
        OptionError: The method or its argument is unknown.
        MethodError: Its file, function or program cannot be opened.
    """
    family, colon, argument = name.partition(":")
    output = _OWN.get(name.partition("?")[0])
    if output is not None:
        return default_network_output(output, name)
    if family in _PLAIN and not colon:
        return _PLAIN[family]()
    # without an argument, these have a message or a default of their own
    if family in (*KERNEL_ESTIMATORS, "exemplars") or (family in _WITH_ARGUMENT and argument):
        return _WITH_ARGUMENT[family](argument)
    raise OptionError(f"Unknown method {shown(name)}. {suggestion(name, METHODS)}")

"""Blur schemes are read and written in one spelling; each command accepts those that it can make."""

from __future__ import annotations

import re

import pytest

from streamdeblur.errors import OptionError
from streamdeblur.training.blur.scheme import SPELLINGS, BlurScheme


@pytest.mark.parametrize("text", [spelling.replace(":L", ":11") for spelling in SPELLINGS])
def test_a_scheme_prints_as_it_is_spelled(text):
    scheme = BlurScheme.parse(text)
    assert str(scheme) == text
    assert (scheme.averages, scheme.camera) == (text.startswith(("vla", "pravg")), "camera" in text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mean",
        "pravg:",
        "pravg:8",
        "pravg:1",
        "pravg:257",
        "pravg:x",
        "vla:3",
        "vla:markov",
        "pravg:L",
        "synthetic:sequential",
        "vla+",
        "vla_camera",
        "sharp+camera",
    ],
)
def test_what_is_no_scheme_is_refused_with_those_there_are(text):
    with pytest.raises(OptionError, match=rf"^Unknown blur scheme '{re.escape(text)}'\. .*Known: vla, .*as-is \(L: an odd"):
        BlurScheme.parse(text)


def test_a_command_accepts_some_of_them():
    assert BlurScheme.parse("pravg:7", ("vla", "pravg:L")) == BlurScheme("pravg", 7)
    for text in ("pravg", "mild", "vla+camera"):
        with pytest.raises(OptionError, match="Known: vla, pravg:L "):
            BlurScheme.parse(text, ("vla", "pravg:L"))

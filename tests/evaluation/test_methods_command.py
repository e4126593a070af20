"""Any program that turns a folder of pictures into another is a method."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from streamdeblur.errors import MethodError, OptionError
from streamdeblur.evaluation.cases import Case
from streamdeblur.evaluation.methods import open_method

PROGRAM = """
import pathlib, sys
import cv2

source, target, *options = sys.argv[1:]
if "fail" in options:
    sys.exit("the device is busy")
pictures = sorted(pathlib.Path(source).iterdir())
pathlib.Path(__file__).with_suffix(".log").open("a").write(f"{len(pictures)}\\n")
(pathlib.Path(target) / "results").mkdir()
for picture in pictures[: -1 if "lazy" in options else None]:
    cv2.imwrite(f"{target}/results/{picture.name}", 255 - cv2.imread(str(picture)))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("a program") / "invert.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture(scope="module")
def cases():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 40, 3), np.uint8)
    return [Case(f"clip/{n}", picture, None, "clip") for n, picture in enumerate(pixels)]


def method(program, *options):
    return open_method(" ".join([f"command:'{sys.executable}' '{program}' {{input}} {{output}}", *options]))


def test_a_program_runs_once_for_all_cases(program, cases):
    invert = method(program)
    restored = invert.restore(cases)
    assert all(np.array_equal(face, 255 - case.blurry) for face, case in zip(restored, cases, strict=True))
    assert program.with_suffix(".log").read_text() == "3\n"
    assert invert.fingerprint == ""


def test_pictures_that_are_left_out_are_counted(program, cases):
    with pytest.raises(MethodError, match=r"left out 1 of 3 pictures; the first is 00002\.png"):
        method(program, "lazy").restore(cases)


def test_a_program_that_fails_says_why(program, cases):
    with pytest.raises(MethodError, match="exit code 1: the device is busy"):
        method(program, "fail").restore(cases)


def test_a_program_that_there_is_not(cases):
    with pytest.raises(MethodError, match="cannot be started"):
        open_method("command:no-such-program {input} {output}").restore(cases)


def test_no_shell_reads_the_template(tmp_path, cases):
    with pytest.raises(MethodError):
        open_method(f"command:true {{input}} {{output}} ; touch {tmp_path}/touched").restore(cases)
    assert not (tmp_path / "touched").exists()


def test_templates_are_checked():
    with pytest.raises(OptionError, match=r"lacks \{output\}"):
        open_method("command:deblur {input}")
    with pytest.raises(OptionError, match="cannot be split"):
        open_method("command:deblur '{input} {output}")

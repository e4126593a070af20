"""A library of the system that is missing is named, with what installs it."""

from __future__ import annotations

import pytest
import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.extras import needs_extra
from streamdeblur.cli.system_libraries import missing_library
from streamdeblur.errors import OptionError

UNLOADED = ImportError("libGL.so.1: cannot open shared object file: No such file or directory", name="cv2")


def test_a_command_ends_with_the_name_of_the_library(capsys):
    with pytest.raises(typer.Exit) as ended, handle_errors():
        raise UNLOADED
    assert ended.value.exit_code == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "libGL.so.1 of the system is missing" in told
    assert "apt install libgl1" in told


def test_no_extra_is_advised_for_it():
    with pytest.raises(OptionError, match=r"libGL\.so\.1 of the system is missing"), needs_extra("live", "The page"):
        raise UNLOADED


def test_other_errors_have_other_words():
    assert missing_library(ImportError("No module named 'torch'", name="torch")) is None
    assert missing_library(RuntimeError(str(UNLOADED))) is None

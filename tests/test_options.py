"""Settings: composed, validated, and with one name each in Python, YAML and on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from streamdeblur import RestorationOptions, VideoOptions
from streamdeblur.errors import OptionError
from streamdeblur.live.options import LiveOptions
from streamdeblur.options import ImageBatchOptions, RestorationSettings, VideoBatchOptions, VideoSettings


def test_a_file_is_read_and_settings_win_over_it(tmp_path):
    config = tmp_path / "talk.yaml"
    config.write_text("strength: 0.7\nmin-face: 64\ncodec: libx265\n")
    options = VideoOptions.load(config, strength=0.9, codec=None)
    assert (options.restoration.strength, options.restoration.min_face, options.encoding.codec) == (0.9, 64, "libx265")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("strenght: 0.7", "Did you mean 'strength'"),
        ("min-fase: 3", "Did you mean 'min_face'"),
        ("zzz: 3", "Known: strength"),
        ("strength: strong", "strength"),
        ("strength: 2", r"strength.*got 2"),
        ("- a\n- b", "name: value"),
        ("a: [", "not valid YAML"),
        ("\x00", "not valid YAML"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, content, words):
    config = tmp_path / "talk.yaml"
    config.write_text(content)
    with pytest.raises(OptionError, match=words) as error:
        VideoOptions.load(config)
    assert str(config) in str(error.value)


def test_shipped_files_are_known_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert VideoOptions.load(Path("archive")).encoding.codec == "ffv1"
    Path("archive").write_text("codec: libx264\n")
    assert VideoOptions.load(Path("archive")).encoding.codec == "libx264"


def test_an_empty_file_is_the_defaults_and_a_missing_one_an_error(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert VideoOptions.load(tmp_path / "empty.yaml") == VideoOptions()
    with pytest.raises(OptionError, match=r"none\.yaml"):
        VideoOptions.load(tmp_path / "none.yaml")


def test_options_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="frozen"):
        RestorationOptions().strength = 0.1
    assert RestorationOptions().changed(strength=0.1).strength == 0.1


@pytest.mark.parametrize(("settings", "options"), [(RestorationSettings, RestorationOptions), (VideoSettings, VideoOptions)])
def test_keyword_arguments_are_the_settings_of_the_options(settings, options):
    hints, fields = get_type_hints(settings), options.flat_fields()
    assert set(hints) == set(fields)
    for name, field in fields.items():
        kinds = set(get_args(field.annotation)) or {field.annotation}
        assert kinds <= (set(get_args(hints[name])) or {hints[name]}), name


@pytest.mark.parametrize(
    ("options", "stranger"),
    [(RestorationOptions, "codec"), (VideoOptions, "resume"), (ImageBatchOptions, "codec"), (LiveOptions, "start")],
)
def test_options_refuse_what_they_do_not_use_by_name(options, stranger):
    with pytest.raises(OptionError, match=f"unknown setting '{stranger}'"):
        options.load(None, **{stranger: 1})


def test_a_change_keeps_the_parts_that_it_does_not_name():
    options = VideoBatchOptions.load(None, strength=0.5, codec="ffv1").changed(quality=3, resume=True)
    assert (options.restoration.strength, options.resume) == (0.5, True)
    assert (options.encoding.codec, options.encoding.quality) == ("ffv1", 3)

"""Settings: composed, validated, and with one name each in Python, YAML and on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from streamdeblur import FaceDeblurrer, RestorationOptions, VideoOptions, deblur_video
from streamdeblur.errors import OptionError
from streamdeblur.live.options import LiveOptions
from streamdeblur.options import ImageBatchOptions, RestorationSettings, VideoBatchOptions, VideoSettings
from streamdeblur.setting_messages import ValueType


def test_a_file_is_read_and_settings_win_over_it(tmp_path):
    config = tmp_path / "talk.yaml"
    config.write_text("strength: 0.7\nmin-face: 64\ncodec: libx265\n")
    options = VideoOptions.load(config, strength=0.9, codec=None)
    assert options == VideoOptions.load(str(config), strength=0.9)
    assert (options.restoration.strength, options.restoration.min_face, options.encoding.codec) == (0.9, 64, "libx265")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("strenght: 0.7", "did you mean 'strength'"),
        ("min-fase: 3", "did you mean 'min_face'"),
        ("zzz: 3", "known: start, end, duration, frames, strength"),
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
    with pytest.raises(OptionError, match=r"changed\(strength=...\)"):
        RestorationOptions().strength = 0.1
    assert RestorationOptions().changed(strength=0.1).strength == 0.1


@pytest.mark.parametrize(("settings", "options"), [(RestorationSettings, RestorationOptions), (VideoSettings, VideoOptions)])
def test_keyword_arguments_are_the_settings_of_the_options(settings, options):
    hints, fields = get_type_hints(settings), options.flat_fields()
    assert set(hints) == set(fields)
    for name, field in fields.items():
        kind = ValueType.of_field(field).kind
        assert {kind} <= (set(get_args(hints[name])) or {hints[name]}), name


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


@pytest.mark.parametrize("content", ["restoration: 5\nstrength: 0.5", "restoration: 5", "encoding: [1]\ncodec: ffv1"])
def test_a_part_that_is_no_mapping_is_refused(tmp_path, content):
    config = tmp_path / "odd.yaml"
    config.write_text(content)
    with pytest.raises(OptionError, match=r"(restoration|encoding): "):
        VideoOptions.load(config)


def test_options_of_another_kind_are_refused_by_name(tmp_path):
    with pytest.raises(OptionError, match=r"needs RestorationOptions \(got VideoOptions\)"):
        FaceDeblurrer(VideoOptions())
    with pytest.raises(OptionError, match=r"needs VideoOptions \(got RestorationOptions\)"):
        deblur_video(tmp_path / "a.mp4", tmp_path / "b.mp4", RestorationOptions())


def test_settings_that_a_given_deblurrer_would_ignore_are_refused(tmp_path, inverting):
    with pytest.raises(OptionError, match="other values for: strength"):
        deblur_video(tmp_path / "a.mp4", tmp_path / "b.mp4", deblurrer=inverting, strength=0.2)

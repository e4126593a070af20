"""One validated object for every setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamdeblur import Options
from streamdeblur.errors import OptionError


def test_a_file_is_read_and_settings_win_over_it(tmp_path):
    config = tmp_path / "talk.yaml"
    config.write_text("strength: 0.7\nmin-face: 64\ncodec: libx265\n")
    options = Options.load(config, strength=0.9, codec=None)
    assert (options.strength, options.min_face, options.codec) == (0.9, 64, "libx265")


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
        Options.load(config)
    assert str(config) in str(error.value)


def test_shipped_files_are_known_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Options.load(Path("archive")).codec == "ffv1"
    Path("archive").write_text("codec: libx264\n")
    assert Options.load(Path("archive")).codec == "libx264"


def test_an_empty_file_is_the_defaults_and_a_missing_one_an_error(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert Options.load(tmp_path / "empty.yaml") == Options()
    with pytest.raises(OptionError, match=r"none\.yaml"):
        Options.load(tmp_path / "none.yaml")


def test_options_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="frozen"):
        Options().strength = 0.1
    assert Options().changed(strength=0.1).strength == 0.1

"""streamdeblur config: files of settings, what is in force, and the schema for editors; and the settings that are shipped."""

from __future__ import annotations

import json
from typing import get_args

import pytest
import yaml

from streamdeblur.cli.configurable import MODELS, Configurable, json_schema, settings_of
from streamdeblur.config_files import read_config
from support.cli import run


@pytest.mark.parametrize("command", get_args(Configurable))
def test_the_file_that_is_made_holds_every_setting_with_its_default(command, tmp_path):
    file = tmp_path / "mine.yaml"
    assert run("config", "init", file, "--for", command).exit_code == 0
    model, lines = settings_of(command), file.read_text().splitlines()
    assert read_config(file) == {}
    assert lines[0] == "# yaml-language-server: $schema=mine.schema.json"
    assert json.loads((tmp_path / "mine.schema.json").read_text()) == json_schema(model)
    settings = yaml.safe_load("\n".join(line[1:] for line in lines if line.startswith("#") and line[1:2] not in "# "))
    assert set(settings) == set(model.flat_fields())
    for name, value in settings.items():
        # what a setting is alone: some need others, as those of a watch do
        if value is not None and name not in ("settle", "format"):
            assert model.validated({name: value}) is not None


def test_files_that_exist_stay(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("strength: 0.5\n")
    refused = run("config", "init", file)
    assert (refused.exit_code, file.read_text()) == (2, "strength: 0.5\n")
    assert list(tmp_path.iterdir()) == [file]
    assert run("config", "init", file, "-y").exit_code == 0
    assert run("config", "init", tmp_path / "talk.mp4").exit_code == 2


def origins(*arguments):
    done = run("config", "show", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return {name: (setting["value"], setting["from"]) for name, setting in done.json.items()}


def test_each_setting_is_shown_with_where_it_is_from(tmp_path):
    (tmp_path / "mine.yaml").write_text("strength: 0.5\nmin-face: 60\n")
    shown = origins("video", "in.mp4", "--config", tmp_path / "mine.yaml", "--strength", "0.8", "-ss", "1:00")
    assert shown["strength"] == (0.8, "command line")
    assert shown["start"] == (60.0, "command line")
    assert shown["min_face"] == (60.0, f"file: {tmp_path / 'mine.yaml'}")
    assert shown["look_ahead"] == (2, "default")
    assert origins("live", "--config", "webcam")["to"] == (["camera"], "shipped: webcam")
    assert origins("live")["network"] == ("auto", "default")
    table = run("config", "show", "video", "--config", "best")
    assert any("look_ahead" in line and "5" in line and "shipped: best" in line for line in table.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["video", "--strenght", "1"], "Did you mean --strength?"),
        (["video", "--strength", "3"], "strength: must be a number, 0 to 1 (got 3.0)"),
        (["video", "--config", "bset"], "Did you mean 'best'?"),
        (["vidoe"], "'video'"),
    ],
)
def test_what_is_wrong_is_said_as_the_command_itself_does(arguments, words):
    done = run("config", "show", *arguments)
    assert done.exit_code == 2
    assert words in done.stderr


@pytest.mark.parametrize("command", MODELS)
def test_shipped_settings_are_taken_by_the_commands_that_name_them(command, tmp_path, monkeypatch):
    # a folder of the name is no file of settings
    monkeypatch.chdir(tmp_path)
    for name in settings_of(command).shipped:
        (tmp_path / name).mkdir()
        taken = settings_of(command).load(name)
        assert taken != settings_of(command)(), name


def test_the_schema_knows_what_may_stand_in_a_file():
    done = run("config", "schema", "batch")
    properties = json.loads(done.stdout)["properties"]
    assert properties["strength"]["maximum"] == 1.0
    assert "string" in properties["start"]["anyOf"][1]["type"]
    assert ["gentle", "normal", "always"] in [choice.get("enum") for choice in properties["threshold"]["anyOf"][0]["anyOf"]]
    assert "restoration" not in properties

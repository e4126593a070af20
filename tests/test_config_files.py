"""Configuration files are plain, bounded, and refused with the place of what is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from streamdeblur.config_files import DEEPEST, LARGEST_FILE, read_config
from streamdeblur.configs import ALL, LANDMARKS, LIVE, SETTINGS, TRAINING, VIDEO
from streamdeblur.errors import OptionError
from streamdeblur.options import VideoOptions
from streamdeblur.training.config import TrainingConfig

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (BOMB, r"line 2, column 8: aliases"),
        ("a: &a [*a]", "line 1, column 8: aliases"),
        ("base: &b {strength: 1}\n<<: *b", "aliases"),
        ("<<: {strength: 1}", "line 1, column 1: merge keys"),
        ("strength: !!python/object/apply:os.system [true]", "line 1, column 11: tags .*python"),
        ("codec: !!binary aGVsbG8=", "tags"),
        ("to: !!set {a, b}", "tags"),
        ("strength: !!float 1", "tags"),
        ("strength: 1\nstrength: 1", "line 2, column 1: 'strength' is there twice"),
        ("min-face: 50\nmin_face: 60", "holds 'min_face' twice"),
        ("? [a, b]\n: 1", "the name of a setting is missing, or is no text"),
        (": 1", "line 1, column 1"),
        ("a: " + "[" * (DEEPEST + 1), f"line 1, column {3 + DEEPEST}: more than {DEEPEST} levels"),
        ("[" * 60_000, "more than"),
        ("{a: " * 10_000, "more than"),
        ("a: b: c", "line 1, column 5"),
        ("a: [", "line 1"),
        ("a: \t- b", "line 1"),
        ("a: 1\n--- \nb: 2", "line 2, column 1.*another document"),
        ("a: 'x\0y'", r"line 1 has the character '\\x00'"),
        ("a: " + "9" * 5000, "line 1, column 4: a number"),
        ("- a", r"lines of 'name: value' \(got \['a'\]\)"),
        ("just text", "lines of 'name: value'"),
        ("#" * LARGEST_FILE + "#", "more than 65,536 bytes"),
        ("@", "line 1, column 1"),
        ("a: %x", "line 1"),
        ('a: "\\q"', "line 1, column 6"),
    ],
)
def test_what_is_not_plain_is_refused_at_once_with_its_place(tmp_path, content, words):
    path = tmp_path / "c.yaml"
    path.write_text(content)
    began = time.monotonic()
    with pytest.raises(OptionError, match=rf"(?s)c\.yaml .*{words}"):
        read_config(path)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x80abc", b"a: \xc3\x28", b"\xfe\xff\xd8\x00\x00"])
def test_bytes_that_are_no_text_are_refused(tmp_path, content):
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(OptionError, match="is not UTF-8 text"):
        read_config(tmp_path / "c.yaml")


def test_text_of_editors_on_windows_is_read(tmp_path):
    for encoding in ("utf-8-sig", "utf-16", "utf-8"):
        (tmp_path / "c.yaml").write_bytes("codec: ffv1\r\nnetwork: größe.onnx\r\n".encode(encoding))
        assert read_config(tmp_path / "c.yaml") == {"codec": "ffv1", "network": "größe.onnx"}


def test_plain_values_are_what_they_look_like(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "a: 1\nb: 1.5\nc: 1e-3\nd: yes\ne: Off\nf: ~\ng:\nh: 1:30\ni: 2024-01-01\n"
        "j: 010\nk: .inf\nl: '1'\nm: [1, x]\nn: {on: 1, 2: 3}\n"
    )
    content = read_config(tmp_path / "c.yaml")
    assert list(content.values()) == [
        1, 1.5, 1e-3, True, False, None, None, "1:30", "2024-01-01", 10, float("inf"), "1", [1, "x"], {"on": 1, "2": 3},
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["x" * 5000, "nul\0l", "x/" * 3000, "\ud800"])
def test_paths_that_cannot_be_opened_are_refused(path):
    with pytest.raises(OptionError, match="Cannot read the configuration"):
        read_config(Path(path))


def test_an_endless_file_is_refused():
    with pytest.raises(OptionError, match="more than"):
        read_config(Path("/dev/zero"))


def test_shipped_names_are_those_of_the_files_and_are_suggested():
    folder = Path(__file__).parents[1] / "configs"
    names = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml")}
    assert {*SETTINGS, *TRAINING, *LANDMARKS} == names
    assert len(SETTINGS) + len(TRAINING) + len(LANDMARKS) == len(names)
    assert {*VIDEO, *LIVE, *ALL} == set(SETTINGS)
    for name in TRAINING:
        TrainingConfig.load(Path(name))
    with pytest.raises(OptionError, match=r"nope: No such file or directory\. Known: archive, best, fast, preview, social\."):
        VideoOptions.load("nope")
    with pytest.raises(OptionError, match=r"'lite' is a shipped training \(streamdeblur train\)\. Known: archive, best"):
        VideoOptions.load("lite")
    with pytest.raises(OptionError, match=r"The shipped settings 'webcam' are for other commands\. Known: archive, best"):
        VideoOptions.load("webcam")
    with pytest.raises(OptionError, match=r"The shipped settings 'fast' are for other commands\. Known: lite"):
        TrainingConfig.load(Path("fast"))
    with pytest.raises(OptionError, match=r"Did you mean 'lite'\? Known: lite, lite_clips, .*paper_small, ablations/final"):
        TrainingConfig.load(Path("lit"))
    with pytest.raises(OptionError, match=r"Did you mean 'ablations/final'\?"):
        TrainingConfig.load(Path("final"))


@pytest.mark.parametrize(
    ("base", "words"),
    [("me.yaml", "more than 16 files"), ("{a: 1}", "must be the name"), ("7", "must be the name"), ("nope", "Known: lite"),
     ("[lite, me.yaml]", "more than 16 files"), ("[me.yaml, me.yaml, me.yaml]", "more than 16 files"), ("[lite, 7]", "got 7")],
)  # fmt: skip
def test_a_base_that_cannot_be_used_is_refused(tmp_path, monkeypatch, base, words):
    monkeypatch.chdir(tmp_path)
    Path("me.yaml").write_text(f"base: {base}\n")
    with pytest.raises(OptionError, match=words):
        TrainingConfig.load(Path("me.yaml"))


def test_files_that_each_name_the_next_one_several_times_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        Path(f"{number}.yaml").write_text(f"base: [{number + 1}.yaml, {number + 1}.yaml, {number + 1}.yaml]\n")
    Path("4.yaml").write_text("seed: 1\n")
    assert TrainingConfig.load(Path("3.yaml")).seed == 1
    assert TrainingConfig.load(Path("2.yaml")).seed == 1
    with pytest.raises(OptionError, match="more than 16 files"):
        TrainingConfig.load(Path("1.yaml"))

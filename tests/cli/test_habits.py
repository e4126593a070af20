"""What people try because other programs have it: -h, a wrong word, -v and --log, patterns in quotes, the tabulator."""

from __future__ import annotations

import os

import pytest

from support.cli import run, run_process
from support.media.videos import read_frames, write_video


@pytest.fixture(scope="module")
def clips(tmp_path_factory, few_pictures):
    folder = tmp_path_factory.mktemp("clips")
    for name in ("a.mp4", "b.mp4", "c.mkv"):
        write_video(folder / name, few_pictures[:3])
    (folder / "scan.TIFF").touch()
    return folder


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def test_the_program_alone_says_what_most_people_want():
    alone = run()
    assert alone.exit_code == 0
    assert [line.split()[1] for line in alone.stdout.splitlines() if line.startswith("  ")] == [
        "video", "video", "image", "live", "serve",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [(), ("video",), ("config",), ("train", "cgan")])
def test_a_short_word_for_help(words):
    short, full = run(*words, "-h"), run(*words, "--help")
    assert (short.exit_code, short.stdout) == (0, full.stdout)


def test_help_stands_in_panels():
    shown = run("video", "--help").stdout
    places = [shown.index(f"─ {panel} ─") for panel in ("Input", "Faces", "Restoration", "Output", "Performance", "Other")]
    assert places == sorted(places)
    assert shown.index("--strength") > places[2]
    assert shown.index("--help") > places[5]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("vidoe a b", "Did you mean 'video'?"),
        ("hourglass", "Did you mean 'train hourglass'?"),
        ("train hourglas", "Did you mean 'hourglass'?"),
        ("a.mp4 out.mp4", "Did you mean: streamdeblur video a.mp4 out.mp4?"),
        ("scan.TIFF out.png", "Did you mean: streamdeblur image scan.TIFF out.png?"),
        ("video a.mp4 o.mp4 --strenght 1", "No such option: --strenght. Did you mean --strength?"),
        ("video a.mp4 o.mp4 --strenght=1", "No such option: --strenght. Did you mean --strength?"),
        ("video a.mp4 o.mp4 -strength 1", "No such option: -strength. Did you mean --strength?"),
        ("video a.mp4 o.mp4 -crf 20", "No such option: -crf. Did you mean --quality?"),
        ("video a.mp4 o.mp4 -c:v libx265", "No such option: -c:v. Did you mean --codec?"),
        ("video -i a.mp4 o.mp4", "The input and the output are given without one: INPUT OUTPUT."),
        ("video a.mp4 o.mp4 --threshold gentel", "did you mean 'gentle'?"),
        ("video a.mp4 o.mp4 --config fsat", "Did you mean 'fast'?"),
        ("video a.mp4 o.mp4 --audio cpoy", "did you mean 'copy'?"),
        ("video *.avi --out out", "Nothing fits the pattern *.avi."),
        ("image *.png --out out", "Nothing fits the pattern *.png."),
        ("compare *.avi", "Nothing fits the pattern *.avi."),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(words, answer, clips):
    done = run(*words.split(), cwd=clips)
    assert done.exit_code == 2
    assert answer in done.stderr


def test_options_after_two_hyphens_are_names(clips, quick, tmp_path):
    done = run("video", *quick, "--", "-i", tmp_path / "o.mp4", cwd=clips)
    assert "No such file: -i." in done.stderr


def test_patterns_in_quotes(clips, quick, tmp_path):
    assert run("video", "*.mp4", "--out", tmp_path / "out", *quick, cwd=clips).exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_file()} == {"a.mp4", "b.mp4"}


def test_an_output_is_replaced_with_y_alone(clips, quick, tmp_path):
    target = tmp_path / "out.mp4"
    target.write_bytes(b"something")
    ways = "Give --overwrite (-y) to replace it, or --resume to skip outputs that exist."
    for more in ((), ("-n",)):
        refused = run("video", clips / "a.mp4", target, *more, *quick)
        assert (refused.exit_code, target.read_bytes()) == (2, b"something")
        assert refused.stderr.endswith(f"out.mp4 exists. {ways}\n")
    target.rename(tmp_path / "a.mp4")
    many = run("video", clips / "a.mp4", "--out", tmp_path, "--json", *quick)
    assert many.exit_code == 1
    assert many.json["files"][0]["error"].endswith(f"a.mp4 exists. {ways}")
    assert run("video", clips / "a.mp4", target, "-y", *quick).exit_code == 0
    assert len(read_frames(target)) == 3


def test_levels_of_messages(clips, quick, tmp_path):
    """The container has no effect, which is a warning."""

    def stderr(*level):
        return run("video", clips / "a.mp4", tmp_path / "out.mp4", "-y", "-f", "mkv", *level, *quick).stderr

    assert "Warning" in stderr()
    assert "VideoSummary" not in stderr()
    assert "VideoSummary" in stderr("-v")
    assert "Warning" in stderr("-q")
    assert stderr("-v", "error") == ""
    assert run("engine", "list", "-q", "-v", "debug").exit_code == 0


def test_a_log_gets_all_that_is_quiet_on_the_terminal(clips, quick, tmp_path):
    log = tmp_path / "log.txt"
    assert run("video", clips / "a.mp4", tmp_path / "out.mp4", "-q", "--log", log, *quick).stderr == ""
    run_process("video", "rtsp://me:secret@camera/1", tmp_path / "live.mp4", "-q", "--log", log)
    lines = log.read_text().splitlines()
    assert "DEBUG streamdeblur.jobs.summary: VideoSummary(" in lines[1]
    assert "INFO streamdeblur: " in lines[2]
    assert "video rtsp://me:***@camera/1" in lines[2]
    assert "ERROR streamdeblur.cli.exit_codes: rtsp://me:***@camera/1 is a URL." in lines[3]


def test_a_log_never_costs_a_file_or_the_work(clips, quick, tmp_path):
    before = (clips / "a.mp4").read_bytes()
    refused = run("video", clips / "a.mp4", tmp_path / "out.mp4", "--log", clips / "a.mp4", *quick)
    assert (refused.exit_code, (clips / "a.mp4").read_bytes()) == (2, before)
    assert "this file exists, and is no log of streamdeblur" in refused.stderr
    assert run("doctor", "--log", tmp_path / "absent" / "log.txt").exit_code == 2
    if os.path.exists("/dev/full"):
        full = run("video", clips / "a.mp4", tmp_path / "out.mp4", "--log", "/dev/full", *quick)
        assert full.exit_code == 0
        assert full.stderr.count("The log /dev/full cannot be written any more: [Errno 28] No space left on device.") == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("streamdeblur vi", ["video"]),
        ("streamdeblur train hour", ["hourglass"]),
        ("streamdeblur video --streng", ["--strength"]),
        ("streamdeblur video --threshold ", ["gentle", "normal", "always"]),
        ("streamdeblur live --config ", ["fast", "webcam"]),
        ("streamdeblur image --network li", ["lite"]),
    ],
)
def test_shells_complete_commands_options_and_values(line, words):
    count = len(line.split()) - (not line.endswith(" "))
    asked = {"_STREAMDEBLUR_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(count)}
    done = run_process(env=asked)
    assert done.stdout.split() == words


def test_the_completion_of_a_shell_is_printed():
    for shell in ("bash", "zsh", "fish"):
        done = run("--show-completion", shell)
        assert done.exit_code == 0
        assert "_STREAMDEBLUR_COMPLETE" in done.stdout

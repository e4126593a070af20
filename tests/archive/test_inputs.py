"""Which files a batch takes, and where their results go."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from streamdeblur.archive.inputs import find_inputs, jobs_of
from streamdeblur.archive.workers import default_workers
from streamdeblur.errors import InputError, OutputError
from streamdeblur.options import ArchiveOptions, RestorationOptions

NAMES = ("a.mp4", "b.mkv", "deep/c.mp4", "deep/deeper/a.mp4", "notes.txt")


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    return tmp_path / "in"


def outputs(inputs, out, *, keep_tree=False):
    jobs = jobs_of(inputs, out, keep_tree=keep_tree)
    return sorted(job.target.relative_to(out).as_posix() for job in jobs)


def test_patterns_lists_and_stdin(folder, monkeypatch):
    pattern = str(folder / "**" / "*.mp4")
    found = [folder / name for name in ("a.mp4", "deep/c.mp4", "deep/deeper/a.mp4")]
    assert find_inputs([pattern]) == found
    text = f"# recordings\n{folder / 'b.mkv'}\n\n{pattern}\n"
    (folder / "list").write_text(text)
    assert find_inputs([f"@{folder / 'list'}"]) == [folder / "b.mkv", *found]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert find_inputs(["-", str(folder / "a.mp4")]) == [folder / "b.mkv", *found]
    (folder / "odd[1].mp4").touch()
    assert find_inputs([str(folder / "odd[1].mp4")]) == [folder / "odd[1].mp4"]


def test_patterns_do_not_find_the_results_of_an_earlier_run(folder, monkeypatch):
    """Where the output folder is among what they find; inputs may lie in it."""
    (folder / "sharp").mkdir()
    (folder / "sharp" / "a.mp4").touch()
    monkeypatch.chdir(folder)
    assert find_inputs(["**/*.mp4"], folder / "sharp") == [Path("a.mp4"), Path("deep/c.mp4"), Path("deep/deeper/a.mp4")]
    assert find_inputs(["*"], folder / "sharp") == [Path(name) for name in ("a.mp4", "b.mkv", "deep", "notes.txt")]
    for out in (folder, folder / "deep", Path("deep")):
        assert find_inputs(["deep/*.mp4"], out) == [Path("deep/c.mp4")]


def test_lists_hold_any_name(folder):
    """Of bytes that are no UTF-8, spaces at the ends, and characters that end lines elsewhere; with zeros, line breaks, too."""
    names = [b" a .mp4", b"b\x0b\xe2\x80\xa8\xc2\x85c.mp4", "d\u00fc\u2192.mp4".encode()]
    with suppress(OSError):
        # not every file system takes it
        (folder / os.fsdecode(b"\xe9.mp4")).touch()
        names.append(b"\xe9.mp4")
    paths = [folder / os.fsdecode(name) for name in names]
    for path in paths:
        path.touch()
    lines = [os.fsencode(path) for path in paths]
    (folder / "list").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines) + b"\r\n")
    assert find_inputs([f"@{folder / 'list'}"]) == paths
    odd = folder / "#e\nf.mp4"
    (folder / "list").write_bytes(b"\0".join([*lines, os.fsencode(odd)]) + b"\0")
    assert find_inputs([f"@{folder / 'list'}"]) == [*paths, odd]


def test_lists_and_patterns_that_name_nothing_are_refused(folder):
    (folder / "empty").write_text("# nothing\n")
    for text, reason in (
        (str(folder / "*.webm"), "Nothing fits the pattern"),
        (f"@{folder / 'absent'}", "Cannot read the list"),
        (f"@{folder / 'empty'}", "names no files"),
    ):
        with pytest.raises(InputError, match=reason):
            find_inputs([text])


def test_folders_keep_their_tree_and_files_where_it_is_asked_for(folder, tmp_path):
    assert outputs([folder], tmp_path / "out") == ["a.mp4", "b.mkv", "deep/c.mp4", "deep/deeper/a.mp4"]
    files = find_inputs([str(folder / "**" / "*.mp4")])
    assert outputs(files, tmp_path / "out", keep_tree=True) == ["a.mp4", "deep/c.mp4", "deep/deeper/a.mp4"]
    assert outputs(files[:2], tmp_path / "out") == ["a.mp4", "c.mp4"]
    with pytest.raises(OutputError, match="would both be written"):
        outputs(files, tmp_path / "out")


def test_a_file_that_is_named_twice_is_taken_once(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    named = [folder, folder / "a.mp4", Path("a.mp4"), Path("deep", "..", "a.mp4")]
    assert outputs(named, tmp_path / "out") == outputs([folder], tmp_path / "out")


def test_folders_with_equal_names_in_them(folder, tmp_path):
    inputs = [folder / "deep" / "deeper", folder]
    with pytest.raises(OutputError, match=r"would both be written to .*a.mp4. Rename one, or give a folder above both"):
        outputs(inputs, tmp_path / "out")
    kept = outputs([folder / "deep" / "deeper", folder / "a.mp4"], tmp_path / "out", keep_tree=True)
    assert kept == ["a.mp4", "deep/deeper/a.mp4"]
    told = []
    jobs = jobs_of(inputs, tmp_path / "out", keep_tree=False, leave_out=told.append)
    assert (len(jobs), len(told)) == (4, 1)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="gives up the rights of root (Linux with util-linux)")
def test_what_may_not_be_read_costs_no_other(folder, tmp_path):
    """A folder whose names alone may be read, and one of which not even those; links that lead nowhere."""
    (folder / "deep" / "deeper").chmod(0o444)
    (folder / "closed").mkdir(mode=0)
    (folder / "self.mp4").symlink_to("self.mp4")
    (folder / "gone.mp4").symlink_to("nothing")
    (folder / "around").symlink_to(".")
    code = (
        "import sys; from pathlib import Path; from streamdeblur.archive.inputs import jobs_of\n"
        "for job in jobs_of([Path(sys.argv[1])], Path(sys.argv[2]), keep_tree=False): print(job.target)"
    )
    rights = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    found = subprocess.run(
        [*rights, sys.executable, "-c", code, folder, tmp_path / "out"], capture_output=True, text=True, check=True
    )  # fmt: skip
    (folder / "deep" / "deeper").chmod(0o755)
    expected = [str(tmp_path / "out" / name) for name in ("a.mp4", "b.mkv", "deep/c.mp4", "deep/deeper/a.mp4")]
    assert found.stdout.splitlines() == expected
    assert found.stderr == f"The files of {folder / 'closed'} are left out: Permission denied.\n"


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/100000"])
def test_shares_that_do_not_exist_are_refused(text):
    with pytest.raises(Exception, match="a share and how many there are, such as 1/16 to 16/16"):
        ArchiveOptions(shard=text)


def test_as_many_workers_as_the_cores_have_work_for(monkeypatch):
    monkeypatch.setattr("streamdeblur.archive.workers.known_speeds", list)
    options = RestorationOptions(engine="openvino")
    assert [default_workers(options, cores) for cores in (1, 2, 8, 16, 64)] == [1, 1, 1, 2, 8]
    assert default_workers(options.changed(cores=4), 64) == 16
    assert default_workers(options.changed(engine="tensorrt"), 64) == 1

"""A folder gets its name when all its files are complete; nothing else is left of it, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from streamdeblur.errors import OutputError
from streamdeblur.partial_folder import PartialFolder
from support.disks import files_of_at_most


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("name", ["pairs", "\N{GRINNING FACE}" * 62, "a" * 255, "with.dot"])
def test_folder_gets_its_name_at_the_end_of_the_block(tmp_path, name):
    with PartialFolder(tmp_path / "deep" / name) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a").write_text("whole")
        assert not (tmp_path / "deep" / name).exists()
    assert names(tmp_path / "deep") == [name, f"{name}/sub", f"{name}/sub/a"]


def test_folder_that_stood_there_is_replaced_as_a_whole(tmp_path):
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "old").write_text("old")
    with PartialFolder(tmp_path / "pairs") as folder:
        (folder / "new").write_text("new")
        assert (tmp_path / "pairs" / "old").exists()
    assert names(tmp_path) == ["pairs", "pairs/new"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_error_leaves_what_stood_there(tmp_path, failure):
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "old").write_text("old")

    def write_half() -> None:
        with PartialFolder(tmp_path / "pairs") as folder:
            (folder / "new").write_text("new")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert names(tmp_path) == ["pairs", "pairs/old"]


def test_full_disk_leaves_what_stood_there(tmp_path):
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "old").write_text("old")
    with pytest.raises(OutputError, match="No space left"), files_of_at_most(100), PartialFolder(tmp_path / "pairs") as folder:
        (folder / "new").write_bytes(bytes(1_000))
    assert names(tmp_path) == ["pairs", "pairs/old"]


def test_folder_of_another_process_is_kept_where_it_is_not_to_be_replaced(tmp_path):
    partial = PartialFolder(tmp_path / "cache", replace=False)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "theirs").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        partial.complete()
    assert names(tmp_path) == ["cache", "cache/theirs"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_next_run_removes_what_a_killed_one_left_and_not_what_a_living_one_writes(tmp_path):
    script = f"""
        import os, signal
        from streamdeblur.partial_folder import PartialFolder
        partial = PartialFolder({str(tmp_path / "pairs")!r})
        (partial.path / "half").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1
    with PartialFolder(tmp_path / "pairs") as first, PartialFolder(tmp_path / "pairs") as second:
        assert first != second
        (first / "first").touch()
        (second / "second").touch()
    assert names(tmp_path) == ["pairs", "pairs/first"]


def test_what_another_process_makes_under_the_temporary_name_is_not_removed(tmp_path):
    """Once the folder has its name, the next process with this target takes the temporary one."""
    first = PartialFolder(tmp_path / "out")
    first.complete()
    (tmp_path / "out").rmdir()
    second = PartialFolder(tmp_path / "out")
    assert second.path == first.path
    first.discard()
    assert second.path.is_dir()
    second.discard()

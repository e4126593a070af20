"""A folder that one process at a time changes."""

from __future__ import annotations

import os
import threading

import pytest

from streamdeblur.errors import OutputError
from streamdeblur.folder_lock import folder_held
from support.servers import wait_until

fcntl = pytest.importorskip("fcntl", reason="this system has no locks on folders")


def not_busy():
    raise AssertionError("nobody holds it")


def refuse():
    raise OutputError("busy")


def test_the_second_one_waits_for_the_first(tmp_path):
    order = []

    def second():
        with folder_held(tmp_path, lambda: order.append("waits")):
            order.append("has it")

    with folder_held(tmp_path, not_busy):
        thread = threading.Thread(target=second)
        thread.start()
        wait_until(lambda: order)
        order.append("first one ends")
    thread.join(10)
    assert order == ["waits", "first one ends", "has it"]


def test_a_folder_that_is_busy_may_be_refused(tmp_path):
    with folder_held(tmp_path, not_busy), pytest.raises(OutputError, match="busy"), folder_held(tmp_path, refuse):
        pass
    with folder_held(tmp_path, not_busy):
        pass


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_to_a_folder_is_that_folder(tmp_path, exists):
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    if exists:
        (tmp_path / "folder").mkdir()
    for first, second in (("link", "link"), ("link", "folder"), ("folder", "link")):
        with (
            folder_held(tmp_path / first, not_busy),
            pytest.raises(OutputError, match="busy"),
            folder_held(tmp_path / second, refuse),
        ):
            pass


def test_a_folder_that_the_first_one_removes_is_made_again(tmp_path):
    folder, busy, found = tmp_path / "a" / "b", [], []

    def second():
        with folder_held(folder, lambda: busy.append(True)):
            found.append(folder.is_dir())
            with pytest.raises(OutputError, match="busy"), folder_held(folder, refuse):
                pass
            found.append("busy")

    with folder_held(folder, not_busy):
        thread = threading.Thread(target=second)
        thread.start()
        wait_until(lambda: busy)
        folder.rmdir()
    thread.join(10)
    assert found == [True, "busy"]


def test_a_folder_that_is_removed_before_it_is_opened_is_made_again(tmp_path, monkeypatch):
    def made(folder):
        folder.mkdir()
        monkeypatch.undo()
        folder.rmdir()

    monkeypatch.setattr("streamdeblur.folder_lock.make_folder", made)
    folder = tmp_path / "a"
    with folder_held(folder, not_busy), pytest.raises(OutputError, match="busy"), folder_held(folder, refuse):
        pass


def test_it_is_free_again_after_an_error_and_no_descriptor_stays_open(tmp_path):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), folder_held(tmp_path, not_busy):
            raise ValueError("broken")
    assert (len(os.listdir("/proc/self/fd")) if before else 0) == before


def test_a_file_in_its_place_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file, not a folder"), folder_held(tmp_path / "file", not_busy):
        pass

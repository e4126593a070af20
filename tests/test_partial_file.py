"""A file gets its name when it is complete; nothing else is left of it, whatever happens."""

import contextlib
import errno
import itertools
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import pytest

from streamdeblur import partial_file, partial_folder
from streamdeblur.errors import OutputError
from streamdeblur.files import check_target
from streamdeblur.partial_file import PartialFile, write_file
from streamdeblur.partial_folder import PartialFolder
from support.names import need_name

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
DESCRIPTORS = Path("/proc/self/fd")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def killed_while_writing(target: Path) -> None:
    """Leave the temporary file of a process that was killed."""
    script = f"""
        import os, signal
        from streamdeblur.partial_file import PartialFile
        partial = PartialFile({str(target)!r})
        partial.path.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], timeout=60, check=False)
    assert result.returncode == -signal.SIGKILL
    assert any(".partial-" in name for name in names(target.parent))


def test_file_gets_its_name_at_the_end_of_the_block(tmp_path):
    target = tmp_path / "a.json"
    with PartialFile(target) as path:
        assert path.parent == tmp_path
        assert path.name.startswith(".a.partial-")
        assert path.suffix == ".json"
        path.write_text("whole")
        assert not target.exists()
    assert names(tmp_path) == ["a.json"]
    assert target.read_text() == "whole"


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_error_leaves_what_stood_there(tmp_path, failure):
    target = tmp_path / "a.json"
    target.write_text("old")

    def write_half() -> None:
        with PartialFile(target) as path:
            path.write_text("new")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert names(tmp_path) == ["a.json"]
    assert target.read_text() == "old"


@pytest.mark.parametrize(
    "name", ["a.json", "no suffix", "\N{GRINNING FACE}" * 62 + ".mp4", "a" * 255, "a." + "b" * 253, "ä" * 120 + ".png"]
)
def test_every_legal_name_is_written(tmp_path, name):
    need_name(tmp_path / name)
    write_file(tmp_path / name, "whole")
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "whole"


def test_long_names_that_begin_alike_do_not_meet(tmp_path):
    one, two = (PartialFile(tmp_path / ("a" * 100 + end + ".mp4"), exclusive=True) for end in "12")
    assert one.path != two.path
    one.discard()
    two.discard()


@POSIX
def test_next_run_removes_what_a_killed_one_left(tmp_path):
    target = tmp_path / "a.mp4"
    killed_while_writing(target)
    write_file(target, "whole")
    assert names(tmp_path) == ["a.mp4"]


@POSIX
def test_exclusive_target_is_free_after_its_process_was_killed(tmp_path):
    target = tmp_path / "a.mp4"
    killed_while_writing(target)
    with PartialFile(target, exclusive=True) as path:
        path.write_text("whole")
    assert names(tmp_path) == ["a.mp4"]


@POSIX
def test_exclusive_target_is_refused_while_it_is_written(tmp_path):
    target = tmp_path / "a.mp4"
    with PartialFile(target) as path:
        path.write_text("first")
        with pytest.raises(OutputError, match="is being written by another run"):
            PartialFile(target, exclusive=True)
        with PartialFile(target) as other:
            assert other != path
            other.write_text("second")
    assert names(tmp_path) == ["a.mp4"]
    assert target.read_text() == "first"


def test_many_writers_of_one_target_leave_one_whole_file(tmp_path):
    contents = [f"{number}" * 1000 for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: write_file(tmp_path / "a.txt", content), contents))
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() in contents


@POSIX
def test_permissions_are_those_of_other_new_files_and_of_a_replaced_one(tmp_path):
    old = os.umask(0o027)
    try:
        write_file(tmp_path / "new", "")
    finally:
        os.umask(old)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
    (tmp_path / "new").chmod(0o600)
    write_file(tmp_path / "new", "again")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


@POSIX
def test_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    link, file = tmp_path / "link", tmp_path / "folder" / "file"
    link.symlink_to(file)
    write_file(link, "whole")
    assert link.is_symlink()
    assert file.read_text() == "whole"


@POSIX
def test_link_in_place_of_the_temporary_file_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / ".a.partial-0.txt").symlink_to(victim)
    write_file(tmp_path / "a.txt", "whole")
    assert victim.read_text() == "untouched"
    assert (tmp_path / "a.txt").read_text() == "whole"


@POSIX
@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path, kind):
    target = tmp_path / "a"
    if kind == "fifo":
        os.mkfifo(target)
    elif kind == "folder":
        target.mkdir()
    else:
        target = Path(os.devnull)
    with pytest.raises(OutputError, match="no regular file"):
        PartialFile(target)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        PartialFile(tmp_path / "none" / "a.txt")


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="needs /proc")
def test_no_descriptor_stays_open(tmp_path):
    before = len(list(DESCRIPTORS.iterdir()))
    for _ in range(20):
        write_file(tmp_path / "a.txt", "whole")
        PartialFile(tmp_path / "a.txt").discard()
    assert len(list(DESCRIPTORS.iterdir())) == before


class Interruption:
    """Raises KeyboardInterrupt before one of the bytecodes of the code that writes, counted from 1, as a signal may."""

    FILES = (partial_file.__file__, partial_folder.__file__)

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: FrameType, event: str, _: object) -> "Interruption | None":
        if frame.f_code.co_filename not in self.FILES:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self


def write_folder(target: Path, content: str) -> None:
    with PartialFolder(target) as path:
        (path / "file").write_text(content)


# an interrupt in a destructor is lost; commands repeat it (`streamdeblur.cli.interrupts`)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@POSIX
@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize(("write", "file"), [(write_file, "a"), (write_folder, "a/file")])
def test_wherever_an_interrupt_comes_the_output_is_whole_or_as_before(tmp_path, monkeypatch, write, file, replaces):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    outcomes = []
    for number in itertools.count(1):
        target = tmp_path / str(number) / "a"
        target.parent.mkdir()
        if replaces:
            write(target, "old")
        interruption = Interruption(number)
        before = sys.gettrace()
        sys.settrace(interruption)
        try:
            with contextlib.suppress(KeyboardInterrupt):
                write(target, "whole")
        finally:
            sys.settrace(before)
        found = (target.parent / file).read_text() if target.exists() else "nothing"
        assert names(target.parent) == ([] if found == "nothing" else ["a"]), number
        outcomes.append(found)
        if interruption.left:
            break
    assert set(outcomes) == {"old" if replaces else "nothing", "whole"}


UNFINISHED = """
import os, signal, sys
from streamdeblur.partial_file import PartialFile

def begin(target):
    partial = PartialFile(target)
    partial.path.write_text("half")
    return partial
"""


@POSIX
@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("", 0),
        ("if os.fork() == 0: sys.exit()\nos.wait(); assert one.path.exists()", 0),
        (
            "from streamdeblur.cli.exit_codes import handle_errors\n"
            "with handle_errors(): os.kill(os.getpid(), signal.SIGTERM); signal.pause()",
            130,
        ),
    ],
    ids=["end", "fork", "interrupted command"],
)
def test_what_a_process_has_begun_is_gone_at_its_end(tmp_path, end, code):
    script = f"{UNFINISHED}\none, other = map(begin, sys.argv[1:])\n{end}"
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "a.txt", tmp_path / "b.txt"], timeout=60, check=False)
    assert (done.returncode, names(tmp_path)) == (code, [])


@POSIX
def test_what_nothing_refers_to_is_gone(tmp_path):
    partial = PartialFile(tmp_path / "a.txt", exclusive=True)
    assert len(names(tmp_path)) == 1
    del partial
    assert names(tmp_path) == []


@POSIX
def test_full_disk_leaves_what_stood_there(tmp_path):
    """A limit on the size of files stands for the disk: every write beyond it fails in the same way."""
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    script = f"""
        import resource, signal
        from streamdeblur.errors import OutputError
        from streamdeblur.partial_file import write_file
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            write_file({str(target)!r}, bytes(50_000))
        except OutputError as error:
            print(error)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], timeout=60, capture_output=True, text=True, check=True
    )
    assert "No space left to write" in result.stdout
    assert names(tmp_path) == ["a.bin"]
    assert target.read_bytes() == b"old"


def refuse(*_: object, **__: object) -> None:
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


@POSIX
@pytest.mark.parametrize("refused", [("chmod",), ("fsync",), ("flock",), ("chmod", "fsync", "flock")])
def test_file_systems_that_refuse_more_than_writing_are_written(tmp_path, monkeypatch, refused):
    """CIFS, vfat and file systems of object stores; none of them can be mounted by a test."""
    import fcntl

    for name in refused:
        monkeypatch.setattr(fcntl if name == "flock" else os, name, refuse)
    (tmp_path / "a.txt").write_text("old")
    write_file(tmp_path / "a.txt", "whole")
    with PartialFolder(tmp_path / "folder") as folder:
        (folder / "a").write_text("whole")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "a.txt", "folder"]
    assert (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.parametrize("refused", ["replace", "rename"])
def test_refused_rename_leaves_what_stood_there_and_nothing_else(tmp_path, monkeypatch, refused):
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(os, refused, refuse)
    with pytest.raises(OutputError, match="Cannot write"):
        write_file(tmp_path / "a.txt", "new") if refused == "replace" else PartialFolder(tmp_path / "folder").complete()
    assert names(tmp_path) == ["a.txt", "folder"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_failing_disk_is_named(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="Input/output error"):
        write_file(tmp_path / "a.txt", "new")
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


@POSIX
@pytest.mark.parametrize("target", ["a" * 256, "a\0b", "a" * 300 + "/b"])
def test_names_that_no_file_can_have_are_refused_in_words(tmp_path, target):
    with pytest.raises(OutputError, match=r"Cannot write|does not exist\. Create it first"):
        write_file(tmp_path / target, "")
    with contextlib.suppress(OutputError):
        check_target(tmp_path / target, tmp_path / target, overwrite=True)
    assert names(tmp_path) == []

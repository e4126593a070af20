"""``streamdeblur dataset``: wrong use is answered in words."""

from __future__ import annotations

import pytest

from support.cli import run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build", "nowhere", "out"], "No such file or folder: nowhere"),
        (["build", "empty", "out"], "There is nothing to work on in empty"),
        (["build", "bad", "out"], "1 of 1 files could not be used"),
        (["build", "bad", "out", "--held-out", "2"], "held_out"),
        (["build", "bad", "out", "--detector", "eyes"], "Unknown detector 'eyes'"),
        (["build", "bad", "out", "--identities", "bad/a.mp4"], "it needs file and identity"),
        (["build", "bad/a.mp4", "bad/a.mp4"], "is a file, not a folder"),
        (["stills", "bad", "out"], "There is nothing to work on in bad"),
        (["pairs", "empty", "out"], "streamdeblur dataset build"),
        (["stats", "empty"], "streamdeblur dataset build"),
    ],
)
def test_wrong_use_exits_with_2_and_leaves_nothing(tmp_path, arguments, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.mp4").write_text("no video")
    done = run("dataset", *arguments, "--json", cwd=tmp_path)
    assert done.exit_code == 2, done.stderr
    assert words in done.stderr
    assert words in done.json["error"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "empty"]

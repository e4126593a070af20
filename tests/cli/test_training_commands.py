"""train and export report wrong use."""

from __future__ import annotations

import pytest

from support.cli import run

GAIN = ("--stills", "absent", "--clips", "absent", "--held-out-stills", "absent", "--held-out-clips", "absent")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "hourglass", "lite", "--out", "run"), "--stills, --clips or --pairs"),
        (("train", "cgan", "lite", "--out", "run", "--pairs", "a", "--stills", "b"), "either --pairs or"),
        (("train", "hourglass", "ablations/cgan-no-hg", "--out", "run", "--stills", "empty"), "has no step 1"),
        (("train", "cgan", "ablations/cgan-no-hg-only-2mf2", "--out", "run", "--clips", "a"), "give them with --pairs"),
        (("train", "hourglass", "absent", "--out", "run", "--stills", "."), "Cannot read the configuration absent"),
        (("train", "hourglass", "wrong.yaml", "--out", "run", "--stills", "."), "did you mean 'batch'?"),
        (("train", "hourglass", "lite", "--out", "run", "--stills", "empty"), "holds nothing to train with"),
        (("train", "hourglass", "lite", "--out", "run", "--clips", "absent"), "absent"),
        (("train", "compared", "lite", "--out", "run", "--stills", "."), "has no compared method; compared/nah"),
        (("train", "compared", "compared/zhu", "--out", "run", "--pairs", "absent"), "images that are not paired"),
        (("train", "gain", "--out", "run", "--network", "lite", *GAIN), "one without a memory, and one with"),
        (("train", "gain", "--out", "run", *GAIN), "absent"),
        (("train", "landmarks", "--out", "run"), "--stills, --clips or both"),
        (("train", "landmarks", "absent", "--out", "run", "--stills", "."), "Cannot read the configuration absent"),
        (("train", "landmarks", "--out", "run", "--stills", ".", "--teacher", "eyes"), "Unknown landmark detector 'eyes'"),
        (("train", "landmarks", "--out", "run", "--stills", "empty", "--teacher", "heatmap"), "holds nothing to train with"),
        (("train", "measure", "absent.onnx"), "Nothing to measure on"),
        (("train", "measure", "lyte", "--held-out-stills", "."), "Did you mean 'lite'"),
        (("export", "empty", "out.onnx"), "not the folder of a run"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, arguments, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong.yaml").write_text("base: lite\nhourglass: {batches: 3}\n")
    done = run(*arguments, cwd=tmp_path)
    assert done.exit_code == 2, done.stderr
    assert words in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "out.onnx").exists()

"""The scripts in benchmarks/ that make the tables, curves and pictures of docs/results.md."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from streamdeblur.evaluation.results import FaceResult, ResultFolder
from support.benchmarks import BENCHMARKS, script


@pytest.fixture(scope="module")
def result_tables():
    return script("result_tables")


def protocol_summary(protocol, auc, *metrics):
    rows = [
        {"method": name,
         "figures": {metric: {"value": value, "low": value - 0.01, "high": value + 0.01} for metric in ("auc", *metrics)},
         "gap_closed": {}, "milliseconds": 5.0, "verification": None, "worse_than_baseline": []}
        for name, value in auc.items()
    ]  # fmt: skip
    return {"protocol": protocol, "faces": 9, "groups": 3, "rows": rows, "steadiness": [], "flicker": []}


def test_the_order_of_methods_is_compared_with_the_paper_s(result_tables):
    published = {"blurred": 0.743, "nah": 0.792, "xu": 0.451, "paper-small": 0.798}
    same = result_tables.order_table([protocol_summary("pravg:7", published, "failure")])
    # in the paper, a method with a larger AUC has fewer failures, but for nah and paper-small
    first = "`paper-small`, `nah`, `blurred`"
    assert f"| pravg:7 | 4 | 1.00 (p 0.08) | -0.67 (p 0.33) |  | {first} | {first} |" in same
    turned = result_tables.order_table([protocol_summary("pravg:7", {name: 1 - value for name, value in published.items()})])
    assert "| -1.00" in turned
    # Table 5 of the paper: (0.798 - 0.743) / (0.827 - 0.743)
    assert result_tables.paper_shares()["pravg:7"] == pytest.approx(65.5, abs=0.1)


def test_what_has_no_order_and_no_chance_is_not_shown_as_zero(result_tables):
    assert result_tables.rank_agreement([1, 2, 3], [5, 5, 5]) == ""
    assert result_tables.rank_agreement(list(range(9)), list(range(9))) == "1.00 (p < 0.01)"
    assert result_tables.p_value(0.0004, 3) == "< 0.001"
    assert result_tables.p_value(0.0314, 3) == "0.031"


def test_steadiness_is_told_of_clips(result_tables):
    summary = protocol_summary("pravg:11", {"lite": 0.5})
    steadiness = [{"method": "lite", "clips": 8, "share": {"value": 90.0, "low": 80.0, "high": 100.0}}]
    assert "| method | pravg:11 (8 clips) |" in result_tables.stability_table([summary | {"steadiness": steadiness}])


def test_what_is_worse_than_the_blurry_faces_is_marked(result_tables):
    table = result_tables.metric_table("auc", [protocol_summary("pravg:7", {"blurred": 0.7, "nah": 0.8, "xu": 0.4})])
    assert "| `nah` | **0.800** ±0.010 |" in table
    assert "| `xu` | 0.400 ±0.010 worse |" in table


def filled(path, results):
    """The folder of an evaluation with these results."""
    folder = ResultFolder(path)
    for result in results:
        folder.store(result, np.zeros((8, 8, 3), np.uint8))
        same = [one for one in results if one.protocol == result.protocol]
        digests = {one.case: one.digest for one in same}
        folder.keep_evaluation(result.protocol, digests, list(dict.fromkeys(one.method for one in same)))
    return folder


@pytest.fixture(scope="module")
def published():
    return script("results")


def test_tables_replace_those_between_their_comments(published):
    page = "# Results\n\n<!-- tables: a -->\n\nold\n\n<!-- end of a -->\n\nprose\n"
    again = published.replaced(page, "a", "new")
    assert again == page.replace("old", "new")
    assert published.replaced(again, "a", "new") == again
    with pytest.raises(SystemExit, match="no place"):
        published.replaced(page, "b", "new")


def published_page(tmp_path, *names):
    page = tmp_path / "page.md"
    page.write_text("# Results\n" + "".join(f"\n<!-- tables: {name} -->\n\n<!-- end of {name} -->\n" for name in names))
    return page


def test_a_table_is_published_with_the_command_that_repeats_it(tmp_path, faces_folder, published):
    page = published_page(tmp_path, "sharp")
    others = [name for name in published.NAMES if name not in ("blurred", "oracle")]
    options = ("--stills", faces_folder, "--only", "sharp", "--without", *others, "--page", page)
    command = [sys.executable, BENCHMARKS / "results.py", tmp_path / "work", *options]
    # a script finds those beside it
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "`sharp`, 5 faces of 5 clips or pictures:" in text
    assert "| `blurred` | 100.00 |" in text
    command = "streamdeblur evaluate STILLS --protocol sharp --limit 200 --methods blurred,oracle --out WORK/sharp"
    assert f"```sh\n{command}\n```" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--networks", "absent"], "Give the data of an evaluation: --clips, --stills"),
        (["--stills", "S", "--only", "lfw"], "'lfw' needs --lfw"),
        (["--stills", "S"], "'chakrabarti' needs chakrabarti.onnx in the folder of --networks, or --without chakrabarti"),
        (["--landmarks", "L", "--only", "annotated"], "'exemplars' needs --exemplars, or --without exemplars"),
        (["--landmarks", "L", "--only", "steps", "--limit", "2", "--page", "PAGE"], "leave out --page or --limit"),
        (["--portraits", "P", "--only", "portraits", "--without", "lite", "--page", "PAGE"], "chosen by the gain of 'lite'"),
        (["--landmarks", "L", "--only", "steps", "--page", "PAGE"], "The page has no place for these tables"),
    ],
)
def test_what_would_make_the_tables_incomplete_is_told_before_they_are_made(
    tmp_path, published, monkeypatch, capsys, options, message
):
    page = published_page(tmp_path, "clips")
    words = [str(page) if word == "PAGE" else word for word in options]
    monkeypatch.setattr(sys, "argv", ["results.py", str(tmp_path / "work"), *words])
    with pytest.raises(SystemExit) as stopped:
        published.main()
    assert message in " ".join(f"{stopped.value} {capsys.readouterr().err}".split())
    assert not (tmp_path / "work").exists()


def test_commands_name_options_in_place_of_folders(published, tmp_path):
    (tmp_path / "nah.onnx").touch()
    times = next(one for one in published.EVALUATIONS if one.name == "times")
    assert times.missing({"clips": "C", "exemplars": "E", "networks": str(tmp_path)}, ["zhu"]) == ["chakrabarti", "kupyn"]
    command = times.command({name: name.upper() for name in published.FOLDERS}, "WORK", ["kupyn", "stream"])
    methods = command[command.index("--methods") + 1].split(",")
    assert methods[:7] == ["blurred", "krishnan", "babacan", "zhang", "xu", "pan-l0", "exemplars:EXEMPLARS"]
    assert methods[7:] == [
        "dark-channel", "onnx:NETWORKS/chakrabarti.onnx", "onnx:NETWORKS/nah.onnx", "onnx:NETWORKS/zhu.onnx", "onnx:paper-small",
        "onnx:lite", "oracle",
    ]  # fmt: skip
    assert command[:2] == ["evaluate", "CLIPS"]
    assert command[-2:] == ["--out", "WORK/times"]


def test_curves_that_a_page_no_longer_shows_are_removed(tmp_path):
    pictures = script("page_pictures")
    page = tmp_path / "page.md"
    for name in ("real-one.svg", "real-two.svg", "clips-one.svg"):
        pictures.picture_beside(page, name).touch()
    pictures.remove_others(page, "real", "![one](results/real-one.svg)")
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["clips-one.svg", "real-one.svg"]


@pytest.mark.parametrize("sharp", [True, False])
def test_curves_show_the_first_methods_and_the_blurred_faces(tmp_path, sharp):
    """Faces that were blurred when they were filmed have no true landmarks, so only identities are drawn."""
    plots, results = script("result_plots"), []
    goodness = {
        "blurred": 1, "xu": 6, "onnx:a/nah.onnx": 5, "zhang": 4, "krishnan": 3, "onnx:paper-small": 2, "babacan": 0, "oracle": 9,
    }  # fmt: skip
    for method, good in goodness.items():
        for case in range(5):
            metrics = {"landmarks": 0.06 - 0.006 * good - 0.0002 * case} if sharp else {}
            metrics["cosine"] = 0.9 + 0.01 * good + 0.002 * case
            results.append(FaceResult("pravg:7", f"c{case}", "clip", "", "", method, "f", "e", metrics))
    table = plots.curve_table(filled(tmp_path / "evaluation", results), "clips", ["pravg:7"], tmp_path / "page.md")
    identities = "![clips pravg:7 identities](results/clips-pravg-7-identities.svg)"
    landmarks = "![clips pravg:7 landmarks](results/clips-pravg-7-landmarks.svg) | " if sharp else ""
    assert table.splitlines()[-1] == f"| `pravg:7` | {landmarks}{identities} |"
    for picture in (tmp_path / "results").iterdir():
        drawn = [
            name
            for name in ("blurred", "xu", "nah", "zhang", "krishnan", "paper-small", "babacan", "oracle")
            if f">{name}<" in picture.read_text()
        ]
        # the sharp faces have errors here, as where landmarks are annotated
        others = ["paper-small", "oracle"] if "landmarks" in picture.name else ["krishnan", "paper-small"]
        assert drawn == ["blurred", "xu", "nah", "zhang", *others]


def test_the_identities_of_all_methods_are_drawn_beside_those_of_the_blurred_faces(tmp_path):
    plots, results = script("result_plots"), []
    names = ("blurred", "krishnan", "babacan", "zhang", "xu", "nah", "lite", "oracle")
    for number, method in enumerate(f"onnx:{name}" if name in ("nah", "lite") else name for name in names):
        for case in range(5):
            cosine = 1.0 if method == "oracle" else 0.9 + 0.004 * number + 0.002 * case
            results.append(FaceResult("real-blur", f"c{case}", "clip", "", "", method, "f", "e", {"cosine": cosine}))
    folder = filled(tmp_path / "evaluation", results)
    table = plots.identity_table(folder, "real", "real-blur", tmp_path / "page.md").splitlines()
    assert table[0] == "| `krishnan`, `babacan`, `zhang`, `xu` | `nah`, `lite` |"
    assert table[2].count("![real real-blur identities ") == 2
    for number, expected in enumerate((["krishnan", "babacan", "zhang", "xu"], ["nah", "lite"]), 1):
        drawn = (tmp_path / "results" / f"real-real-blur-identities-{number}.svg").read_text()
        assert [name for name in names if f">{name}<" in drawn] == ["blurred", *expected]


def test_methods_are_compared_on_the_most_and_the_least_blurred_faces(tmp_path):
    strata, results = script("result_strata"), []
    # nah gains on faces that are blurred much, and loses on the others
    for case in range(8):
        for method, gain in (("blurred", 0.0), ("onnx:nah", 1.0 if case < 4 else -2.0), ("xu", 0.5), ("oracle", 9.0)):
            metrics = {"psnr": 20.0 + case + gain, "landmarks": 0.06 - 0.01 * gain}
            # kupyn lacks a face, so it is left out
            results += [FaceResult("pravg:21", f"c{case}", f"c{case}", "", "", method, "f", "e", metrics)]
            results += [replace(results[-1], method="onnx:kupyn")] if method == "xu" and case else []
    folder = filled(tmp_path / "evaluation", results)
    auc, psnr = strata.strength_tables(folder, ["pravg:21"])
    assert "| method | pravg:21, most (2; 20.5 dB) | pravg:21, least (2; 26.5 dB) |" in psnr
    assert "| `nah` | +1.00 ±0.00 | -2.00 ±0.00 |" in psnr
    assert "| `nah` | +0.125 ±0.000 | -0.250 ±0.000 |" in auc
    # in the paper nah is before the blurred faces, and these before xu
    assert auc.splitlines()[-1].startswith("| tau | 0.33 (p 1.00) | -1.00 (p 0.33) |")
    assert "oracle" not in auc
    assert "kupyn" not in auc


def test_few_faces_of_one_clip_are_compared_without_intervals(tmp_path):
    strata = script("result_strata")
    results = [
        FaceResult("pravg:21", f"c{case}", "clip", "", "", method, "f", "e", {"psnr": psnr, "landmarks": 0.02})
        for case in range(3) for method, psnr in (("blurred", 30.0 + case), ("xu", 31.0 + case))
    ]  # fmt: skip
    *_, gains = strata.strength_tables(filled(tmp_path / "evaluation", results), ["pravg:21"])
    assert "| method | pravg:21, most (1; 30.0 dB) | pravg:21, least (1; 32.0 dB) |" in gains
    assert "| `xu` | +1.00 | +1.00 |" in gains


def test_gains_of_a_network_are_told_by_those_of_its_first_step():
    steps = script("result_steps")
    first = np.array([-3.0, 1.0, -1.0, 2.0, 0.0, 3.0, -2.0, 4.0])
    lines = steps.steps_table(first, 2 * first + 1).splitlines()
    assert lines[2] == "| -3.0 to -2.0 dB | 2 | -4.00 dB [-5.00 to -3.00] | 100 % |"
    assert lines[5] == "| +3.0 to +4.0 dB | 2 | +8.00 dB [+7.00 to +9.00] | 0 % |"
    assert lines[-1].startswith("All 8 faces: the first step alone gains +0.50 dB [")
    assert "(38 % are worse than the blurry ones), the whole network +2.00 dB [" in lines[-1]
    assert "Rank correlation of both gains: 1.00" in lines[-1]


def test_variants_are_compared_on_the_same_faces_over_their_seeds():
    evaluation = script("self_evaluation")
    random = np.random.default_rng(0)
    metrics = ("psnr", "ssim", "landmarks", "landmarks_second", "cosine")

    def face(method, case, gain):
        values = dict(zip(metrics, (30 + gain, 0.9, 0.04 - 0.01 * gain, 0.04 - 0.01 * gain, 0.9), strict=True))
        return FaceResult("pravg:7", f"c{case}", f"clip{case % 6}", "", "", method, "f", "e", values)

    gains = {"blurred": 0, "onnx:w/final-0.onnx": 2, "onnx:w/final-1.onnx": 1, "onnx:w/cgan-no-hg-0.onnx": 1, "oracle": 4}
    results = [face(method, case, gain) for method, gain in gains.items() for case in random.permutation(12)]
    table = evaluation.table("pravg:7", results)
    assert "| `final` | 2 | 31.50 ±0.00 |" in table
    assert "| 38 [38 to 38] | 65 |" in table
    assert "| 25 [25 to 25] | 19 |" in table
    # both orders have cgan-no-hg before final
    assert "The order of the 2 variants by AUC beside that of the paper under PrAvg 7: Kendall's tau 1.00" in table
    assert table.endswith("Two seeds of one variant differ by up to 1.00 dB in their mean PSNR.")
    # without the whole method there is nothing to test against
    others = [one for one in results if "final" not in one.method]
    others += [replace(one, method="onnx:w/hg-disc-0.onnx") for one in others if one.method == "blurred"]
    assert next(line for line in evaluation.table("pravg:7", others).splitlines() if "`cgan-no-hg`" in line).endswith("|  |  |")
    # Table 4 is of another protocol
    assert "| 38 [38 to 38] |  |" in evaluation.table("vla:sequential", results)
    # each of six clips has the same sign: 2 of 64 patterns of signs
    assert next(line for line in table.splitlines() if "`cgan-no-hg`" in line).endswith("| 0.031 | 0.031 |")


def test_the_faces_that_are_shown_are_chosen_by_identity_where_no_sharp_one_is_known(tmp_path):
    rows, results = script("picture_rows"), []
    for case, gain in enumerate((0.1, -0.2, 0.0)):
        for method, value in (("blurred", 0.5), ("onnx:lite", 0.5 + gain)):
            results.append(FaceResult("real-blur", f"c{case}", "clip", "", "", method, "f", "e", {"cosine": value}))
    folder = filled(tmp_path / "evaluation", results)
    found = rows.results_of(folder, "real-blur")
    assert rows.cases_of(found, 3, "onnx:lite") == ["c0", "c2", "c1"]
    with pytest.raises(SystemExit, match="no faces that `xu` restored"):
        rows.cases_of(found, 3, "xu")
    folder.write_picture(folder.picture("real-blur", "c0", "reference"), np.full((8, 8, 3), 9, np.uint8))
    shown = rows.pictures_of(folder, "real-blur", "c0", found, landmarks=False)
    assert list(shown) == ["blurry", "lite", "reference"]
    sharp = FaceResult("real-blur", "c0", "clip", "", "", "oracle", "f", "e", {"cosine": 1.0})
    folder = filled(tmp_path / "evaluation", [*results, sharp])
    shown = rows.pictures_of(folder, "real-blur", "c0", rows.results_of(folder, "real-blur"), landmarks=False)
    assert list(shown) == ["blurry", "lite", "sharp"]

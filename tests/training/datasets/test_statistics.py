"""What a data set holds, counted once more by hand."""

from __future__ import annotations

import json
import tarfile
from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from streamdeblur.errors import InputError
from streamdeblur.training.datasets.ages import AgeModel, find_age_model
from streamdeblur.training.datasets.statistics import EDGES, measure
from support.cli import run


@pytest.fixture(scope="module")
def records(built):
    """Those of each split, read with nothing but tarfile and json."""
    found = {}
    for split in ("train", "test"):
        with tarfile.open(built[0] / split / "clips-00000.tar") as tar:
            found[split] = [json.load(tar.extractfile(entry)) for entry in tar if entry.name.endswith(".json")]
    return found


def write_age_model(path, years):
    """A network of the shape of InsightFace's genderage.onnx that finds everybody `years` plus the mean brightness / 2.55 old."""
    weights = np.full((3, 3 * 96 * 96), 0.0, np.float32)
    # InsightFace feeds (pixel - 127.5) / 128 and reads hundreds of years
    weights[2] = 128 / 255 / (3 * 96 * 96)
    bias = np.array([0, 1, years / 100 + 0.5], np.float32)
    nodes = [
        helper.make_node("Flatten", ["data"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["fc1"], transB=1),
    ]
    inputs = [helper.make_tensor_value_info("data", TensorProto.FLOAT, [None, 3, 96, 96])]
    outputs = [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [None, 3])]
    constants = [onnx.numpy_helper.from_array(weights, "weights"), onnx.numpy_helper.from_array(bias, "bias")]
    graph = helper.make_graph(nodes, "genderage", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_the_columns_of_table_2(built, records):
    rows = {row.name: row for row in measure(built[0]).rows}
    everything = [record for split in records.values() for record in split]
    for name, listed in {**records, "all": everything}.items():
        row = rows[name]
        assert row.videos == len({record["source"] for record in listed})
        assert row.identities == len({record["identity"] for record in listed})
        assert row.frames == sum(len(record["source_frames"]) for record in listed)
        assert row.samples == len(listed)
        assert row.sequential
        assert row.identity_info
    assert rows["all"].videos == 3
    assert rows["all"].frames == 14 + 14 + 16 + 15


def test_histograms(built, records):
    everything = [record for split in records.values() for record in split]
    values = {
        "length": [record["frames"] for record in everything],
        "size": [record["face_px"] for record in everything],
        "sharpness": [np.median(record["sharpness_of_frames"]) for record in everything],
        "motion": [record["motion"]["mean"] for record in everything],
    }
    found = measure(built[0]).as_dict()["histograms"]
    for name, listed in values.items():
        bins = Counter(max(n for n, edge in enumerate(EDGES[name]) if edge <= value) for value in listed)
        assert found[name]["counts"] == [bins[n] for n in range(len(EDGES[name]))]
        assert sum(found[name]["counts"]) == 4


def test_ages_are_those_of_people_not_of_clips(tmp_path, built, records):
    model = AgeModel(write_age_model(tmp_path / "genderage.onnx", 0))
    ages = measure(built[0], model).values["age"]
    assert len(ages) == len({record["identity"] for split in records.values() for record in split})
    assert all(20 < age < 80 for age in ages)
    older = measure(built[0], AgeModel(write_age_model(tmp_path / "older.onnx", 13))).values["age"]
    assert older == pytest.approx([age + 13 for age in ages], abs=1)


def test_the_age_model_is_found_where_insightface_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_age_model() is None
    (tmp_path / ".insightface" / "models" / "buffalo_l").mkdir(parents=True)
    model = write_age_model(tmp_path / ".insightface" / "models" / "buffalo_l" / "genderage.onnx", 0)
    assert find_age_model() == model
    with pytest.raises(InputError, match="No such file"):
        find_age_model(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match=r"not InsightFace's genderage\.onnx"):
        AgeModel(tmp_path / "text.onnx")


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(InputError):
        measure(tmp_path)
    with pytest.raises(InputError):
        measure(tmp_path / "none")


def test_the_command_prints_tables_and_json(tmp_path, built, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    done = run("dataset", "stats", built[0], "--json")
    found = done.json
    assert [row["name"] for row in found["table"]] == ["train", "test", "all"]
    assert found["table"][2]["frames"] == 59
    assert "genderage.onnx" in done.stderr
    model = write_age_model(tmp_path / "genderage.onnx", 0)
    done = run("dataset", "stats", built[0], "--age-model", model)
    assert done.exit_code == 0, done.stderr
    assert all(words in done.stdout for words in ("identities", "Length of a clip", "Motion of a face", "Age of a person", "█"))

"""`--network auto`: how fast the networks are is measured once for a machine, and chosen by."""

from __future__ import annotations

import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnxruntime
import pytest

from streamdeblur import FaceDeblurrer, speeds, weights
from streamdeblur.caches import read_cached, write_cached
from streamdeblur.engines import cards, engine_choices
from streamdeblur.engines import onnxruntime as graphs
from streamdeblur.errors import NetworkError
from streamdeblur.models import networks_at_hand
from streamdeblur.options import RestorationOptions
from streamdeblur.speeds import chosen_network, known_choice, known_speeds, measure, real_time_options
from support.cli import run
from support.models.networks import SIZES, write_network

ENGINE = "onnxruntime"


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """The folder of two shipped networks, 'best' and 'quick', that are quickly opened; with an empty cache."""
    folder = tmp_path / "weights"
    folder.mkdir()
    write_network(folder / "best.onnx", "identity")
    write_network(folder / "quick.onnx", "identity", metadata={"sizes": SIZES})
    rows = tuple(weights.ShippedNetwork(name, "") for name in ("best", "quick", "absent"))
    monkeypatch.setattr(weights, "TABLE", rows)
    monkeypatch.setattr(weights, "files", lambda _: folder)
    monkeypatch.setattr(weights, "DEFAULT_NETWORK", "best")
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    return folder


def chosen(network, engine, *, real_time):
    """The file of the network that the settings choose."""
    return chosen_network(RestorationOptions(network=network, engine=engine), real_time=real_time)


def remember(**ms):
    """Remember these milliseconds for a face of 256 px, by the networks, on every engine of this machine."""
    names = [choice.name for choice in engine_choices()]
    rows = [{"engine": engine, "network": name, "crop_size": 256, "ms": time} for engine in names for name, time in ms.items()]
    write_cached(speeds._cache_path(), json.dumps(rows).encode())


def test_a_network_is_offered_as_soon_as_it_has_a_row_and_a_file(shipped):
    assert weights.network_names() == ["best", "quick"]
    with pytest.raises(NetworkError, match=r"Known: auto, best, quick\."):
        weights.network_path("absent")
    write_network(shipped / "absent.onnx", "identity")
    write_network(shipped / "unlisted.onnx", "identity")
    assert weights.network_names() == ["best", "quick", "absent"]
    assert weights.network_path("absent") == shipped / "absent.onnx"
    remember(best=90, quick=80, absent=7)
    assert chosen("auto", ENGINE, real_time=True) == shipped / "absent.onnx"


def test_a_network_that_is_not_automatic_restores_only_where_it_is_named(shipped, monkeypatch):
    rows = (*weights.TABLE, weights.ShippedNetwork("compared", "", automatic=False))
    monkeypatch.setattr(weights, "TABLE", rows)
    write_network(shipped / "compared.onnx", "identity")
    assert weights.network_names() == ["best", "quick", "compared"]
    assert chosen("compared", ENGINE, real_time=True) == shipped / "compared.onnx"
    remember(best=90, quick=80, compared=1)
    assert chosen("auto", ENGINE, real_time=True) == shipped / "quick.onnx"
    assert {name for name, _ in speeds.seconds_of_networks(ENGINE)} == {"best", "quick"}
    measured = networks_at_hand(measured=True)
    assert [one.name for one in measured] == ["best", "quick", "compared"]
    assert all(one.ms > 0 for one in measured)
    assert [one.ms for one in networks_at_hand()] == [one.ms for one in measured]


def test_the_networks_of_the_table_are_those_in_the_folder():
    files = {path.stem for path in Path(weights.__file__).parent.glob("*.onnx")}
    # the network of the evaluation's landmarks restores nothing
    assert {*weights.network_names(), "landmarks"} == files


@pytest.mark.parametrize(
    ("best", "quick", "for_files", "live"),
    [
        (5, 3, "best", "best"),
        (13, 8, "best", "quick"),
        (33, 11.2, "best", "quick"),
        (41, 25, "quick", "quick"),
        (90, 60, "quick", "quick"),
    ],
)
def test_auto_takes_the_best_network_that_is_fast_enough(shipped, best, quick, for_files, live):
    remember(best=best, quick=quick)
    for engine in (ENGINE, "auto"):
        assert chosen("auto", engine, real_time=False).stem == for_files
        assert chosen(Path("auto"), engine, real_time=True).stem == live
    assert (known_choice(real_time=False), known_choice(real_time=True)) == (for_files, live)
    assert real_time_options(RestorationOptions()).network.stem == live
    with FaceDeblurrer(network="auto", engine=ENGINE) as deblurrer:
        assert deblurrer.network.path.stem == for_files


def test_a_name_or_a_file_is_not_measured(shipped):
    assert chosen("best", ENGINE, real_time=True) == shipped / "best.onnx"
    assert chosen("mine.onnx", ENGINE, real_time=True) == Path("mine.onnx")
    assert known_speeds() == []


def test_another_engine_is_measured_where_the_first_cannot_run_the_networks(shipped):
    rows = [("openvino", name, 256, None) for name in ("best", "quick")]
    rows += [("onnxruntime", "best", 256, 20.0), ("onnxruntime", "quick", 256, 10.0)]
    columns = ("engine", "network", "crop_size", "ms")
    write_cached(speeds._cache_path(), json.dumps([dict(zip(columns, row, strict=True)) for row in rows]).encode())
    assert chosen("auto", "auto", real_time=True).stem == "quick"


def test_networks_are_measured_where_the_card_that_onnx_runtime_was_built_for_is_not_there(shipped, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(cards, "CUDA_LIBRARIES", ("libno-such-library.so",))
    remember(best=90, quick=8)
    assert chosen("auto", "auto", real_time=True).stem == "quick"
    assert known_choice(real_time=True) == "quick"


@pytest.fixture
def other_gpu(monkeypatch):
    """The engine onnxruntime:coreml, which computes on the CPU here."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    for table in (graphs.PROVIDERS, graphs.GPU_PROVIDERS):
        monkeypatch.setitem(table, "coreml", "CPUExecutionProvider")
    return "onnxruntime:coreml"


@pytest.mark.filterwarnings("ignore:Duplicate provider")
@pytest.mark.parametrize("engine", ["auto", "onnxruntime:coreml"])
def test_networks_are_measured_on_gpus_other_than_nvidias(shipped, other_gpu, engine):
    assert chosen("auto", engine, real_time=True).stem in ("best", "quick")
    assert {one.engine for one in known_speeds()} == {other_gpu}
    assert known_choice(real_time=True) is not None


def test_a_gpu_that_cannot_run_the_networks_leaves_the_choice_to_the_cpu(shipped, other_gpu):
    remember(best=20, quick=10)
    rows = [vars(one) | ({"ms": None} if one.engine == other_gpu else {}) for one in known_speeds()]
    write_cached(speeds._cache_path(), json.dumps(rows).encode())
    assert chosen("auto", "auto", real_time=True).stem == "quick"


@pytest.mark.parametrize("engine", ["onnxruntime:coreml", "no-such-engine"])
def test_an_engine_that_is_not_there_is_not_measured(shipped, engine):
    """What is wrong is told when it is opened."""
    assert speeds.seconds_of_networks(engine) == {}
    assert known_speeds() == []


@pytest.mark.parametrize(
    ("openvino", "onnxruntime", "first"),
    [
        ((10, 5), (20, 10), "openvino"),
        ((10, 5), (10, 5), "openvino"),
        ((10, 5), (9, 4.8), "openvino"),
        ((10, 5), (8, 5), "onnxruntime"),
        # what one of them cannot run is not compared
        ((10, None), (8, 500), "onnxruntime"),
        ((10, 5), (None, None), "openvino"),
        (None, (1, 1), "openvino"),
    ],
)
def test_the_engine_that_was_measured_as_faster_is_taken(shipped, openvino, onnxruntime, first):
    measured = {"openvino": openvino, "onnxruntime": onnxruntime}
    rows = [
        {"engine": engine, "network": name, "crop_size": 256, "ms": ms}
        for engine, times in measured.items() if times for name, ms in zip(("best", "quick"), times, strict=True)
    ]  # fmt: skip
    write_cached(speeds._cache_path(), json.dumps(rows).encode())
    second = "onnxruntime" if first == "openvino" else "openvino"
    assert speeds.as_measured(["tensorrt", "openvino", "onnxruntime"]) == ["tensorrt", first, second]
    assert speeds.as_measured(["onnxruntime"]) == ["onnxruntime"]
    with FaceDeblurrer(network="quick") as deblurrer:
        assert deblurrer.engine.name == first
    found = run("doctor", "--json").json["engines"]
    assert [one["name"] for one in found if one["chosen"]] == [first]


def test_the_first_run_measures_and_the_next_ones_remember(shipped, caplog):
    caplog.set_level("INFO")
    for _ in range(2):
        chosen("auto", ENGINE, real_time=True)
    assert [record.getMessage()[:9] for record in caplog.records] == ["Measuring"]
    measured = known_speeds()
    assert [(one.engine, one.network, one.crop_size) for one in measured] == [
        (ENGINE, "best", 256), *((ENGINE, "quick", size) for size in (128, 192, 256))
    ]  # fmt: skip
    assert all(0 < one.ms < 1000 for one in measured)


@pytest.mark.parametrize("damage", [b"", b"garbage", random.Random(0).randbytes(500)], ids=["empty", "text", "bytes"])
def test_a_damaged_memory_is_measured_again(shipped, damage):
    chosen("auto", ENGINE, real_time=True)
    speeds._cache_path().write_bytes(damage)
    assert known_speeds() == []
    chosen("auto", ENGINE, real_time=True)
    assert len(known_speeds()) == 4


@pytest.mark.parametrize("content", [b"[]", b"{}", b'[{"engine": 1}]', b"[" * 5000, b'[{"engine": "x", "ms": "fast"}]'])
def test_what_was_remembered_in_another_form_is_nothing(shipped, content):
    write_cached(speeds._cache_path(), content)
    assert known_speeds() == []


@pytest.mark.parametrize("changed", ["cores", "streamdeblur", "engine", "cpu", "instructions", "network"])
def test_each_machine_and_version_has_its_own_measurement(shipped, monkeypatch, changed):
    remember(best=1, quick=1)
    assert known_speeds()
    if changed == "network":
        write_network(shipped / "quick.onnx", "invert")
    elif changed == "instructions":
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    elif changed == "streamdeblur":
        monkeypatch.setattr("streamdeblur.__version__", "99")
    else:
        function = {"cores": "usable_cores", "engine": "package_version", "cpu": "cpu_name"}[changed]
        monkeypatch.setattr(speeds, function, lambda *_: "another")
    assert known_speeds() == []


def test_writers_at_the_same_time_leave_a_whole_file(shipped):
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: measure([ENGINE]), range(4)))
    assert all(len(found) == 4 for found in results)
    assert json.loads(read_cached(speeds._cache_path())) == [vars(one) for one in known_speeds()]
    assert [path.name for path in speeds._cache_path().parent.iterdir()] == [speeds._cache_path().name]


def test_without_a_cache_it_is_measured_in_each_run(shipped, monkeypatch):
    monkeypatch.setenv("STREAMDEBLUR_CACHE", "/dev/null")
    assert chosen("auto", ENGINE, real_time=True).stem in ("best", "quick")
    assert known_speeds() == []


def test_the_doctor_shows_what_is_known_and_measures_when_it_is_asked_to(shipped):
    assert "not measured yet" in run("doctor").stdout
    found = run("doctor", "--benchmark", "--json").json
    assert {row["engine"] for row in found["speeds"]} == {one["name"] for one in found["engines"] if one["available"]}
    assert {(row["network"], row["crop_size"]) for row in found["speeds"]} == {
        ("best", 256), *(("quick", size) for size in (128, 192, 256))
    }  # fmt: skip
    assert all(row["faces_at_30_fps"] >= int(1000 / 30 / row["ms"]) for row in found["speeds"] if row["ms"])
    assert set(found["auto_network"]) == {"files", "real time"}
    text = run("doctor").stdout
    assert "onnxruntime      quick    128 px" in text
    assert re.search(r"^--network auto: \w+ \(files\), \w+ \(real time\)$", text, re.MULTILINE), text

"""Nothing that streamdeblur imports records anything about its user, or talks to anyone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import pytest
import yaml

from streamdeblur.cli.app import COMMANDS, GROUPS
from support.engines import ENGINES
from support.inventory import installed_packages, markers_in, markers_of
from support.isolation import FOREIGN, run_isolated, why_not
from support.media.datasets import shot
from support.media.videos import VideoSpec, write_video
from support.models.networks import write_network
from support.models.trainings import TINY_LANDMARKS, TINY_LITE, TINY_NAH, write_config

TESTS = Path(__file__).parent
TELEMETRY_SECONDS = 30
"""ONNX Runtime's telemetry, where it is on, is sent within 20 s."""

RESTORE = """
import os, sys, time

forks = []
os.register_at_fork(before=lambda: forks.append(True))

def told(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        print("reached for the network:", arguments)

sys.addaudithook(told)

from streamdeblur import FaceDeblurrer
from streamdeblur.demo.run import group_photograph
with FaceDeblurrer(engine=sys.argv[1], network=sys.argv[3], always=True) as deblurrer:
    deblurrer(group_photograph()[180:500, 384:810])
    assert deblurrer.statistics.restored > 0
    time.sleep(float(sys.argv[2]))
assert not forks
assert "openvino_telemetry" not in sys.modules
print("done")
"""

needs_namespace = pytest.mark.usefixtures("namespace")


@pytest.fixture(scope="module")
def namespace():
    """Skips the test where this machine allows no such namespace."""
    if why_not():
        pytest.skip(f"this machine allows no isolation: {why_not()}")


def environment(folder):
    """Environment variables that lead all files to `folder`; no switch of telemetry is set."""
    places = {"HOME": "home", "XDG_CACHE_HOME": "home/.cache", "XDG_DATA_HOME": "data", "STREAMDEBLUR_CACHE": "cache"}
    for place in places.values():
        (folder / place).mkdir(parents=True, exist_ok=True)
    own = {name: str(folder / place) for name, place in places.items()} | {"PYTHONPATH": str(TESTS), "PATH": "/nowhere"}
    return {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "MPLCONFIGDIR")} | own


def files_in_home(folder):
    return [str(path.relative_to(folder)) for path in (folder / "home").rglob("*") if path.is_file()]


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_tell_nobody_and_leave_nothing_in_the_home_folder(tmp_path, engine):
    """OpenVINO counts its imports by itself, in a process of its own. Caches lie in the folder that is named for them."""
    network = write_network(tmp_path / "invert.onnx", "invert")
    command = [sys.executable, "-c", RESTORE, engine, "0", str(network)]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=240)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert files_in_home(tmp_path) == []
    assert engine != "openvino" or any((tmp_path / "cache" / "openvino").iterdir())


CONTACTS = {
    "socket.getaddrinfo('deliberate.example', 443)": "look-up of deliberate.example",
    "socket.create_connection(('deliberate.example', 443))": f"packet to {FOREIGN} port 443",
    "socket.create_connection(('203.0.113.9', 80))": "packet to 203.0.113.9 port 80",
    "socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('8.8.8.8', 53))": "packet to 8.8.8.8 port 53",
}


@needs_namespace
def test_contacts_are_noticed():
    """The tests below can fail."""
    for code, what in CONTACTS.items():
        _, contacts = run_isolated([sys.executable, "-c", f"import socket; {code}"])
        assert what in [contact.what for contact in contacts], code
    code = "import socket; server = socket.create_server(('127.0.0.1', 0)); socket.create_connection(server.getsockname())"
    done, contacts = run_isolated([sys.executable, "-c", code])
    assert (done.returncode, contacts) == (0, [])


KNOWN = {
    "onnxruntime": ({"telemetry", "events.data.microsoft.com"}, "off: streamdeblur/__init__.py sets ORT_DISABLE_TELEMETRY"),
    "openvino": ({"telemetry"}, "off: engines/openvino.py imports openvino without openvino_telemetry; the rest is a callback"),
    "openvino-telemetry": ({"telemetry", "analytics"}, "off: never imported, see openvino"),
    "aiortc": ({"stun.l.google"}, "off: every RTCPeerConnection gets an empty list of servers"),
    "insightface": (
        {"telemetry", "analytics"},
        "switches off ONNX Runtime's; the other word is about a web site in its desktop program",
    ),
    "grpcio": ({"telemetry"}, "measurements within a process, used by TensorBoard only, which a user starts"),
    "torch": ({"telemetry", "analytics"}, "comments"),
    "av": ({"analytics"}, "a comment about cameras"),
    "scipy": ({"analytics"}, "the title of a journal"),
    "setuptools": ({"analytics"}, "the address of an article"),
    "pygments": ({"telemetry", "analytics"}, "words of programming languages that it colours"),
    "opencv-python": ({"analytics"}, "the list of public suffixes in Qt"),
    "pyarrow": (
        {"telemetry", "analytics"},
        "off: OpenTelemetry, unless the user sets ARROW_TRACING_BACKEND; the other word is in the dictionary of Brotli",
    ),
    "pillow": ({"analytics"}, "the dictionary of Brotli"),
}
"""What is known of markers in packages, by the package: the markers, and why they are harmless or how they are switched off."""


def unknown_markers(native):
    found = {
        name: markers_of(package, native=native) - KNOWN.get(name, (set(), ""))[0]
        for name, package in installed_packages().items()
    }
    return {name: markers for name, markers in found.items() if markers}


def test_each_package_is_in_the_lock():
    """A new one is read first; then `python tests/support/inventory.py > tests/tested_versions.txt` adds it."""
    locked = {line.partition("==")[0] for line in (TESTS / "tested_versions.txt").read_text().splitlines()}
    assert set(installed_packages()) <= locked


def test_packages_have_no_telemetry_that_is_not_known():
    assert markers_in(b"import posthog  # Telemetry", native=False) == {"posthog", "telemetry"}
    assert unknown_markers(native=False) == {}


@pytest.mark.slow
def test_compiled_libraries_have_no_telemetry_that_is_not_known():
    assert markers_in(b"\0https://mobile.events.data.microsoft.com\0TELEMETRY", native=True) == {
        "events.data.microsoft.com",
        "telemetry",
    }
    assert unknown_markers(native=True) == {}


@dataclass(frozen=True)
class Case:
    """One way to run a command that uses all of it, as far as a test can."""

    arguments: Sequence[object]
    exit_code: int = 0
    stdin: Path | None = None
    until_stopped: bool = False
    """Whether the command runs until SIGTERM."""
    takes_long: bool = False
    """Whether only the slow test runs it: it imports torch, or is another way through what a quick command does as well."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, photograph, few_pictures, faces_folder):
    """Folder of small inputs for all commands."""
    folder = tmp_path_factory.mktemp("inputs")
    write_video(folder / "talk.mp4", few_pictures)
    write_video(folder / "sharp.mp4", shot(photograph, "dora", 14))
    write_video(folder / "short.mp4", shot(photograph, "dora", 8))
    write_network(folder / "invert.onnx", "invert")
    (folder / "videos" / "dora").mkdir(parents=True)
    write_video(folder / "videos" / "dora" / "shot.mp4", shot(photograph, "bert", 16, (2, -2)))
    write_video(folder / "talk.y4m", few_pictures[:2], VideoSpec(codec="wrapped_avframe", options={}))
    cv2.imwrite(str(folder / "portrait.png"), few_pictures[0])
    shutil.copytree(faces_folder, folder / "faces")
    write_config(folder / "lite.yaml", "lite", TINY_LITE)
    write_config(folder / "nah.yaml", "compared/nah", TINY_NAH)
    (folder / "landmarks.yaml").write_text(yaml.safe_dump(TINY_LANDMARKS))
    return folder


def cases(inputs, out):
    """A case for each command, in an order in which later ones use what earlier ones have made."""
    stills = ("--stills", inputs / "faces", "--held-out-stills", inputs / "faces")
    models = ("--localiser", "dlib", "--embedder", "dlib")
    # it opens more quickly than the shipped network, with which 'evaluate' runs
    quick = ("--network", inputs / "invert.onnx")
    return {
        "video": Case([inputs / "talk.mp4", out / "sharp.mp4", "--report", out / "faces.parquet", *quick]),
        "batch": Case([inputs / "talk.mp4", "--out", out / "batch", *quick]),
        "image": Case([inputs / "portrait.png", out / "sharp.png", *quick]),
        "preview": Case([inputs / "talk.mp4", out / "preview.png", *quick], takes_long=True),
        "demo": Case(["--seconds", "0.2", "--out", out / "demo"], takes_long=True),
        "blur": Case([inputs / "sharp.mp4", out / "pairs", "--every", "6"]),
        "live": Case(
            ["--source", "pattern", "--size", "320x240", "--seconds", "0.5", "--headless", "--to", out / "live.mkv", *quick]
        ),
        "serve": Case(["--port", "8765", *quick], until_stopped=True),
        "pipe": Case([], stdin=inputs / "talk.y4m", takes_long=True),
        "compare": Case(
            [inputs / "short.mp4", "--reference", inputs / "short.mp4", "--limit", "1", "--out", out / "compared", *models],
            takes_long=True,
        ),
        "evaluate": Case(
            [
                inputs / "faces",
                "--protocol",
                "synthetic",
                "--methods",
                "blurred,ours",
                "--limit",
                "2",
                "--out",
                out / "e",
                *models,
            ]
        ),
        "dataset build": Case([inputs / "videos", out / "clips", "--min-frames", "3", "--held-out", "0", "--workers", "1"]),
        "dataset stills": Case([inputs / "faces", out / "stills", "--cropped", "--workers", "1"], takes_long=True),
        "dataset pairs": Case([out / "clips" / "train", out / "made", "--scheme", "pravg:7", "--workers", "1"], takes_long=True),
        "dataset stats": Case([out / "clips" / "train"]),
        "train hourglass": Case([inputs / "lite.yaml", *stills, "--out", out / "hourglass"], takes_long=True),
        "train cgan": Case(
            [inputs / "lite.yaml", *stills, "--hourglass", out / "hourglass", "--out", out / "cgan"], takes_long=True
        ),
        "train compared": Case([inputs / "nah.yaml", *stills, "--out", out / "nah"], takes_long=True),
        "export": Case([out / "cgan", out / "trained.onnx"], takes_long=True),
        "train gain": Case(
            [
                "--out",
                out / "gain",
                *("--stills", inputs / "faces", "--held-out-stills", inputs / "faces"),
                *("--clips", out / "absent", "--held-out-clips", out / "absent"),
            ],
            exit_code=2,
            takes_long=True,
        ),
        "train landmarks": Case(
            [inputs / "landmarks.yaml", "--stills", inputs / "faces", "--teacher", "heatmap", "--out", out / "landmarks"],
            takes_long=True,
        ),
        "train measure": Case([out / "trained.onnx", "--held-out-stills", inputs / "faces"], takes_long=True),
        "engine build": Case([], exit_code=2),
        "config init": Case([out / "settings.yaml"]),
        "config show": Case(["video", "--config", "best"]),
        "config schema": Case([]),
        "engine list": Case([]),
        "engine clear": Case([]),
        "gstreamer install": Case([]),
        "gstreamer where": Case([]),
        "doctor": Case([]),
        "models": Case([]),
    }


def test_each_command_has_a_case(tmp_path):
    commands = [*COMMANDS, *(f"{group} {name}" for group, (_, names) in GROUPS.items() for name in names)]
    assert sorted(cases(tmp_path, tmp_path)) == sorted(commands)


def run_many(chosen, folder):
    """Run commands in one process; returns which contacts were made, after which command began, and how the process ended."""
    jobs = json.dumps([{"command": name, **asdict(case)} for name, case in chosen], default=str)
    done, contacts = run_isolated([sys.executable, "-m", "support.many_commands", jobs], environment(folder), timeout=500)
    begun = [json.loads(line) for line in done.stdout.splitlines()]
    made = []
    for contact in contacts:
        before = [one["command"] for one in begun if one["moment"] <= contact.moment]
        made.append(f"{contact.what}, after {before[-1] if before else 'nothing'} began")
    return made, done


@needs_namespace
def test_no_command_contacts_anyone(inputs, tmp_path):
    """All commands in one process, which saves the imports."""
    chosen = [(name, case) for name, case in cases(inputs, tmp_path).items() if not case.takes_long]
    made, done = run_many(chosen, tmp_path)
    assert done.returncode == 0, done.stderr
    assert made == []
    assert files_in_home(tmp_path) == []


REACHING = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://named.example/a.ts\n#EXT-X-ENDLIST\n",
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://203.0.113.9/a.ts\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile http://named.example/a.mp4\n",
    "session.sdp": "v=0\no=- 0 0 IN IP4 203.0.113.9\ns=x\nc=IN IP4 203.0.113.9\nt=0 0"
    "\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
}
"""Files that name hosts, by the name under which they come."""


@needs_namespace
def test_files_that_name_hosts_contact_no_one(tmp_path):
    jobs = [("video", Case(["http://named.example/a.mp4", tmp_path / "out.mp4"], exit_code=2))]
    for name, text in REACHING.items():
        (tmp_path / name).write_text(text)
        jobs += [
            ("video", Case([tmp_path / name, tmp_path / "out.mp4"], exit_code=2)),
            ("blur", Case([tmp_path / name, tmp_path / "pairs"], exit_code=2)),
            ("live", Case(["--source", tmp_path / name, "--headless"], exit_code=2)),
        ]
    made, done = run_many(jobs, tmp_path)
    assert done.returncode == 0, done.stderr
    assert made == []


@pytest.mark.slow
@needs_namespace
def test_no_command_contacts_anyone_when_it_runs_alone(inputs, tmp_path):
    for name, case in [*cases(inputs, tmp_path).items(), ("doctor", Case(["--benchmark"]))]:
        made, done = run_many([(name, case)], tmp_path)
        assert done.returncode == 0, done.stderr
        assert made == []
    assert files_in_home(tmp_path) == []


@pytest.mark.slow
@needs_namespace
@pytest.mark.parametrize("engine", ENGINES)
def test_engines_contact_no_one_later(tmp_path, engine):
    network = write_network(tmp_path / "invert.onnx", "invert")
    command = [sys.executable, "-c", RESTORE, engine, TELEMETRY_SECONDS, network]
    done, contacts = run_isolated(command, environment(tmp_path))
    assert done.returncode == 0, done.stderr
    assert contacts == []

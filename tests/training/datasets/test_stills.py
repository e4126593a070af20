"""Stills: the sharp faces of a folder of pictures."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from streamdeblur.errors import InputError
from streamdeblur.folder_lock import folder_held
from streamdeblur.training.datasets.duplicates import DISTANCE, DuplicateFinder, perceptual_hash
from streamdeblur.training.datasets.identities import Identities
from streamdeblur.training.datasets.options import StillsOptions
from streamdeblur.training.datasets.pictures import png_bytes
from streamdeblur.training.datasets.random_access import open_stills
from streamdeblur.training.datasets.splits import split_of
from streamdeblur.training.datasets.stills import build_stills
from support.cli import start
from support.media.datasets import PLACES
from support.metrics import psnr
from support.names import need_name


def around(photograph, name, size=320):
    x, y = PLACES[name]
    left, top = x - size // 2, max(0, y - size // 2)
    return np.ascontiguousarray(photograph[top : top + size, left : left + size])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, photograph):
    """One picture with six people, one that lies on its side but for its EXIF, doubles, and some that are of no use."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("anna", "bert", "other"):
        (folder / name).mkdir()
    Image.fromarray(photograph).save(folder / "group.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(around(photograph, "anna"))).save(folder / "anna" / "turned.jpg", quality=97, exif=exif)
    Image.fromarray(around(photograph, "bert")).save(folder / "bert" / "a.png")
    smaller = Image.fromarray(around(photograph, "bert")).resize((310, 310))
    smaller.save(folder / "bert" / "b.jpg", quality=80)
    (folder / "other" / "copy.png").write_bytes((folder / "bert" / "a.png").read_bytes())
    Image.fromarray(cv2.GaussianBlur(around(photograph, "cleo"), (0, 0), 3)).save(folder / "other" / "soft.png")
    Image.fromarray(around(photograph, "cleo")).resize((100, 100)).save(folder / "other" / "small.png")
    (folder / "other" / "text.jpg").write_text("This is no picture.")
    (folder / "other" / "empty.png").write_bytes(b"")
    Image.new("RGB", (300, 200), (90, 120, 60)).save(folder / "other" / "plain.webp", lossless=True)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory, pictures):
    folder = tmp_path_factory.mktemp("stills") / "out"
    return folder, build_stills(pictures, folder, StillsOptions(held_out=0))


def test_one_crop_of_each_sharp_face(built):
    summary = {source["file"]: source for source in built[1]["sources"]}
    stills = open_stills(built[0])
    found = {}
    for still, record in zip(stills, stills.records, strict=True):
        found.setdefault(record["source"], []).append(record["identity"])
        assert still.shape == (256, 256, 3)
        assert record["sharpness"] >= 30
        box = np.array(record["box"])
        assert (box[2:] - box[:2]).max() == pytest.approx(256 / 1.7, rel=0.15)
        assert (box[:2] + box[2:]) / 2 == pytest.approx([128, 128], abs=30)
    assert found["anna/turned.jpg"] == ["anna"]
    assert found["bert/a.png"] == ["bert"]
    assert summary["bert/b.jpg"]["dropped"] == {"duplicates": 1}
    assert summary["other/copy.png"]["problem"] == "the same file as bert/a.png"
    assert summary["other/soft.png"]["dropped"] == {"faces not sharp enough": 1}
    assert summary["other/small.png"]["dropped"] == {"faces too small": 1}
    assert "not a decodable picture" in summary["other/text.jpg"]["problem"]
    assert "empty" in summary["other/empty.png"]["problem"]
    assert (summary["other/plain.webp"]["problem"], summary["other/plain.webp"]["kept"]) == ("", 0)
    assert len(found["group.png"]) >= 1
    assert all(name.partition("#")[0] == "group" for name in found["group.png"])


def test_a_turned_picture_is_cut_upright(built, photograph):
    stills = open_stills(built[0])
    number = next(n for n, record in enumerate(stills.records) if record["source"] == "anna/turned.jpg")
    record, whole = stills.records[number], around(photograph, "anna")
    window = record["window"]
    part = whole[window["top"] :, window["left"] :][: window["side"], : window["side"]]
    expected = cv2.resize(part, (256, 256), interpolation=cv2.INTER_CUBIC).astype(float)
    assert psnr(expected, stills[number]) > 32
    eyes, mouth = np.array(record["landmarks"])[:2], np.array(record["landmarks"])[3:]
    assert eyes[:, 1].max() + 20 < mouth[:, 1].min()


def test_crops_are_taken_as_they_are(tmp_path, photograph):
    (tmp_path / "in").mkdir()
    for n, name in enumerate(PLACES):
        Image.fromarray(around(photograph, name, 256 + 64 * (n % 2))).save(tmp_path / "in" / f"{name}.png")
    Image.fromarray(around(photograph, "anna", 180)).save(tmp_path / "in" / "small.png")
    (tmp_path / "table.csv").write_text("file,identity\nanna.png,one\nbert.png,one\n")
    options = StillsOptions(cropped=True, held_out=0)
    summary = build_stills(tmp_path / "in", tmp_path / "out", options, identities=Identities.read(tmp_path / "table.csv"))
    stills = open_stills(tmp_path / "out")
    assert stills.identities == ["one", "one", "cleo", "dora"]
    assert [source["file"] for source in summary["sources"] if source["problem"]] == ["small.png"]
    assert psnr(stills[0], around(photograph, "anna", 256)) > 45


def test_a_name_that_is_no_utf8_is_a_name_like_others(tmp_path, photograph):
    folder = tmp_path / "in"
    folder.mkdir()
    names = [os.fsdecode(name) for name in (b"a\xff.png", "\u00e9.png".encode())]
    for name, person in zip(names, PLACES, strict=False):
        need_name(folder / name)
        (folder / name).write_bytes(png_bytes(around(photograph, person, 256)))
    summary = build_stills(folder, tmp_path / "out", StillsOptions(cropped=True, held_out=0))
    assert [source["file"] for source in summary["sources"]] == names
    written = (tmp_path / "out" / "dataset.json").read_text(encoding="utf-8")
    assert '"file":"a\\udcff.png"' in written
    assert '"file":"\u00e9.png"' in written
    assert build_stills(folder, tmp_path / "out", StillsOptions(cropped=True, held_out=0)) == summary
    assert open_stills(tmp_path / "out").identities == [name.removesuffix(".png") for name in names]
    assert len(open_stills(folder)) == 2
    assert split_of(names[0], held_out=1.0) == "test"


def test_no_person_is_on_both_sides(tmp_path, photograph):
    """Seventy pictures, more than are worked on together, of fourteen people."""
    for n in range(70):
        picture = np.roll(photograph[:300, 7 * n : 7 * n + 300], 53 * n % 200, axis=0)
        (tmp_path / "in" / str(n % 14)).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "in" / str(n % 14) / f"{n}.png"), cv2.resize(picture, (256, 256)))
    summary = build_stills(tmp_path / "in", tmp_path / "out", StillsOptions(cropped=True, held_out=0.3))
    sides = [open_stills(tmp_path / "out" / split).identities for split in ("train", "test")]
    assert sum(map(len, sides)) == sum(summary["kept"].values()) > 60
    assert all(sides)
    assert not set(sides[0]) & set(sides[1])


def test_nothing_of_use_is_an_error_that_says_why(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="There is nothing to work on"):
        build_stills(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in" / "a.jpg").write_text("no picture")
    with pytest.raises(InputError, match="1 of 1 files could not be used"):
        build_stills(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_of_use_for_a_linked_folder_is_said_as_for_any_other(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_text("no picture")
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with pytest.raises(InputError, match="1 of 1 files could not be used"):
        build_stills(tmp_path / "in", tmp_path / "out")
    assert list((tmp_path / "disk").iterdir()) == []


def test_who_is_held_out_depends_on_the_name_alone():
    names = [f"person {n}" for n in range(2000)]
    assert sum(split_of(name, 0.1) == "test" for name in names) == pytest.approx(200, abs=40)
    assert {split_of(name, 0.0) for name in names} == {"train"}
    assert {split_of(name, 1.0) for name in names} == {"test"}
    # larger fractions only add people
    assert all(split_of(name, 0.3) == "test" for name in names if split_of(name, 0.1) == "test")


def test_tables_that_cannot_be_used_are_said_to_be(tmp_path):
    (tmp_path / "a.csv").write_text("file,name\na.mp4,anna\n")
    with pytest.raises(InputError, match="column identity"):
        Identities.read(tmp_path / "a.csv")
    with pytest.raises(InputError, match="Cannot read"):
        Identities.read(tmp_path / "none.csv")


def test_copies_have_nearly_the_same_hash_and_other_faces_have_not(photograph):
    faces = [around(photograph, name, 250) for name in PLACES]
    duplicates = DuplicateFinder()
    assert [duplicates.add(name, [perceptual_hash(face)]) for name, face in zip(PLACES, faces, strict=True)] == [None] * 4
    for name, face in zip(PLACES, faces, strict=True):
        small = cv2.resize(face, (150, 150), interpolation=cv2.INTER_AREA)
        copy = cv2.imdecode(cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, 50))[1], cv2.IMREAD_COLOR)
        assert duplicates.add("copy", [perceptual_hash(copy)]) == name
    hashes = [perceptual_hash(face) for face in faces]
    assert min((a ^ b).bit_count() for n, a in enumerate(hashes) for b in hashes[:n]) > 2 * DISTANCE


def test_every_pair_of_hashes_within_the_distance_is_found():
    rng = np.random.default_rng(1)
    for _ in range(50):
        bits = rng.integers(0, 2, 256)
        other = bits.copy()
        other[rng.choice(256, DISTANCE, replace=False)] ^= 1
        first, second = (int("".join(map(str, b)), 2) for b in (bits, other))
        duplicates = DuplicateFinder()
        assert duplicates.add("first", [first, first]) is None
        assert duplicates.add("far", [first, ~first & (2**256 - 1)]) is None
        assert duplicates.add("second", [second, first]) == "first"


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no locks on folders")
def test_a_second_process_waits_and_finds_the_data_set_complete(tmp_path, faces_folder):
    """As two evaluations of the same videos do, whose clips lie in one cache."""
    arguments = ("dataset", "stills", faces_folder, tmp_path / "out", "--cropped")
    with folder_held(tmp_path / "out", lambda: None):
        waiting = [start(*arguments, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for process in waiting:
            assert "waiting for it" in process.stderr.readline()
    said = [process.communicate(timeout=60)[1] for process in waiting]
    assert [process.returncode for process in waiting] == [0, 0], said
    assert not (tmp_path / "out" / ".parts").exists()

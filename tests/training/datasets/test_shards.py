"""Shards and stores: complete or absent, the same bytes, read by index."""

from __future__ import annotations

import logging
import pickle
import tarfile
import time

import cv2
import numpy as np
import pytest

from streamdeblur.cores import usable_cores
from streamdeblur.errors import InputError, OutputError
from streamdeblur.training.datasets.pictures import decode_picture, jpeg_bytes, png_bytes
from streamdeblur.training.datasets.pixel_cache import SampleKind, open_pixel_cache
from streamdeblur.training.datasets.random_access import open_clips, open_pairs, open_stills
from streamdeblur.training.datasets.shards import Sample, json_bytes, read_sample, read_samples, write_shards


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def picture(photograph):
    """uint8 RGB [256, 256, 3]: one face."""
    return np.ascontiguousarray(photograph[280:536, 668:924])


def still(key, picture, **about):
    return Sample(key, {"jpg": jpeg_bytes(picture), "json": json_bytes({"identity": "x", "sharpness": 50.0} | about)})


def numbered(count, size=1000):
    return [Sample(f"s{n:03d}", {"json": json_bytes({"n": n}), "bin": bytes([n]) * size}) for n in range(count)]


def test_samples_come_back_in_their_order(tmp_path):
    shards = write_shards(tmp_path, "things", numbered(10), shard_bytes=3500)
    assert [shard.name for shard in shards] == [f"things-{n:05d}.tar" for n in range(4)]
    read = [sample for shard in shards for sample in read_samples(shard)]
    assert [(sample.key, sample.record["n"], sample.files["bin"]) for sample in read] == [
        (f"s{n:03d}", n, bytes([n]) * 1000) for n in range(10)
    ]
    assert read_sample(shards[1], "s004").record == {"n": 4}
    assert [list(sample.files) for sample in read_samples(shards[0], "json")] == [["json"]] * 3


def test_the_bytes_tell_nothing_of_who_wrote_them_and_when(tmp_path):
    first, second = (write_shards(tmp_path / name, "things", numbered(3))[0] for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as tar:
        assert {(entry.mtime, entry.uid, entry.uname, entry.mode) for entry in tar} == {(0, 0, "", 0o644)}


def test_an_error_leaves_nothing_under_the_shards_name(tmp_path):
    def failing():
        yield from numbered(3)
        raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        write_shards(tmp_path, "things", failing(), shard_bytes=2500)
    assert [path.name for path in tmp_path.iterdir()] == ["things-00000.tar"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_shards(tmp_path / "file", "things", numbered(1))


@pytest.fixture
def full_disk():
    """No file may grow beyond 200 kB."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, full_disk):
    with pytest.raises(OutputError, match=r"Cannot write .*things-00000\.tar"):
        write_shards(tmp_path, "things", numbered(5, 100_000))
    assert list(tmp_path.iterdir()) == []


def test_pixels_that_find_no_room_are_told(tmp_path, picture, full_disk):
    write_shards(tmp_path, "stills", [still(f"a{n}", picture) for n in range(3)])
    with pytest.raises(OutputError, match="Free some space"):
        open_stills(tmp_path)
    assert list(tmp_path.glob(".decoded/*")) == []


def test_a_shard_that_is_cut_off_gives_what_is_whole(tmp_path, caplog):
    (shard,) = write_shards(tmp_path, "things", numbered(5))
    shard.write_bytes(shard.read_bytes()[: 3 * 2560 + 700])
    with caplog.at_level(logging.WARNING, "streamdeblur"):
        whole = [sample.key for sample in read_samples(shard) if {"bin", "json"} <= set(sample.files)]
    assert whole == ["s000", "s001", "s002"]
    assert "cut off" in caplog.text
    shard.write_text("no tar file, but long enough to be taken for one" * 50)
    with pytest.raises(InputError, match="not a tar file"):
        list(read_samples(shard))


def test_stills_are_decoded_once_and_mapped(tmp_path, picture):
    write_shards(tmp_path / "set", "stills", [still(f"a{n}", picture + np.uint8(n)) for n in range(3)])
    stills = open_stills(tmp_path / "set")
    assert len(stills) == 3
    assert stills[1].shape == (256, 256, 3)
    assert np.array_equal(stills[-1], decode_picture(jpeg_bytes(picture + np.uint8(2))))
    assert not stills[0].flags.writeable
    assert stills.sharpness.tolist() == [50.0] * 3
    assert stills.identities == ["x"] * 3
    kept = list((tmp_path / "set").glob(".decoded/*/pixels.npy"))
    written = kept[0].stat().st_mtime_ns
    again = pickle.loads(pickle.dumps(stills))
    assert len(pickle.dumps(stills)) < 2000
    assert np.array_equal(again[2], stills[2])
    assert np.array_equal(open_stills(tmp_path / "set")[2], stills[2])
    assert kept[0].stat().st_mtime_ns == written
    with pytest.raises(IndexError):
        stills[3]


@pytest.mark.parametrize("file", ["pixels.npy", "index.json"])
@pytest.mark.parametrize("content", [b"", b"random bytes", b"[1]", b"[{}]", None])
def test_damaged_decoded_stills_are_decoded_again(tmp_path, picture, file, content):
    write_shards(tmp_path, "stills", [still("a", picture)])
    before = open_stills(tmp_path)[0].copy()
    (damaged,) = tmp_path.glob(f".decoded/*/{file}")
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2] if content is None else content)
    assert np.array_equal(open_stills(tmp_path)[0], before)


def test_another_shard_under_the_same_name_is_decoded_anew(tmp_path, picture):
    write_shards(tmp_path, "stills", [still("a", picture)])
    before = open_stills(tmp_path)[0].copy()
    write_shards(tmp_path, "stills", [still("a", 255 - picture)])
    assert np.abs(open_stills(tmp_path)[0].astype(int) - (255 - before)).max() < 40
    assert len(list(tmp_path.glob(".decoded/*"))) == 1


def test_entries_that_cannot_be_used_are_left_out_and_told(tmp_path, picture, caplog):
    samples = [
        still("good", picture),
        Sample("broken", {"jpg": jpeg_bytes(picture)[:50], "json": b"{}"}),
        Sample("without", {"json": b"{}"}),
        Sample("unknown", {"jpg": jpeg_bytes(picture), "json": b"[1]"}),
    ]
    write_shards(tmp_path, "stills", samples)
    with caplog.at_level(logging.WARNING, "streamdeblur"):
        stills = open_stills(tmp_path)
    assert stills.keys == ["good"]
    assert all(name in caplog.text for name in ("3 stills", "broken", "without", "unknown"))


@pytest.mark.parametrize("damage", [b"\xff" * 8, b"\0" * 512])
def test_a_damaged_header_in_the_middle_is_told(tmp_path, caplog, damage):
    (shard,) = write_shards(tmp_path, "things", numbered(5))
    with caplog.at_level(logging.WARNING, "streamdeblur"):
        assert len(list(read_samples(shard))) == 5
        assert not caplog.text
        with shard.open("r+b") as file:
            file.seek(2 * 2560)
            file.write(damage)
        assert [sample.key for sample in read_samples(shard)] == ["s000", "s001"]
    assert f"{shard} is cut off or damaged" in caplog.text


def test_a_shard_that_is_cut_off_between_two_samples_is_told(tmp_path, caplog):
    (shard,) = write_shards(tmp_path, "things", numbered(5))
    shard.write_bytes(shard.read_bytes()[: 3 * 2560])
    with caplog.at_level(logging.WARNING, "streamdeblur"):
        assert len(list(read_samples(shard, "bin"))) == 3
    assert "cut off" in caplog.text


def test_samples_are_read_no_faster_than_they_are_decoded(tmp_path):
    """All pictures of a large folder at once would not fit into memory."""
    read, ahead = [], []

    def samples():
        read.clear()
        for sample in numbered(20 * usable_cores(), size=1):
            read.append(sample)
            yield sample

    def decode(sample, out):
        time.sleep(0.002)
        ahead.append(len(read) - sample.record["n"])

    kind = SampleKind("numbers", lambda sample, record: (1,), decode)
    assert len(open_pixel_cache("many", "0" * 24, tmp_path, samples, kind).entries) == 20 * usable_cores()
    assert max(ahead) <= 4 * usable_cores()


def test_a_folder_of_pictures_with_a_table_beside_it(tmp_path, picture):
    folder = tmp_path / "faces"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), picture[..., ::-1])
    cv2.imwrite(str(folder / "b.png"), cv2.resize(picture, (400, 360))[..., ::-1])
    (tmp_path / "faces.csv").write_text("file,identity,sharpness,more\na.png,anna,81.5,x\n")
    stills = open_stills(folder)
    assert np.array_equal(stills[0], picture)
    assert stills[1].shape == (256, 256, 3)
    assert stills.identities == ["anna", ""]
    assert stills.sharpness[0] == 81.5
    assert np.isnan(stills.sharpness[1])
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "b.png"]


def test_pictures_of_a_folder_are_told_apart_and_hidden_files_left_out(tmp_path, picture):
    folder = tmp_path / "faces"
    folder.mkdir()
    names = ["__a.png", "a.b.png", "a_b.png"]
    for n, name in enumerate(names):
        (folder / name).write_bytes(png_bytes(picture + np.uint8(n)))
    (folder / "._a.b.png").write_bytes(b"what macOS keeps beside files on other disks")
    # as spreadsheets write it, with a byte order mark
    (tmp_path / "faces.csv").write_text("file,identity\na.b.png,anna\na_b.png,bert\n", encoding="utf-8-sig")
    stills = open_stills(folder)
    assert [record["source"] for record in stills.records] == names
    assert stills.identities == ["", "anna", "bert"]
    assert [int(still[0, 0, 0]) - int(picture[0, 0, 0]) for still in stills] == [0, 1, 2]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"name,identity\na.png,anna\n", "lacks the column file"),
        (b"file,sharpness\na.png,high\n", "the sharpness of a.png is no number"),
        (b"file,identity\na.png,Ren\xe9\n", "is not a CSV file"),
    ],
)
def test_a_table_that_cannot_be_used_is_said_to_be(tmp_path, picture, table, words):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "a.png").write_bytes(png_bytes(picture))
    (tmp_path / "faces.csv").write_bytes(table)
    with pytest.raises(InputError, match=rf"faces\.csv.*{words}"):
        open_stills(tmp_path / "faces")


@pytest.mark.parametrize("opened", [open_stills, open_clips, open_pairs])
def test_nothing_to_open_is_said_with_what_to_do(tmp_path, opened):
    with pytest.raises(InputError, match="streamdeblur dataset"):
        opened(tmp_path)
    with pytest.raises(InputError, match="No such file or folder"):
        opened(tmp_path / "nowhere")


def test_a_data_set_with_two_splits_is_asked_for_one(tmp_path, picture):
    for split in ("train", "test"):
        write_shards(tmp_path / split, "stills", [still("a", picture)])
    with pytest.raises(InputError, match="several splits"):
        open_stills(tmp_path)
    assert len(open_stills(tmp_path / "test")) == 1


def test_pairs_are_read_without_loss(tmp_path, picture):
    blurry = cv2.blur(picture, (9, 1))
    sample = Sample("p", {"blurry.png": png_bytes(blurry), "sharp.png": png_bytes(picture), "json": json_bytes({"size": 256})})
    write_shards(tmp_path, "pairs", [sample])
    read_blurry, sharp, record = open_pairs(tmp_path)[0]
    assert np.array_equal(read_blurry, blurry)
    assert np.array_equal(sharp, picture)
    assert record == {"size": 256}

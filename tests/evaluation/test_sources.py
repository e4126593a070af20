"""Pictures and shards as data sets: recognised, cropped alike, unusable files reported."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Comparison
from streamdeblur.evaluation.methods.per_face import files_digest
from streamdeblur.evaluation.protocols import BlurProtocol
from streamdeblur.evaluation.sources import open_data
from streamdeblur.evaluation.sources.pictures import read_face, read_picture
from streamdeblur.partial_file import write_file
from streamdeblur.training.datasets.face_detection import redetect, shared_detector
from streamdeblur.training.datasets.options import StillsOptions
from streamdeblur.training.datasets.pictures import png_bytes
from streamdeblur.training.datasets.stills import build_stills
from support.media.datasets import PLACES
from support.metrics import psnr
from support.names import need_name

SHARED = Path(__file__).parents[3] / "shared" / "data"
FACE = 256 / 1.7
"""Size of a face in a crop."""


def needs(name):
    return pytest.mark.skipif(not (SHARED / name).is_dir(), reason=f"the development data {name} are not beside the checkout")


def write(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture[..., ::-1])
    return path


def write_points(path, points):
    """The format of 300-W, whose first pixel is 1."""
    lines = [f"{x + 1:.3f} {y + 1:.3f}" for x, y in points]
    path.write_text("\n".join(["version: 1", f"n_points: {len(points)}", "{", *lines, "}", ""]))


def dots(count=68, size=(300, 400), shift=(0, 0)):
    """Points on an ellipse, whole pixels, and a dark picture in which each is a bright dot of 3 x 3."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    points = np.rint(np.stack([200 + 60 * np.cos(angles), 160 + 80 * np.sin(angles)], axis=1)) + shift
    picture = np.zeros((*size, 3), np.uint8)
    for x, y in points.astype(int):
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    return points, picture


def brightness_at(picture, points):
    """Mean luma where the points are."""
    at = np.rint(points).astype(int)
    return float(picture[at[:, 1], at[:, 0]].mean())


def test_crops_are_taken_as_they_are_with_the_people_of_their_table(tmp_path, faces):
    for name, face in zip(("a", "b", "c d"), faces, strict=False):
        write(tmp_path / "test" / f"{name}.png", face)
    (tmp_path / "test.csv").write_text("file,identity,other\na.png,anna,1\nb.png,,2\n")
    data = open_data(tmp_path / "test")
    assert str(data) == "test (pictures): 3 stills"
    assert [(still.name, still.identity, still.group) for still in data.stills] == [
        ("a", "anna", "a"), ("b", "", "b"), ("c-d", "", "c-d"),
    ]  # fmt: skip
    assert all(np.array_equal(still.open().crop, face) for still, face in zip(data.stills, faces, strict=False))
    assert data.stills[0].open().landmarks is None


def test_names_are_unique_and_first_folders_are_people(tmp_path, faces):
    for name in ("anna/1.png", "anna/1.jpg", "bert/2.png", "anna/.hidden.png"):
        write(tmp_path / name, faces[0])
    data = open_data(tmp_path)
    assert [(still.name, still.identity) for still in data.stills] == [
        ("anna/1", "anna"),
        ("anna/1-2", "anna"),
        ("bert/2", "bert"),
    ]


def test_a_sharp_reference_is_no_test_picture(tmp_path, faces):
    write(tmp_path / "walk" / "1.png", faces[0])
    write(tmp_path / "walk" / "reference.png", faces[1])
    write(tmp_path / "other" / "2.png", faces[2])
    other, walk = open_data(tmp_path).stills
    assert np.array_equal(walk.reference.open().crop, faces[1])
    assert other.reference is None


def test_a_person_whose_folder_has_a_name_that_is_no_utf8_is_evaluated(tmp_path, faces):
    need_name(tmp_path / os.fsdecode(b"a\xff"))
    path = tmp_path / "in" / os.fsdecode(b"a\xff") / os.fsdecode(b"\xe9.png")
    path.parent.mkdir(parents=True)
    path.write_bytes(png_bytes(faces[0]))
    (case,) = BlurProtocol.parse("synthetic").cases(open_data(tmp_path / "in"), 1, 0)
    assert case.identity == "a\udcff"
    # a report with such a name, and a method that reads a folder of such files
    write_file(tmp_path / "report.md", f"| {case.identity} |")
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == r"| a\udcff |"
    assert files_digest([path]) != files_digest([path.rename(tmp_path / "b.png")])


def test_of_a_photograph_the_largest_face_is_taken(tmp_path, photograph):
    x, y = PLACES["anna"]
    path = write(tmp_path / "party.png", photograph[y - 160 : y + 200, x - 200 : x + 240])
    (still,) = open_data(path).stills
    crop = still.open().crop
    assert crop.shape == (256, 256, 3)
    around = np.array([128 - FACE / 2, 128 - FACE / 2, 128 + FACE / 2, 128 + FACE / 2])
    face = redetect(crop, around, shared_detector("centerface"))
    assert (face.box[:2] + face.box[2:]) / 2 == pytest.approx([128, 128], abs=10)
    assert face.size == pytest.approx(FACE, rel=0.12)


def test_a_picture_without_a_face_says_so(tmp_path):
    path = write(tmp_path / "wall.png", np.full((300, 300, 3), 120, np.uint8))
    (still,) = open_data(path).stills
    with pytest.raises(InputError, match=r"No face of 48 pixels was found in .*wall\.png"):
        still.open()
    path.write_text("no picture")
    with pytest.raises(InputError, match=r"wall\.png: not a decodable picture"):
        still.open()


def test_what_is_no_data_set_is_refused_with_what_is_known(tmp_path):
    (tmp_path / "notes.txt").write_text("not for us")
    with pytest.raises(InputError, match=r"not a data set to evaluate on. Known: shards .*300VW.*YouTube Faces.*LFW"):
        open_data(tmp_path)
    with pytest.raises(InputError, match="No such file or folder"):
        open_data(tmp_path / "nothing")


def test_annotated_points_stay_where_they_are_in_the_crop(tmp_path):
    points, picture = dots()
    write(tmp_path / "helen" / "1.png", picture)
    write_points(tmp_path / "helen" / "1.pts", points)
    (still,) = open_data(tmp_path).stills
    face = still.open()
    assert (still.name, face.landmarks.shape, face.landmarks.dtype) == ("helen/1", (68, 2), np.float64)
    assert brightness_at(face.crop, face.landmarks) > 150
    # exactly: the dots are as dark on one side as on the other
    for step in np.array([(2, 0), (0, 2)]):
        before, after = (brightness_at(face.crop, face.landmarks + off) for off in (-step, step))
        assert before == pytest.approx(after, abs=20)
        assert max(before, after) < 100
    # the box of the points, raised over the forehead, is the face of the window
    low, high = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
    assert (high[1] - low[1]) * 1.27 == pytest.approx(FACE, abs=2)
    assert (low[0] + high[0]) / 2 == pytest.approx(127.5, abs=1)


def test_annotations_that_cannot_be_used_are_reported(tmp_path, caplog):
    points, picture = dots()
    for name, annotated in (("good", points), ("few", points[:5]), ("alone", points), ("flat", points * (0, 1))):
        write_points(tmp_path / f"{name}.pts", annotated)
    (tmp_path / "text.pts").write_text("{ not points }")
    for name in ("good", "few", "flat"):
        write(tmp_path / f"{name}.png", picture)
    with caplog.at_level(logging.WARNING):
        assert [still.name for still in open_data(tmp_path).stills] == ["good"]
    (record,) = caplog.records
    for reported in (
        "alone.pts: no picture",
        "few.pts: 5 points instead of 68",
        "flat.pts: points do not form a face",
        "text.pts: not a list",
    ):
        assert reported in record.message
    (tmp_path / "good.pts").unlink()
    with pytest.raises(InputError, match=r"holds no faces to evaluate on \(pictures with 68 points\): .*alone"):
        open_data(tmp_path)


def write_people(folder, faces, *, flat):
    for name, numbers in {"Ann_Lee": (1, 2), "Bo": (1, 3)}.items():
        for number in numbers:
            write(folder / ("" if flat else name) / f"{name}_{number:04d}.jpg", cv2.resize(faces[number], (250, 250)))


@pytest.mark.parametrize("flat", [True, False])
def test_pairs_in_the_format_of_lfw(tmp_path, faces, flat, caplog):
    write_people(tmp_path, faces, flat=flat)
    (tmp_path / "pairs.txt").write_text("2\t1\nAnn_Lee\t1\t2\nAnn_Lee\t1\tBo\t3\nBo\t1\t3\nBo\t7\tAnn_Lee\t2\n")
    with caplog.at_level(logging.WARNING):
        data = open_data(tmp_path)
    assert data.comparisons == [
        Comparison(1, "Ann_Lee_0001", "Ann_Lee_0002", True),
        Comparison(1, "Ann_Lee_0001", "Bo_0003", False),
        Comparison(2, "Bo_0001", "Bo_0003", True),
    ]
    assert "Bo_0007: no picture" in caplog.text
    assert {still.name: still.identity for still in data.stills}["Ann_Lee_0002"] == "Ann_Lee"
    assert len(data.stills) == 4
    # the window is the middle 85 % of the picture
    crop = data.stills[0].open().crop
    picture = read_picture(next(tmp_path.rglob("Ann_Lee_0001.jpg")))
    middle = cv2.resize(picture[19:231, 19:231], (256, 256), interpolation=cv2.INTER_CUBIC)
    assert psnr(crop, middle) > 28


def test_pairs_as_a_table(tmp_path, faces):
    write_people(tmp_path, faces, flat=True)
    (tmp_path / "pairs.csv").write_text("fold,a,b,same\n1,Bo_0001.jpg,Bo_0003.jpg,1\n2,Bo_0001.jpg,Ann_Lee_0001.jpg,0\n")
    data = open_data(tmp_path)
    assert data.comparisons == [Comparison(1, "Bo_0001", "Bo_0003", True), Comparison(2, "Bo_0001", "Ann_Lee_0001", False)]
    assert {still.name for still in data.stills} == {"Bo_0001", "Bo_0003", "Ann_Lee_0001"}


def test_pictures_of_a_table_are_found_by_their_paths(tmp_path, faces, caplog):
    """Each person has a picture of the same name."""
    for person, face in zip(("ann", "bo"), faces, strict=False):
        write(tmp_path / person / "1.png", face)
        write(tmp_path / person / f"{person} 2.png", face)
    write(tmp_path / "4.png", faces[0])
    write(tmp_path / "bo" / "4.png", faces[1])
    (tmp_path / "pairs.csv").write_text(
        "fold,a,b,same\n1,ann/1.png,bo/1.png,0\n2,ann 2.png,data/bo/bo 2.png,0\n3,1.png,ann/3.png,1\n3,bo/4,bo/1,1\n"
    )
    with caplog.at_level(logging.WARNING):
        data = open_data(tmp_path)
    assert data.comparisons == [
        Comparison(1, "ann/1", "bo/1", False), Comparison(2, "ann-2", "data/bo/bo-2", False), Comparison(3, "bo/4", "bo/1", True),
    ]  # fmt: skip
    ann, bo = (still.open().crop for still in data.stills[:2])
    assert psnr(ann, data.stills[2].open().crop) > 60
    assert psnr(ann, bo) < 30
    assert "1.png: several pictures of this name (ann/1.png, bo/1.png); ann/3.png: no picture of this name" in caplog.text


@pytest.mark.parametrize("text", ["", "one two\n", "1\t2\nBo\t1\t3\n", "1\t1\nBo\t1\n", "1\t1\nBo\t1\t3\nBo\tx\tAnn_Lee\t1\n"])
def test_a_damaged_list_of_pairs_is_refused(tmp_path, faces, text):
    write_people(tmp_path, faces, flat=True)
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(InputError, match=r"pairs\.txt is not in the format of LFW"):
        open_data(tmp_path)


def test_stills_of_the_data_set_command(tmp_path, faces_folder, faces):
    build_stills(faces_folder, tmp_path / "made", StillsOptions(cropped=True, min_sharpness=0, held_out=1))
    for path in (tmp_path / "made", tmp_path / "made" / "test", next(tmp_path.rglob("*.tar"))):
        data = open_data(path)
        assert data.kind == "stills"
        assert sorted(still.name for still in data.stills) == ["0", "1", "2", "3", "4"]
    for still in data.stills:
        assert psnr(still.open().crop, faces[int(still.name)]) > 36
        assert still.identity == "", "nobody said who they are"


@needs("landmarks68")
def test_annotated_faces_are_cropped_as_found_ones_are():
    """The two windows of one face differ by a few pixels in place and size."""
    stills = open_data(SHARED / "landmarks68").stills
    assert len(stills) == 197
    for still in stills[::40]:
        found = read_face(SHARED / "landmarks68" / f"{still.name}.jpg").crop
        likeness = cv2.matchTemplate(still.open().crop, found[64:192, 64:192], cv2.TM_CCOEFF_NORMED)
        _, _, _, place = cv2.minMaxLoc(likeness)
        assert np.abs(np.subtract(place, 64)).max() < 20, still.name


@needs("lfw")
def test_the_pairs_of_lfw_have_the_face_in_the_middle():
    data = open_data(SHARED / "lfw")
    assert (len(data.stills), len(data.comparisons)) == (1163, 600)
    assert {comparison.fold for comparison in data.comparisons} == set(range(1, 11))
    around = np.array([128 - FACE / 2, 128 - FACE / 2, 128 + FACE / 2, 128 + FACE / 2])
    found = [redetect(still.open().crop, around, shared_detector("centerface")) for still in data.stills[::250]]
    assert np.median([face.size for face in found]) == pytest.approx(FACE, rel=0.1)

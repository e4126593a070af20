"""The setting `only`: which faces are restored, and what becomes of the others."""

from __future__ import annotations

import pytest

from streamdeblur import FaceDeblurrer, RestorationOptions, TrackedFace
from streamdeblur.errors import OptionError
from streamdeblur.faces.chosen import ChosenFaces, missing_faces
from streamdeblur.faces.hysteresis import FADE_FRAMES
from streamdeblur.options import ArchiveOptions, ImageBatchOptions, PreviewOptions
from streamdeblur.statistics import RestorationStatistics
from support.models.networks import write_network

SIZE = (1280, 720)


def face(track_id, left, top, size):
    return TrackedFace(track_id, (left, top, left + size, top + size), SIZE)


def chosen(only, *faces):
    return [one.track_id for one, presence in zip(faces, ChosenFaces(only).presences(faces), strict=True) if presence]


def test_each_spelling_chooses_the_faces_that_it_names():
    faces = face(1, 0, 0, 100), face(2, 600, 300, 220), face(3, 1000, 100, 150)
    assert chosen(None, *faces) == [1, 2, 3]
    assert chosen("largest", *faces) == [2]
    assert chosen("2", *faces) == [2, 3]
    assert chosen("9", *faces) == [1, 2, 3]
    assert chosen("track:3", *faces) == [3]
    assert chosen("track:1,3,8", *faces) == [1, 3]
    # the middle of a face counts: those of the second and third are at 710, 410 and 1075, 175
    assert chosen("region:700,0,580,720", *faces) == [2, 3]
    assert chosen("region:711,0,500,720", *faces) == [3]
    assert chosen(lambda one: one.size < 200 and one.centre[0] > 640, *faces) == [3]


def test_a_face_that_is_chosen_later_fades_in_and_one_that_is_left_fades_out():
    faces, wanted = ChosenFaces(lambda one: one.centre[0] < 640), [face(1, x, 0, 100) for x in (0, 900, 900, 900, 900, 0, 0)]
    presences = [faces.presences([one])[0] for one in wanted]
    step = 1 / FADE_FRAMES
    assert presences == [1.0, 1 - step, 1 - 2 * step, 1 - 3 * step, 0.0, step, 2 * step]


def test_the_largest_face_stays_the_same_while_another_is_as_large_now_and_then():
    faces = ChosenFaces("largest")
    sizes = [(200, 190), (190, 200), (205, 180), (180, 205)] * 10
    presences = [faces.presences([face(1, 0, 0, one), face(2, 500, 0, other)]) for one, other in sizes]
    assert presences == [[1.0, 0.0]] * len(sizes)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")


def test_faces_that_are_not_chosen_stay_as_they_are(photograph, network):
    with FaceDeblurrer(network=network, engine="onnxruntime", always=True, only=2) as deblurrer:
        restored = deblurrer(photograph)
        decisions = deblurrer.decisions
        assert deblurrer.statistics.faces == len(decisions) == 6
        assert (deblurrer.statistics.restored, deblurrer.statistics.not_chosen) == (2, 4)
    assert sorted(one.reason for one in decisions) == ["always"] * 2 + ["not chosen"] * 4
    two = [one for one in decisions if one.restored]
    assert min(two, key=lambda one: one.window.side).window.side >= max(
        one.window.side for one in decisions if not one.restored
    )  # fmt: skip
    for one in decisions:
        x, y = round(one.window.centre_x), round(one.window.centre_y)
        assert bool((restored[y, x] != photograph[y, x]).any()) == one.restored


def test_tracks_are_numbered_from_one_in_each_stream(photograph, network):
    with FaceDeblurrer(network=network, engine="onnxruntime", always=True, only="track:1") as deblurrer:
        for _ in range(2):
            deblurrer.reset()
            deblurrer(photograph)
            assert sorted(one.track_id for one in deblurrer.decisions) == [1, 2, 3, 4, 5, 6]
            assert [one.track_id for one in deblurrer.decisions if one.restored] == [1]


@pytest.mark.parametrize(
    "only",
    ["smallest", "0", "-1", "1.5", 0, True, "track:", "track:a", "largest:2", "region:1,2,3", "region:0,0,0,9", "region:a"],
)
def test_what_names_no_face_is_refused_in_words(only):
    with pytest.raises(OptionError, match=r"only: must be one of largest, a number of faces, track:ID, region:x,y,w,h"):
        RestorationOptions(only=only)


def test_a_function_is_refused_where_it_cannot_travel():
    with pytest.raises(OptionError, match="a function cannot be given to the processes of a batch"):
        ArchiveOptions.load(only=lambda face: True)
    assert ArchiveOptions.load(only=3).restoration.only == "3"


def test_faces_that_are_named_and_were_not_there_are_told():
    few = RestorationStatistics(faces=9, not_chosen=6, faces_by_track={1: 3, 4: 6})
    assert missing_faces("track:1,4", few) == missing_faces("3", few) == missing_faces("region:0,0,9,9", few) == []
    assert missing_faces("track:1,99,7", few) == ["only: no face had track 99, 7 (tracks found: 1, 4)"]
    many = RestorationStatistics(faces=50, not_chosen=50, faces_by_track={number: 1 + number % 20 for number in range(1, 41)})
    assert missing_faces("track:99", many)[0].endswith("(the longest of 40 tracks: 15, 16, 17, 18, 19, 35, 36, 37, 38, 39)")
    assert missing_faces("region:0,0,9,9", many) == [
        "only: no face had its middle in region:0,0,9,9 (left, top, width and height in pixels)"
    ]
    assert missing_faces("region:0,0,9,9", RestorationStatistics()) == []


@pytest.mark.parametrize("options", [PreviewOptions, ImageBatchOptions])
def test_tracks_are_not_named_where_nobody_sees_their_numbers(options):
    with pytest.raises(OptionError, match="only: tracks are numbered in whole videos"):
        options.load(only="track:1")

"""Every method gives a picture for a picture, and is known by all that its results depend on."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.errors import MethodError, OptionError
from streamdeblur.evaluation.cases import Case
from streamdeblur.evaluation.methods import METHODS, open_method
from streamdeblur.training.blur.exposures import blur_image
from streamdeblur.training.blur.response import identity
from streamdeblur.training.datasets.pictures import png_bytes
from support.metrics import psnr
from support.models.networks import write_network

CLASSICAL = ["blurred", "oracle", "unsharp", "richardson-lucy", "wiener", "tv-oracle"]
OURS = ["ours", "coarse"]


def gaussian(sigma, side=13):
    profile = np.exp(-np.square(np.arange(side) - side // 2) / (2 * sigma**2))
    return np.float32(np.outer(profile, profile) / profile.sum() ** 2)


@pytest.fixture(scope="module")
def cases(photograph):
    """Two faces under the blur that the classical methods assume."""
    faces = [np.ascontiguousarray(photograph[y : y + 256, x : x + 256]) for x, y in ((70, 120), (610, 140))]
    kernel = gaussian(2.0)
    return [Case(f"clip/{n}", blur_image(face, kernel, identity()), face, "clip", kernel=kernel) for n, face in enumerate(faces)]


@pytest.mark.parametrize("name", [*CLASSICAL, *OURS])
def test_a_method_gives_a_face_for_a_face(cases, name):
    method = open_method(name)
    assert method.name == name
    restored = method.restore(cases)
    assert [(face.dtype, face.shape) for face in restored] == [(np.uint8, (256, 256, 3))] * 2
    again = open_method(name)
    assert again.fingerprint == method.fingerprint != ""
    assert np.array_equal(again.restore(cases[1:])[0], restored[1])


def test_bounds(cases):
    assert all(face is case.blurry for face, case in zip(open_method("blurred").restore(cases), cases, strict=True))
    assert all(face is case.sharp for face, case in zip(open_method("oracle").restore(cases), cases, strict=True))


@pytest.mark.parametrize(("name", "gain"), [("unsharp", 0.5), ("richardson-lucy", 0.5), ("wiener", 0.0), ("tv-oracle", 4.0)])
def test_the_blur_that_is_assumed_is_undone(cases, name, gain):
    """Without moving the face: a shift by one pixel would cost all of it."""
    restored = open_method(name).restore(cases)
    gains = [psnr(case.sharp, face) - psnr(case.sharp, case.blurry) for face, case in zip(restored, cases, strict=True)]
    assert np.mean(gains) > gain


@pytest.mark.parametrize("name", ["krishnan", "xu:tv", "pan-l0:hyper", "dark-channel", "babacan", "zhang:hyper"])
def test_blind_deconvolutions(cases, name):
    small = Case("small", cases[0].blurry[48:144, 48:144].copy(), None, "clip")
    method = open_method(name)
    assert method.name == name
    assert method.restore([small])[0].shape == (96, 96, 3)


def test_fingerprints_differ():
    names = [
        "blurred",
        "oracle",
        "unsharp",
        "wiener",
        "krishnan",
        "xu",
        "xu:hyper",
        "pan-l0",
        "dark-channel",
        "ours",
        "coarse",
        "babacan",
        "zhang",
    ]
    assert len({open_method(name).fingerprint for name in names}) == len(names)
    assert open_method("xu").fingerprint == open_method("xu:tv").fingerprint


def test_what_a_case_lacks_is_said(cases):
    bare = Case("bare", cases[0].blurry, None, "clip")
    with pytest.raises(MethodError, match="bare has no sharp face"):
        open_method("oracle").restore([bare])
    with pytest.raises(MethodError, match="no known kernel"):
        open_method("tv-oracle").restore([bare])


@pytest.mark.parametrize("name", ["nothing", "", "onnx", "onnx:", "blurred:more", "command:", "folder:"])
def test_unknown_methods_are_named_with_those_known(name):
    with pytest.raises(OptionError, match=r"Unknown method .* Known: blurred, oracle, ours") as error:
        open_method(name)
    assert all(known in str(error.value) for known in METHODS)


def test_unknown_final_steps():
    with pytest.raises(OptionError, match="Known: xu:tv, xu:hyper"):
        open_method("xu:wiener")


def test_functions(cases, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [
        "import numpy as np",
        "def darker(face):",
        "    face //= 2",
        "    return face",
        "def small(face): return face[:9]",
        "def broken(face): raise RuntimeError('no memory')",
        "number = 7",
    ]
    (tmp_path / "deblurring_of_mine.py").write_text("\n".join(lines))
    method = open_method("python:deblurring_of_mine:darker")
    before = cases[0].blurry.copy()
    assert np.array_equal(method.restore(cases)[0], before // 2)
    assert np.array_equal(cases[0].blurry, before)
    assert method.fingerprint == ""
    with pytest.raises(MethodError, match=r"returned uint8 \[9, 256, 3\] for clip/0. Required: uint8 \[256, 256, 3\]"):
        open_method("python:deblurring_of_mine:small").restore(cases)
    with pytest.raises(MethodError, match="failed on clip/0: RuntimeError: no memory"):
        open_method("python:deblurring_of_mine:broken").restore(cases)
    for absent in ("deblurring_of_mine:absent", "absent_module:function"):
        with pytest.raises(MethodError, match="Cannot import"):
            open_method(f"python:{absent}")
    with pytest.raises(MethodError, match="is a int"):
        open_method("python:deblurring_of_mine:number")
    with pytest.raises(OptionError, match="python:MODULE:FUNCTION"):
        open_method("python:deblurring_of_mine")


def test_folders(cases, tmp_path):
    (tmp_path / "clip").mkdir()
    for case in cases:
        (tmp_path / f"{case.name}.png").write_bytes(png_bytes(255 - case.blurry))
    method = open_method(f"folder:{tmp_path}")
    assert np.array_equal(method.restore(cases)[1], 255 - cases[1].blurry)
    (tmp_path / "clip/1.png").write_bytes(png_bytes(cases[1].blurry))
    assert open_method(f"folder:{tmp_path}").fingerprint != method.fingerprint
    with pytest.raises(MethodError, match=r"clip/2\.png is missing"):
        method.restore([Case("clip/2", cases[0].blurry, None, "clip")])
    (tmp_path / "clip/0.png").write_bytes(b"no picture")
    with pytest.raises(MethodError, match=r"clip/0\.png: not a decodable picture"):
        method.restore(cases)
    with pytest.raises(MethodError, match="No such folder"):
        open_method(f"folder:{tmp_path / 'absent'}")


def test_our_own_network_by_its_file(cases, tmp_path):
    inverted = open_method(f"onnx:{write_network(tmp_path / 'invert.onnx', 'invert')}").restore(cases)
    assert all(np.array_equal(face, 255 - case.blurry) for face, case in zip(inverted, cases, strict=True))


def test_deconvolution_with_the_faces_of_a_folder(cases, faces_folder, tmp_path):
    pytest.importorskip("dlib")
    small = Case("small", cases[0].blurry[48:144, 48:144].copy(), None, "clip")
    method = open_method(f"exemplars:{faces_folder}")
    assert method.restore([small])[0].shape == (96, 96, 3)
    assert open_method(f"exemplars:{faces_folder}?final=hyper").fingerprint != method.fingerprint
    with pytest.raises(OptionError, match=r"Known: .*\?final=tv, .*\?final=hyper"):
        open_method(f"exemplars:{faces_folder}?final=wiener")
    with pytest.raises(OptionError, match="unknown option, 'patch'"):
        open_method(f"exemplars:{faces_folder}?patch=3")
    with pytest.raises(MethodError, match="is no folder with pictures of sharp faces"):
        open_method(f"exemplars:{tmp_path}")


@pytest.mark.parametrize("name", ["exemplars", "exemplars:"])
def test_exemplars_need_a_folder(name):
    with pytest.raises(OptionError, match="needs sharp faces, whose contours it takes: give exemplars:FOLDER"):
        open_method(name)

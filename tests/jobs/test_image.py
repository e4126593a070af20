"""Still pictures: orientation, profiles, transparency, and what is refused."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest
from PIL import Image

from streamdeblur.errors import InputError, OutputError
from streamdeblur.jobs.image import deblur_image


@pytest.fixture(scope="module")
def blurred(face_picture):
    return cv2.blur(face_picture, (13, 1))


def test_exif_orientation_is_applied_once_and_other_exif_kept(tmp_path, blurred, inverting):
    turned = Image.fromarray(np.rot90(blurred, 1))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera"
    turned.save(tmp_path / "in.jpg", exif=exif, quality=98)
    summary = deblur_image(tmp_path / "in.jpg", tmp_path / "out.jpg", inverting)
    assert summary.restored >= 1
    with Image.open(tmp_path / "out.jpg") as out:
        assert out.size == (blurred.shape[1], blurred.shape[0])
        assert out.getexif().get(0x0112, 1) == 1
        assert out.getexif()[0x010F] == "A camera"


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *(("L", suffix) for suffix in (".png", ".tif", ".avif")),
        *(("LA", suffix) for suffix in (".png", ".tiff")),
        *((mode, suffix) for mode in ("RGB", "RGBA") for suffix in (".png", ".webp", ".tif", ".avif")),
    ],
)
def test_modes_and_transparency_are_kept(tmp_path, blurred, inverting, mode, suffix):
    picture = Image.fromarray(blurred).convert(mode)
    if mode.endswith("A"):
        alpha = Image.fromarray(np.random.default_rng(0).integers(1, 255, blurred.shape[:2]).astype(np.uint8))
        picture.putalpha(alpha)
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    settings = {".webp": {"lossless": True}, ".avif": {"quality": 100, "subsampling": "4:0:0" if mode == "L" else "4:4:4"}}
    picture.save(source, **settings.get(suffix, {}))
    assert deblur_image(source, target, inverting).restored >= 1
    with Image.open(target) as out:
        assert out.mode == mode
        if mode.endswith("A"):
            difference = np.abs(np.asarray(out)[..., -1].astype(int) - np.asarray(alpha))
            assert difference.max() <= (12 if suffix == ".avif" else 0)


def test_a_colour_profile_is_kept(tmp_path, blurred, inverting):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(blurred).save(tmp_path / "in.png", icc_profile=profile)
    deblur_image(tmp_path / "in.png", tmp_path / "out.png", inverting)
    with Image.open(tmp_path / "out.png") as out:
        assert out.info["icc_profile"] == profile


@pytest.mark.parametrize("mode", ["P", "CMYK", "1"])
def test_other_modes_are_converted_and_said(tmp_path, blurred, inverting, mode):
    suffix = ".jpg" if mode == "CMYK" else ".png"
    picture = Image.fromarray(blurred).convert(mode)
    picture.save(tmp_path / f"in{suffix}")
    summary = deblur_image(tmp_path / f"in{suffix}", tmp_path / "out.png", inverting)
    assert any("converted from" in warning for warning in summary.warnings)
    with Image.open(tmp_path / "out.png") as out:
        corner = np.asarray(out.convert("L")).astype(int)[:20, :20]
    assert np.abs(corner - np.asarray(picture.convert("L"))[:20, :20]).mean() < 4


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_restored_at_16_bits(tmp_path, blurred, inverting, channels, suffix):
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    pixels = blurred.astype(np.uint16) * 257 - (np.arange(blurred.shape[1]) % 2)[:, None].astype(np.uint16)
    pixels = np.dstack([pixels, pixels[..., :1]])[..., :channels]
    cv2.imwrite(str(source), pixels if channels == 1 else pixels[..., [2, 1, 0, 3][:channels]])
    summary = deblur_image(source, target, inverting)
    assert summary.restored
    assert not summary.warnings
    out = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
    out = out.reshape(pixels.shape)[..., [2, 1, 0, 3][:channels] if channels > 1 else [0]]
    assert out.dtype == np.uint16
    assert np.array_equal(out[:20, :20], pixels[:20, :20])
    colour = pixels[..., 0] if channels == 1 else pixels[..., :3]
    inverting.reset()
    expected = inverting(np.round(colour / 257).astype(np.uint8))
    assert np.abs(out[..., 0] / 257.0 - expected.reshape(*out.shape[:2], -1)[..., 0]).mean() < 0.3
    assert (out[..., 0] != pixels[..., 0]).any()


def test_what_cannot_be_read_or_written_is_refused(tmp_path, blurred, inverting):
    good = tmp_path / "good.png"
    Image.fromarray(blurred).save(good)
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "clip.MP4").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:2000])
    (tmp_path / "empty.jpg").write_bytes(b"")
    frames = [Image.fromarray(np.roll(blurred, n, 1)) for n in range(3)]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:])
    Image.fromarray(np.dstack([blurred, blurred[..., 0]])).save(tmp_path / "clear.png")
    before = sorted(os.listdir(tmp_path))
    for source, target, error, words in (
        ("none.png", "out.png", InputError, "No such file"),
        ("text.png", "out.png", InputError, "not a PNG"),
        ("clip.MP4", "out.png", InputError, "Videos are restored by `streamdeblur video`"),
        ("cut.png", "out.png", InputError, "cut.png"),
        ("empty.jpg", "out.png", InputError, "empty.jpg"),
        ("moving.webp", "out.png", InputError, "animated"),
        ("good.png", "out.bmp", OutputError, "Unknown kind of picture"),
        ("good.png", "good.png", OutputError, "is the input itself"),
        ("good.png", "nowhere/out.png", OutputError, "does not exist"),
        ("clear.png", "out.jpg", OutputError, "no transparency"),
        ("good.png", "text.png", OutputError, "overwrite=True"),
    ):
        with pytest.raises(error, match=words):
            deblur_image(tmp_path / source, tmp_path / target, inverting)
    assert sorted(os.listdir(tmp_path)) == before

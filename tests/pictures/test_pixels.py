"""Pixels are kept at their depth; what is converted, too large or animated is said."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from streamdeblur.errors import InputError, OutputError
from streamdeblur.pictures import png, reader, tiff
from streamdeblur.pictures.orientation import turned
from streamdeblur.pictures.picture import Metadata, Picture
from streamdeblur.pictures.reader import read_picture
from streamdeblur.pictures.writer import check_fits, encode_picture

RANDOM = np.random.default_rng(0)


def saved(path: Path, pixels: np.ndarray, mode: str | None = None, **settings: object) -> Path:
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path, **settings)
    return path


def read(path: Path) -> tuple[np.ndarray, list[str]]:
    warnings: list[str] = []
    return read_picture(path, warnings).pixels, warnings


def written(pixels: np.ndarray, kind: str) -> tuple[bytes, list[str]]:
    warnings: list[str] = []
    return encode_picture(Picture(pixels, Metadata("PNG")), kind, warnings), warnings


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_kept_exactly(tmp_path, kind, channels):
    pixels = RANDOM.integers(0, 65_536, (20, 30, channels)).astype(np.uint16)
    stored = pixels if channels == 1 else pixels[..., [2, 1, 0, 3][:channels]]
    cv2.imwrite(str(tmp_path / f"in.{kind.lower()}"), stored)
    found, warnings = read(tmp_path / f"in.{kind.lower()}")
    assert np.array_equal(found, pixels)
    encoded, more = written(found, kind)
    assert np.array_equal(cv2.imdecode(np.frombuffer(encoded, np.uint8), -1).reshape(pixels.shape), stored)
    assert warnings + more == []


def test_gray_with_alpha_of_16_bits_becomes_rgba(tmp_path):
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 16, 8, "ya16be", 1
    frame = av.VideoFrame(16, 8, "ya16be")
    samples = RANDOM.integers(0, 65_536, (8, 16, 2)).astype(">u2")
    frame.planes[0].update(samples.tobytes())
    (tmp_path / "in.png").write_bytes(b"".join(bytes(packet) for packet in codec.encode(frame)))
    pixels, _ = read(tmp_path / "in.png")
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels, samples[..., [0, 0, 0, 1]])


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_16_bits_are_rounded_for_other_formats_and_that_is_said(kind):
    pixels = np.linspace(0, 65_535, 64 * 64, dtype=np.uint16).reshape(64, 64, 1).repeat(3, axis=2)
    encoded, warnings = written(pixels, kind)
    assert warnings == [f"converted from 16 to 8 bits: {kind} has no more. Write .png or .tif to keep them"]
    found = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB")).astype(int)
    assert np.abs(found - np.round(pixels / 257)).max() <= (0 if kind == "WEBP" else 4)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_8_bits_are_kept_exactly_even_where_they_are_transparent(channels, kind):
    pixels = RANDOM.integers(0, 256, (20, 30, channels)).astype(np.uint8)
    if channels in (2, 4):
        pixels[:, :15, -1] = 0
    out = Image.open(io.BytesIO(written(pixels, kind)[0]))
    expected = Image.fromarray(pixels[..., 0] if channels == 1 else pixels).convert(out.mode)
    assert np.array_equal(np.asarray(out), np.asarray(expected))


def with_tags(data: bytes, changes: dict[int, tuple[int, ...]]) -> bytes:
    """A TIFF file with other numbers in tags that it has."""
    changed, (place,) = bytearray(data), struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, place)
    for entry in range(place + 2, place + 2 + 12 * count, 12):
        tag, kind, number, value = struct.unpack_from("<HHII", data, entry)
        if tag in changes:
            shape = f"<{number}{'H' if kind == 3 else 'I'}"
            struct.pack_into(shape, changed, entry + 8 if struct.calcsize(shape) <= 4 else value, *changes[tag])
    return bytes(changed)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_is_turned_once(tmp_path, dtype, orientation):
    pixels = RANDOM.integers(0, 256, (20, 30, 3)).astype(dtype)
    (tmp_path / "in.tif").write_bytes(with_tags(written(pixels, "TIFF")[0], {tiff.ORIENTATION: (orientation,)}))
    assert np.array_equal(read(tmp_path / "in.tif")[0], turned(pixels, orientation))


def test_other_ways_to_store_16_bits_in_tiff(tmp_path):
    path, gray, alpha = tmp_path / "in.tif", *(RANDOM.integers(1, 65_536, (20, 30, n)).astype(np.uint16) for n in (1, 4))
    path.write_bytes(with_tags(written(gray, "TIFF")[0], {tiff.PHOTOMETRIC: (0,)}))
    assert np.array_equal(read(path)[0], 65_535 - gray)
    alpha[..., :3] = alpha[..., :3].astype(int) * alpha[..., 3:] // 65_535
    path.write_bytes(with_tags(written(alpha, "TIFF")[0], {tiff.EXTRA: (1,)}))
    found, warnings = read(path)
    assert warnings == ["colours that were multiplied by their transparency are stored without it"]
    again = found[..., :3] * (found[..., 3:] / 65_535)
    assert np.abs(again - alpha[..., :3]).max() <= 1
    rows = RANDOM.integers(0, 65_536, (3_000, 100, 3)).astype(np.uint16)
    path.write_bytes(written(rows, "TIFF")[0])
    assert np.array_equal(read(path)[0], rows)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_gray_with_alpha_and_planes_of_16_bits_are_read_from_tiff(tmp_path, order, compression):
    tifffile = pytest.importorskip("tifffile", reason="tifffile comes with scikit-image")
    path, settings = tmp_path / "in.tif", {"byteorder": order, "compression": compression, "predictor": bool(compression)}
    pixels = RANDOM.integers(0, 65_536, (70, 31, 4)).astype(np.uint16)
    tifffile.imwrite(path, pixels[..., 2:], photometric="minisblack", extrasamples=["unassalpha"], planarconfig=1, **settings)
    assert np.array_equal(read(path)[0], pixels[..., [2, 2, 2, 3]])
    tifffile.imwrite(path, np.moveaxis(pixels[..., :3], 2, 0), photometric="rgb", planarconfig="separate", **settings)
    assert np.array_equal(read(path)[0], pixels[..., :3])
    data = path.read_bytes()
    for kept in (data[: len(data) // 2], data[:-40] if compression else data[:-400]):
        path.write_bytes(kept)
        with pytest.raises(InputError, match=r"in\.tif"):
            read(path)


@pytest.mark.parametrize(
    ("channels", "changes", "words"),
    [
        (4, {tiff.PLANAR: (2,)}, "in an order that is not read. Save it with the samples of each pixel together"),
        (3, {tiff.PLANAR: (2,)}, "damaged"),
        (3, {tiff.SAMPLE_FORMAT: (3, 3, 3)}, "of a kind that is not read"),
        (1, {tiff.BITS: (32,)}, "or more than 16"),
        (3, {tiff.WIDTH: (20_001,), tiff.HEIGHT: (10_000,)}, "more than 200 million pixels"),
        (3, {tiff.WIDTH: (31,)}, "damaged"),
        (3, {tiff.STRIP_SIZES: (2**31,)}, "damaged"),
        (3, {tiff.COMPRESSION: (7,)}, "damaged"),
    ],
)
def test_tiff_that_cannot_be_read_is_refused_in_words(tmp_path, capfd, channels, changes, words):
    pixels = RANDOM.integers(0, 65_536, (20, 30, channels)).astype(np.uint16)
    (tmp_path / "in.tif").write_bytes(with_tags(written(pixels, "TIFF")[0], changes))
    with pytest.raises(InputError, match=words):
        read(tmp_path / "in.tif")
    assert capfd.readouterr().err == ""


def test_raw_pictures_of_cameras_are_refused_in_words(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "in.tif", tiffinfo={tiff.RAW_VERSION: b"\1\4\0\0"})
    with pytest.raises(InputError, match="Develop it"):
        read(tmp_path / "in.tif")


def test_of_several_pages_the_first_is_read_and_that_is_said(tmp_path):
    pages = [Image.fromarray(np.full((16, 16, 3), value, np.uint8)) for value in (0, 100, 200)]
    pages[0].save(tmp_path / "in.tif", save_all=True, append_images=pages[1:])
    pixels, warnings = read(tmp_path / "in.tif")
    assert not pixels.any()
    assert warnings == ["the first of 3 pictures in the file was restored, and the others were left out"]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_avif_is_read_and_written_without_subsampling(tmp_path, channels):
    pixels = cv2.blur(RANDOM.integers(0, 256, (64, 64, channels)).astype(np.uint8), (5, 5)).reshape(64, 64, channels)
    encoded, warnings = written(pixels, "AVIF")
    (tmp_path / "in.avif").write_bytes(encoded)
    found, more = read(tmp_path / "in.avif")
    assert found.shape == pixels.shape
    assert np.abs(found.astype(int) - pixels).mean() < 2
    assert warnings + more == []


def test_what_avif_has_beyond_8_bits_and_srgb_is_named(tmp_path):
    deep = RANDOM.integers(0, 1024, (64, 64, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "in.avif"), deep, [cv2.IMWRITE_AVIF_DEPTH, 10])
    assert "converted from more than 8 bits to 8" in " ".join(read(tmp_path / "in.avif")[1])
    data = bytearray(written(np.zeros((64, 64, 3), np.uint8), "AVIF")[0])
    place = data.index(b"colrnclx") + 8
    data[place : place + 4] = struct.pack(">HH", 9, 16)
    (tmp_path / "in.avif").write_bytes(data)
    assert read(tmp_path / "in.avif")[1] == ["colour space (a wide gamut or HDR) left out: colours may look different"]


@pytest.mark.parametrize(
    ("mode", "shape", "words"),
    [("P", 3, "a palette to RGB"), ("1", 1, "1 bit to L"), ("L", 1, ""), ("LA", 2, ""), ("RGB", 3, ""), ("RGBA", 4, "")],
)
def test_modes_of_png(tmp_path, mode, shape, words):
    source = RANDOM.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    pixels, warnings = read(saved(tmp_path / "in.png", source, mode))
    assert pixels.shape == (20, 30, shape)
    assert words in " ".join(warnings)
    assert bool(words) == bool(warnings)
    with Image.open(tmp_path / "in.png") as expected:
        whole = np.asarray(expected.convert({1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[shape]))
    assert np.array_equal(pixels.reshape(whole.shape), whole)


@pytest.mark.parametrize(("mode", "transparent", "channels"), [("L", 7, 2), ("RGB", (7, 7, 7), 4), ("P", 3, 4)])
def test_transparent_colour_becomes_alpha(tmp_path, mode, transparent, channels):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = 7
    picture = Image.fromarray(pixels[..., 0] if mode != "RGB" else pixels)
    if mode == "P":
        picture = Image.fromarray(np.full((8, 8), 3, np.uint8), "P")
        picture.putpalette(list(range(256)) * 3)
    picture.save(tmp_path / "in.png", transparency=transparent)
    found, _ = read(tmp_path / "in.png")
    assert found.shape[2] == channels
    assert (found[:4, :, -1] == 0).all()


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_gray_of_any_depth_becomes_alpha(tmp_path, depth):
    most = 2**depth - 1
    for transparent in (0, 1, most):
        samples = np.array([[0, 1, most, most - 1] * 2] * 3)
        bits = (samples[..., None] >> np.arange(depth)[::-1]) & 1
        lines = np.packbits(bits.reshape(3, -1).astype(np.uint8), axis=1)
        header = struct.pack(">IIBBBBB", 8, 3, depth, 0, 0, 0, 0)
        pixels = zlib.compress(b"".join(b"\0" + line.tobytes() for line in lines))
        chunks = [(b"IHDR", header), (b"tRNS", struct.pack(">H", transparent)), (b"IDAT", pixels), (b"IEND", b"")]
        (tmp_path / "in.png").write_bytes(png.SIGNATURE + png.joined(b"", chunks))
        found, _ = read(tmp_path / "in.png")
        full = 65_535 if depth == 16 else 255
        assert np.array_equal(found[..., -1], np.where(samples == transparent, 0, full)), transparent
        assert np.array_equal(found[..., 0], samples * full // most)
        assert found.shape[2] == (4 if depth == 16 else 2)


def test_a_transparent_gray_is_not_lost_in_jpeg(tmp_path):
    Image.fromarray(np.full((8, 8), 3, np.uint16)).save(tmp_path / "in.png", transparency=3)
    with pytest.raises(OutputError, match="JPEG has no transparency"):
        check_fits(read_picture(tmp_path / "in.png", []), tmp_path / "out.jpg")


def test_cmyk_is_converted_by_its_profile_or_by_complement(tmp_path):
    """By complement also where the profile is that of another kind of picture, or damaged."""
    source = np.repeat(np.repeat(RANDOM.integers(0, 256, (4, 4, 4)).astype(np.uint8), 8, 0), 8, 1)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for icc_profile in (black_ink_profile(), b"", srgb, b"damaged" * 40):
        Image.fromarray(source, "CMYK").save(tmp_path / "in.jpg", icc_profile=icc_profile, quality=95)
        with Image.open(tmp_path / "in.jpg") as opened:
            by_complement, black = np.asarray(opened.convert("RGB")), np.asarray(opened)[..., 3].astype(int)
        warnings: list[str] = []
        picture = read_picture(tmp_path / "in.jpg", warnings)
        assert picture.pixels.shape == (32, 32, 3)
        if icc_profile == black_ink_profile():
            assert "by its colour profile" in warnings[0]
            assert np.ptp(picture.pixels.astype(int), axis=2).max() <= 2
            assert np.corrcoef(picture.pixels[..., 0].ravel(), black.ravel())[0, 1] < -0.9
        else:
            assert "without a colour profile" in warnings[0]
            assert np.array_equal(picture.pixels, by_complement)
        assert picture.metadata.icc_profile == b""
        assert b"ICC_PROFILE" not in encode_picture(picture, "JPEG", warnings)


def black_ink_profile() -> bytes:
    """A profile (ICC.1:2001) of a printer whose black ink alone is seen, as a table of two points for each ink (lut8Type)."""
    ramp = bytes(range(256))
    # lightness of the Lab of 8 bits, and no colour
    corners = b"".join(bytes([0 if corner & 1 else 255, 128, 128]) for corner in range(16))
    identity = struct.pack(">9i", *(65536 * (n % 4 == 0) for n in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + 4 * ramp + corners + 3 * ramp
    offset = 128 + 4 + 12
    head = struct.pack(">I4sI", offset + len(table), b"lcms", 0x02400000) + b"prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28)
    white = struct.pack(">3i", 63190, 65536, 54061)
    return (head + white).ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", offset, len(table)) + table


def claiming(path: Path, width: int, height: int, depth: int = 8) -> Path:
    """A PNG file of a few bytes that claims a size."""
    data = bytearray()
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(file := io.BytesIO(), "PNG")
    data += file.getvalue()
    data[16:24] = struct.pack(">II", width, height)
    data[24] = depth
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("size", "depth", "limit"),
    [((28_000, 28_000), 8, 400), ((20_001, 20_000), 8, 400), ((15_000, 14_000), 16, 200), ((2**31 - 1, 1), 8, 400)],
)
def test_limit_of_pixels_is_in_force_before_anything_is_decoded(tmp_path, size, depth, limit):
    with pytest.raises(InputError, match=rf"has more than {limit} million pixels"):
        read(claiming(tmp_path / "in.png", *size, depth))
    assert limit * 1_000_000 == (reader.LARGEST_PIXELS if depth == 8 else reader.LARGEST_PIXELS_16_BITS)


def test_limit_of_pixels_is_in_force_for_jpeg_and_webp(tmp_path):
    saved(tmp_path / "in.jpg", np.zeros((16, 16, 3), np.uint8))
    data = bytearray((tmp_path / "in.jpg").read_bytes())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", 60_000, 60_000)
    (tmp_path / "in.jpg").write_bytes(data)
    saved(tmp_path / "in.webp", np.zeros((16, 16, 3), np.uint8), lossless=True, exif=b"Exif\0\0II")
    data = bytearray((tmp_path / "in.webp").read_bytes())
    data[24:30] = (16_382).to_bytes(3, "little") * 2
    (tmp_path / "in.webp").write_bytes(data)
    for name, limit in (("in.jpg", 400), ("in.webp", 178)):
        with pytest.raises(InputError, match=rf"has more than {limit} million pixels"):
            read(tmp_path / name)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
def test_a_lower_limit_of_pixels_holds_for_each_kind(tmp_path, kind, dtype):
    (tmp_path / "in").write_bytes(written(np.zeros((1000, 2001, 3), dtype), kind)[0])
    assert read_picture(tmp_path / "in", [], max_pixels=2_001_000).pixels.shape == (1000, 2001, 3)
    with pytest.raises(InputError, match="has more than 2 million pixels"):
        read_picture(tmp_path / "in", [], max_pixels=2_000_999)


def test_size_within_the_limit_is_decoded(tmp_path):
    with pytest.raises(InputError, match="it is damaged"):
        read(claiming(tmp_path / "in.png", 300, 300))


@pytest.mark.parametrize(("suffix", "side"), [(".webp", 16_384), (".jpg", 65_501)])
def test_side_that_a_format_cannot_hold_is_refused_in_words(tmp_path, suffix, side):
    picture = Picture(np.zeros((1, side, 3), np.uint8), Metadata("PNG"))
    with pytest.raises(OutputError, match=re.escape(f"{side} x 1 pixels")):
        check_fits(picture, tmp_path / f"out{suffix}")
    check_fits(picture, tmp_path / "out.png")


def test_animations_are_refused_in_words(tmp_path):
    frames = [Image.fromarray(np.full((16, 16, 3), value, np.uint8)) for value in (0, 100, 200)]
    for suffix in (".png", ".webp", ".avif"):
        frames[0].save(tmp_path / f"in{suffix}", save_all=True, append_images=frames[1:])
        with pytest.raises(InputError, match="animated"):
            read(tmp_path / f"in{suffix}")


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_cut_picture_of_16_bits_is_refused(tmp_path, kind):
    path = tmp_path / f"in.{kind}"
    path.write_bytes(written(RANDOM.integers(0, 65_536, (64, 64, 3)).astype(np.uint16), kind.upper())[0])
    data = path.read_bytes()
    for length in (len(data) // 2, len(data) - 12 - 40):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=rf"in\.{kind}"):
            read(path)

"""What a picture says beside its pixels: kept in a file of the same format, carried to the others, or named."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from streamdeblur.pictures import png
from streamdeblur.pictures.orientation import upright_exif
from streamdeblur.pictures.reader import read_picture
from streamdeblur.pictures.writer import encode_picture

GRADIENT = np.add.outer(np.arange(24) * 8, np.arange(32) * 2)[..., None].repeat(3, axis=2).astype(np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a dc:title="A title" tiff:Orientation="6"/></x:xmpmeta>'
MAKER_NOTE = b"offsets in here count from the start of the file"


def exif_block(order: str = "<", orientation: int = 6, extra: int = 0) -> bytes:
    """Orientation, a maker's name, a maker note and a thumbnail's directory, as cameras write them."""
    entries = [(0x010F, 2, 8, 62), (0x0112, 3, 1, orientation), (0x927C, 7, len(MAKER_NOTE), 70), (0x9286, 7, extra, 118)]
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    for tag, kind, count, value in entries:
        shape = "HHIHxx" if kind == 3 else "HHII"
        block += struct.pack(order + shape, tag, kind, count, value)
    return block + struct.pack(order + "I", 20) + b"A maker\0" + MAKER_NOTE + bytes(extra)


def converted(source: Path, kind: str) -> tuple[Image.Image, list[str]]:
    """The picture as it is written in another format, and the warnings."""
    warnings: list[str] = []
    return Image.open(io.BytesIO(encode_picture(read_picture(source, warnings), kind, warnings))), warnings


@pytest.fixture
def png_file(tmp_path):
    """A PNG file with everything that its format has."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "A title")
    text.add_text("Comment", "compressed", zip=True)
    text.add_itxt("Author", "\N{GREEK SMALL LETTER ALPHA}", lang="el")
    text.add_itxt(png.XMP_KEYWORD, XMP.decode())
    text.add(b"gAMA", struct.pack(">I", 100_000))
    text.add(b"cHRM", struct.pack(">8I", *range(31_000, 31_008)))
    path = tmp_path / "in.png"
    Image.fromarray(GRADIENT).save(path, pnginfo=text, exif=b"Exif\0\0" + exif_block(), icc_profile=PROFILE, dpi=(300, 200))
    return path


@pytest.fixture
def jpeg_file(tmp_path):
    """A JPEG file with everything that its format has."""
    extra = [(b"\xff\xed", b"Photoshop 3.0\0" + b"8BIM" + bytes(8)), (b"\xff\xe1", b"http://ns.adobe.com/xmp/extension/\0more")]
    segments = b"".join(marker + struct.pack(">H", len(content) + 2) + content for marker, content in extra)
    path = tmp_path / "in.jpg"
    Image.fromarray(GRADIENT).save(
        path, quality=95, exif=b"Exif\0\0" + exif_block(">"), icc_profile=PROFILE, dpi=(300, 200), xmp=XMP, comment="A comment",
        extra=segments,
    )  # fmt: skip
    return path


@pytest.fixture
def webp_file(tmp_path):
    path = tmp_path / "in.webp"
    Image.fromarray(GRADIENT).save(path, lossless=True, exif=b"Exif\0\0" + exif_block(), icc_profile=PROFILE, xmp=XMP)
    return path


@pytest.fixture
def avif_file(tmp_path):
    path = tmp_path / "in.avif"
    Image.fromarray(GRADIENT).save(path, exif=b"Exif\0\0" + exif_block(), icc_profile=PROFILE, xmp=XMP)
    return path


@pytest.fixture
def tiff_file(tmp_path):
    """A TIFF file with everything that its format has."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x010F], tags[0x0112], tags[0x010E], tags[0x8298], tags[33550] = "A maker", 6, "A text", "Mine", (1.5, 2.5, 0.0)
    tags[34665], tags[34853] = {0x829A: 0.004, 0x927C: MAKER_NOTE}, {1: "N", 2: (48.0, 8.0, 14.5)}
    tags[33723], tags[37724], tags[700] = b"IPTC", b"layers", XMP
    path = tmp_path / "in.tif"
    Image.fromarray(GRADIENT).save(path, tiffinfo=tags, icc_profile=PROFILE, dpi=(300, 200))
    return path


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_turns_the_pixels_once(tmp_path, order, orientation):
    path = tmp_path / "in.png"
    Image.fromarray(GRADIENT).save(path, exif=b"Exif\0\0" + exif_block(order, orientation))
    with Image.open(path) as picture:
        expected = ImageOps.exif_transpose(picture)
    out, _ = converted(path, "PNG")
    assert np.array_equal(np.asarray(out), np.asarray(expected))
    assert out.getexif()[0x0112] == 1
    assert ImageOps.exif_transpose(out).size == out.size


def test_upright_exif_moves_nothing_and_has_no_thumbnail(jpeg_file):
    out, _ = converted(jpeg_file, "JPEG")
    expected = bytearray(exif_block(">", 1))
    expected[58:62] = bytes(4)
    assert out.info["exif"] == b"Exif\0\0" + expected


def test_png_keeps_all_of_its_own(png_file):
    out, warnings = converted(png_file, "PNG")
    out.load()
    assert warnings == []
    assert out.info["Title"] == "A title"
    assert out.info["Comment"] == "compressed"
    assert out.info["Author"] == "\N{GREEK SMALL LETTER ALPHA}"
    assert out.info["Author"].lang == "el"
    assert out.info["icc_profile"] == PROFILE
    assert out.info["gamma"] == 1.0
    assert out.info["chromaticity"] == pytest.approx([n / 100_000 for n in range(31_000, 31_008)])
    assert out.info["dpi"] == pytest.approx((300, 200), abs=0.02)
    assert out.info["xmp"] == XMP.replace(b'"6"', b'"1"')
    assert out.getexif()[0x010F] == "A maker"


def test_jpeg_keeps_all_of_its_own(jpeg_file):
    out, warnings = converted(jpeg_file, "JPEG")
    assert warnings == []
    assert out.info["icc_profile"] == PROFILE
    assert out.info["dpi"] == (300, 200)
    assert out.info["comment"] == b"A comment"
    assert out.info["xmp"] == XMP.replace(b'"6"', b'"1"')
    assert out.getexif()[0x010F] == "A maker"
    names = [(name, content[:13]) for name, content in out.applist]
    assert ("APP13", b"Photoshop 3.0") in names
    assert ("APP1", b"http://ns.ado") in names
    assert sum(name == "APP1" and content.startswith(b"Exif") for name, content in names) == 1


def test_webp_keeps_all_of_its_own(webp_file):
    out, warnings = converted(webp_file, "WEBP")
    assert warnings == []
    assert out.info["icc_profile"] == PROFILE
    assert out.info["xmp"] == XMP.replace(b'"6"', b'"1"')
    assert out.getexif()[0x010F] == "A maker"


def test_avif_keeps_all_of_its_own(avif_file):
    out, warnings = converted(avif_file, "AVIF")
    assert warnings == []
    assert out.info["icc_profile"] == PROFILE
    assert out.info["xmp"] == XMP.replace(b'"6"', b'"1"')
    assert out.getexif()[0x010F] == "A maker"
    assert out.size == (GRADIENT.shape[0], GRADIENT.shape[1])


def test_tiff_keeps_all_of_its_own(tiff_file):
    out, warnings = converted(tiff_file, "TIFF")
    assert warnings == ["layers of an image editor, which show the original picture, were left out"]
    assert np.array_equal(np.asarray(out), np.rot90(GRADIENT, 3))
    assert out.info["icc_profile"] == PROFILE
    assert out.info["dpi"] == (300, 200)
    tags = out.tag_v2
    assert tags[700] == XMP.replace(b'"6"', b'"1"')
    assert (tags[33723], 37724 in tags, tags[33550]) == (b"IPTC", False, (1.5, 2.5, 0.0))
    exif = out.getexif()
    assert (exif[0x010F], exif[0x010E], exif[0x8298], exif[0x0112]) == ("A maker", "A text", "Mine", 1)
    assert exif.get_ifd(0x8769) == {0x829A: 0.004, 0x927C: MAKER_NOTE}
    assert exif.get_ifd(0x8825) == {1: "N", 2: (48.0, 8.0, 14.5)}


def test_tiff_gets_the_exif_data_of_the_others_and_gives_its_own(tiff_file, jpeg_file):
    out, _ = converted(jpeg_file, "TIFF")
    assert out.getexif()[0x010F] == "A maker"
    out, _ = converted(tiff_file, "JPEG")
    exif = out.getexif()
    assert (exif[0x8298], exif.get_ifd(0x8825)[1], exif.get_ifd(0x8769)[0x829A]) == ("Mine", "N", 0.004)


@pytest.mark.parametrize("exif", [b"II*\0\xff\xff\xff\xff", exif_block()[:40], b"II*\0\x08\0\0\0\1\0\x87\x69\4\0"])
def test_exif_data_that_tiff_cannot_hold_is_named(tmp_path, exif):
    Image.fromarray(GRADIENT).save(tmp_path / "in.jpg", exif=b"Exif\0\0" + exif)
    out, warnings = converted(tmp_path / "in.jpg", "TIFF")
    assert warnings[-1] == "EXIF data is damaged and was left out"
    assert np.asarray(out).shape == GRADIENT.shape


def test_exif_data_that_avif_cannot_hold_is_named(tmp_path):
    for exif, is_left_out in ((b"nothing of the kind", True), (exif_block(), False)):
        Image.fromarray(GRADIENT).save(tmp_path / "in.jpg", exif=b"Exif\0\0" + exif)
        out, warnings = converted(tmp_path / "in.jpg", "AVIF")
        assert ("EXIF data is damaged and was left out" in warnings) == is_left_out == ("exif" not in out.info)


@pytest.mark.parametrize("source", ["png_file", "jpeg_file", "webp_file", "avif_file", "tiff_file"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
def test_other_formats_get_what_they_hold(request, source, kind):
    out, _ = converted(request.getfixturevalue(source), kind)
    out.load()
    assert out.info["icc_profile"] == PROFILE
    assert out.info["xmp"] == XMP.replace(b'"6"', b'"1"')
    assert out.getexif()[0x010F] == "A maker"
    if kind not in ("WEBP", "AVIF") and source not in ("webp_file", "avif_file"):
        assert out.info["dpi"] == pytest.approx((300, 200), abs=0.02)


def test_comments_travel_and_other_texts_are_named(png_file, jpeg_file):
    out, warnings = converted(png_file, "JPEG")
    assert out.info["comment"] == b"compressed"
    assert warnings == ["text left out, since JPEG has no place for it: Author, Title"]
    out, warnings = converted(png_file, "WEBP")
    assert warnings == ["text left out, since WEBP has no place for it: Author, Comment, Title"]
    out, warnings = converted(jpeg_file, "PNG")
    out.load()
    assert out.info["Comment"] == "A comment"
    assert warnings == []


def test_gamma_without_a_profile_is_named(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add(b"gAMA", struct.pack(">I", 100_000))
    Image.fromarray(GRADIENT).save(tmp_path / "in.png", pnginfo=text)
    for kind in ("JPEG", "WEBP"):
        assert "colour space left out" in converted(tmp_path / "in.png", kind)[1][0]


def test_what_is_too_long_for_jpeg_is_named(tmp_path):
    xmp = XMP + b" " * 70_000
    text = PngImagePlugin.PngInfo()
    text.add_itxt(png.XMP_KEYWORD, xmp.decode())
    text.add_text("Comment", "c" * 70_000)
    exif = exif_block(orientation=1, extra=70_000)
    Image.fromarray(GRADIENT).save(tmp_path / "in.png", pnginfo=text, exif=b"Exif\0\0" + exif)
    out, warnings = converted(tmp_path / "in.png", "JPEG")
    assert {"exif", "xmp", "comment"}.isdisjoint(out.info)
    assert [warning.partition(" left out: ")[0] for warning in warnings] == [
        f"EXIF data of {len(exif):,} bytes", f"XMP data of {len(xmp):,} bytes", "comment of 70,000 bytes"
    ]  # fmt: skip
    for kind in ("PNG", "WEBP"):
        out, _ = converted(tmp_path / "in.png", kind)
        out.load()
        assert len(out.info["exif"].removeprefix(b"Exif\0\0")) == len(exif)


def test_large_colour_profile_is_kept(tmp_path):
    """Pillow refuses to read a profile that unpacks to more than a megabyte."""
    profile = PROFILE + bytes(2_000_000)
    Image.fromarray(GRADIENT).save(tmp_path / "in.png", icc_profile=profile)
    warnings: list[str] = []
    picture = read_picture(tmp_path / "in.png", warnings)
    chunks = png.split_chunks(encode_picture(picture, "PNG", warnings), warnings)[1]
    assert zlib.decompress(dict(chunks)[b"iCCP"].partition(b"\0")[2][1:]) == profile
    out, more = converted(tmp_path / "in.png", "JPEG")
    assert out.info["icc_profile"] == profile
    assert warnings + more == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (b"iCCP", b"p\0\0" + zlib.compress(bytes(17_000_000))),
        (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2_000_000))),
        (b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(2_000_000))),
        (b"iCCP", b"p\0\0damaged"),
        (b"zTXt", b""),
        (b"pHYs", b"1234"),
        (b"gAMA", b""),
        (b"cHRM", b"short"),
        (b"\xf0*Dr", b"no name"),
    ],
)
def test_chunks_that_others_cannot_read_are_left_out_and_named(tmp_path, name, content):
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "A title")
    Image.fromarray(GRADIENT).save(tmp_path / "in.png", pnginfo=text)
    (tmp_path / "in.png").write_bytes(png.joined((tmp_path / "in.png").read_bytes(), [(name, content)]))
    out, warnings = converted(tmp_path / "in.png", "PNG")
    out.load()
    assert out.info == {"Title": "A title"}
    assert warnings == [f"the chunk {name.decode('latin-1')!r} is damaged or too large and was left out"]


def test_exif_of_imagemagick_is_read_and_written_as_a_chunk(tmp_path):
    data = b"Exif\0\0" + exif_block(orientation=8)
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n", zip=True)
    Image.fromarray(GRADIENT).save(tmp_path / "in.png", pnginfo=text)
    out, _ = converted(tmp_path / "in.png", "PNG")
    out.load()
    assert out.size == (GRADIENT.shape[0], GRADIENT.shape[1])
    assert out.info["exif"] == b"Exif\0\0" + upright_exif(exif_block())[1]
    assert "Raw profile type exif" not in out.info


def test_damaged_chunk_is_left_out_and_named(png_file):
    data = bytearray(png_file.read_bytes())
    data[data.index(b"tEXtTitle") + 10] ^= 1
    png_file.write_bytes(data)
    out, warnings = converted(png_file, "PNG")
    out.load()
    assert warnings == ["the chunk 'tEXt' is damaged or too large and was left out"]
    assert out.info["Author"]


@pytest.mark.parametrize("exif", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"nothing of the kind", exif_block()[:40], bytes(200)])
def test_exif_that_cannot_be_read_is_kept_as_it_is(tmp_path, exif):
    Image.fromarray(GRADIENT).save(tmp_path / "in.jpg", exif=b"Exif\0\0" + exif)
    out, _ = converted(tmp_path / "in.jpg", "JPEG")
    assert out.info["exif"] == b"Exif\0\0" + exif


def test_embedded_pictures_clips_and_signatures_are_named(tmp_path):
    second = Image.fromarray(255 - GRADIENT)
    motion = b'<x GCamera:MotionPhoto="1" Camera:MicroVideo="1"/>'
    Image.fromarray(GRADIENT).save(tmp_path / "in.jpg", "MPO", save_all=True, append_images=[second], xmp=motion)
    data = (tmp_path / "in.jpg").read_bytes()
    (tmp_path / "in.jpg").write_bytes(data[:2] + b"\xff\xeb\0\x06JUMB" + data[2:] + b"an MP4 file")
    with Image.open(tmp_path / "in.jpg") as source:
        assert (source.format, source.n_frames) == ("MPO", 2)
    out, warnings = converted(tmp_path / "in.jpg", "JPEG")
    assert (out.format, out.info["xmp"]) == ("JPEG", motion.replace(b'"1"', b'"0"'))
    assert np.abs(np.asarray(out).astype(int) - GRADIENT).mean() < 3
    assert [warning.split()[0] for warning in warnings] == ["other", "the", "content"]

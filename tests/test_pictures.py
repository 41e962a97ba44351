"""Pictures from files of every kind, and of every malice: an upright RGB picture, or one sentence."""

from __future__ import annotations

import base64
import builtins
import io
import os
import re
import struct
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from wino_viz import pictures
from wino_viz.pictures import GREY, PictureError, blank, data_url, open_picture, preprocess, to_image

SIZE = WIDTH, HEIGHT = 24, 16
WHITE, RED, BLUE = (255, 255, 255), (255, 0, 0), (0, 0, 255)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def gradient(mode: str = "RGB") -> Image.Image:
    """Red grows to the right, green downwards: no two corners are alike."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    levels = np.stack([x * 255 // (WIDTH - 1), y * 255 // (HEIGHT - 1), np.full_like(x, 40)], axis=-1)
    return Image.fromarray(levels.astype(np.uint8)).convert(mode)


def levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def refused(source: Path | str | bytes) -> str:
    """The sentence with which a source is refused."""
    with pytest.raises(PictureError) as caught:
        open_picture(source)
    sentence = str(caught.value)
    assert re.fullmatch(r"[A-Z][^\n]{5,160}\.", sentence)
    assert "/" not in sentence and "Error" not in sentence and "0x" not in sentence
    return sentence


def png(width: int, height: int, data: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    """A PNG by hand, whose header may claim what it likes."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def tiled_tiff(tile: int) -> bytes:
    """A TIFF of 64 × 64 grey pixels that are cut from one tile of `tile` × `tile`."""
    data = zlib.compress(bytes(min(tile, 1000) ** 2))
    tags = [(256, 64), (257, 64), (258, 8), (259, 8), (262, 1), (277, 1), (322, tile), (323, tile)]
    tags += [(324, 8), (325, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


# ---- every kind of picture


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "WEBP", "JPEG", "GIF"])
@pytest.mark.parametrize("given_as", [Path, str, bytes])
def test_each_format_opens_from_a_path_and_from_bytes(tmp_path, format, given_as):
    path = tmp_path / "no extension"
    options = {"lossless": True} if format == "WEBP" else {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    path.write_bytes(encoded(gradient(), format, **options))
    picture = open_picture(path.read_bytes() if given_as is bytes else given_as(path))
    assert type(picture) is Image.Image and picture.mode == "RGB" and picture.size == SIZE
    assert np.abs(levels(picture) - levels(gradient())).max() <= {"JPEG": 6, "GIF": 40}.get(format, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_stand_upright_whichever_way_the_camera_was_held(format, orientation):
    # numpy's words for how EXIF lays each of the eight on its side
    laid = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: np.rot90(a, -1),
    }[orientation](np.asarray(gradient()))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    picture = open_picture(encoded(Image.fromarray(np.ascontiguousarray(laid)), format, exif=exif, **options))
    assert picture.size == SIZE
    assert np.abs(levels(picture) - levels(gradient())).max() <= (6 if format == "JPEG" else 0)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x09", b"x"]
)
def test_illegible_exif_is_no_reason_to_refuse(exif):
    assert open_picture(encoded(gradient(), "JPEG", exif=exif)).size == SIZE


def test_an_unknown_orientation_is_left_alone():
    exif = Image.Exif()
    exif[0x0112] = 99
    assert open_picture(encoded(gradient(), "PNG", exif=exif)).size == SIZE


def test_where_a_picture_was_taken_is_forgotten():
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (47.0, 22.0, 0.0)}
    picture = open_picture(encoded(gradient(), "JPEG", exif=exif, comment="at home"))
    assert picture.info == {} and not picture.getexif()
    assert b"home" not in encoded(picture, "PNG")


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_keeps_its_colours(format):
    """Adobe's JPEGs hold CMYK inverted."""
    red = encoded(Image.new("CMYK", SIZE, (0, 255, 255, 0)), format)
    assert np.abs(levels(open_picture(red)) - RED).max() <= 4


def test_an_embedded_profile_does_no_harm():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for format in ("PNG", "JPEG", "TIFF", "WEBP"):
        for icc in (profile, b"no profile at all"):
            assert open_picture(encoded(gradient(), format, icc_profile=icc)).info == {}


@pytest.mark.parametrize(("mode", "format"), [("L", "PNG"), ("L", "JPEG"), ("1", "PNG"), ("1", "TIFF"), ("P", "PNG")])
def test_few_colours_become_rgb(mode, format):
    image = gradient(mode)
    picture = open_picture(encoded(image, format, **({"quality": 100} if format == "JPEG" else {})))
    assert np.abs(levels(picture) - levels(image.convert("RGB"))).max() <= 3


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_is_laid_on_white(format):
    image = Image.new("RGBA", SIZE, (*BLUE, 255))
    image.paste((0, 0, 0, 0), (0, 0, 12, 16))
    image.putpixel((20, 8), (0, 0, 0, 128))
    picture = open_picture(encoded(image, format, **({"lossless": True} if format == "WEBP" else {})))
    assert picture.getpixel((3, 3)) == WHITE and picture.getpixel((23, 15)) == BLUE
    assert picture.getpixel((20, 8)) == (127, 127, 127)


def test_transparency_of_greys_palettes_and_single_colours():
    half = Image.new("LA", SIZE, (0, 128))
    assert open_picture(encoded(half, "PNG")).getpixel((0, 0)) == (127, 127, 127)
    palette = Image.new("P", SIZE, 1)
    palette.putpalette([*RED, *BLUE])
    palette.paste(0, (0, 0, 12, 16))
    for format, options in (
        ("PNG", {"transparency": 0}),
        ("PNG", {"transparency": b"\0\xff"}),
        ("GIF", {"transparency": 0}),
    ):
        picture = open_picture(encoded(palette, format, **options))
        assert picture.getpixel((0, 0)) == WHITE and picture.getpixel((23, 0)) == BLUE
    assert open_picture(encoded(palette, "PNG")).getpixel((0, 0)) == RED
    for image, clear in ((Image.new("RGB", SIZE, RED), RED), (Image.new("L", SIZE, 7), 7)):
        assert open_picture(encoded(image, "PNG", transparency=clear)).getpixel((0, 0)) == WHITE


@pytest.mark.parametrize(("format", "order"), [("PNG", "<u2"), ("TIFF", "<u2"), ("TIFF", ">u2")])
def test_sixteen_bits_of_grey_are_scaled_and_not_clipped(format, order):
    deep = np.linspace(0, 65535, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)
    image = Image.fromarray(deep.astype(order))
    picture = levels(open_picture(encoded(image, format)))
    assert np.array_equal(picture[..., 0], np.rint(deep.astype(order) / 257))
    assert (picture[..., 0] == picture[..., 2]).all()


def test_sixteen_bits_of_colour_are_scaled():
    row = struct.pack(">3H", 65535, 32896, 0) * 8
    assert open_picture(png(8, 8, (b"\0" + row) * 8, depth=16)).getpixel((0, 0)) == (255, 128, 0)


@pytest.mark.parametrize(
    ("kind", "values", "seen"),
    [
        ("i4", (0, 255), (0, 255)),
        ("i4", (0, 100), (0, 100)),
        ("i4", (0, 65535), (0, 255)),
        ("i4", (257, 25700), (1, 100)),
        ("i4", (-(2**31), 2**31 - 1), (0, 255)),
        ("i4", (0, 100_000), (0, 255)),
        ("i4", (-5, -5), (0, 0)),
        ("f4", (0, 1), (0, 255)),
        ("f4", (0.2, 0.4), (51, 102)),
        ("f4", (0, 200), (0, 200)),
        ("f4", (-1, 1), (0, 255)),
        ("f4", (-3e38, 3e38), (0, 255)),
        ("f4", (np.nan, 1), (0, 255)),
        ("f4", (-np.inf, np.inf), (0, 255)),
    ],
)
def test_thirty_two_bits_are_scaled_by_what_they_hold(kind, values, seen):
    deep = np.full((HEIGHT, WIDTH), values[0], kind)
    deep[:, 12:] = values[1]
    picture = open_picture(encoded(Image.fromarray(deep), "TIFF"))
    assert (picture.getpixel((0, 0))[0], picture.getpixel((23, 0))[2]) == seen


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(format, monkeypatch):
    frames = [Image.new("RGB", SIZE, colour) for colour in (RED, BLUE, WHITE)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    monkeypatch.setattr(ImageFile.ImageFile, "seek", lambda image, frame: pytest.fail("it looked at another frame"))
    picture = open_picture(data)
    assert np.abs(levels(picture) - RED).max() <= 4
    cut = data[: len(data) - len(data) // 8] if format in ("GIF", "PNG") else data
    assert np.array_equal(levels(open_picture(cut)), levels(picture))  # what follows the first isn't even read


def test_a_phones_picture_with_a_second_one_inside():
    data = encoded(gradient(), "MPO", save_all=True, append_images=[Image.new("RGB", SIZE)])
    assert open_picture(data).size == SIZE


# ---- what is refused, and how


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "The file is empty"),
        (b"Ana has 3 apples.\nHow many?", "This is a text"),
        (b"%PDF-1.7\n%\xe2\xe3", "This is a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "This is a PostScript drawing"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "This is an SVG drawing"),
        (b'<?xml version="1.0"?>\n<!-- x -->\n<svg></svg>', "This is an SVG drawing"),
        (b"<!DOCTYPE html><html></html>", "This is a web page"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "This is an HEIC picture"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "This is an AVIF picture"),
        (b"\0\0\0\x20ftypisom\0\0\0\0", "This is a video"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "This is a JPEG XL picture"),
        (b"8BPS\0\1", "This is a Photoshop picture"),
        (b"P6 8 8 255\n" + bytes(192), "This is a Netpbm picture"),
        (b"PK\x03\x04", "This is an archive or an office document"),
        (bytes(range(256)), "This is not a picture"),
        (b"\0" * 100, "This is not a picture"),
    ],
)
def test_what_is_not_a_picture_is_named_with_what_is_taken(data, words):
    sentence = refused(data)
    assert sentence.startswith(words)
    assert not data or sentence.endswith("; PNG, JPEG, WebP, GIF, BMP and TIFF are taken.")


@pytest.mark.parametrize("format", ["EPS", "PDF", "ICO", "ICNS", "PCX", "TGA", "PPM", "JPEG2000", "AVIF", "DDS", "XBM"])
def test_other_formats_are_refused_though_pillow_knows_them(format):
    try:
        data = encoded(gradient("1" if format == "XBM" else "RGB").resize((64, 64)), format)
    except (OSError, KeyError):
        pytest.skip(f"this Pillow does not write {format}")
    assert refused(data).endswith("are taken.")


def test_formats_are_tried_from_a_fixed_list_that_starts_no_programs():
    assert not {"EPS", "PDF", "ICNS", "WMF", "FPX", "MIC"} & set(pictures.FORMATS)


def test_paths_that_lead_to_no_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for source in (tmp_path / "nothing.png", tmp_path, pipe, "/dev/zero", "a\0b", "", "x" * 5000):
        assert refused(source) in ("There is no such file.", "The file can’t be read.")


def test_too_large_a_file_is_not_read(tmp_path):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(5_000_000_000)
    tracemalloc.start()
    assert refused(path) == "The file has 5000.0 MB; up to 20 MB are taken."
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert refused(bytes(pictures.MAX_BYTES + 1)).startswith("The file has 20.0 MB")


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((60000, 60000), "The picture has far more than 50 megapixels."),
        ((2**31 - 1, 2**31 - 1), "far more than 50 megapixels"),
        ((2**32 - 1, 1), "far more than 50 megapixels"),
        ((10000, 10000), r"The picture has 100.0 megapixels \(10000 × 10000\); up to 50 are taken."),
        ((7072, 7072), r"50.0 megapixels \(7072 × 7072\)"),
        ((0, 8), "damaged"),
        ((7, 300), "The picture is too small: 7 × 300 pixels; each side needs 8."),
        ((300, 1), "too small: 300 × 1"),
        ((401, 8), "The picture is too narrow: 401 × 8 pixels; the long side may be 50 times the short."),
        ((400, 8), "cut off"),  # its size would do, but there are no pixels
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_header_is_judged_before_anything_is_decoded(size, words):
    data = png(*size)
    tracemalloc.start()
    began = time.perf_counter()
    sentence = refused(data)
    assert time.perf_counter() - began < 1
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert re.search(words, sentence)


def test_a_picture_too_large_is_never_decoded(monkeypatch):
    """Pillow keeps its pixels where Python can't count them, so the decoder itself is watched."""
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("it was decoded"))
    for format in ("PNG", "GIF", "BMP", "TIFF", "JPEG"):
        assert "megapixels" in refused(encoded(Image.new("1" if format != "GIF" else "P", (8000, 6400)), format))


def test_a_huge_animation_of_webp_is_judged_by_its_canvas():
    data = bytearray(encoded(gradient(), "WEBP", save_all=True, append_images=[Image.new("RGB", SIZE)]))
    canvas = data.index(b"VP8X") + 12
    data[canvas : canvas + 6] = (16382).to_bytes(3, "little") * 2
    assert "megapixels" in refused(bytes(data))


def test_a_small_tiff_of_one_huge_tile_is_not_decoded():
    """One of 2 MB once took 2 GB of memory."""
    assert open_picture(tiled_tiff(64)).size == (64, 64)
    assert "tiles" in refused(tiled_tiff(44_720))


def test_a_jpeg_of_endless_scans_is_not_decoded():
    data = encoded(gradient(), "JPEG", progressive=True)
    assert open_picture(data).size == SIZE
    last = data.rindex(b"\xff\xda")
    assert "more than 32 scans" in refused(data[:-2] + data[last:-2] * 30 + data[-2:])
    extra = b"\xff\xda" * 100  # within a note, or behind the end, such bytes are no scans
    assert open_picture(encoded(gradient(), "JPEG", comment=extra) + extra).size == SIZE


# ---- whatever the bytes, a picture or a sentence


def taken_or_refused(data: bytes) -> Image.Image | None:
    try:
        picture = open_picture(data)
    except PictureError as error:
        assert "\n" not in str(error)
        return None
    assert picture.mode == "RGB" and min(picture.size) >= pictures.MIN_SIDE
    return picture


def valid_files() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = {"save_all": True, "append_images": [Image.new("RGB", SIZE, RED)]}
    return [
        encoded(gradient(), "JPEG", exif=exif),
        encoded(gradient(), "JPEG", progressive=True),
        encoded(gradient("CMYK"), "JPEG"),
        encoded(gradient(), "MPO", **frames),
        encoded(gradient(), "PNG", exif=exif),
        encoded(gradient("P"), "PNG", transparency=0),
        encoded(gradient(), "PNG", **frames),
        encoded(Image.fromarray(np.arange(384, dtype=np.uint16).reshape(16, 24)), "PNG"),
        encoded(gradient(), "GIF", **frames),
        encoded(gradient("RGBA"), "WEBP", exif=exif, **frames),
        encoded(gradient(), "WEBP", lossless=True),
        encoded(gradient(), "BMP"),
        encoded(gradient("P"), "BMP"),
        encoded(gradient(), "TIFF", exif=exif),
        encoded(gradient(), "TIFF", compression="tiff_lzw"),
        encoded(gradient("F"), "TIFF"),
        encoded(gradient("1"), "TIFF", compression="group4"),
    ]


VALID = valid_files()
JPEG = encoded(gradient().resize((96, 64)), "JPEG")
hostile = pytest.mark.filterwarnings("ignore")  # Pillow warns of much that it then puts up with


def test_the_files_that_are_mutated_are_valid():
    for data in VALID:
        assert taken_or_refused(data) is not None


@hostile
@given(cut=st.integers(0, len(JPEG) - 3))
@example(cut=2)
@example(cut=len(JPEG) // 2)
@example(cut=len(JPEG) - 3)
def test_a_cut_jpeg_is_refused_wherever_it_was_cut(cut):
    refused(JPEG[:cut])


@hostile
@given(st.sampled_from(VALID), st.floats(0, 1))
def test_a_cut_file_of_any_format_is_a_picture_or_a_sentence(data, share):
    taken_or_refused(data[: int(share * len(data))])


@hostile
@given(st.sampled_from([b"", *(data[:16] for data in VALID)]), st.binary(max_size=300))
def test_random_bytes_are_a_picture_or_a_sentence(head, data):
    taken_or_refused(head + data)


@hostile
@given(st.sampled_from(VALID), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_a_mutated_file_is_a_picture_or_a_sentence(data, changes):
    changed = bytearray(data)
    for place, value in changes:
        changed[int(place * (len(data) - 1))] = value
    taken_or_refused(bytes(changed))


@hostile
@given(st.sampled_from(VALID), st.integers(0, 120), st.binary(min_size=1, max_size=8))
def test_a_header_with_other_bytes_in_it_is_a_picture_or_a_sentence(data, at, other):
    taken_or_refused(data[:at] + other + data[at:])
    taken_or_refused(data[:at] + other + data[at + len(other) :])


@pytest.mark.parametrize("error", pictures.BROKEN)
@pytest.mark.parametrize("when", ["open", "load"])
def test_whatever_pillow_raises_becomes_a_sentence(monkeypatch, when, error):
    def fail(*_, **__):
        raise error("/tmp/x: internal 0x7f")

    monkeypatch.setattr(*((Image, "open") if when == "open" else (ImageFile.ImageFile, "load")), fail)
    refused(VALID[0])


def test_nothing_is_written_and_pillows_settings_stay(tmp_path, monkeypatch):
    path = tmp_path / "picture"
    monkeypatch.chdir(tmp_path)
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    really_open, written = builtins.open, []

    def watched(name, mode="r", *rest, **options):
        written.extend([name] if set(mode) & set("wax+") and name != path else [])
        return really_open(name, mode, *rest, **options)

    path.touch()
    monkeypatch.setattr(builtins, "open", watched)
    monkeypatch.setattr(io, "open", watched)
    for data in (*VALID, JPEG[:300], b"text", png(300, 1)):
        path.write_bytes(data)
        with suppress(PictureError):
            data_url(open_picture(path))
    assert written == [] and os.listdir(tmp_path) == ["picture"]
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts the open files as Linux lists them")
def test_files_are_closed_whatever_came_of_them(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    kept = []
    for n, data in enumerate((*VALID, JPEG[:300], b"text", png(300, 1))):
        (tmp_path / str(n)).write_bytes(data)
        try:
            kept.append(open_picture(tmp_path / str(n)))
        except PictureError as error:
            kept.append(error)
    assert len(os.listdir("/proc/self/fd")) == before


def test_several_threads_at_once():
    def attempt(data: bytes) -> bytes | None:
        picture = taken_or_refused(data)
        return picture and picture.tobytes()

    work = [*VALID, JPEG[:300], b"text", JPEG] * 10
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, work)) == list(map(attempt, work))


# ---- for the model, and back


def cubic(x: float) -> float:
    """The bicubic kernel with a = -0.5, as Pillow has it."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def slowly_resized(line: np.ndarray, length: int) -> np.ndarray:
    """The first axis to `length` values, by the definition: the kernel is stretched where the picture shrinks."""
    scale = len(line) / length
    stretch = max(scale, 1)
    out = []
    for n in range(length):
        centre = (n + 0.5) * scale
        weights = [cubic((place + 0.5 - centre) / stretch) for place in range(len(line))]
        out.append(sum(w * value for w, value in zip(weights, line, strict=True)) / sum(weights))
    return np.clip(np.rint(np.array(out)), 0, 255)


@given(st.integers(8, 40), st.integers(8, 40), st.integers(1, 24), st.booleans(), st.integers(0, 2**32 - 1))
@example(30, 31, 16, False, 0)  # half a pixel hangs over
@example(33, 32, 10, False, 1)
@example(16, 16, 16, False, 2)
def test_preprocess_is_what_the_formulas_say(width, height, resolution, squash, seed):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels = preprocess(Image.fromarray(values), resolution, squash)
    assert pixels.shape == (3, resolution, resolution) and pixels.dtype == np.float32 and pixels.flags.c_contiguous
    if squash:
        w = h = resolution
    elif width <= height:
        w, h = resolution, int(resolution * height / width)
    else:
        w, h = int(resolution * width / height), resolution
    across = slowly_resized(values.astype(float).transpose(1, 0, 2), w).transpose(1, 0, 2)
    resized = slowly_resized(across, h)
    top, left = round((h - resolution) / 2.0), round((w - resolution) / 2.0)
    wanted = resized[top : top + resolution, left : left + resolution].transpose(2, 0, 1) / 255
    assert np.abs(pixels - (wanted - 0.5) / 0.5).max() <= 2.01 / 127.5  # Pillow counts in whole numbers, twice


def test_a_picture_of_the_right_size_is_not_touched():
    image = gradient().crop((0, 0, 16, 16))
    wanted = np.asarray(image).transpose(2, 0, 1) / 127.5 - 1
    assert np.allclose(preprocess(image, 16), wanted, atol=1e-6)


def test_the_middle_is_cut_out_and_squashing_keeps_the_edges():
    image = Image.new("RGB", (90, 30), WHITE)
    image.paste(RED, (30, 0, 60, 30))
    assert preprocess(image, 30).transpose(1, 2, 0).reshape(-1, 3).tolist() == [[1, -1, -1]] * 900
    assert preprocess(image, 30, squash=True)[:, 15, 0].tolist() == [1, 1, 1]


def test_pixels_become_the_picture_they_were():
    image = gradient().resize((32, 32))
    assert np.array_equal(levels(to_image(preprocess(image, 32))), levels(image))
    assert np.array_equal(levels(to_image(preprocess(image, 32).astype(np.float64))), levels(image))


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_pixels_are_cut_off_and_rounded(value):
    picture = to_image(np.full((3, 2, 5), value, np.float32))
    wanted = min(max((value + 1) / 2, 0), 1) * 255
    assert picture.size == (5, 2) and abs(picture.getpixel((0, 0))[0] - wanted) <= 0.5001


@pytest.mark.parametrize("pixels", [np.zeros((2, 4, 4)), np.zeros((4, 4)), np.zeros((1, 3, 4, 4))])
def test_pixels_of_another_shape_are_refused(pixels):
    with pytest.raises(ValueError, match=r"shape \(3, height, width\), not \("):
        to_image(pixels)


def test_pixels_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="finite"):
        to_image(np.full((3, 2, 2), np.nan))


@pytest.mark.parametrize("resolution", [0, -4])
def test_a_resolution_below_one_is_refused(resolution):
    with pytest.raises(ValueError, match=f"resolution must be a whole number from 1, not {resolution}"):
        preprocess(gradient(), resolution)


@pytest.mark.parametrize(("size", "shown"), [((24, 16), (24, 16)), ((1024, 256), (512, 128)), ((512, 512), (512, 512))])
def test_a_url_holds_the_picture_no_larger_than_asked(size, shown):
    image = Image.new("RGB", size, RED)
    head, _, data = data_url(image).partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as picture:
        assert picture.size == shown and picture.getpixel((0, 0)) == RED
    assert image.size == size


def test_a_blank_is_grey_all_over():
    assert blank(16).size == (16, 16) and blank(16).getcolors() == [(256, GREY)]
    assert np.abs(preprocess(blank(16), 16)).max() < 0.01

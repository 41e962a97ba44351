"""A file from anywhere becomes a picture that the model can see, and pixels become a picture again. Pillow only.

    picture = open_picture(Path("holiday.jpg"))            # upright RGB, or a PictureError with one sentence
    pixels = preprocess(picture, resolution=512)           # (3, 512, 512) float32 in -1..1
    page.show(data_url(to_image(pixels)))

A file is judged before it is read (its size) and by its header before it is decoded (its kind and its pixels), and is
decoded in memory: nothing is written, no other program is started, and no setting of Pillow's is changed.
"""

from __future__ import annotations

import base64
import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

MAX_BYTES = 20_000_000
MAX_PIXELS = 50_000_000  # a decoded one takes 200 MB, and up to three times that while it is made RGB
MIN_SIDE = 8  # pixels; below that there is nothing to see
MAX_ASPECT = 50  # the long side may be so many times the short one
MAX_SCANS = 32  # of a JPEG: 10 are usual, and each costs a pass over all pixels however few bytes it takes

# What is tried, in this order. Never every format that Pillow knows: some of them (EPS) start other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
TAKEN = "PNG, JPEG, WebP, GIF, BMP and TIFF are taken"
TRIED_LATE = (TiffImagePlugin, WebPImagePlugin)  # Pillow knows the other four at once; imported, it needn't look

# What Pillow is known to raise on files that are broken or made to do harm. Its format readers are hardly guarded, so
# any mistake that a wrong number in a header can lead to comes out as it is; Warning, where warnings are errors.
BROKEN = (
    OSError,  # truncated data, and what libjpeg, libtiff or zlib refuse; UnidentifiedImageError
    SyntaxError,  # a malformed header, found late
    ValueError,  # sizes below zero, unknown modes, too much text in a PNG
    TypeError,
    LookupError,  # tables that are shorter than an index in the file
    ArithmeticError,  # OverflowError, ZeroDivisionError
    AttributeError,
    AssertionError,
    EOFError,
    RuntimeError,  # also NotImplementedError and RecursionError
    MemoryError,
    Warning,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

# How files begin that people bring and that can't be taken, and what to call them. After FORMATS.
OTHERS = (
    (rb"%PDF", "a PDF document"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript drawing"),
    (rb"....ftyp(heic|heix|heim|heis|hevc|mif1|msf1)", "an HEIC picture"),
    (rb"....ftyp(avif|avis)", "an AVIF picture"),
    (rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI ", "a video"),
    (rb"....JXL |\xff\x0a", "a JPEG XL picture"),
    (rb"....jP  |\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (rb"8BPS", "a Photoshop picture"),
    (rb"\x00\x00[\x01\x02]\x00", "an icon"),
    (rb"icns", "an icon"),
    (rb"P[1-7]\s", "a Netpbm picture"),
    (rb"qoif", "a QOI picture"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "an archive or an office document"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg", "an SVG drawing"),
    (rb"\s*<(!doctype html|html)", "a web page"),
)

ORIENTATION = ExifTags.Base.Orientation
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TILE_WIDTH, TILE_LENGTH = 322, 323  # of a TIFF
JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")  # all that begin a segment, and the end
GREY = (128, 128, 128)


class PictureError(ValueError):
    """A file that is no picture the model can be shown; the message is a sentence for the person who brought it."""


# ---- from a file to a picture


def open_named(file: Path) -> Image.Image:
    """`open_picture` of a file that a command names; the ValueError names it, too."""
    try:
        return open_picture(file)
    except PictureError as error:
        raise ValueError(f"{file} can't be taken: {error}") from None


def open_picture(source: Path | str | bytes) -> Image.Image:
    """The first frame of a file (its path, or its bytes) as RGB, upright, on white where it is transparent.

    Raises PictureError for whatever is not a whole picture of 8 × 8 pixels to 50 megapixels in one of FORMATS.
    """
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise PictureError("The file is empty.")
    if len(data) > MAX_BYTES:
        raise PictureError(_too_large(len(data)))
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise PictureError(f"The picture has far more than {MAX_PIXELS // 10**6} megapixels.") from None
    except UnidentifiedImageError:
        raise PictureError(_what_it_is(data)) from None
    except BROKEN:
        raise PictureError("The picture is damaged: its header can’t be read.") from None
    with image:
        try:
            _judge_header(image, data)
            image.load()
            picture = _rgb(image)
            if (turn := _turn(image)) is not None:
                picture = picture.transpose(turn)
        except PictureError:
            raise
        except BROKEN:
            raise PictureError("The picture is damaged or cut off: it can’t be decoded.") from None
    picture.info = {}  # where it was taken, colour profiles and the like end here
    return picture


def _read(path: Path | str) -> bytes:
    """The bytes of an ordinary file, which is not read where it is too large."""
    try:
        path = Path(path)
        if not path.is_file():  # a folder; a pipe, whose end may never come
            raise PictureError("There is no such file.")
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            if size > MAX_BYTES:
                raise PictureError(_too_large(size))
            file.seek(0)
            return file.read(MAX_BYTES + 1)
    except PermissionError:
        raise PictureError("The file may not be read.") from None
    except OSError:
        raise PictureError("The file can’t be read.") from None
    except ValueError as error:  # a path with a null character
        raise error if isinstance(error, PictureError) else PictureError("There is no such file.") from None


def _too_large(size: int) -> str:
    return f"The file has {size / 1e6:.1f} MB; up to {MAX_BYTES // 10**6} MB are taken."


def _what_it_is(data: bytes) -> str:
    """The sentence for data that none of FORMATS begins like, or that only begins like one."""
    head = data[:1024]
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")) or head[8:12] == b"WEBP":
        return "The picture is damaged: its header can’t be read."
    for pattern, name in OTHERS:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return f"This is {name}; {TAKEN}."
    try:
        is_text = "\0" not in data.decode()
    except UnicodeDecodeError:
        is_text = False
    return f"This is {'a text' if is_text else 'not a picture'}; {TAKEN}."


def _judge_header(image: Image.Image, data: bytes) -> None:
    """Refuse what should not be decoded; nothing has been so far."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        megapixels = f"{width * height / 1e6:.1f} megapixels ({width} × {height})"
        raise PictureError(f"The picture has {megapixels}; up to {MAX_PIXELS // 10**6} are taken.")
    if min(width, height) < MIN_SIDE:
        raise PictureError(f"The picture is too small: {width} × {height} pixels; each side needs {MIN_SIDE}.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise PictureError(
            f"The picture is too narrow: {width} × {height} pixels; the long side may be {MAX_ASPECT} times the short."
        )
    if image.format in ("JPEG", "MPO") and _scans(data) > MAX_SCANS:
        raise PictureError(f"The JPEG builds up in more than {MAX_SCANS} scans, which takes too long to decode.")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tile = [image.tag_v2.get(tag, 0) for tag in (TILE_WIDTH, TILE_LENGTH)]
        if tile[0] * tile[1] > MAX_PIXELS:  # a small picture may be cut from one huge tile
            raise PictureError("The picture is damaged: its tiles are larger than any picture taken.")


def _scans(data: bytes) -> int:
    """How many scans the first picture of a JPEG file has, counted no further than one beyond MAX_SCANS."""
    scans, at = 0, 2
    while scans <= MAX_SCANS and (marker := JPEG_MARKER.search(data, at)) and marker[1] != b"\xd9":
        scans += marker[1] == b"\xda"
        at = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2]))
    return scans


def _turn(image: Image.Image) -> Image.Transpose | None:
    """How to turn a loaded picture upright. (Pillow has turned TIFFs, and struck their note of it.)"""
    try:
        return UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    except BROKEN:
        return None  # an illegible note about a picture is no reason to refuse the picture


def _rgb(image: Image.Image) -> Image.Image:
    """Any loaded picture as RGB of 8 bits."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Deeper greys as 0..255. (h, w) -> (h, w) uint8

    16 bits have a known white. Of 32, white is the least of 1 (fractions only), 255 and 65535 that none exceeds; values
    beyond, or below 0, are stretched from their least to their greatest.
    """
    if values.dtype.itemsize == 2:
        low, high = 0, 65535
    else:
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        whites = [1, 255, 65535] if values.dtype.kind == "f" else [255, 65535]
        if low >= 0 and high <= whites[-1]:
            low, high = 0, next(white for white in whites if high <= white)
    scaled = values.astype(np.float64 if values.dtype.itemsize == 4 else np.float32)
    scaled = np.nan_to_num(scaled, copy=False, nan=low, posinf=high, neginf=low)
    scaled -= low
    scaled *= 255 / (high - low) if high > low else 0
    return np.rint(scaled, out=scaled).clip(0, 255, out=scaled).astype(np.uint8)


# ---- from a picture to the model's pixels, and back


def preprocess(image: Image.Image, resolution: int, squash: bool = False) -> np.ndarray:
    """A picture as the model takes it: (3, resolution, resolution) float32 in -1..1.

    The shorter side becomes `resolution` (bicubic), and the middle is cut out: what torchvision's Resize and
    CenterCrop do to a picture of Pillow's. `squash` keeps the edges and gives up the proportions instead.
    """
    if resolution < 1:
        raise ValueError(f"resolution must be a whole number from 1, not {resolution!r}")
    image = image.convert("RGB")
    if squash:
        image = image.resize((resolution, resolution), Image.Resampling.BICUBIC)
    else:
        short, long = sorted(image.size)
        width, height = (resolution if side == short else int(resolution * long / short) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = (round((side - resolution) / 2) for side in (width, height))
        image = image.crop((left, top, left + resolution, top + resolution))
    pixels = np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / np.float32(255)
    return np.ascontiguousarray((pixels - np.float32(0.5)) / np.float32(0.5))


def to_image(pixels: np.ndarray) -> Image.Image:
    """Pixels (3, H, W) in -1..1 as a picture; what lies beyond is cut off."""
    if pixels.ndim != 3 or pixels.shape[0] != 3:
        raise ValueError(f"pixels must have the shape (3, height, width), not {pixels.shape}")
    if not np.isfinite(pixels).all():
        raise ValueError("pixels must be finite numbers")
    levels = np.rint(np.clip((pixels.astype(np.float32) + 1) / 2, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(levels.transpose(1, 2, 0))


def data_url(image: Image.Image, max_side: int = 512) -> str:
    """A picture as a PNG in a URL for the page; a larger one is made smaller."""
    image = image.convert("RGB")
    image.info = {}
    image.thumbnail((max_side, max_side))
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def blank(resolution: int) -> Image.Image:
    """A mid-grey square: for the same question with nothing to see."""
    return Image.new("RGB", (resolution, resolution), GREY)

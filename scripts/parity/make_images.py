#!/usr/bin/env python3
"""Makes pictures in the formats that are read, and what a reference library reads in them.

    pip install pillow pillow-heif
    python scripts/parity/make_images.py tests/data/images

Each `NAME.ENDING` has a `NAME.png` with its pixels as Pillow (AVIF, BMP, GIF, JPEG, TIFF, WebP) or
pillow-heif (HEIC) decode them, converted to sRGB by Pillow's ImageCms and put over white. Of lossy
files the reference's decoding is the golden. `versions.json` has the versions that made them.
"""

import io
import json
import math
import struct
import sys
from pathlib import Path

import PIL
import pillow_heif
from PIL import Image, ImageCms, ImageOps, features

pillow_heif.register_heif_opener()

WIDTH, HEIGHT = 48, 32


def photo(width=WIDTH, height=HEIGHT) -> Image.Image:
    """Smooth and colourful, so that no codec loses much; neither side is like its other."""
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            wave = math.sin(x / 9 + y / 7)
            image.putpixel((x, y), (40 + 200 * x // width, 30 + 190 * y // height, int(120 + 90 * wave)))
    return image


def with_alpha(image) -> Image.Image:
    alpha = Image.new("L", image.size)
    for y in range(image.height):
        for x in range(image.width):
            alpha.putpixel((x, y), 255 * x // (image.width - 1))
    image = image.convert("RGBA")
    image.putalpha(alpha)
    return image


# ---------------------------------------------------------------------- colour profiles (ICC.1:2022)

def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def profile(colours, curve, space=b"RGB ") -> bytes:
    """A matrix profile. `colours`: the columns of its matrix, in the connection space (D50)."""
    def text(kind, words):
        return kind + bytes(4) + struct.pack(">IIII", 1, 12, 0x656E5553, 2 * len(words)) + struct.pack(">I", 28) + \
            words.encode("utf-16-be")
    tags = {b"desc": text(b"mluc", "test"), b"cprt": text(b"mluc", "none"),
            b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642) + fixed(1) + fixed(0.8249)}
    for letter, column in zip(b"rgb", colours):
        tags[bytes([letter]) + b"XYZ"] = b"XYZ " + bytes(4) + b"".join(map(fixed, column))
        tags[bytes([letter]) + b"TRC"] = curve
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    table, data = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value
    body = struct.pack(">I", len(tags)) + table + data
    header = struct.pack(">I4sI4s4s4s12s4s4sIIIQI", 128 + len(body), bytes(4), 0x04200000, b"mntr", space, b"XYZ ",
                         bytes(12), b"acsp", bytes(4), 0, 0, 0, 0, 0)
    header += fixed(0.9642) + fixed(1) + fixed(0.8249)
    return header + bytes(128 - len(header)) + body


SRGB_CURVE = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + b"".join(
    map(fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
GAMMA_CURVE = b"para" + bytes(4) + struct.pack(">HH", 0, 0) + fixed(2.6)
# Display P3 and Adobe RGB, adapted to D50.
P3 = profile([(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)], SRGB_CURVE)
GREY = profile([], GAMMA_CURVE, b"GRAY")
# The curve as a short table, as small profiles have it.
SRGB_TABLE = b"curv" + bytes(4) + struct.pack(">I", 16) + b"".join(
    struct.pack(">H", round(65535 * (x / 12.92 if x < 0.04045 else ((x + 0.055) / 1.055)**2.4)))
    for x in (i / 15 for i in range(16)))
SRGB_COLUMNS = [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]
SRGB = profile(SRGB_COLUMNS, SRGB_CURVE)


# ---------------------------------------------------------------------------------- files by hand

def tiff(width, height, bits, samples, pixels: bytes, photometric=2, more=()) -> bytes:
    """An uncompressed little-endian TIFF of one strip. `more`: (tag, type, count, value bytes)."""
    entries = [(256, 3, 1, struct.pack("<H", width)), (257, 3, 1, struct.pack("<H", height)),
               (258, 3, samples, struct.pack("<H", bits) * samples), (259, 3, 1, struct.pack("<H", 1)),
               (262, 3, 1, struct.pack("<H", photometric)), (277, 3, 1, struct.pack("<H", samples)),
               (278, 3, 1, struct.pack("<H", height)), (279, 4, 1, struct.pack("<I", len(pixels))),
               (273, 4, 1, struct.pack("<I", 8)), *more]
    entries.sort()
    start = 8 + len(pixels) + len(pixels) % 2
    behind = start + 2 + 12 * len(entries) + 4
    table, values = b"", b""
    for tag, kind, count, value in entries:
        table += struct.pack("<HHI", tag, kind, count)
        if len(value) <= 4:
            table += value + bytes(4 - len(value))
        else:
            table += struct.pack("<I", behind + len(values))
            values += value + bytes(len(value) % 2)
    return b"II*\0" + struct.pack("<I", start) + pixels + bytes(len(pixels) % 2) + \
        struct.pack("<H", len(entries)) + table + bytes(4) + values


def bmp(width, height, bits, compression, pixels, between=b"") -> bytes:
    """`between`: masks and colours, behind a header of 40 bytes."""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    start = 14 + len(info) + len(between)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + info + between + pixels


def run_length_bmp(image, bits) -> bytes:
    """Rows of runs, a literal stretch where nothing repeats, and one jump over pixels of colour 0."""
    pixels = b""
    for y in reversed(range(image.height)):
        row = [image.getpixel((x, y)) for x in range(image.width)]
        x = 0
        while x < len(row):
            count = 1
            while x + count < len(row) and row[x + count] == row[x]:
                count += 1
            if count > 2:
                pixels += bytes([count, row[x] * 17 if bits == 4 else row[x]])
                x += count
                continue
            literal = row[x:x + 3]
            if len(literal) < 3:
                for value in literal:
                    pixels += bytes([1, value * 16 if bits == 4 else value])
                break
            packed = bytes(literal) if bits == 8 else bytes([literal[0] * 16 + literal[1], literal[2] * 16])
            pixels += bytes([0, 3]) + packed + bytes(len(packed) % 2)
            x += 3
        pixels += b"\0\0" if y else b"\0\1"
    # No colour near the edge of sRGB, where P3 makes of a difference of 1 one of 10.
    calm = image.point(lambda value: 90 + value * 2 // 5)
    palette = image.getpalette()[:3 * (1 << bits)]
    palette += [0] * (3 * (1 << bits) - len(palette))
    colours = b"".join(bytes([palette[i + 2], palette[i + 1], palette[i], 0]) for i in range(0, len(palette), 3))
    return bmp(image.width, image.height, bits, 1 if bits == 8 else 2, pixels, colours)


def split_profile(jpeg: bytes) -> bytes:
    """The profile of a JPEG in three segments instead of one."""
    start = jpeg.index(b"\xff\xe2")
    length = struct.unpack(">H", jpeg[start + 2:start + 4])[0]
    data = jpeg[start + 18:start + 2 + length]
    third = len(data) // 3 + 1
    segments = b""
    for number in range(3):
        part = b"ICC_PROFILE\0" + bytes([number + 1, 3]) + data[number * third:(number + 1) * third]
        segments += b"\xff\xe2" + struct.pack(">H", 2 + len(part)) + part
    return jpeg[:start] + segments + jpeg[start + 2 + length:]


def with_primaries(avif: bytes, primaries: int, transfer: int) -> bytes:
    """The AVIF with other numbers in its box of colours."""
    at = avif.index(b"colrnclx") + 8
    return avif[:at] + struct.pack(">HH", primaries, transfer) + avif[at + 4:]


# -------------------------------------------------------------------------------------------- goldens

def over_white(image) -> Image.Image:
    if image.mode in ("P", "PA") and "transparency" in image.info or image.mode in ("RGBA", "LA"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 257).convert("L").convert("RGB")
    return image.convert("RGB")


def golden(data: bytes, icc=None) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    icc = icc or image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    grey = image.mode == "L"
    image = image if grey and icc else over_white(image)
    if not icc:
        return image
    result = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB"),
                                     renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB")
    result.info.pop("icc_profile")  # it has the time in it
    return result


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    image = photo()
    turned = Image.Exif()
    turned[0x0112] = 6

    def saved(kind, picture=image, **options) -> bytes:
        target = io.BytesIO()
        picture.save(target, kind, **options)
        return target.getvalue()

    # No colour near the edge of sRGB, where P3 makes of a difference of 1 one of 10.
    calm = image.point(lambda value: 90 + value * 2 // 5)
    palette = image.quantize(16)
    wide = struct.pack("<" + "H" * (3 * WIDTH * HEIGHT), *(
        min(65535, value * 257 + 100) for pixel in image.get_flattened_data() for value in pixel))
    grey16 = struct.pack("<" + "H" * (WIDTH * HEIGHT), *(range(0, 65536, 65536 // (WIDTH * HEIGHT))[:WIDTH * HEIGHT]))
    rgb565 = b"".join(
        struct.pack("<H", r >> 3 << 11 | g >> 2 << 5 | b >> 3)
        for y in reversed(range(HEIGHT)) for r, g, b in [image.getpixel((x, y)) for x in range(WIDTH)])
    heic = {"quality": 90, "chroma": 444, "matrix_coefficients": 6}
    files = {
        "plain.heic": saved("HEIF", **heic),
        "square.heic": saved("HEIF", photo(64, 64), **heic),
        "subsampled.heic": saved("HEIF", quality=95, chroma=420),
        "p3.heic": saved("HEIF", icc_profile=P3, **heic),
        "turned.heic": saved("HEIF", exif=turned.tobytes(), **heic),
        "alpha.heic": saved("HEIF", with_alpha(image), **heic),
        "plain.avif": saved("AVIF", calm, quality=90, subsampling="4:4:4", speed=6),
        "p3.avif": saved("AVIF", calm, quality=90, subsampling="4:4:4", speed=6, icc_profile=P3),
        "p3.jpg": saved("JPEG", quality=95, subsampling=0, icc_profile=P3),
        "grey_gamma.jpg": saved("JPEG", image.convert("L"), quality=95, icc_profile=GREY),
        "p3_lossless.png": saved("PNG", icc_profile=P3),
        "p3.webp": saved("WEBP", lossless=True, icc_profile=P3),
        "p3.tiff": saved("TIFF", icc_profile=P3),
        "rgb16.tiff": tiff(WIDTH, HEIGHT, 16, 3, wide),
        "grey16.tiff": tiff(WIDTH, HEIGHT, 16, 1, grey16, photometric=1),
        "lzw.tiff": saved("TIFF", compression="tiff_lzw"),
        "deflate.tiff": saved("TIFF", compression="tiff_adobe_deflate"),
        "jpeg.tiff": saved("TIFF", compression="jpeg", quality=95),
        "palette.tiff": saved("TIFF", palette),
        "turned.tiff": saved("TIFF", exif=turned),
        "alpha.tiff": saved("TIFF", with_alpha(image)),
        "rgb24.bmp": saved("BMP"),
        "rgb565.bmp": bmp(WIDTH, HEIGHT, 16, 3, rgb565, struct.pack("<III", 0xF800, 0x07E0, 0x001F)),
        "palette.bmp": saved("BMP", palette),
        "bits.bmp": saved("BMP", image.convert("1")),
        "rle8.bmp": run_length_bmp(palette, 8),
        "rle4.bmp": run_length_bmp(palette, 4),
        "plain.gif": saved("GIF", palette),
        "interlaced.gif": saved("GIF", palette, interlace=1),
        "transparent.gif": saved("GIF", palette, transparency=3),
        "animated.gif": saved("GIF", palette, save_all=True, append_images=[palette.rotate(180)], duration=50),
    }
    files["p3_split.jpg"] = split_profile(files["p3.jpg"])
    profiles = {}
    files["p3_primaries.avif"] = with_primaries(files["plain.avif"], 12, 13)
    profiles["p3_primaries.avif"] = P3
    for name, data in files.items():
        (out / name).write_bytes(data)
        golden(data, profiles.get(name)).save(out / (name.replace(".", "_") + ".golden.png"), optimize=True)

    # Of these, the reference is the same file without the profile: sRGB's pixels stay as they are.
    (out / "srgb.jpg").write_bytes(saved("JPEG", quality=95, subsampling=0, icc_profile=SRGB))
    (out / "srgb_table.jpg").write_bytes(
        saved("JPEG", quality=95, subsampling=0, icc_profile=profile(SRGB_COLUMNS, SRGB_TABLE)))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (out / "srgb_lcms.jpg").write_bytes(saved("JPEG", quality=95, subsampling=0, icc_profile=(
        srgb[:24] + bytes(12) + srgb[36:])))  # without the time
    (out / "no_profile.jpg").write_bytes(saved("JPEG", quality=95, subsampling=0))
    # HDR: brightness by the PQ curve.
    (out / "pq.avif").write_bytes(with_primaries(files["plain.avif"], 9, 16))
    (out / "versions.json").write_text(json.dumps({
        "pillow": PIL.__version__, "pillow-heif": pillow_heif.__version__,
        "libheif": pillow_heif.libheif_version(), "lcms2": features.version("littlecms2"),
        "libavif": features.version("avif"), "libtiff": features.version("libtiff")}, indent=1) + "\n")


main()

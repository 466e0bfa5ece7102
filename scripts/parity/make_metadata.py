#!/usr/bin/env python3
"""Makes pictures as other programs write them, for the reader of metadata.

    pip install pillow==13.0.0 piexif==1.1.3
    python scripts/parity/make_metadata.py tests/data/metadata

`a1111.*` are what AUTOMATIC1111's web UI writes (Pillow for PNG, piexif for JPEG and WebP),
`little_endian.*` have UTF-16 with the low byte first, `ascii.jpg` an ASCII comment, `plain.*` none.
`expected.json` has the texts and what is to be read from them.
"""

import json
import struct
import sys
from pathlib import Path

import piexif
import piexif.helper
import PIL
from PIL import Image, PngImagePlugin

PROMPT = "<Ada> as funko, digital art, box (, superman / batman, nintendo\nsecond line · 漢字 😀"
NEGATIVE = "blurry, (bad hands:1.3)\nlow quality"
FIELDS = [
    ("Steps", "20"), ("Sampler", "DPM++ 2M"), ("Schedule type", "Karras"), ("CFG scale", "7"),
    ("Seed", "965400086"), ("Size", "512x512"), ("Model hash", "6ce0161689"), ("Model", "v1-5-pruned-emaonly"),
    ("Clip skip", "2"), ("Lora hashes", "add detail: 7c6bad76eb54, film: 1a2b3c4d5e6f"),
    ("TI hashes", "easynegative: c74b4e810b03"), ("Version", "v1.9.4"),
]
PLAIN = "a plain prompt\nSteps: 1, Sampler: Euler, Seed: 2, Size: 16x16"
QUALITY = dict(quality=80)


def infotext():
    quoted = [(k, json.dumps(v, ensure_ascii=False) if set(v) & set(",:\n") else v) for k, v in FIELDS]
    return f"{PROMPT}\nNegative prompt: {NEGATIVE}\n" + ", ".join(f"{k}: {v}" for k, v in quoted)


def little_endian_exif(text):
    comment = b"UNICODE\0" + text.encode("utf-16-le")
    header = b"II" + struct.pack("<HI", 42, 8)
    pointer = struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0)
    entry = struct.pack("<HHHIII", 1, 0x9286, 7, len(comment), 44, 0)
    return b"Exif\0\0" + header + pointer + entry + comment


def exif(text, encoding):
    comment = piexif.helper.UserComment.dump(text, encoding=encoding)
    return piexif.dump({"Exif": {piexif.ExifIFD.UserComment: comment}})


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (16, 16), (200, 120, 40))
    text = infotext()
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", text)
    picture.save(folder / "a1111.png", pnginfo=chunks)
    for name in ("a1111.jpg", "a1111.webp"):
        picture.save(folder / name, **QUALITY)
        piexif.insert(exif(text, "unicode"), str(folder / name))
    picture.save(folder / "little_endian.jpg", exif=little_endian_exif(text), **QUALITY)
    picture.save(folder / "little_endian.webp", exif=little_endian_exif(text), **QUALITY)
    picture.save(folder / "ascii.jpg", exif=exif(PLAIN, "ascii"), **QUALITY)
    for name in ("plain.png", "plain.jpg", "plain.webp"):
        picture.save(folder / name)
    expected = dict(made_with=f"Pillow {PIL.__version__}, piexif {piexif.VERSION}", text=text, plain_text=PLAIN,
                    infotext=dict(prompt=PROMPT, negative_prompt=NEGATIVE, settings=dict(FIELDS)))
    (folder / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))

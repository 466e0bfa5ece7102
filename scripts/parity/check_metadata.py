#!/usr/bin/env python3
"""Reads pictures of ours with sd-parsers and shows that it finds what we wrote.

    pip install sd-parsers==0.6
    python scripts/parity/check_metadata.py pictures/*.png pictures/*.jpg pictures/*.webp

Beside each picture lies our own account of it, of the same name with `.json`: an object with
`prompt`, `negative_prompt` and `settings`. Compared are both prompts, the sampler, and every setting
that sd-parsers can read (it splits the settings at every comma, quoted or not). Shown as well: that
the XMP says that a model made the picture, and that no text in the file names this machine or user.
"""

import getpass
import json
import re
import socket
import sys
from pathlib import Path

from PIL import Image
from PIL.ExifTags import IFD, Base
from sd_parsers import ParserManager

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def found_by_sd_parsers(file: Path) -> dict:
    info = ParserManager(normalize_parameters=False).parse(file)
    if info is None:
        raise SystemExit(f"{file}: sd-parsers finds no prompt")
    (sampler,) = info.samplers
    settings = {"Sampler": sampler.name, **sampler.parameters, **info.metadata}
    if sampler.model is not None:
        settings |= {"Model": sampler.model.name, "Model hash": sampler.model.hash}
    return dict(prompt="".join(prompt.value for prompt in sampler.prompts),
                negative_prompt="".join(prompt.value for prompt in sampler.negative_prompts),
                settings={key: value for key, value in settings.items() if value is not None})


def metadata_of(file: Path) -> str:
    """Every text in the file, whatever it is called there."""
    with Image.open(file) as image:
        values = [*image.info.values(), image.getexif().get_ifd(IFD.Exif).get(Base.UserComment, b"")]
    texts = [value.decode("utf-16-be" if value.startswith(b"UNICODE") else "latin-1", "replace")
             if isinstance(value, bytes) else str(value) for value in values]
    return "\n".join(texts)


def check(file: Path) -> None:
    ours = json.loads(file.with_suffix(".json").read_text())
    theirs = found_by_sd_parsers(file)
    faults = [f"{key}: {theirs[key]!r} for {ours[key]!r}" for key in ("prompt", "negative_prompt")
              if theirs[key] != ours[key].strip()]
    readable = {key: value for key, value in ours["settings"].items() if not set(value) & set(',:"')}
    faults += [f"{key}: {theirs['settings'].get(key)!r} for {value!r}" for key, value in readable.items()
               if str(theirs["settings"].get(key)) != value]
    if SOURCE_TYPE not in metadata_of(file):
        faults.append("the XMP does not say what made it")
    faults += [f"{word!r} is in the metadata" for word in (socket.gethostname(), getpass.getuser(), str(Path.home()))
               if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", metadata_of(file))]
    if faults:
        raise SystemExit(f"{file}: " + "; ".join(faults))
    print(f"{file}: sd-parsers finds the same prompt, negative prompt and {len(readable)} of "
          f"{len(ours['settings'])} settings")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for argument in sys.argv[1:]:
        check(Path(argument))

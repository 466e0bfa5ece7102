"""Prints a hash of each file that the tools made, without what differs between two runs of one program:
versions, times, memory, and the values of a run's configuration. Used by outputs.sh."""

import hashlib
import json
import pathlib
import re
import struct
import sys
import zlib

# Of a training: what depends on the clock or says what was typed, not what was learnt.
LEFT_OUT = {".lock", ".gallery.lock", "config.json", "roster.json", "record.json", "summary.json", "report.html", "stderr.txt",
            "metrics.jsonl"}


# What the compressed pixels begin with.
PIXELS = {".jpg": b"\xff\xdb", ".webp": b"VP8 "}


def without_version(text: bytes) -> bytes:
    """Embeddings hold the program's version, so the hashes of their files differ as well, and so do the names of a
    team's images, which end in such a hash."""
    text = re.sub(rb"sdx \d+\.\d+\.\d+[^\"\n]*", b"VERSION", text)
    text = re.sub(rb"TI hashes: \"[^\"]*\"|TI hashes: [^,]*", b"TI hashes", text)
    text = re.sub(rb"(\"TI hashes\": )\"[^\"]*\"", b"\\1", text)
    return re.sub(rb"-[0-9a-f]{8}\.", b".", text)


def png(content: bytes) -> bytes:
    """The pixels as they are stored, unpacked, and the texts."""
    at, pixels, rest = 8, b"", b""
    while at < len(content):
        (size,) = struct.unpack(">I", content[at:at + 4])
        kind, body = content[at + 4:at + 8], content[at + 8:at + 8 + size]
        if kind == b"IDAT":
            pixels += body
        else:
            rest += kind + without_version(body)
        at += size + 12
    return zlib.decompress(pixels) + rest


def safetensors(content: bytes) -> bytes:
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + size])
    metadata = header.pop("__metadata__", {})
    for key in ("sdx.version", "options", "identity", "format", "model_hash", "pictures_hash"):
        metadata.pop(key, None)
    # Tensor by tensor: a checkpoint's milestones have another form since version 2.
    tensors = {name: content[8 + size:][slice(*entry["data_offsets"])].hex() for name, entry in header.items()
               if not name.startswith("milestones")}
    return json.dumps([tensors, metadata], sort_keys=True).encode()


def normal(path: pathlib.Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".png":
        return png(content)
    if path.suffix == ".safetensors":
        return safetensors(content)
    if path.suffix in (".jpg", ".webp"):
        # Their texts are UTF-16; lengths before them follow the version's.
        texts = b"".join(re.findall(rb"(?:\x00[ -~]){8,}", content)).replace(b"\x00", b"")
        return content[content.index(PIXELS[path.suffix]):].split(b"EXIF")[0] + without_version(texts)
    return without_version(content)


def main() -> None:
    root = pathlib.Path(sys.argv[1])
    for folder in ("embeddings", "runs", "sheet", "pictures", "again", "team"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.name not in LEFT_OUT:
                digest = hashlib.sha256(normal(path)).hexdigest()
                print(digest[:32], without_version(str(path.relative_to(root)).encode()).decode())


if __name__ == "__main__":
    main()

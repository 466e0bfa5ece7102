"""Compares what scripts/gpu/check.sh made. Needs nothing but Python; `hog` needs torch.

    compare.py same A B         whether two folders of PNG files hold the same pictures, to the pixel
    compare.py trace A B MOST   how far the gradients of two traces of sdx-train are apart; fails above MOST at step 0
    compare.py hog GB SECONDS   holds all of a GPU's memory but so much
"""

import argparse
import array
import json
import math
import pathlib
import struct
import sys
import time
import zlib


def chunks_of(file):
    """The chunks of a PNG file: type and data."""
    data = file.read_bytes()
    position = 8
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        yield kind, data[position + 8:position + 8 + length]
        position += 12 + length


def read_pixels(file):
    """Header and pixels as one encoder writes them: equal for equal pictures, whatever their metadata."""
    chunks = list(chunks_of(file))
    header = next(data for kind, data in chunks if kind == b"IHDR")
    return header + zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))


def compare_pictures(left, right):
    files = [sorted(pathlib.Path(folder).rglob("*.png")) for folder in (left, right)]
    if not files[0] or len(files[0]) != len(files[1]):
        sys.exit(f"expected as many pictures in both folders, found {len(files[0])} and {len(files[1])}")
    different = [a.name for a, b in zip(*files) if read_pixels(a) != read_pixels(b)]
    print(f"{len(files[0])} pictures, {len(different)} differ: {', '.join(different) or 'none'}")
    return not different


def read_tensors(file):
    """The float32 tensors of a safetensors file, flat."""
    data = pathlib.Path(file).read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = array.array("f", data[8 + size + begin:8 + size + end])
    return tensors


def length(values):
    return math.sqrt(math.fsum(value * value for value in values))


def compare_traces(expected_file, found_file, most):
    """Later steps drift: Adam's first steps are as long for small gradients as for large ones."""
    expected, found = read_tensors(expected_file), read_tensors(found_file)
    names = sorted(name for name in expected if ".gradient" in name or name.endswith(".loss"))
    if not any(name.startswith("step.0.gradient") for name in names) or not set(names) <= set(found):
        sys.exit(f"expected the same gradients in both traces, found {sorted(expected)} and {sorted(found)}")
    is_well = True
    for name in names:
        off = length(a - b for a, b in zip(expected[name], found[name])) / max(length(expected[name]), 1e-30)
        print(f"{name}: off by {off:.2e}")
        if name.startswith("step.0.") and not off <= most:
            is_well = False
    return is_well


def hold_memory(left_gb, seconds):
    import torch
    free = torch.cuda.mem_get_info()[0]
    held = torch.empty(int(free - left_gb * 1e9), dtype=torch.uint8, device="cuda")
    print(f"held {held.numel()} bytes", flush=True)
    time.sleep(seconds)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="what", required=True)
    same = parts.add_parser("same")
    trace = parts.add_parser("trace")
    for part in (same, trace):
        part.add_argument("expected")
        part.add_argument("found")
    trace.add_argument("most", type=float)
    hog = parts.add_parser("hog")
    hog.add_argument("left_gb", type=float)
    hog.add_argument("seconds", type=float)
    args = parser.parse_args()
    if args.what == "same":
        return compare_pictures(args.expected, args.found)
    if args.what == "trace":
        return compare_traces(args.expected, args.found, args.most)
    return hold_memory(args.left_gb, args.seconds)


sys.exit(0 if main() else 1)

#!/usr/bin/env python3
"""How long whole pictures of few steps take with a full-size Stable Diffusion 1.5, as a Markdown table.

    scripts/bench/few_steps.py WORK          the table of docs/performance.md

WORK is what scripts/bench.sh fills (build/bench): its model of random weights is used, or made first (4.3 GB, and as much
for the import). A TAESD of random weights is made there, too: time does not depend on values. Each figure is the wall
time of one whole run of sdx-generate, from its start to the written picture, after a run that warms the file cache. Let
nothing else run. Needs the built programs (scripts/demo.sh) and no package of Python.
"""

import argparse
import json
import pathlib
import struct
import subprocess
import sys
import time

import make_sd15

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build/release/bin"
TINY_TAESD = ROOT / "tests/data/taesd/taesd_decoder.safetensors"  # the published layout, with fewer channels
TINY_CHANNELS, TAESD_CHANNELS = 5, 64
ROWS = {
    "20 steps, guided": ["--steps", "20"],
    "8 steps, `--preset-sampling lightning --steps 8`": ["--preset-sampling", "lightning", "--steps", "8"],
    "4 steps, `--preset-sampling lcm`": ["--preset-sampling", "lcm"],
    "1 step, `--preset-sampling turbo --steps 1`": ["--preset-sampling", "turbo", "--steps", "1"],
}
COLUMNS = {"fp32": ["--dtype", "fp32"], "bf16": ["--dtype", "bf16"],
           "bf16, TAESD": ["--dtype", "bf16", "--vae-approx", "taesd.safetensors"]}


def make_model(work):
    if not (work / "models/sd15/bundle.json").exists():
        if not (work / "sd15").exists():
            subprocess.run([sys.executable, make_sd15.__file__, work / "sd15"], check=True)
        subprocess.run([BIN / "sdx-model", "import", work / "sd15", "--name", "sd15", "--models-dir", work / "models"],
                       check=True)
    with TINY_TAESD.open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    shapes = {name: [TAESD_CHANNELS if size == TINY_CHANNELS else size for size in entry["shape"]]
              for name, entry in header.items() if name != "__metadata__"}
    make_sd15.write_weights(work / "taesd.safetensors", shapes)


def seconds(work, options):
    """Wall time of one picture of 512 x 512 pixels."""
    command = [BIN / "sdx-generate", "a harbour", "--model", work / "models/sd15", "--seed", "1", "--out",
               work / "pictures", "--quiet", *options]
    begin = time.monotonic()
    subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    work = parser.parse_args().work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    make_model(work)
    seconds(work, list(ROWS.values())[-1])  # the shortest, for the file cache
    print(f"| a whole picture | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}", flush=True)
    for row, sampling in ROWS.items():
        times = [f"{seconds(work, [*sampling, *column]):.0f} s" for column in COLUMNS.values()]
        print(f"| {row} | {' | '.join(times)} |", flush=True)


if __name__ == "__main__":
    main()

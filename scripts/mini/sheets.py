"""Makes the sheets of docs/mini: each demo person in twenty unseen prompts, with two seeds, by the real tools.

A sheet has four rows of ten pictures: the prompts in order with the first seed, then with the second one. The list of
the prompts is printed as Markdown. With --keep, what is there already is not made again (see evaluate.Tools).
"""

import argparse
import csv
import pathlib
import tempfile

import torch
from PIL import Image

from evaluate import ROOT, Tools
from model import save_sheet
from unseen_prompts import UNSEEN

SEEDS = (1, 2)
COLUMNS = 10
COLOURS = 256  # of a sheet's palette: a quarter of the bytes, and the eye sees no difference


def team(folder):
    """(name, folder of portraits) of each person of a roster."""
    with open(folder / "team.csv", encoding="utf-8", newline="") as file:
        return [(row["name"], (folder / row["portraits"]).resolve()) for row in csv.DictReader(file)]


def make_sheet(tools, name, folder, path):
    tools.train(folder, name)
    prompts = [prompt.format(f"<{name}>") for prompt, _ in UNSEEN[0]]
    pictures = [tools.generate(prompts, f"{name}-{seed}", seed)[0] for seed in SEEDS]
    save_sheet(torch.cat(pictures), path, COLUMNS)
    with Image.open(path) as sheet:
        small = sheet.quantize(COLOURS)
    small.save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=pathlib.Path, default=ROOT / "configs/models/mini", help="the exported folder")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin", help="folder of the programs")
    parser.add_argument("--demo", type=pathlib.Path, default=ROOT / "configs/demo", help="the roster and its portraits")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs/mini")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for all that is made, to go on from")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        tools = Tools(args.bin, args.weights, args.keep or pathlib.Path(scratch))
        for name, folder in team(args.demo):
            path = args.out / f"{name.lower()}.png"
            make_sheet(tools, name, folder, path)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)
    for number, (prompt, _) in enumerate(UNSEEN[0], 1):
        print(f"{number}. {prompt.format('<Name>')}")


if __name__ == "__main__":
    main()

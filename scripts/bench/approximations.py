#!/usr/bin/env python3
"""What the approximations of sdx-generate cost and gain, as Markdown tables: those of docs/approximations.md.

    scripts/bench/approximations.py WORK                 both tables
    scripts/bench/approximations.py WORK --only options  one of them: options, samplers

Makes the mission's prompts, about two of the built-in model's own people, exactly and approximated, and compares the
pictures: PSNR in dB over all pixels of a picture. Seconds are the processor's, over all cores, which other work on the
machine disturbs least; of whole runs, loading included, each option in turn and again, medians. WORK keeps pictures and
words; what is there is not made again, times are always measured. Needs the built programs (scripts/demo.sh), and a
Python with numpy and pillow (scripts/mini/requirements.txt).
"""

import argparse
import math
import pathlib
import resource
import statistics
import subprocess

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build/release/bin"
PEOPLE = ["ada", "ben"]
STEPS = 20
OPTIONS = [
    [],
    ["--cfg-end", "0.8"],
    ["--cfg-end", "0.6"],
    ["--cfg-end", "0.4"],
    ["--reuse-features", "2"],
    ["--reuse-features", "3"],
    ["--reuse-features", "5"],
    ["--cfg-end", "0.8", "--reuse-features", "2"],
    ["--cfg-end", "0.6", "--reuse-features", "2"],
    ["--steps", "15"],
    ["--steps", "12"],
    ["--steps", "10"],
]
# Those that draw no noise on the way (the others' pictures change with the number of steps) and evaluate once a step.
SAMPLERS = ["dpmpp_2m", "unipc", "lms", "ddim", "euler"]
SCHEDULES = ["auto", "karras"]
FEW_STEPS = [8, 10, 12, 15]
CONVERGED_STEPS = 100


def train(work):
    for person in PEOPLE:
        if not (work / f"embeddings/{person.title()}.safetensors").exists():
            portraits = ROOT / "configs/demo/portraits" / person
            subprocess.run([BIN / "sdx-train", portraits, "--name", person.title(), "--quiet"], cwd=work, check=True)


def generate(work, options, out, people=PEOPLE):
    names = ",".join(person.title() for person in people)
    command = [BIN / "sdx-generate", "--prompts", ROOT / "configs/prompts/statcrew.txt", "--names", names, "--seed", "5",
               "--out", out, "--quiet", *options]
    subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL)


def pictures(work, options, people=PEOPLE):
    """[N,H,W,3] of all prompts and people, made once."""
    folder = work / "_".join(["pictures", *people, *options]).replace("--", "")
    if not folder.exists():
        generate(work, options, folder, people)
    return np.stack([np.asarray(Image.open(file), dtype=float) for file in sorted(folder.glob("*.png"))])


def decibels(found, expected):
    """[N] PSNR of each picture."""
    squares = ((found - expected) ** 2).mean(axis=(1, 2, 3))
    return 10 * np.log10(255**2 / np.maximum(squares, 1e-10))


def evaluations(options):
    """Rows of a picture that go through the whole UNet, and through its shallow layers only."""
    values = dict(zip(options[::2], options[1::2]))
    steps = int(values.get("--steps", STEPS))
    guided = math.floor(float(values.get("--cfg-end", 1)) * steps + 0.5)
    interval = int(values.get("--reuse-features", 1))
    whole = shallow = since = 0
    for step in range(steps):
        rows = 2 if step < guided else 1
        if step in (0, guided) or since + 1 >= interval:
            whole, since = whole + rows, 0
        else:
            shallow, since = shallow + rows, since + 1
    return whole, shallow


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(work, repeats):
    """Medians of whole runs, each option in turn."""
    times = [[] for _ in OPTIONS]
    for _ in range(repeats):
        for place, options in enumerate(OPTIONS):
            begin = processor_seconds()
            generate(work, options, work / "timed")
            times[place].append(processor_seconds() - begin)
    return [statistics.median(of_one) for of_one in times]


def table_of_options(work, repeats):
    exact = pictures(work, [])
    times = seconds(work, repeats)
    print(f"{len(exact)} pictures, {STEPS} steps of DPM++ 2M, medians of {repeats} runs\n")
    print("| option | rows: whole, shallow | processor s | gain | dB, mean | dB, worst |\n|---|---|---|---|---|---|")
    for options, taken in zip(OPTIONS, times):
        name = f"`{' '.join(options)}`" if options else "exact"
        whole, shallow = evaluations(options)
        quality = "– | –"
        if options:
            of_each = decibels(pictures(work, options), exact)
            quality = f"{of_each.mean():.1f} | {of_each.min():.1f}"
        print(f"| {name} | {whole}, {shallow} | {taken:.2f} | {times[0] / taken:.2f} × | {quality} |", flush=True)


def table_of_samplers(work):
    print(f"dB, mean (worst), against the same sampler and schedule with {CONVERGED_STEPS} steps\n")
    print(f"| sampler | schedule | {' | '.join(f'{steps} steps' for steps in FEW_STEPS)} |")
    print("|---" * (len(FEW_STEPS) + 2) + "|")
    for sampler in SAMPLERS:
        for schedule in SCHEDULES:
            with_steps = lambda steps: ["--sampler", sampler, "--schedule", schedule, "--steps", str(steps)]
            converged = pictures(work, with_steps(CONVERGED_STEPS), PEOPLE[:1])
            cells = [decibels(pictures(work, with_steps(steps), PEOPLE[:1]), converged) for steps in FEW_STEPS]
            shown = " | ".join(f"{cell.mean():.1f} ({cell.min():.1f})" for cell in cells)
            print(f"| {sampler} | {schedule} | {shown} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path, help="folder for pictures and words")
    parser.add_argument("--only", choices=["options", "samplers"])
    parser.add_argument("--repeats", type=int, default=5, help="of each timed run")
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    train(work)
    if args.only != "samplers":
        table_of_options(work, args.repeats)
        print()
    if args.only != "options":
        table_of_samplers(work)


if __name__ == "__main__":
    main()

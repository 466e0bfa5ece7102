"""Measures the built-in model with people and seeds that it never saw, and prints a Markdown table.

The pictures and the training of each person are made by the real tools (sdx-train, sdx-generate); only the
judging is done here: the exported identity encoder and attribute classifier.
"""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from captions import describe
from contexts import MISSIONS, draw_context, mission_context, plain_context
from identity_encoder import load_identity
from model import SIZE_PX, psnr, to_tensor
from people import portraits
from render import draw_identity, render
from train_identity import label

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIRST_SEED = 700_000_000
OTHERS = 50

# Worded prompts and what must be seen in the picture: {} stands for the person.
PROMPTS = (
    ("{} wearing a santa hat, snow", {"hat": "santa hat", "scene": "snow"}),
    ("robot {}", {"body": "robot"}),
    ("{} as funko, box", {"body": "funko", "mount": "box"}),
    ("{} is very thankful, vinyl", {"prop": "vinyl+hearts"}),
    ("{} riding a unicorn", {"prop": "unicorn"}),
    ("{} in the new super hero movie, movie poster, huge explosions in the background", {"mount": "poster", "scene": "explosion"}),
    ("an emoji of {}", {"body": "emoji"}),
    ("harry potter, portrait of {}", {"prop": "wand"}),
    ("pixel art of {}", {"style": "pixel art"}),
    ("a pencil sketch of {}", {"style": "pencil sketch"}),
    ("{} as a pirate", {"hat": "pirate hat"}),
    ("{} as an astronaut", {"hat": "space helmet"}),
    ("{} wearing a crown", {"hat": "crown"}),
    ("{} wearing a wizard hat", {"hat": "wizard hat"}),
    ("{} at the beach", {"scene": "beach"}),
    ("{} in the forest", {"scene": "forest"}),
    ("{} at night, night sky", {"scene": "night sky"}),
    ("{} with a rainbow", {"scene": "rainbow"}),
)


class Tools:
    """The toolkit's programs as a person would call them; adapt here when their options change."""

    def __init__(self, folder, model, work):
        self.folder, self.model, self.work = folder, model, work
        self.embeddings = work / "embeddings"

    def _run(self, tool, *args):
        start = time.time()
        subprocess.run([self.folder / tool, *map(str, args), "--model", str(self.model)], check=True, cwd=self.work,
                       stdout=subprocess.DEVNULL)
        return time.time() - start

    def train(self, folder, name, *more):
        return self._run("sdx-train", folder, "--name", name, "--embeddings", self.embeddings, *more)

    def generate(self, prompts, out, seed, *more):
        """One picture for each prompt, in order: (pictures [N,3,128,128], seconds)."""
        self.embeddings.mkdir(exist_ok=True)
        file = self.work / "prompts.txt"
        file.write_text("\n".join(prompts) + "\n", encoding="utf-8")
        seconds = self._run("sdx-generate", "--prompts", file, "--out", out, "--seed", seed, "--embeddings",
                            self.embeddings, *more)
        return load_pictures(sorted(out.glob("*.png"))), seconds


def load_pictures(paths):
    return to_tensor(np.stack([np.asarray(Image.open(p).convert("RGB").resize((SIZE_PX, SIZE_PX))) for p in paths]))


def draw(identity, context):
    return to_tensor(np.asarray(render(identity, context))[None])


def unseen(seed):
    return draw_identity(random.Random(FIRST_SEED + seed), reserved=True)


@torch.no_grad()
def vae_psnr(model):
    from diffusers import AutoencoderKL
    vae = AutoencoderKL.from_pretrained(model / "vae", torch_dtype=torch.float32).eval()  # of any design
    rng = random.Random(FIRST_SEED)
    pictures = torch.cat([draw(i, draw_context(rng, i)) for i in map(unseen, range(64))])
    return psnr(vae.decode(vae.encode(pictures).latent_dist.mode()).sample, pictures)


@torch.no_grad()
def classifier_on_drawings(classifier, names):
    """Share told right: (of what PROMPTS ask for, of everything)."""
    rng, right = random.Random(FIRST_SEED), {name: [] for name in names}
    for k in range(200):
        identity = unseen(k)
        context = draw_context(rng, identity)
        found = classifier(draw(identity, context))
        for name, want in zip(names, label(identity, context)):
            if want >= 0:
                right[name].append(int(found[name].argmax(1)) == want)
    asked = {name for _, want in PROMPTS for name in want}
    return [statistics.mean(hit for name in some for hit in right[name]) for some in (asked, names)]


@torch.no_grad()
def obeyed(classifier, classes, pictures, wanted):
    """For each picture whether everything that was asked for is seen in it."""
    found = {name: logits.argmax(1) for name, logits in classifier(pictures).items()}
    return [all(classes[name][found[name][k]] == value for name, value in want.items()) for k, want in enumerate(wanted)]


@torch.no_grad()
def gallery(encoder, people):
    """One vector for each person, the mean over plain and mission pictures: [N,64]."""
    vectors = []
    for k, identity in enumerate(people):
        rng = random.Random(k)
        contexts = [plain_context(rng, identity) for _ in range(4)] + [mission_context(rng, identity, m) for m in MISSIONS]
        vectors.append(encoder(torch.cat([draw(identity, c) for c in contexts])).mean(0))
    return F.normalize(torch.stack(vectors), dim=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=pathlib.Path, default=ROOT / "configs/models/mini", help="the exported folder")
    parser.add_argument("--model", default="mini", help="what the tools are given as --model: a bundle or its name")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--people", type=int, default=10, help="how many people to train")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the pictures, to look at")
    parser.add_argument("--no-tools", action="store_true", help="measure only what needs no program of the toolkit")
    args = parser.parse_args()
    torch.manual_seed(0)
    encoder = load_identity(args.weights / "identity")
    classifier = torch.jit.load(str(args.weights / "attributes.ts")).eval()
    classes = json.loads((args.weights / "attributes.json").read_text(encoding="utf-8"))
    size = sum(f.stat().st_size for f in args.weights.rglob("*") if f.is_file()) / 1e6

    asked, everything = classifier_on_drawings(classifier, list(classes))
    rows = [("autoencoder, PSNR", "25 dB", "30 dB", f"{vae_psnr(args.weights):.1f} dB"),
            ("classifier on drawings: what prompts ask for", "95 %", "", f"{asked:.1%}"),
            ("classifier on drawings: every attribute", "", "", f"{everything:.1%}"),
            ("weights in the repository", "40 MB", "20 MB", f"{size:.1f} MB")]
    if not args.no_tools:
        with tempfile.TemporaryDirectory() as scratch:
            work = args.keep or pathlib.Path(scratch)
            work.mkdir(parents=True, exist_ok=True)
            rows += measure_tools(args, Tools(args.bin.resolve(), args.model, work.resolve()), encoder, classifier, classes)
    print("| measure | must | aim | found |\n|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def measure_tools(args, tools, encoder, classifier, classes):
    people = [unseen(1000 + k) for k in range(OTHERS)]
    words = [describe(identity, random.Random(k), complete=True)[0] for k, identity in enumerate(people)]
    asked = [(prompt.format(words[(3 * k + n) % OTHERS]), want) for k in range(3) for n, (prompt, want) in enumerate(PROMPTS)]
    pictures, _ = tools.generate([p for p, _ in asked], tools.work / "words", 7)
    by_words = obeyed(classifier, classes, pictures, [want for _, want in asked])

    known = gallery(encoder, people)
    seconds, nearest, nearest_mission, by_name = [], [], [], []
    for k in range(args.people):
        name, folder = f"Person{k}", tools.work / f"portraits-{k}"
        folder.mkdir(exist_ok=True)
        for n, picture in enumerate(portraits(people[k], 6, k)):
            picture.save(folder / f"{n}.png")
        seconds.append(tools.train(folder, name))
        plain, _ = tools.generate([f"a photo of <{name}>", f"a portrait of <{name}>, smiling", f"<{name}>"],
                                  tools.work / f"plain-{k}", 11)
        mission, _ = tools.generate([p.format(f"<{name}>") for p, _ in PROMPTS[:8]], tools.work / f"mission-{k}", 13)
        with torch.no_grad():
            nearest += ((encoder(plain) @ known.T).argmax(1) == k).tolist()
            nearest_mission += ((encoder(mission) @ known.T).argmax(1) == k).tolist()
        by_name += obeyed(classifier, classes, mission, [want for _, want in PROMPTS[:8]])
    _, one = tools.generate(["a photo of a man"], tools.work / "one", 1, "--steps", "20")
    _, five = tools.generate(["a photo of a man"] * 5, tools.work / "five", 1, "--steps", "20")
    return [("prompt obeyed, person in words", "70 %", "90 %", f"{statistics.mean(by_words):.0%} of {len(by_words)}"),
            ("prompt obeyed, trained name", "70 %", "90 %", f"{statistics.mean(by_name):.0%} of {len(by_name)}"),
            (f"nearest of {OTHERS}, portraits of a trained name", "60 %", "95 %", f"{statistics.mean(nearest):.0%} of {len(nearest)}"),
            (f"nearest of {OTHERS}, mission prompts", "", "", f"{statistics.mean(nearest_mission):.0%} of {len(nearest_mission)}"),
            ("train one person", "180 s", "45 s", f"{statistics.median(seconds):.0f} s"),
            ("one picture, 20 steps", "4 s", "1 s", f"{(five - one) / 4:.2f} s, the first {one:.1f} s")]


if __name__ == "__main__":
    main()

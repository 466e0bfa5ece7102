"""Measures exported weights by people, seeds and prompts that no training and no tuning saw; prints Markdown tables.

The pictures and the training of each person are made by the real tools (sdx-model, sdx-train, sdx-generate). Only the
judging is done here: by the exported identity encoder and attribute classifier, and by the detector of broken faces
(train_faces.py). What is kept by --keep is not made again, so a stopped evaluation goes on where it was. All ten people
take half an hour on two quiet cores.
"""

import argparse
import hashlib
import json
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from contexts import MISSIONS, draw_context, mission_context, pair_context, plain_context
from identity_encoder import load_identity
from model import SIZE_PX, psnr, to_tensor
from people import portraits
from render import PAIR_LIFT, PAIR_X, PAIR_ZOOM, draw_identity, render
from train_faces import load_faces, load_vae
from train_identity import label
from unseen_prompts import PAIRS, PORTRAITS, UNSEEN, corrections

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIRST_SEED = 900_000_000
OTHERS = 50
PORTRAITS_EACH = 6

# The mission's prompts in short, and what must be seen in the picture; scripts/training/bench.py judges by them, too.
PROMPTS = (
    ("{} wearing a santa hat, snow", {"hat": "santa hat", "scene": "snow"}),
    ("robot {}", {"body": "robot"}),
    ("{} as funko, box", {"body": "funko", "mount": "box"}),
    ("{} is very thankful, vinyl", {"prop": "vinyl+hearts"}),
    ("{} riding a unicorn", {"prop": "unicorn"}),
    ("{} in the new super hero movie, movie poster, huge explosions in the background",
     {"mount": "poster", "scene": "explosion"}),
    ("an emoji of {}", {"body": "emoji"}),
    ("harry potter, portrait of {}", {"prop": "wand"}),
)


class Tools:
    """The toolkit's programs as a person would call them; adapt here when their options change.

    All that they make lies in `work`. What is whole there is used as it is: the folder of one call of sdx-generate
    is whole where it holds prompts.txt with these prompts.
    """

    def __init__(self, programs, weights, work):
        self.programs, self.work = programs.resolve(), work.resolve()
        self.embeddings, self.times = self.work / "embeddings", self.work / "times.json"
        self._claim(weights)
        if not (self.work / "models/evaluated").exists():
            self._run("sdx-model", "import", weights.resolve(), "--name", "evaluated", "--models-dir",
                      self.work / "models")

    def _claim(self, weights):
        """Pictures of other weights are not to be taken for those of these."""
        self.embeddings.mkdir(parents=True, exist_ok=True)
        mark, found = self.work / "weights.txt", digest(weights)
        if mark.exists() and mark.read_text(encoding="utf-8") != found:
            raise SystemExit(f"{self.work} holds what other weights made: choose another --keep, or remove that folder")
        mark.write_text(found, encoding="utf-8")

    def _run(self, tool, *args):
        start = time.time()
        done = subprocess.run([self.programs / tool, *map(str, args)], cwd=self.work, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{tool} {' '.join(map(str, args))}\n{done.stderr.strip()}")
        return time.time() - start

    def _model(self):
        return "--model", self.work / "models/evaluated"

    def train(self, folder, name, *more):
        """Seconds that the training of <name> took, now or when it was done."""
        known = json.loads(self.times.read_text(encoding="utf-8")) if self.times.exists() else {}
        if name not in known:
            known[name] = self._run("sdx-train", folder, "--name", name, "--embeddings", self.embeddings, "--runs",
                                    self.work / "runs", "--force", *self._model(), *more)
            shutil.rmtree(self.work / "runs" / name)
            self.times.write_text(json.dumps(known), encoding="utf-8")
        return known[name]

    def generate(self, prompts, name, seed, *more):
        """One picture for each prompt, in order: (pictures [N,3,128,128], seconds; 0 where they were there)."""
        out, text, seconds = self.work / "pictures" / name, "\n".join(prompts) + "\n", 0.
        whole = out / "prompts.txt"
        if not whole.exists() or whole.read_text(encoding="utf-8") != text:
            shutil.rmtree(out, ignore_errors=True)
            file = self.work / "prompts.txt"
            file.write_text(text, encoding="utf-8")
            seconds = self._run("sdx-generate", "--prompts", file, "--out", out, "--seed", seed, "--embeddings",
                                self.embeddings, *self._model(), *more)
            file.rename(whole)
        return load_pictures(sorted(out.glob("*.png"))), seconds


def digest(weights):
    found = hashlib.sha256()
    for path in sorted(weights.rglob("*.safetensors")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def load_pictures(paths):
    return to_tensor(np.stack([np.asarray(Image.open(p).convert("RGB").resize((SIZE_PX, SIZE_PX))) for p in paths]))


def draw(identity, context):
    return to_tensor(np.asarray(render(identity, context))[None])


def unseen(seed):
    return draw_identity(random.Random(FIRST_SEED + seed), reserved=True)


# ---------------------------------------------------------------- judges
@torch.no_grad()
def vae_psnr(weights):
    vae, rng = load_vae(weights), random.Random(FIRST_SEED)
    pictures = torch.cat([draw(i, draw_context(rng, i)) for i in map(unseen, range(64))])
    return psnr(vae.decode(vae.encode(pictures).latent_dist.mode()).sample, pictures)


@torch.no_grad()
def seen(classifier, classes, pictures):
    """What the classifier sees: {attribute: [value of each picture]}."""
    return {name: [classes[name][k] for k in logits.argmax(1).tolist()] for name, logits in classifier(pictures).items()}


def told(want, value):
    """`want` is a value, or several of which any will do."""
    return value in want if isinstance(want, tuple) else value == want


def obeyed(classifier, classes, pictures, wanted):
    """For each picture whether everything that was asked for is seen in it."""
    found = seen(classifier, classes, pictures)
    return [all(told(value, found[name][k]) for name, value in want.items()) for k, want in enumerate(wanted)]


def classifier_on_drawings(classifier, classes, count=1500):
    """How far the classifier is to be trusted: {(attribute, value): share told right in drawings that show it}."""
    rng, right = random.Random(FIRST_SEED), {}
    for first in range(0, count, 100):
        people = [unseen(100 + k) for k in range(first, first + 100)]
        contexts = [draw_context(rng, i) for i in people]
        found = seen(classifier, classes, torch.cat([draw(i, c) for i, c in zip(people, contexts)]))
        for k, (identity, context) in enumerate(zip(people, contexts)):
            for name, want in zip(classes, label(identity, context)):
                if want >= 0:
                    value = classes[name][want]
                    right.setdefault((name, value), []).append(found[name][k] == value)
    return {key: statistics.mean(hits) for key, hits in right.items()}


class Likeness:
    """Tells whom of fifty people a picture shows: each is the mean vector of drawings of them."""

    def __init__(self, encoder, people):
        self.encoder = encoder
        self.one = self._gallery([self._alone(k, i) for k, i in enumerate(people)])
        self.two = self._gallery([self._in_pairs(k, people) for k in range(len(people))])

    @torch.no_grad()
    def _gallery(self, drawn):
        return F.normalize(torch.stack([self.encoder(one).mean(0) for one in drawn]), dim=1)

    @staticmethod
    def _alone(k, identity):
        rng = random.Random(k)
        contexts = [plain_context(rng, identity) for _ in range(4)] + [mission_context(rng, identity, m) for m in MISSIONS]
        return torch.cat([draw(identity, c) for c in contexts])

    @staticmethod
    def _in_pairs(k, people):
        """The person's half of ten drawings with others, in five of them on the left."""
        rng, halves = random.Random(1000 + k), []
        for n in range(10):
            other = people[(k + rng.randrange(1, len(people))) % len(people)]
            left, right = (people[k], other) if n < 5 else (other, people[k])
            halves.append(half(draw(left, pair_context(rng, left, right)), n >= 5))
        return torch.cat(halves)

    @torch.no_grad()
    def nearest(self, pictures):
        return (self.encoder(pictures) @ self.one.T).argmax(1).tolist()

    @torch.no_grad()
    def both(self, pictures, pairs):
        """For each picture whether its halves show these two, in any order."""
        found = [(self.encoder(half(pictures, right)) @ self.two.T).argmax(1).tolist() for right in (False, True)]
        return [{a, b} == set(pair) for a, b, pair in zip(*found, pairs)]

    def both_on_drawings(self, people):
        """The same of drawings, which are right: what could be reached at most."""
        rng, pairs = random.Random(FIRST_SEED), [(k, (k + 7) % len(people)) for k in range(len(people))]
        drawn = [draw(people[a], pair_context(rng, people[a], people[b])) for a, b in pairs]
        return statistics.mean(self.both(torch.cat(drawn), pairs))


def half(pictures, right):
    """One of two people, at the place and in the size of somebody who is alone; the other half is filled from its own edge.

    With this the encoder tells both people of 93 % of drawn pairs, with the bare halves 82 %.
    """
    middle, x = SIZE_PX // 2, pictures.clone()
    if right:
        x[..., :middle] = x[..., -1:]
    else:
        x[..., middle:] = x[..., :1]
    x = F.pad(x, (middle, middle, 0, 0), mode="replicate")
    left, side = middle + round((PAIR_X[right] - PAIR_ZOOM / 2) * SIZE_PX), round(PAIR_ZOOM * SIZE_PX)
    low = round((1 - PAIR_LIFT) * SIZE_PX)
    return F.interpolate(x[..., low - side:low, left:left + side], size=(SIZE_PX, SIZE_PX), mode="bilinear")


# ---------------------------------------------------------------- what is made with the tools
class Tally:
    """Truth values gathered under names."""

    def __init__(self):
        self.hits = {}

    def add(self, name, values):
        self.hits.setdefault(name, []).extend(map(bool, values))

    def share(self, name):
        return statistics.mean(self.hits[name]) if self.hits.get(name) else None

    def text(self, name):
        hits = self.hits.get(name)
        return f"{statistics.mean(hits):.1%} of {len(hits)}" if hits else "not measured"


class Evaluation:
    def __init__(self, args, tools):
        self.args, self.tools, self.tally = args, tools, Tally()
        self.classifier = torch.jit.load(str(args.weights / "attributes.ts")).eval()
        self.classes = json.loads((args.weights / "attributes.json").read_text(encoding="utf-8"))
        self.faces = load_faces(args.weights)
        self.people = [unseen(2000 + k) for k in range(OTHERS)]
        self.likeness = Likeness(load_identity(args.weights / "identity"), self.people)
        self.seconds = []

    def run(self):
        for seed in range(self.args.seeds):
            for k in range(self.args.people):
                self._train(k, seed)
                self._one(k, seed)
                print(f"person {k + 1} of {self.args.people}, training {seed + 1} of {self.args.seeds}", file=sys.stderr)
            self._pairs(seed)

    @staticmethod
    def _name(k, seed):
        return f"P{k}s{seed}"

    def _train(self, k, seed):
        folder = self.tools.work / f"portraits/{k}"
        if not folder.exists():
            fresh = folder.with_suffix(".fresh")
            fresh.mkdir(parents=True, exist_ok=True)
            for n, picture in enumerate(portraits(self.people[k], PORTRAITS_EACH, FIRST_SEED + k)):
                picture.save(fresh / f"{n}.png")
            fresh.rename(folder)
        self.seconds.append(self.tools.train(folder, self._name(k, seed), "--seed", seed))

    def _one(self, k, seed):
        """All pictures of one person from one training, and what the judges say of them."""
        asked = UNSEEN[(k + seed) % len(UNSEEN)]
        corrected = corrections(self.people[k])
        prompts = [*(p for p, _ in asked), *PORTRAITS, *(p for p, _ in PROMPTS),
                   *(words[seed % len(words)] for _, words, _ in corrected)]
        name = self._name(k, seed)
        pictures, _ = self.tools.generate([p.format(f"<{name}>") for p in prompts], name, 1000 * seed + k)
        unseen_ones, plain, mission, words = pictures.split([len(asked), len(PORTRAITS), len(PROMPTS), len(corrected)])
        self._words(unseen_ones, [want for _, want in asked])
        self.tally.add("mission", obeyed(self.classifier, self.classes, mission, [want for _, want in PROMPTS]))
        for row, some in (("nearest, portraits", plain), ("nearest, mission", mission)):
            self.tally.add(row, [n == k for n in self.likeness.nearest(some)])
        self.tally.add("broken, others", self.faces.broken(pictures[len(asked):]).tolist())
        won = obeyed(self.classifier, self.classes, words, [want for _, _, want in corrected])
        self.tally.add("corrections", won)
        for (about, _, _), hit in zip(corrected, won):
            self.tally.add(("correction", about), [hit])

    def _words(self, pictures, wanted):
        """Obedience and broken faces of the unseen prompts, in all and for each word; each asks for one person."""
        found, broken = seen(self.classifier, self.classes, pictures), self.faces.broken(pictures).tolist()
        second = self.faces.judge(pictures)[1].tolist()
        right = obeyed(self.classifier, self.classes, pictures, wanted)
        self.tally.add("unseen", [hit and not more for hit, more in zip(right, second)])
        self.tally.add("broken", broken)
        self.tally.add("second person", second)
        for k, want in enumerate(wanted):
            for name, value in want.items():
                key = (name, value[0] if isinstance(value, tuple) else value)
                self.tally.add(key, [told(value, found[name][k])])
                self.tally.add(("broken", *key), [broken[k]])

    def _pairs(self, seed):
        count = self.args.people
        if count < 2:
            return
        pairs = [(k, (k + 1 + seed) % count) for k in range(count) if (1 + seed) % count]
        prompts = [PAIRS[(2 * k + seed + n) % len(PAIRS)].format(*(f"<{self._name(j, seed)}>" for j in pair))
                   for k, pair in enumerate(pairs) for n in range(2)]
        if prompts:
            pictures, _ = self.tools.generate(prompts, f"pairs-{seed}", 50 + seed)
            self.tally.add("pairs", self.likeness.both(pictures, [pair for pair in pairs for _ in range(2)]))

    def seconds_of_a_picture(self):
        """(of each further one, of the first one); never taken from what is kept."""
        shutil.rmtree(self.tools.work / "pictures/time", ignore_errors=True)
        _, one = self.tools.generate(["a photo of a man"], "time/one", 1, "--steps", 20)
        _, nine = self.tools.generate(["a photo of a man"] * 9, "time/nine", 1, "--steps", 20)
        return (nine - one) / 8, one

    # ------------------------------------------------------------ tables
    def words(self):
        """Rows of the second table: (kind, word, share obeyed, pictures, share of broken faces, share told on drawings)."""
        drawn, rows = classifier_on_drawings(self.classifier, self.classes), []
        for key in self.tally.hits:
            if isinstance(key, tuple) and key[0] in self.classes:
                rows.append({"kind": key[0], "word": key[1], "obeyed": self.tally.share(key),
                             "pictures": len(self.tally.hits[key]), "broken": self.tally.share(("broken", *key)),
                             "told on drawings": drawn.get(key)})
        rows.sort(key=lambda row: (list(self.classes).index(row["kind"]), self.classes[row["kind"]].index(row["word"])))
        for key in self.tally.hits:
            if key[0] == "correction":
                rows.append({"kind": "correction", "word": key[1], "obeyed": self.tally.share(key),
                             "pictures": len(self.tally.hits[key])})
        return rows

    def rows(self, words):
        each, one = self.seconds_of_a_picture()
        text, known = self.tally.text, [w for w in words if w["kind"] != "correction"]
        worst, below = min(known, key=lambda w: w["obeyed"]), sum(w["obeyed"] < .9 for w in known)
        ceiling = self.likeness.both_on_drawings(self.people)
        return [("broken faces, unseen prompts", "≤ 3 %", "≤ 0.5 %", text("broken")),
                ("a second person where one was asked", "", "", text("second person")),
                ("broken faces, portraits, mission prompts, corrections", "", "", text("broken, others")),
                ("each word obeyed, trained name", "≥ 90 % each", "≥ 97 % each",
                 f"{below} of {len(known)} words below 90 %; lowest: {worst['word']}, {worst['obeyed']:.0%}"),
                ("whole prompt obeyed, unseen prompts", "", "", text("unseen")),
                ("whole prompt obeyed, mission prompts", "", "", text("mission")),
                ("two people, both recognised", "≥ 70 %", "≥ 90 %", f"{text('pairs')} ({ceiling:.0%} of drawings)"),
                ("corrections win", "≥ 80 %", "≥ 95 %", text("corrections")),
                (f"nearest of {OTHERS}, portraits", "≥ 98 %", "100 %", text("nearest, portraits")),
                (f"nearest of {OTHERS}, mission prompts", "≥ 98 %", "100 %", text("nearest, mission")),
                ("one picture, 20 steps", "≤ 1.5 s", "≤ 0.7 s", f"{each:.2f} s, the first {one:.1f} s"),
                ("one person", "≤ 60 s", "≤ 30 s", f"{statistics.median(self.seconds):.0f} s")]


def percent(share):
    return "" if share is None else f"{share:.0%}"


def print_tables(rows, words):
    print("\n| measure | must | aim | found |\n|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    if words:
        print("\n| kind | word | obeyed | pictures | broken faces | the judge is right on drawings |")
        print("|---|---|---|---|---|---|")
    for w in words:
        print(f"| {w['kind']} | {w['word']} | {percent(w['obeyed'])} | {w['pictures']} | {percent(w.get('broken'))} | "
              f"{percent(w.get('told on drawings'))} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=pathlib.Path, default=ROOT / "configs/models/mini", help="the exported folder")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin", help="folder of the programs")
    parser.add_argument("--people", type=int, default=10, help="how many people to train, of at most 50")
    parser.add_argument("--seeds", type=int, default=3, help="how often to train each")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for all that is made, to look at and to go on from")
    parser.add_argument("--json", type=pathlib.Path, help="write both tables to this file, too")
    parser.add_argument("--no-tools", action="store_true", help="measure only what needs no program of the toolkit")
    args = parser.parse_args()
    torch.manual_seed(0)
    size = sum(f.stat().st_size for f in args.weights.rglob("*") if f.is_file()) / 1e6
    rows, words = [], []
    with tempfile.TemporaryDirectory() as scratch:
        if not args.no_tools:
            work = args.keep or pathlib.Path(scratch)
            work.mkdir(parents=True, exist_ok=True)
            evaluation = Evaluation(args, Tools(args.bin, args.weights, work))
            evaluation.run()
            words = evaluation.words()
            rows = evaluation.rows(words)
    rows += [("autoencoder, new drawings", "31 dB", "34 dB", f"{vae_psnr(args.weights):.1f} dB"),
             ("weights in the repository", "≤ 30 MB", "≤ 20 MB", f"{size:.1f} MB")]
    print_tables(rows, words)
    if args.json:
        named = [dict(zip(("measure", "must", "aim", "found"), row)) for row in rows]
        text = json.dumps({"weights": digest(args.weights), "measures": named, "words": words}, indent=1, ensure_ascii=False)
        args.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

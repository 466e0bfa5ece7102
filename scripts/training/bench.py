"""Compares sdx-train with the recipe of diffusers on the built-in model and prints the tables of docs/training.md.

    bench.py run --people 10 --seeds 3      trains; what is done already is not done again
    bench.py switches --people 4            trains with one option changed at a time
    bench.py table                          judges all words and prints Markdown
    bench.py keep                           keeps the recipe's words beside this script; `run` begins with them

Everything lies in --work. Likeness is the mean cosine of pictures from three plain prompts to the person's portraits,
obedience the share of the eight mission prompts in whose picture the attribute classifier sees all that was asked;
neither prompts nor seeds are those by which sdx-train itself chooses.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/mini"))

from bench_people import TUNING_FROM, bench_portraits  # noqa: E402
from evaluate import PROMPTS, load_pictures, obeyed  # noqa: E402
from identity_encoder import load_identity  # noqa: E402
from model import to_tensor  # noqa: E402

PLAIN = ("a photo of {}", "a portrait of {}, smiling", "{}")
MISSION = PROMPTS[:8]
REFERENCE_STEPS, REFERENCE_BATCH = 3000, 4
RECIPE_WORDS = pathlib.Path(__file__).with_name("recipe_words.safetensors")
SWITCHES = {
    "defaults": [],
    "--init auto": ["--init", "auto"],
    "--init cross": ["--init", "cross"],
    "--norm vocab": ["--norm", "vocab"],
    "--norm init": ["--norm", "init"],
    "--vectors 1": ["--vectors", "1"],
    "--vectors 4": ["--vectors", "4"],
    "--lr 0.005": ["--lr", "0.005"],
    "--lr '0.01 cosine'": ["--lr", "0.01 cosine"],
    "--min-snr 5": ["--min-snr", "5"],
    "--preset fast": ["--preset", "fast"],
    "--preset best": ["--preset", "best"],
}


def model_hash():
    return hashlib.sha256((ROOT / "configs/models/mini/unet/diffusion_pytorch_model.safetensors").read_bytes()).hexdigest()


class Bench:
    def __init__(self, args):
        self.work, self.bin = args.work, args.bin.resolve()
        self.work.mkdir(parents=True, exist_ok=True)

    def portraits(self, person):
        folder = self.work / "portraits" / str(person)
        if not folder.exists():
            folder.mkdir(parents=True)
            for k, picture in enumerate(bench_portraits(person)):
                Image.fromarray(picture).save(folder / f"{k}.png")
        return folder

    def tool(self, name, *args):
        subprocess.run([self.bin / name, *map(str, args)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def train(self, run, person, seed, *options):
        """runs/<run>/<Person>/…, made once."""
        folder = self.work / "runs" / run
        if not (folder / f"Person{person}/summary.json").exists():
            self.tool("sdx-train", self.portraits(person), "--name", f"Person{person}", "--seed", seed, "--runs", folder,
                      "--embeddings", folder / "embeddings", "--keep", "all", "--threads", 1, "--force", *options)
            print(run, flush=True)
        return folder / f"Person{person}"

    def go_on(self, run, person, times):
        """A copy of the run, gone on with to `times` its steps."""
        source, copy = self.work / "runs" / run, self.work / "runs" / f"{run}-on"
        if not (copy / "done").exists():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy)
            steps = json.loads((source / f"Person{person}/summary.json").read_text())["steps"]
            self.tool("sdx-train", "--resume", copy / f"Person{person}", "--resume-anyway", "--steps", times * steps,
                      "--embeddings", copy / "embeddings", "--threads", 1)
            (copy / "done").touch()
            print(f"{run}-on", flush=True)

    def recipe(self, people, seed):
        self.restore_recipe()
        subprocess.run([sys.executable, ROOT / "scripts/training/recipe.py", "--people", *map(str, people), "--seed", str(seed),
                        "--out", self.work / "runs"], check=True, stderr=subprocess.DEVNULL)

    def recipe_word(self, person, seed):
        return self.work / f"runs/reference-{person}-{seed}" / f"{REFERENCE_STEPS:05}.safetensors"

    def restore_recipe(self):
        """Puts the recipe's words that are kept beside this script in place: five minutes of a core each."""
        if not RECIPE_WORDS.exists():
            return
        with safe_open(RECIPE_WORDS, "pt") as file:
            if file.metadata()["unet"] != model_hash():
                return
            for key in file.keys():
                person, seed = key.split("-")
                word = self.recipe_word(person, seed)
                if not word.exists():
                    word.parent.mkdir(parents=True, exist_ok=True)
                    save_file({f"<Person{person}>": file.get_tensor(key)}, word, {"format": "pt"})

    def keep_recipe(self):
        words = {}
        for folder in sorted((self.work / "runs").glob("reference-*-*")):
            _, person, seed = folder.name.split("-")
            word = self.recipe_word(person, seed)
            if word.exists():
                (words[f"{person}-{seed}"],) = load_file(word).values()
        save_file(words, RECIPE_WORDS, {"unet": model_hash()})
        print(f"{RECIPE_WORDS}: {len(words)} words")

    def judge(self, key, embedding, person):
        """{"likeness", "obedience"} of a word, remembered."""
        memory = self.work / "judged.json"
        known = json.loads(memory.read_text()) if memory.exists() else {}
        if key not in known:
            known[key] = self._judge(embedding, person)
            memory.write_text(json.dumps(known, indent=1))
        return known[key]

    def _judge(self, embedding, person):
        if not hasattr(self, "encoder"):
            weights = ROOT / "configs/models/mini"
            self.encoder = load_identity(weights / "identity")
            self.classifier = torch.jit.load(str(weights / "attributes.ts")).eval()
            self.classes = json.loads((weights / "attributes.json").read_text())
        place = self.work / "judging"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (vectors,) = load_file(embedding).values()
        save_file({"<W>": vectors.reshape(-1, vectors.shape[-1]).contiguous()}, place / "W.safetensors", {"format": "pt"})
        prompts = [p.format("<W>") for p in PLAIN + tuple(p for p, _ in MISSION)]
        (place / "prompts.txt").write_text("\n".join(prompts) + "\n")
        self.tool("sdx-generate", "--prompts", place / "prompts.txt", "--embeddings", place / "W.safetensors", "--seed", 500,
                  "--out", place / "out", "--threads", 1)
        pictures = load_pictures(sorted((place / "out").glob("*.png")))
        person_vector = F.normalize(self.encoder(to_tensor(bench_portraits(person))).mean(0), dim=0)
        likeness = (self.encoder(pictures[:len(PLAIN)]) @ person_vector).clamp(min=0).mean().item()
        hits = obeyed(self.classifier, self.classes, pictures[len(PLAIN):], [want for _, want in MISSION])
        return {"likeness": likeness, "obedience": statistics.mean(hits)}


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def run(bench, args):
    for seed in range(args.seeds):
        for person in range(args.people):
            bench.train(f"ours-{person}-{seed}", person, seed)
            if seed == 0:
                bench.go_on(f"ours-{person}-{seed}", person, 3)
    for seed in range(args.reference_seeds):
        bench.recipe(range(args.people), seed)


def switches(bench, args):
    for k, options in enumerate(SWITCHES.values()):
        for person in range(TUNING_FROM, TUNING_FROM + args.people):
            bench.train(f"switch-{k}-{person}", person, 0, *options)


def evaluations(run, upto):
    """UNet passes of single pictures, those of measuring and judging included: (training, all)."""
    trained = upto * 4
    measured = sum("fixed_loss" in line and line["step"] <= upto for line in lines(run)) * 16
    judged = sum("obedience" in line and line["step"] <= upto for line in lines(run)) * 4 * (12 * 2 + 8 * 4)
    return trained, trained + measured + judged


def table(bench, args):
    ours, reference = {}, {}
    for path in sorted((bench.work / "runs").glob("reference-*-*")):
        _, person, seed = path.name.split("-")
        last = path / f"{REFERENCE_STEPS:05}.safetensors"
        if last.exists():
            reference[int(person), int(seed)] = bench.judge(path.name, last, int(person))
    reached, stopped_late, chosen_last, seconds = [], [], [], []
    for path in sorted((bench.work / "runs").glob("ours-*-?")):
        _, person, seed = path.name.split("-")
        person, seed = int(person), int(seed)
        run = path / f"Person{person}"
        if not (run / "summary.json").exists():
            continue
        summary = json.loads((run / "summary.json").read_text())
        seconds.append(summary["seconds"])
        ours[person, seed] = bench.judge(path.name, path / "embeddings" / f"Person{person}.safetensors", person)
        milestones = sorted((run / "milestones").glob("*.safetensors"))
        last = bench.judge(f"{path.name}/last", milestones[-1], person)
        chosen_last.append((ours[person, seed], last))
        goal = reference.get((person, seed), reference.get((person, 0)))
        if goal:
            for file in milestones[1:]:
                step = int(file.stem)
                if bench.judge(f"{path.name}/{step}", file, person)["likeness"] >= goal["likeness"]:
                    reached.append(evaluations(run, step))
                    break
            else:
                reached.append(None)
        on = bench.work / "runs" / f"{path.name}-on"
        if (on / "done").exists():
            later = bench.judge(on.name, on / "embeddings" / f"Person{person}.safetensors", person)
            score = lambda v: v["likeness"] * v["obedience"]  # noqa: E731
            stopped_late.append(score(later) > 1.03 * score(ours[person, seed]))

    def mean(words, key):
        return statistics.mean(w[key] for w in words)

    def worst(words, key):
        people = sorted({p for p, _ in words})
        return min(statistics.mean(v[key] for (p, _), v in words.items() if p == q) for q in people)

    print(f"ours: {len(ours)} runs; the recipe: {len(reference)} runs")
    print("| measure | the recipe | sdx-train |\n|---|---|---|")
    for key in ("likeness", "obedience"):
        print(f"| {key}, mean | {mean(reference.values(), key):.3f} | {mean(ours.values(), key):.3f} |")
        print(f"| {key}, worst person | {worst(reference, key):.3f} | {worst(ours, key):.3f} |")
    found = [r for r in reached if r]
    if found:
        whole = REFERENCE_STEPS * REFERENCE_BATCH
        for k, what in enumerate(("training only", "with measuring and judging")):
            counts = sorted(r[k] for r in found)
            print(f"| UNet evaluations until the recipe's likeness, {what} | {whole} | median {statistics.median(counts):.0f}, "
                  f"{whole / statistics.median(counts):.0f} times fewer; most {counts[-1]} |")
        print(f"| … reached by | | {len(found)} of {len(reached)} |")
    if stopped_late:
        print(f"| three times the steps would have been 3 % better | | {sum(stopped_late)} of {len(stopped_late)} |")
    print(f"| seconds of training on one core | | median {statistics.median(seconds):.0f} |")
    print(f"\nbest against last milestone: likeness {mean([b for b, _ in chosen_last], 'likeness'):.3f} / "
          f"{mean([l for _, l in chosen_last], 'likeness'):.3f}, obedience {mean([b for b, _ in chosen_last], 'obedience'):.3f} / "
          f"{mean([l for _, l in chosen_last], 'obedience'):.3f}")
    print_switches(bench)


def print_switches(bench):
    rows = []
    for k, name in enumerate(SWITCHES):
        found = []
        for path in sorted((bench.work / "runs").glob(f"switch-{k}-*")):
            person = int(path.name.split("-")[2])
            word = path / "embeddings" / f"Person{person}.safetensors"
            if word.exists():
                summary = json.loads((path / f"Person{person}/summary.json").read_text())
                found.append({**bench.judge(path.name, word, person), "steps": summary["steps"], "best": summary["best_step"]})
        if found:
            rows.append((name, len(found), *(statistics.mean(f[key] for f in found)
                                             for key in ("likeness", "obedience", "steps", "best"))))
    if rows:
        print("\n| switch | people | likeness | obedience | steps | best after |\n|---|---|---|---|---|---|")
        for name, count, likeness, obedience, steps, best in rows:
            print(f"| `{name}` | {count} | {likeness:.3f} | {obedience:.3f} | {steps:.0f} | {best:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "switches", "table", "keep"))
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--reference-seeds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    commands = {"run": run, "switches": switches, "table": table, "keep": lambda bench, _: bench.keep_recipe()}
    commands[args.what](Bench(args), args)


if __name__ == "__main__":
    main()

"""The same work in ours and in diffusers, by turns, and the table of docs/performance.md (Markdown, on stdout).

    bench_peers.py --sd15 FOLDER --model BUNDLE [--only unet,step,start,ceiling,mini] [--dtypes fp32,bf16] [--openvino] [--compile]

Each side is a process of its own that waits for its turn, so that none measures while another computes; the first turn
of each is a warm-up. Peak memory is the largest resident size of the process, mapped weights included. Called by
scripts/bench.sh; needs a Python with torch, diffusers and transformers.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
MEASURES = ("ceiling", "unet", "step", "start", "mini")


class Side:
    """A process that does its work once for each line."""

    def __init__(self, name, command):
        self.name, self.answers = name, []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "OMP_WAIT_POLICY": "passive"})

    def turn(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with code {self.process.wait()}")
        self.answers.append(json.loads(line))
        return self.answers[-1]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def result(answers, warm_up=None):
    seconds = [a["seconds"] for a in answers]
    found = {**answers[-1], "seconds": statistics.median(seconds), "all_seconds": seconds,
             "cpu_seconds": statistics.median(a["cpu_seconds"] for a in answers),
             "peak_memory_bytes": max(a["peak_memory_bytes"] for a in answers)}
    if warm_up:
        found |= {"warm_up_seconds": warm_up["seconds"]} | {k: warm_up[k] for k in ("tflop",) if k in warm_up}
    return found


class Bench:
    def __init__(self, args):
        self.args = args
        self.found = {"load_average_before": os.getloadavg()}

    def ours(self, phase, model, *more):
        threads = ("--threads", str(self.args.threads))
        return [str(self.args.bin / "sdx-bench"), "--serve", "--phases", phase, "--model", str(model), *threads, *more]

    def peer(self, what, *more):
        return [sys.executable, str(ROOT / "scripts/bench/peer.py"), what, "--sd15", str(self.args.sd15),
                "--threads", str(self.args.threads), *more]

    def by_turns(self, measure, commands):
        """Rounds of one turn each; who fails is left out, with a word on stderr."""
        sides, warm_ups = [], {}
        for name, command in commands.items():
            side = Side(name, command)
            begin = time.monotonic()
            try:
                warm_ups[name] = side.turn()
                warm_ups[name]["seconds"] = time.monotonic() - begin  # with loading, compiling, converting
                sides.append(side)
                say(f"{measure}: {name} is ready after {time.monotonic() - begin:.0f} s")
            except RuntimeError as error:
                say(f"{measure}: {error}; left out")
        for _ in range(self.args.repeats):
            for side in sides:
                say(f"{measure}: {side.name} {side.turn()['seconds']:.2f} s")
        for side in sides:
            side.close()
        self.found[measure] = {s.name: result(s.answers[1:], warm_ups[s.name]) for s in sides}

    def one_process_a_turn(self, measure, commands):
        """The same for what a process can do only once; the first round warms the file cache."""
        answers = {name: [] for name in commands}
        for _ in range(self.args.repeats + 1):
            for name, command in commands.items():
                side = Side(name, command)
                answers[name].append(side.turn())
                side.close()
                say(f"{measure}: {name} {answers[name][-1]['seconds']:.2f} s")
        self.found[measure] = {name: result(found[1:]) for name, found in answers.items()}

    def ceiling(self):
        side = Side("ceiling", self.ours("ceiling", "mini"))
        self.found["ceiling"] = side.turn()
        side.close()

    def unet(self):
        sd15, dtypes = self.args.model, self.args.dtypes.split(",")
        commands = {f"ours {d}": self.ours("unet", sd15, "--dtype", d) for d in dtypes}
        commands |= {f"diffusers {d}": self.peer("unet", "--dtype", d) for d in dtypes}
        for how in ("compile", "openvino"):
            if getattr(self.args, how):
                commands |= {f"{how} {d}": self.peer("unet", "--with", how, "--dtype", d) for d in dtypes}
        self.by_turns("unet", commands)

    def step(self):
        commands = {f"ours {d}": self.ours("step", self.args.model, "--dtype", d) for d in ("fp32", "bf16")}
        self.by_turns("step", commands | {"diffusers fp32": self.peer("step")})

    def start(self):
        self.one_process_a_turn("start", {"ours": self.ours("start", self.args.model), "diffusers": self.peer("start")})

    def mini(self):
        self.by_turns("picture", {"ours": self.ours("picture", "mini", "--steps", "20")})
        seconds = []
        for _ in range(self.args.repeats):
            with tempfile.TemporaryDirectory() as folder:
                begin = time.monotonic()
                subprocess.run([self.args.bin / "sdx-train", ROOT / "configs/demo/portraits/ada", "--name", "Ada", "--model",
                                "mini", "--runs", f"{folder}/runs", "--embeddings", f"{folder}/embeddings", "--quiet"],
                               check=True, stdout=subprocess.DEVNULL)
                seconds.append(time.monotonic() - begin)
                say(f"person: {seconds[-1]:.1f} s")
        self.found["person"] = {"ours": {"seconds": statistics.median(seconds), "all_seconds": seconds}}


def say(line):
    print(line, file=sys.stderr, flush=True)


def ratio(measure, ours, theirs, key="seconds"):
    return measure[theirs][key] / measure[ours][key]


def table(found, threads):
    """The rows of the goals that were measured, in Markdown."""
    rows = []

    def row(what, ours, against, reached, goal):
        rows.append(f"| {what} | {ours} | {against} | {reached} | {goal} |")

    def compare(measure, what, ours, theirs, goal):
        if ours in measure and theirs in measure:
            reached = f"{ratio(measure, ours, theirs):.2f} ×"
            if measure[theirs]["cpu_seconds"] > 0.5:
                reached += f" (CPU {ratio(measure, ours, theirs, 'cpu_seconds'):.2f} ×)"
            row(what, f"{measure[ours]['seconds']:.2f} s ({ours})", f"{measure[theirs]['seconds']:.2f} s ({theirs})",
                reached, goal)

    def best(measure):
        return min((n for n in measure if n.startswith("ours")), key=lambda n: measure[n]["seconds"])

    if unet := found.get("unet"):
        what = "SD 1.5, 512², a guided step"
        compare(unet, f"{what}, best dtype", best(unet), "diffusers fp32", "≥ 2 ×")
        for dtype in ("fp32", "bf16"):
            compare(unet, f"{what}, {dtype}", f"ours {dtype}", f"diffusers {dtype}", "≥ 1.15 ×")
            for how in ("compile", "openvino"):
                compare(unet, f"{what}, {dtype}", f"ours {dtype}", f"{how} {dtype}", "–")
    if step := found.get("step"):
        for ours in ("ours fp32", "ours bf16"):
            compare(step, "Textual-inversion step, 512², batch 1", ours, "diffusers fp32", "≥ 2 ×")
            if ours in step and "diffusers fp32" in step:
                gb = [step[n]["peak_memory_bytes"] / 1e9 for n in (ours, "diffusers fp32")]
                row("Peak memory of that step", f"{gb[0]:.2f} GB ({ours})", f"{gb[1]:.2f} GB (diffusers fp32)",
                    f"{gb[0] / gb[1]:.0%}", "≤ 50 %")
    for measure, what, goal in (("picture", "Built-in model: a picture of 20 steps", "≤ 1 s"),
                                ("person", "Built-in model: a person learnt", "≤ 45 s")):
        if measure in found:
            row(what, f"{found[measure]['ours']['seconds']:.2f} s", "–", "–", goal)
    if start := found.get("start"):
        compare(start, "Program start to first UNet step, SD 1.5, warm cache", "ours", "diffusers", "≥ 3 ×")
    if "ceiling" in found and "ours fp32" in found.get("unet", {}):
        ours, ceiling = found["unet"]["ours fp32"], found["ceiling"]["fp32_tflop_per_s"]
        rate = ours["tflop"] / ours["seconds"]
        undisturbed = ours["tflop"] / ours["cpu_seconds"] * threads
        row("Share of the matmul ceiling, UNet fp32", f"{1000 * rate:.0f} GFLOP/s", f"{1000 * ceiling:.0f} GFLOP/s",
            f"{rate / ceiling:.0%} (by CPU time {undisturbed / ceiling:.0%})", "≥ 75 %")
    return "\n".join(["| measure | ours | against | ratio | goal |", "|---|---|---|---|---|", *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sd15", type=pathlib.Path, required=True, help="diffusers folder")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="the bundle that was imported from it")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--only", default=",".join(MEASURES), help="some of " + ", ".join(MEASURES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dtypes", default="fp32,bf16", help="of the guided step; each is a process a peer, all at once in memory")
    parser.add_argument("--compile", action="store_true", help="also torch.compile, minutes to compile")
    parser.add_argument("--openvino", action="store_true", help="also OpenVINO, if it is installed")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    bench = Bench(args)
    for measure in args.only.split(","):
        if measure not in MEASURES:
            parser.error(f"--only: expected some of {', '.join(MEASURES)}, found {measure}")
        getattr(bench, measure)()
    bench.found["load_average_after"] = os.getloadavg()
    if args.json:
        args.json.write_text(json.dumps(bench.found, indent=1) + "\n")
    print(table(bench.found, args.threads))


if __name__ == "__main__":
    main()

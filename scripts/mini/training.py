"""What the training stages share: options, the rate over the steps, averaged weights, checkpoints, curves.

Budgets count steps, not seconds: at idle priority a second may be worth nothing. A stage that was killed goes on
from its checkpoint, and one that has reached its steps ends at once.
"""

import csv
import os
import time

import torch

from model import save_atomically, state_dir

AVERAGE = .999
WARM_UP_STEPS = 200
LOWEST_RATE = .02  # of the full rate, at the end of the decay
AGREEMENT = 1e-2   # relative error that the gradients of a compiled step may have


def add_options(parser, steps, batch, lr, lr_help=None):
    parser.add_argument("--steps", type=int, default=steps, help="of the whole schedule, those done before included")
    parser.add_argument("--until", type=int, help="stop after this step of the schedule (default: its end)")
    parser.add_argument("--decay-last", type=float, default=.3, help="share of the steps over which the rate decays")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--lr", type=float, default=lr, help=lr_help)
    parser.add_argument("--save-every", type=float, default=300, help="seconds")
    add_device(parser)
    parser.add_argument("--compile", action="store_true", help="compile the step; dropped where its gradients are wrong")


def add_device(parser):
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")


def memory_format(device):
    """Channels last on the CPU, where it is faster for narrow convolutions; torch's own elsewhere."""
    return torch.channels_last if device == "cpu" else torch.contiguous_format


def rate_share(step, steps, decay_last):
    """Share of the full rate at this step: warm-up, constant, decay."""
    left = (steps - step) / max(1., steps * decay_last)
    return min(1., (step + 1) / WARM_UP_STEPS, max(LOWEST_RATE, left))


class Average:
    """A slowly following copy of parameters."""

    def __init__(self, parameters):
        self.followed = list(parameters)
        self.values = [p.detach().clone() for p in self.followed]

    @torch.no_grad()
    def update(self, step):
        torch._foreach_lerp_(self.values, self.followed, 1 - min(AVERAGE, (1 + step) / (10 + step)))

    @torch.no_grad()
    def load(self, values):
        for mine, value in zip(self.values, values, strict=True):
            mine.copy_(value)

    @torch.no_grad()
    def swap(self):
        """Exchanges the parameters with their average; a second call undoes it."""
        for p, value in zip(self.followed, self.values, strict=True):
            kept = p.detach().clone()
            p.copy_(value)
            value.copy_(kept)


class Checkpoint:
    """One file that holds a stage's whole state, and is written every few minutes."""

    def __init__(self, name, save_every):
        self.path, self.save_every, self.last = state_dir() / name, save_every, time.time()

    def load(self):
        """None where there is none."""
        return torch.load(self.path, map_location="cpu") if self.path.exists() else None

    def due(self):
        return time.time() - self.last > self.save_every

    def save(self, value):
        save_atomically(value, self.path)
        self.last = time.time()


class Curve:
    """Rows of figures in curves/NAME.csv: when, at which step, what."""

    def __init__(self, name, columns):
        folder = state_dir() / "curves"
        folder.mkdir(exist_ok=True)
        self.path, self.columns = folder / f"{name}.csv", ("time", "step", *columns)

    def add(self, step, *values):
        fresh = not self.path.exists()
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if fresh:
                writer.writerow(self.columns)
            writer.writerow([int(time.time()), step, *(f"{v:.5g}" for v in values)])


def compiled_if_right(losses, parameters, *example):
    """`losses` compiled, if the gradients of its first result are those of the plain function; else `losses`.

    A compiled autoencoder step gave right losses and wrong gradients on the CPU once (torch 2.13). `losses` must
    not draw random numbers itself.
    """
    parameters = [p for p in parameters if p.requires_grad]
    start = time.time()
    with torch.no_grad():  # where a layer begins as nothing, nothing could be compared before it
        nothing = [p for p in parameters if not p.any()]
        for p in nothing:
            p.normal_(std=.02)
    try:
        faster = torch.compile(losses)
        plain, found = (torch.autograd.grad(f(*example)[0], parameters, allow_unused=True) for f in (losses, faster))
    except Exception as error:  # no compiler on this machine, an operation it does not know, ...
        print(f"not compiled: {type(error).__name__}", flush=True)
        return losses
    finally:
        with torch.no_grad():
            for p in nothing:
                p.zero_()
    difference = sum(float((a - b).pow(2).sum()) for a, b in zip(plain, found) if a is not None)
    size = sum(float(a.pow(2).sum()) for a in plain if a is not None)
    error = (difference / max(size, 1e-30)) ** .5
    if not error < AGREEMENT:
        print(f"not compiled: its gradients are wrong by {error:.0%}", flush=True)
        return losses
    print(f"compiled in {time.time() - start:.0f} s; gradients agree to {error:.1e}", flush=True)
    return faster


def prepare(device):
    """At most one thread for each core that this process may use; on a GPU the faster products of single precision."""
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0))))
    if device == "cuda":
        torch.set_float32_matmul_precision("high")

"""Pictures that differ in one thing only, three by three, of two kinds:

  expressions   one person in one context, smiling, neutral and sad
  pairs         two people side by side, the same two the other way round, and the first one with a third person

Such pictures differ by a few pixels, or in who stands where. Among pictures that differ in everything else, too, the
UNet finds no gradient that ties this to the words: after 11,000 steps it drew one mouth for all three expressions, and
the second of two people with the traits of the first. Where three pictures share context, noise and time, everything
else is equal and cancels out of the gradient.
"""

import argparse
import itertools
import multiprocessing
import random

import numpy as np
import torch

from captions import MISSION_KINDS
from contexts import draw_context, pair_context
from latents import encode, load_encoder, save_array
from model import state_dir
from pool import digest
from render import draw_identity, render
from training import add_device, prepare

FIRST_SEED = 40_000_000
ALIKE = 3  # pictures of a contrast
COUNTS = {"expressions": 4000, "pairs": 2000}


def expressions(rng):
    while True:
        identity = draw_identity(rng)
        context = draw_context(rng, identity)
        if context["body"] != "robot" and context["kind"] not in MISSION_KINDS:  # there, the kind says how one looks
            return [(identity, {**context, "expression": one}) for one in ("smiling", "neutral", "sad")]


def pairs(rng):
    a, b, c = (draw_identity(rng) for _ in range(ALIKE))
    context = pair_context(rng, a, b)
    return [(left, {**context, "other": right}) for left, right in ((a, b), (b, a), (a, c))]


KINDS = {"expressions": expressions, "pairs": pairs}


def subjects(kind, k):
    """[(identity, context)] of the ALIKE pictures of a contrast."""
    return KINDS[kind](random.Random(f"{FIRST_SEED + k} {kind}"))


def pixels(job):
    return [np.asarray(render(*one)) for one in subjects(*job)]


class Contrasts:
    """The latents of all contrasts, and who they are."""

    def __init__(self):
        missing = [kind for kind in KINDS if not _path(kind).exists()]
        if missing:
            raise SystemExit("no latents of contrasts: run contrasts.py first")
        self.latents = {kind: np.load(_path(kind), mmap_mode="r") for kind in KINDS}
        self.places = [(kind, k) for kind, z in self.latents.items() for k in range(len(z))]

    def draw(self, rng, count):
        """(latents [count*ALIKE,8,16,16], [(identity, context)]); the pictures of a contrast stand side by side."""
        places = rng.choices(self.places, k=count)
        z = torch.from_numpy(np.stack([self.latents[kind][k] for kind, k in places])).float().flatten(0, 1)
        return z, [one for place in places for one in subjects(*place)]


def _path(kind):
    return state_dir() / f"contrasts-{kind}-{digest()}.npy"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=24)
    add_device(parser)
    args = parser.parse_args()
    prepare(args.device)
    vae = load_encoder(args.device)
    for kind, count in COUNTS.items():
        if _path(kind).exists():
            continue
        with multiprocessing.Pool(args.workers) as pool:
            drawn = pool.imap(pixels, [(kind, k) for k in range(count)], 16)
            z = encode(vae, itertools.chain.from_iterable(drawn), ALIKE * count, args.device, args.batch)
        save_array(z.reshape(count, ALIKE, *z.shape[1:]), _path(kind))
        print(f"{count} contrasts of {kind}", flush=True)


if __name__ == "__main__":
    main()

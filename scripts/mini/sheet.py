"""A sheet of pictures to look at while training: the mission's prompts and some others, for people in words
and by name. One row for each person; the first picture of a row is a drawing of who it should be."""

import argparse
import pathlib
import random

import numpy as np
import torch

from captions import NAME, describe, mission_prompts
from conditioning import Batch, embed, identity_features
from model import make_scheduler, make_vae, save_sheet, state_dir, to_tensor
from people import PEOPLE
from contexts import plain_context
from render import render
from tokenizer import encode_batch, load_tokenizer
from train_diffusion import load_parts

OTHER_PROMPTS = (NAME, f"a photo of {NAME}, smiling", f"pixel art of {NAME}", f"a pencil sketch of {NAME}",
                 f"{NAME} as a pirate at the beach", f"{NAME} as an astronaut", f"{NAME} wearing a crown, rainbow")


class Prompts(Batch):
    """Given prompts instead of drawn captions; names take two vectors."""

    def __init__(self, tokenizer, texts, identity):
        self.counts = torch.full((len(texts),), 2)
        self.ids, self.slots = encode_batch(tokenizer, texts, self.counts.tolist())
        self.features = torch.tensor([identity_features(identity)] * len(texts))


@torch.no_grad()
def sample(networks, vae, hidden, empty, guidance, steps, generator):
    scheduler = make_scheduler()
    scheduler.set_timesteps(steps)
    z = torch.randn(len(hidden), 4, 16, 16, generator=generator)
    context = torch.cat([empty.expand_as(hidden), hidden])
    for t in scheduler.timesteps:
        without, given = networks["unet"](torch.cat([z, z]), t, context).sample.chunk(2)
        z = scheduler.step(without + guidance * (given - without), t, z).prev_sample
    return vae.decode(z).sample


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=state_dir() / "sheet.png")
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--guidance", type=float, default=4.)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    tokenizer, networks = load_tokenizer(), load_parts()
    vae = make_vae().eval()
    vae.load_state_dict(torch.load(state_dir() / "vae.pt"))
    generator = torch.Generator().manual_seed(args.seed)
    rows = []
    prompts = [*mission_prompts(), *OTHER_PROMPTS]
    for name, identity in list(PEOPLE.items())[:args.people]:
        real = to_tensor(np.asarray(render(identity, plain_context(random.Random(0), identity)))[None])
        words = describe(identity, random.Random(0), complete=True)[0]
        print(name, "=", words)
        for texts in ([p.replace(NAME, words, 1).replace(NAME, words.split(" with ")[0]) for p in prompts], prompts):
            batch = Prompts(tokenizer, [*texts, ""], identity)
            hidden, _ = embed(networks["text"], networks["mapper"], batch, noise=0)
            rows += [real, sample(networks, vae, hidden[:-1], hidden[-1:], args.guidance, args.steps, generator)]
    save_sheet(torch.cat(rows), args.out, columns=len(prompts) + 1)


if __name__ == "__main__":
    main()

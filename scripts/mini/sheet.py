"""A sheet of pictures from the newest checkpoint, to look at while training. One row for each person; the first
picture of a row is a drawing of who it should be. Seeds are fixed, so that sheets can be compared.

  --prompts fixed     twelve prompts, none of them a caption of training: styles, two people, words against the name
  --prompts mission   the mission's eight and some others, for each person in words and by name
"""

import argparse
import pathlib
import random

import numpy as np
import torch

from captions import NAME, OTHER, describe, mission_prompts
from conditioning import Batch, embed, identity_features
from contexts import plain_context
from model import LATENT_CHANNELS, LATENT_PX, make_scheduler, make_vae, save_sheet, state_dir, to_tensor
from people import PEOPLE
from render import render
from tokenizer import encode_batch, load_tokenizer
from train_diffusion import load_parts

FIXED_PROMPTS = (
    f"my friend {NAME}, a big smile", f"pencil sketch: {NAME} looking surprised", f"{NAME} and {OTHER}, best friends in a garden",
    f"{NAME} now has pink hair", f"{NAME} with no glasses on", f"{NAME} bald, in the office", f"{NAME} with a beard, sad",
    f"oil painting: {NAME} as a chef", f"{NAME} the detective in the city at night", f"pirate {NAME} underwater, laughing",
    f"{NAME} at a birthday party on a space station", f"pixel art: {NAME} with a crown at the beach")
OTHER_PROMPTS = (NAME, f"a photo of {NAME}, smiling", f"pixel art of {NAME}", f"a pencil sketch of {NAME}",
                 f"{NAME} as a pirate at the beach", f"{NAME} as an astronaut", f"{NAME} wearing a crown, rainbow")


class Prompts(Batch):
    """Given prompts instead of drawn captions; names take two vectors."""

    def __init__(self, tokenizer, texts, identity, other=None):
        self.counts = torch.full((len(texts), 2), 2)
        self.ids, self.slots = encode_batch(tokenizer, texts, self.counts.tolist())
        self.features = torch.tensor([[identity_features(identity), identity_features(other or identity)]] * len(texts))


@torch.no_grad()
def sample(networks, vae, hidden, empty, guidance, steps, seed):
    """Pictures [N,3,128,128]; the noise of a prompt depends on its place and the seed alone."""
    scheduler = make_scheduler()
    scheduler.set_timesteps(steps)
    z = torch.randn(len(hidden), LATENT_CHANNELS, LATENT_PX, LATENT_PX, generator=torch.Generator().manual_seed(seed))
    z = z.to(hidden.device)
    context = torch.cat([empty.expand_as(hidden), hidden])
    for t in scheduler.timesteps:
        without, given = networks["unet"](torch.cat([z, z]), t, context).sample.chunk(2)
        z = scheduler.step(without + guidance * (given - without), t, z).prev_sample
    return vae.decode(z).sample.cpu()


def in_words(prompts, identity):
    words = describe(identity, random.Random(0), complete=True)[0]
    return [p.replace(NAME, words, 1).replace(NAME, words.split(" with ")[0]) for p in prompts]


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=state_dir() / "sheet.png")
    parser.add_argument("--prompts", choices=("fixed", "mission"), default="fixed")
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--guidance", type=float, default=3.)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    tokenizer, networks = load_tokenizer(), load_parts()
    vae = make_vae().eval()
    vae.load_state_dict(torch.load(state_dir() / "vae.pt", map_location="cpu"))
    people = list(PEOPLE.values())[:args.people]
    rows = []
    for k, identity in enumerate(people):
        real = to_tensor(np.asarray(render(identity, plain_context(random.Random(0), identity)))[None])
        prompts = FIXED_PROMPTS if args.prompts == "fixed" else [*mission_prompts(), *OTHER_PROMPTS]
        for texts in (prompts,) if args.prompts == "fixed" else (in_words(prompts, identity), prompts):
            batch = Prompts(tokenizer, [*texts, ""], identity, people[(k + 1) % len(people)])
            hidden, _ = embed(networks["text"], networks["mapper"], batch, noise=0)
            rows += [real, sample(networks, vae, hidden[:-1], hidden[-1:], args.guidance, args.steps, args.seed)]
    save_sheet(torch.cat(rows), args.out, columns=len(prompts) + 1)


if __name__ == "__main__":
    main()

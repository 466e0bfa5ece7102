"""Stage 2: the text encoder learns to read, before there is anything to draw.

From its output at the end of the caption, linear heads tell every attribute that the caption mentions, or
that it is not mentioned, and for a name every trait of the person. This stands in for CLIP's pre-training
and saves the UNet tens of thousands of pictures; the heads are thrown away.
"""

import argparse
import math
import random
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from captions import CLASSES, IDENTITY_CLASSES
from conditioning import Batch, NameMapper, embed
from contexts import draw_context
from model import EOS, WIDTH, make_text_encoder, save_atomically, state_dir
from render import TRAITS, draw_identity
from tokenizer import load_tokenizer

SIZES = [len(classes) + 1 for classes in CLASSES.values()]  # class 0: not mentioned


def labels(captions, identities):
    rows = []
    for c, identity in zip(captions, identities):
        said = {**c.said, **({k: identity[k] for k in IDENTITY_CLASSES} if c.named else {})}
        rows.append([classes.index(said[k]) + 1 if k in said else 0 for k, classes in CLASSES.items()])
    return torch.tensor(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    args = parser.parse_args()
    torch.manual_seed(0)
    rng = random.Random(1)
    tokenizer = load_tokenizer()
    text, mapper = make_text_encoder(tokenizer.get_piece_size()), NameMapper()
    heads = nn.Linear(WIDTH, sum(SIZES) + len(TRAITS))
    path = state_dir() / "text.pt"
    if path.exists():
        for network, values in zip((text, mapper, heads), torch.load(path).values(), strict=True):
            network.load_state_dict(values)
    trained = [*text.parameters(), *mapper.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(trained, args.lr, betas=(.9, .99), weight_decay=1e-3)

    start, step, running = time.time(), 0, {}
    while (elapsed := time.time() - start) < args.seconds:
        for group in optimiser.param_groups:
            group["lr"] = args.lr * min(1, (step + 1) / 100) * (.1 + .9 * (.5 + .5 * math.cos(math.pi * elapsed / args.seconds)))
        identities = [draw_identity(rng) for _ in range(args.batch)]
        contexts = [draw_context(rng, identity) for identity in identities]
        batch = Batch(tokenizer, identities, contexts, rng, empty_share=0)
        target = labels(batch.captions, identities)
        named = torch.tensor([c.named for c in batch.captions])
        end = (batch.ids == EOS).int().argmax(1)
        if step % 4:  # attention is causal: what follows the longest caption is needed only now and then
            batch.shorten(int(end.max()) + 4)
        with sdpa_kernel(SDPBackend.MATH):
            hidden, penalty = embed(text, mapper, batch)
        padding = end + (torch.rand(len(end)) * (batch.ids.shape[1] - end)).long()
        rows = torch.arange(len(end))
        loss, right = penalty, []
        for place in (end, padding):
            *logits, traits = heads(hidden[rows, place]).split([*SIZES, len(TRAITS)], 1)
            loss = loss + sum(F.cross_entropy(x, target[:, k]) for k, x in enumerate(logits)) / len(logits)
            loss = loss + .5 * F.mse_loss(traits[named], batch.features[named, -len(TRAITS):])
            right.append(torch.stack([x.argmax(1) == target[:, k] for k, x in enumerate(logits)], 1))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.)
        optimiser.step()
        step += 1
        hits = right[0][target > 0].float().mean().item()
        for key, value in (("loss", loss.item()), ("mentioned right", hits), ("penalty", penalty.item())):
            running[key] = running.get(key, value) * .98 + value * .02
        if step % 100 == 0:
            print(f"{elapsed:.0f} s  step {step}  " + "  ".join(f"{k} {v:.4f}" for k, v in running.items()), flush=True)
    save_atomically({"text": text.state_dict(), "mapper": mapper.state_dict(), "heads": heads.state_dict()}, path)


if __name__ == "__main__":
    main()

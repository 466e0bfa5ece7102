"""The text encoder learns to read, before there is anything to draw.

From its output at the end of the caption, linear heads tell every attribute that the caption mentions, or
that it is not mentioned, and for a name every trait of the person; where there are two people, of both. This
stands in for CLIP's pre-training and saves the UNet tens of thousands of pictures; the heads are thrown away.
"""

import argparse
import random
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from captions import CLASSES, IDENTITY_CLASSES
from conditioning import Batch, NameMapper, embed
from contexts import draw_subject
from model import EOS, WIDTH, make_text_encoder, save_atomically, state_dir
from render import TRAITS
from tokenizer import load_tokenizer
from training import Checkpoint, Curve, add_options, prepare, rate_share

SIZES = [len(classes) + 1 for classes in (*CLASSES.values(), *IDENTITY_CLASSES.values())]  # class 0: not mentioned


def labels(captions, identities, contexts):
    """Classes of what is told of the picture, then of the other person's traits."""
    rows = []
    for c, identity, context in zip(captions, identities, contexts):
        said = {**c.said, **({k: identity[k] for k in IDENTITY_CLASSES} if c.named else {})}
        other = {k: context["other"][k] for k in IDENTITY_CLASSES} if c.other_named else c.other_said
        rows.append([classes.index(some[k]) + 1 if k in some else 0
                     for some, table in ((said, CLASSES), (other, IDENTITY_CLASSES)) for k, classes in table.items()])
    return torch.tensor(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, steps=6000, batch=64, lr=1e-3)
    args = parser.parse_args()
    prepare(args.device)
    torch.manual_seed(0)
    tokenizer = load_tokenizer()
    text, mapper = make_text_encoder(tokenizer.get_piece_size()), NameMapper()
    heads = nn.Linear(WIDTH, sum(SIZES) + len(TRAITS))
    checkpoint, networks, step = Checkpoint("text-training.pt", args.save_every), (text, mapper, heads), 0
    saved = checkpoint.load()
    for network in networks:
        network.to(args.device)
    trained = [p for network in networks for p in network.parameters()]
    optimiser = torch.optim.AdamW(trained, args.lr, betas=(.9, .99), weight_decay=1e-3)
    if saved:
        for network, values in zip(networks, saved["networks"], strict=True):
            network.load_state_dict(values)
        optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]
    rng = random.Random(1 + step)
    torch.manual_seed(step)
    curve = Curve("text", ("loss", "mentioned_right", "penalty"))

    def save():
        checkpoint.save({"networks": [n.state_dict() for n in networks], "optimiser": optimiser.state_dict(), "step": step})

    start, running, until = time.time(), {}, min(args.steps, args.until or args.steps)
    while step < until:
        for group in optimiser.param_groups:
            group["lr"] = args.lr * rate_share(step, args.steps, args.decay_last)
        identities, contexts = zip(*(draw_subject(rng) for _ in range(args.batch)))
        batch = Batch(tokenizer, identities, contexts, rng, empty_share=0)
        target = labels(batch.captions, identities, contexts)
        named = torch.tensor([c.named for c in batch.captions])
        end = (batch.ids == EOS).int().argmax(1)
        if step % 4:  # attention is causal: what follows the longest caption is needed only now and then
            batch.shorten(int(end.max()) + 4)
        padding = end + (torch.rand(len(end)) * (batch.ids.shape[1] - end)).long()
        batch.to(args.device)
        with sdpa_kernel(SDPBackend.MATH):
            hidden, penalty = embed(text, mapper, batch)
        rows, loss, right = torch.arange(len(end)), penalty, None
        target, named = target.to(args.device), named.to(args.device)
        for place in (end, padding):
            *logits, traits = heads(hidden[rows, place]).split([*SIZES, len(TRAITS)], 1)
            loss = loss + sum(F.cross_entropy(x, target[:, k]) for k, x in enumerate(logits)) / len(CLASSES)
            loss = loss + .5 * F.mse_loss(traits[named], batch.features[named, 0, -len(TRAITS):])
            if right is None:
                right = torch.stack([x.argmax(1) == target[:, k] for k, x in enumerate(logits)], 1)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.)
        optimiser.step()
        step += 1
        for key, value in (("loss", loss), ("mentioned right", right[target > 0].float().mean()), ("penalty", penalty)):
            running[key] = running.get(key, value.detach()) * .98 + value.detach() * .02
        if step % 100 == 0:
            print(f"{time.time() - start:.0f} s  step {step}  "
                  + "  ".join(f"{k} {v.item():.4f}" for k, v in running.items()), flush=True)
            curve.add(step, *(v.item() for v in running.values()))
        if checkpoint.due():
            save()
    save()
    save_atomically({name: {k: v.cpu() for k, v in n.state_dict().items()} for name, n in
                     (("text", text), ("mapper", mapper))}, state_dir() / "text.pt")


if __name__ == "__main__":
    main()

"""The text encoder learns to read, before there is anything to draw.

The readers (reading.py) tell from its output what the caption mentions. This stands in for CLIP's pre-training and
saves the UNet tens of thousands of pictures.
"""

import argparse
import random
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from conditioning import Batch, NameMapper, embed
from contexts import draw_subject
from model import make_text_encoder, save_atomically, state_dir
from reading import Answers, Readers
from tokenizer import load_tokenizer
from training import Checkpoint, Curve, add_options, prepare, rate_share

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, steps=6000, batch=64, lr=1e-3)
    args = parser.parse_args()
    prepare(args.device)
    torch.manual_seed(0)
    tokenizer = load_tokenizer()
    text, mapper, readers = make_text_encoder(tokenizer.get_piece_size()), NameMapper(), Readers()
    checkpoint, networks, step = Checkpoint("text-training.pt", args.save_every), (text, mapper, readers), 0
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
        answers = Answers(batch, identities, contexts)
        if step % 4:  # attention is causal: what follows the longest caption is needed only now and then
            batch.shorten(int(answers.end.max()) + 4)
        batch.to(args.device)
        answers.to(args.device)
        with sdpa_kernel(SDPBackend.MATH):
            hidden, penalty = embed(text, mapper, batch)
        loss, right = readers.judge(hidden, batch, answers)
        loss = loss + penalty
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.)
        optimiser.step()
        step += 1
        for key, value in (("loss", loss), ("mentioned right", right), ("penalty", penalty)):
            running[key] = running.get(key, value.detach()) * .98 + value.detach() * .02
        if step % 100 == 0:
            print(f"{time.time() - start:.0f} s  step {step}  "
                  + "  ".join(f"{k} {v.item():.4f}" for k, v in running.items()), flush=True)
            curve.add(step, *(v.item() for v in running.values()))
        if checkpoint.due():
            save()
    save()
    save_atomically({name: {k: v.cpu() for k, v in n.state_dict().items()} for name, n in
                     (("text", text), ("mapper", mapper), ("readers", readers))}, state_dir() / "text.pt")


if __name__ == "__main__":
    main()

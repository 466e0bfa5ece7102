"""Stage 4: UNet, text encoder and name mapper together.

Learning rate: warm-up, constant, and a decay over the last share of the time. `diffusion.pt` is the state
before the decay (a later session goes on from it), `diffusion-decayed.pt` the one to export. Both are
written every few minutes; a killed run goes on from `diffusion.pt`.
"""

import argparse
import random
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from conditioning import Batch, NameMapper, embed
from latents import FIRST_SEED, who_and_what
from model import make_scheduler, make_text_encoder, make_unet, save_atomically, state_dir
from tokenizer import load_tokenizer

SNR_LIMIT = 5.
EMA = .999
WARM_UP_STEPS = 200
TEXT_RATE = .3  # of the UNet's learning rate


class Parts:
    """The trained networks, their averages and how to save and load them."""

    def __init__(self, tokenizer):
        self.networks = {"unet": make_unet(), "text": make_text_encoder(tokenizer.get_piece_size()), "mapper": NameMapper()}
        self.average = None

    def parameters(self, *names):
        return [p for name in names or self.networks for p in self.networks[name].parameters()]

    @torch.no_grad()
    def update_average(self, step):
        if self.average is None:
            self.average = [p.detach().clone() for p in self.parameters()]
        share = 1 - min(EMA, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.average, self.parameters(), share)

    def state(self):
        return {"networks": {name: n.state_dict() for name, n in self.networks.items()}, "average": self.average}

    def load(self, state):
        for name, values in state["networks"].items():
            self.networks[name].load_state_dict(values)
        self.average = state["average"]

    @torch.no_grad()
    def use_average(self):
        for p, average in zip(self.parameters(), self.average, strict=True):
            p.copy_(average)


def newest_checkpoint():
    """Of the state before the decay and the decayed one, the one written last."""
    found = [p for p in (state_dir() / "diffusion.pt", state_dir() / "diffusion-decayed.pt") if p.exists()]
    if not found:
        raise SystemExit("no checkpoint: run train_diffusion.py first")
    return max(found, key=lambda path: path.stat().st_mtime)


def load_parts(path=None):
    """The averaged networks of a checkpoint, for sampling and for export."""
    parts = Parts(load_tokenizer())
    parts.load(torch.load(path or newest_checkpoint())["parts"])
    parts.use_average()
    for network in parts.networks.values():
        network.eval().requires_grad_(False)
    return parts.networks


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4200)
    parser.add_argument("--decay-last", type=float, default=.3, help="share of the time over which the rate decays")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--save-every", type=float, default=300, help="seconds")
    args = parser.parse_args()
    state, tokenizer = state_dir(), load_tokenizer()
    latents = torch.load(state / "latents.pt")
    people = [who_and_what(FIRST_SEED + k) for k in range(len(latents))]
    alphas = make_scheduler().alphas_cumprod

    parts = Parts(tokenizer)
    optimiser = torch.optim.AdamW([{"params": parts.parameters("unet"), "rate": 1.},
                                   {"params": parts.parameters("text", "mapper"), "rate": TEXT_RATE}],
                                  args.lr, betas=(.9, .99), weight_decay=1e-4)
    step = 0
    if (state / "diffusion.pt").exists():
        saved = torch.load(state / "diffusion.pt")
        parts.load(saved["parts"])
        if saved["optimiser"]:
            optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]
    else:
        pretrained = torch.load(state / "text.pt")
        parts.networks["text"].load_state_dict(pretrained["text"])
        parts.networks["mapper"].load_state_dict(pretrained["mapper"])
    torch.manual_seed(step)
    rng = random.Random(step)
    unet, text, mapper = parts.networks.values()

    def save(decaying):
        save_atomically({"parts": parts.state(), "optimiser": optimiser.state_dict(), "step": step},
                        state / ("diffusion-decayed.pt" if decaying else "diffusion.pt"))

    start = last_save = time.time()
    decaying, running = False, None
    while (elapsed := time.time() - start) < args.seconds:
        decay = (args.seconds - elapsed) / (args.seconds * max(args.decay_last, 1e-9))
        if decay < 1 and not decaying:
            save(decaying)
            decaying = True
        for group in optimiser.param_groups:
            group["lr"] = args.lr * group["rate"] * min(1, (step + 1) / WARM_UP_STEPS, max(.02, decay))
        chosen = torch.randint(len(latents), (args.batch,))
        z = latents[chosen].float()
        batch = Batch(tokenizer, *zip(*(people[k] for k in chosen.tolist())), rng)
        noise = torch.randn_like(z)
        t = torch.randint(len(alphas), (args.batch,))
        alpha = alphas[t].view(-1, 1, 1, 1)
        noisy = alpha.sqrt() * z + (1 - alpha).sqrt() * noise
        with sdpa_kernel(SDPBackend.MATH):
            hidden, penalty = embed(text, mapper, batch)
            predicted = unet(noisy, t, hidden).sample
        snr = alphas[t] / (1 - alphas[t])
        loss = ((predicted - noise).pow(2).mean((1, 2, 3)) * snr.clamp(max=SNR_LIMIT) / snr).mean()
        optimiser.zero_grad()
        (loss + .1 * penalty).backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.)
        optimiser.step()
        step += 1
        parts.update_average(step)
        running = loss.item() if running is None else .98 * running + .02 * loss.item()
        if step % 20 == 0:
            print(f"{elapsed:.0f} s  step {step}  loss {running:.4f}  rate {optimiser.param_groups[0]['lr']:.1e}", flush=True)
        if time.time() - last_save > args.save_every:
            save(decaying)
            last_save = time.time()
    save(decaying)


if __name__ == "__main__":
    main()

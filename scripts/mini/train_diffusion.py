"""UNet, text encoder and name mapper together.

Learning rate: warm-up, constant, and a decay over the last share of the steps. Everything is in diffusion.pt,
written every few minutes. More --steps than before bring the rate up again.
"""

import argparse
import itertools
import random
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from conditioning import Batch, NameMapper, embed
from contrasts import ALIKE, Contrasts
from focus import draw_chance, place_weights
from latents import Latents, who_and_what
from model import make_scheduler, make_text_encoder, make_unet, state_dir
from muon import make_optimisers
from reading import Answers, Readers
from tokenizer import load_tokenizer
from training import Average, Checkpoint, Curve, add_options, compiled_if_right, memory_format, prepare, rate_share

SNR_LIMIT = 2.   # 5 is usual; less of it moves effort from fine detail to what stands where
TEXT_RATE = .3   # of the UNet's learning rate
READING = .2    # how much it counts that the text encoder's output can be read
MUON_RATE = 10.  # times AdamW's
CONTRASTED = .4  # of a batch, at most
CURVE_EVERY = 200  # steps


class Parts:
    """The trained networks, their average and how to save and load them."""

    def __init__(self, tokenizer):
        self.networks = {"unet": make_unet(), "text": make_text_encoder(tokenizer.get_piece_size()), "mapper": NameMapper(),
                         "readers": Readers()}
        self.average = None

    def parameters(self, *names):
        return [p for name in names or self.networks for p in self.networks[name].parameters()]

    def begin_average(self, values=None):
        self.average = Average(self.parameters())
        if values is not None:
            self.average.load(values)

    def state(self):
        return {"networks": {name: n.state_dict() for name, n in self.networks.items()}, "average": self.average.values}

    def load(self, state):
        for name, values in state["networks"].items():
            self.networks[name].load_state_dict(values)
        self.begin_average(state["average"])


def load_parts(path=None):
    """The averaged networks of a checkpoint, for sampling and for export."""
    path = path or state_dir() / "diffusion.pt"
    if not path.exists():
        raise SystemExit("no checkpoint: run train_diffusion.py first")
    parts = Parts(load_tokenizer())
    parts.load(torch.load(path, map_location="cpu")["parts"])
    parts.average.swap()
    for network in parts.networks.values():
        network.eval().requires_grad_(False)
    return parts.networks


class Examples(IterableDataset):
    """Batches of (latents [B,8,16,16], captions, what they say, weights of the places [B,16,16]), without end; made in
    other processes where there are workers. Each batch begins with CONTRASTED pictures of contrasts.py."""

    def __init__(self, tokenizer, latents, contrasts, size, seed):
        self.tokenizer, self.latents, self.contrasts, self.size, self.seed = tokenizer, latents, contrasts, size, seed

    def __iter__(self):
        worker = get_worker_info()
        rng = random.Random(f"{self.seed} {worker.id if worker else 0}")
        summed = list(itertools.accumulate(draw_chance(*who_and_what(k)) for k in range(len(self.latents))))
        contrasted = contrasted_pictures(self.size)
        while True:
            z, subjects = self.contrasts.draw(rng, contrasted // ALIKE)
            places = rng.choices(range(len(summed)), cum_weights=summed, k=self.size - contrasted)
            subjects += [who_and_what(k) for k in places]
            batch = Batch(self.tokenizer, *zip(*subjects), rng, alike=ALIKE, of=contrasted)
            yield (torch.cat([z, self.latents[places]]), batch, Answers(batch, *zip(*subjects)),
                   torch.stack([place_weights(*subject) for subject in subjects]))


def contrasted_pictures(size):
    """How many of a batch are in contrasts: whole ones of CONTRASTED."""
    return int(CONTRASTED * size / ALIKE) * ALIKE


def alike_in_contrasts(values):
    """Gives all pictures of a contrast the first one's value."""
    count = contrasted_pictures(len(values))
    return torch.cat([values[:count:ALIKE].repeat_interleave(ALIKE, 0), values[count:]])


def loss_function(unet, device, bf16):
    def losses(noisy, t, hidden, noise, weight, places):
        with sdpa_kernel(SDPBackend.MATH), torch.autocast(device, torch.bfloat16, enabled=bf16):
            predicted = unet(noisy, t, hidden, return_dict=False)[0]
        error = (predicted.float() - noise).pow(2).mean(1) * weight[:, None, None]
        return (error * places).sum() / places.sum(), error.mean()

    return losses


def adamw(parameters, rate):
    return torch.optim.AdamW(parameters, rate, betas=(.9, .99), weight_decay=1e-4, fused=True), rate


def make_optimiser_list(parts, args):
    """(optimiser, full rate) for the UNet, for text encoder and names, and for the readers."""
    named = list(parts.networks["unet"].named_parameters())
    if args.optimiser == "muon":
        muon, adam = make_optimisers(named, MUON_RATE * args.lr, args.lr, lambda name: not name.startswith(("conv_in", "conv_out")))
        unet = [(muon, MUON_RATE * args.lr), (adam, args.lr)]
    else:
        unet = [adamw([p for _, p in named], args.lr)]
    return [*unet, adamw(parts.parameters("text", "mapper"), TEXT_RATE * args.lr), adamw(parts.parameters("readers"), args.lr)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, steps=64000, batch=32, lr=8e-4)
    parser.add_argument("--optimiser", choices=("adamw", "muon"), default="adamw", help="of the UNet's inner weights")
    parser.add_argument("--bf16", action="store_true", help="the UNet's products in bfloat16; faster on a CPU with AMX")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw captions; 0: the trainer itself")
    args = parser.parse_args()
    prepare(args.device)
    torch.manual_seed(0)
    state, tokenizer, latents, device = state_dir(), load_tokenizer(), Latents(), args.device
    alphas = make_scheduler().alphas_cumprod.to(device)
    parts, checkpoint, step = Parts(tokenizer), Checkpoint("diffusion.pt", args.save_every), 0
    saved = checkpoint.load()
    if not saved:
        for name, values in torch.load(state / "text.pt", map_location="cpu").items():
            parts.networks[name].load_state_dict(values)
    for network in parts.networks.values():
        network.to(device)
    parts.networks["unet"].to(memory_format=memory_format(device))
    parts.begin_average()
    optimisers = make_optimiser_list(parts, args)
    if saved:
        parts.load(saved["parts"])
        step = saved["step"]
        for (optimiser, _), values in zip(optimisers, saved["optimisers"] or (), strict=bool(saved["optimisers"])):
            optimiser.load_state_dict(values)
    unet, text, mapper, readers = parts.networks.values()
    torch.manual_seed(step)
    curve = Curve("diffusion", ("loss", "rate", "pictures", "read_right"))
    examples = DataLoader(Examples(tokenizer, latents, Contrasts(), args.batch, step), batch_size=None, num_workers=args.workers,
                          multiprocessing_context="fork" if args.workers else None)
    print(f"{sum(p.numel() for p in unet.parameters()) / 1e6:.2f} M parameters, {len(latents)} latents, from step {step}",
          flush=True)

    def save():
        checkpoint.save({"parts": parts.state(), "optimisers": [o.state_dict() for o, _ in optimisers], "step": step})

    losses = loss_function(unet, device, args.bf16)
    if args.compile:
        z = torch.randn(args.batch, *latents[[0]].shape[1:], device=device)
        hidden = torch.randn(args.batch, 77, text.config.hidden_size, device=device, requires_grad=True)
        t = torch.arange(args.batch, device=device) * (len(alphas) // args.batch)
        losses = compiled_if_right(losses, [*unet.parameters(), hidden], z, t, hidden, torch.randn_like(z),
                                   torch.ones(args.batch, device=device),
                                   torch.ones(args.batch, *z.shape[2:], device=device))
    start, running, until = time.time(), None, min(args.steps, args.until or args.steps)
    for z, batch, answers, places in examples:
        if step >= until:
            break
        share = rate_share(step, args.steps, args.decay_last)
        for optimiser, rate in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * share
        z, places = z.to(device, non_blocking=True), places.to(device, non_blocking=True)
        batch, answers = batch.to(device), answers.to(device)
        noise = alike_in_contrasts(torch.randn_like(z))
        t = alike_in_contrasts(torch.randint(len(alphas), (len(z),), device=device))
        alpha = alphas[t].view(-1, 1, 1, 1)
        snr = alphas[t] / (1 - alphas[t])
        with sdpa_kernel(SDPBackend.MATH):
            hidden, penalty = embed(text, mapper, batch)
        reading, read_right = readers.judge(hidden, batch, answers)
        loss, plain = losses(alpha.sqrt() * z + (1 - alpha).sqrt() * noise, t, hidden, noise,
                             snr.clamp(max=SNR_LIMIT) / snr, places)
        for optimiser, _ in optimisers:
            optimiser.zero_grad()
        (loss + .1 * penalty + READING * reading).backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.)
        for optimiser, _ in optimisers:
            optimiser.step()
        step += 1
        parts.average.update(step)
        now = torch.stack([loss.detach(), plain.detach(), read_right])
        running = now if running is None else running.lerp(now, .01)
        if step % 50 == 0:
            print(f"{time.time() - start:.0f} s  step {step}  loss {running[0].item():.4f} ({running[1].item():.4f} everywhere)  "
                  f"read right {running[2].item():.3f}  rate {share:.3f}", flush=True)
        if step % CURVE_EVERY == 0:
            curve.add(step, running[0].item(), share, step * args.batch, running[2].item())
        if checkpoint.due():
            save()
    save()


if __name__ == "__main__":
    main()

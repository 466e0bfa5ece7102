"""The autoencoder, 128 x 128 x 3 to 16 x 16 x 8 and back.

Trained on 64 x 64 crops (it is fully convolutional and has no attention, so crops teach the same at a
quarter of the cost). With --decoder-only the encoder stays as it is: latents computed earlier remain valid.

vae.pt holds the averaged weights, for the other stages; vae-training.pt and decoder-training.pt hold all that
training needs to go on.

Norms have few groups: with one channel a group (16 of 16) they took the absolute colour out of every crop and
cost 2 dB in equal time.
"""

import argparse
import math
import time

import numpy as np
import torch
import torch.nn.functional as F

from model import LATENT_CHANNELS, make_vae, psnr, save_atomically, save_sheet, state_dir, to_tensor
from muon import make_optimisers
from pool import drawings
from training import Average, Checkpoint, Curve, add_options, compiled_if_right, memory_format, prepare, rate_share

CROP_PX = 64
START_LOG_VARIANCE = -5.  # with unit noise at the start the decoder learns to ignore the latents, for good
KL_WEIGHT = 2e-5
TEST_SEED = 900_000_000
TEST_PICTURES = 64
MEASURE_EVERY = 500  # steps


def cut(stack, batch, rng):
    """Square crops of random pictures, at multiples of eight pixels: [batch,64,64,3]."""
    n = rng.integers(len(stack), size=batch)
    y, x = 8 * rng.integers((stack.shape[1] - CROP_PX) // 8 + 1, size=(2, batch))
    return np.stack([stack[k, a:a + CROP_PX, b:b + CROP_PX] for k, a, b in zip(n, y, x, strict=True)])


def is_inner(name):
    """Whether a weight lies between the ends, whose few channels are no matrices to make orthogonal."""
    return not any(part in name for part in ("conv_in", "conv_out", "quant_conv"))


def loss_function(vae):
    def losses(x, noise):
        mean, log_variance = vae.quant_conv(vae.encoder(x)).chunk(2, 1)
        log_variance = log_variance.clamp(-20, 10)
        y = vae.decoder(vae.post_quant_conv(mean + (.5 * log_variance).exp() * noise))
        kl = .5 * (mean.pow(2) + log_variance.exp() - 1 - log_variance).mean()
        squared = F.mse_loss(y, x)
        return 2 * squared + .1 * F.l1_loss(y, x) + KL_WEIGHT * kl, squared, kl

    return losses


@torch.no_grad()
def reconstruct(vae, pictures):
    parts = pictures.split(16)
    return torch.cat([vae.decode(vae.encode(some).latent_dist.mode()).sample for some in parts])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, steps=40000, batch=16, lr=2e-3, lr_help="of AdamW; Muon's is ten times as large")
    parser.add_argument("--pictures", type=int, default=12000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--decoder-only", action="store_true")
    args = parser.parse_args()
    name, state = "decoder" if args.decoder_only else "vae", state_dir()
    if not args.decoder_only and (state / "latents").exists():
        raise SystemExit(f"{state}/latents was made by the present encoder: remove it and done-latents to train that again")
    prepare(args.device)
    stack = drawings("train", args.pictures, 0, args.workers)
    layout = {"device": args.device, "memory_format": memory_format(args.device)}
    test = to_tensor(drawings("test", TEST_PICTURES, TEST_SEED, args.workers)).to(**layout)

    vae = make_vae()
    vae.quant_conv.bias.data[LATENT_CHANNELS:] = START_LOG_VARIANCE
    checkpoint = Checkpoint(f"{name}-training.pt", args.save_every)
    saved = checkpoint.load()
    if args.decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    if saved:
        vae.load_state_dict(saved["vae"])
    elif (state / "vae.pt").exists():
        vae.load_state_dict(torch.load(state / "vae.pt", map_location="cpu"))
    vae.to(**layout)
    named = [(n, p) for n, p in vae.named_parameters() if p.requires_grad]
    trained = [p for _, p in named]
    optimisers = make_optimisers(named, 10 * args.lr, args.lr, is_inner)
    average, step = Average(trained), 0
    if saved:
        for optimiser, values in zip(optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(values)
        average.load(saved["average"])
        step = saved["step"]
    rates = [10 * args.lr, args.lr]
    torch.manual_seed(step)
    rng = np.random.default_rng(step)
    curve = Curve(name, ("crops_db", "test_db", "kl", "rate"))
    print(f"{sum(p.numel() for p in vae.parameters()) / 1e6:.2f} M parameters, from step {step}", flush=True)

    def save():
        checkpoint.save({"vae": vae.state_dict(), "average": average.values, "step": step,
                         "optimisers": [o.state_dict() for o in optimisers]})
        average.swap()
        save_atomically({k: v.cpu() for k, v in vae.state_dict().items()}, state / "vae.pt")
        average.swap()

    def measure():
        average.swap()
        y = reconstruct(vae.eval(), test)
        vae.train()
        average.swap()
        save_sheet(torch.cat([test[:24], y[:24]]), state / "vae.png")
        return psnr(y, test)

    losses, latent_px = loss_function(vae), CROP_PX // 8
    if args.compile:
        x = to_tensor(cut(stack, args.batch, rng)).to(**layout)
        noise = torch.zeros(args.batch, LATENT_CHANNELS, latent_px, latent_px, device=args.device)
        losses = compiled_if_right(losses, trained, x, noise)
    start, running, until = time.time(), None, min(args.steps, args.until or args.steps)
    while step < until:
        share = rate_share(step, args.steps, args.decay_last)
        for optimiser, rate in zip(optimisers, rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * share
        x = to_tensor(cut(stack, args.batch, rng)).to(**layout)
        noise = torch.randn(args.batch, LATENT_CHANNELS, latent_px, latent_px, device=args.device)
        loss, squared, kl = losses(x, noise)
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.)
        for optimiser in optimisers:
            optimiser.step()
        step += 1
        average.update(step)
        running = squared.detach() if running is None else running.lerp(squared.detach(), .02)
        if step % 100 == 0:
            crops = 10 * math.log10(4 / running.item())
            print(f"{time.time() - start:.0f} s  step {step}  crops {crops:.2f} dB  kl {kl.item():.2f}", flush=True)
        if step % MEASURE_EVERY == 0 or step == until:
            found = measure()
            curve.add(step, 10 * math.log10(4 / running.item()), found, kl.item(), share)
            print(f"step {step}  {found:.2f} dB on {TEST_PICTURES} new pictures", flush=True)
        if checkpoint.due():
            save()
    save()


if __name__ == "__main__":
    main()

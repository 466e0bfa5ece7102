"""Stage 1: the autoencoder, 128 x 128 x 3 to 16 x 16 x 4 and back.

Trained on 64 x 64 crops (it is fully convolutional and has no attention, so crops teach the same at a
quarter of the cost). With --decoder-only the encoder stays as it is: latents computed earlier remain valid.

Norms have few groups: with one channel a group (16 of 16) they took the absolute colour out of every crop and
cost 2 dB in equal time.
"""

import argparse
import math
import multiprocessing
import time

import numpy as np
import torch
import torch.nn.functional as F

from model import LATENT_CHANNELS, make_vae, picture, psnr, save_atomically, save_sheet, state_dir, to_tensor
from muon import make_optimisers

CROP_PX = 64
START_LOG_VARIANCE = -5.  # with unit noise at the start the decoder learns to ignore the latents, for good
KL_WEIGHT = 2e-5
NEAR_WEIGHT = .02


def pixels(seed):
    return picture(seed)[2]


def render_pool(count, first_seed, workers):
    with multiprocessing.Pool(workers) as pool:
        return np.stack(pool.map(pixels, range(first_seed, first_seed + count), chunksize=64))


def draw_places(pool, batch, rng):
    """Picture, row and column (in latents) of each crop of a batch."""
    steps = (pool.shape[1] - CROP_PX) // 8 + 1
    return rng.integers(len(pool), size=batch), rng.integers(steps, size=(batch, 2))


def cut(stack, places, side):
    """Squares of `side` out of [N,H,W,...]; rows and columns of the places count in eighths of the side."""
    unit = side * 8 // CROP_PX
    return np.stack([stack[n, y * unit:y * unit + side, x * unit:x * unit + side]
                     for n, (y, x) in zip(*places, strict=True)])


@torch.no_grad()
def latents_of(pool, vae):
    """[N,16,16,4] float16."""
    return np.concatenate([vae.encode(to_tensor(pool[k:k + 50])).latent_dist.mode().permute(0, 2, 3, 1).half().numpy()
                           for k in range(0, len(pool), 50)])


def is_inner(name):
    """Whether a weight lies between the ends, whose few channels are no matrices to make orthogonal."""
    return not any(part in name for part in ("conv_in", "conv_out", "quant_conv"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3, help="of AdamW; Muon's is ten times as large")
    parser.add_argument("--pictures", type=int, default=12000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--start", help="diffusers folder of an autoencoder to begin with, where there is no checkpoint yet")
    parser.add_argument("--decoder-only", action="store_true")
    parser.add_argument("--stay-near", action="store_true", help="hold the latents near those that the autoencoder gives "
                        "at the start, so that a UNet trained on them need not begin anew")
    args = parser.parse_args()
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    state = state_dir()
    path = state / "vae.pt"

    pool = render_pool(args.pictures, 0, args.workers)
    test = to_tensor(render_pool(64, 900_000_000, args.workers))
    vae = make_vae()
    if path.exists():
        vae.load_state_dict(torch.load(path))
    elif args.start:
        vae.load_state_dict(type(vae).from_pretrained(args.start, torch_dtype=torch.float32).state_dict())
    else:
        vae.quant_conv.bias.data[LATENT_CHANNELS:] = START_LOG_VARIANCE
    if args.decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    named = [(name, p) for name, p in vae.named_parameters() if p.requires_grad]
    trained = [p for _, p in named]
    optimisers = make_optimisers(named, 10 * args.lr, args.lr, is_inner)
    rates = [group["lr"] for optimiser in optimisers for group in optimiser.param_groups]
    near = latents_of(pool, vae) if args.stay_near else None
    print(f"{sum(p.numel() for p in vae.parameters()) / 1e6:.2f} M parameters", flush=True)

    start, step, running = time.time(), 0, None
    while (elapsed := time.time() - start) < args.seconds:
        share = min(1, (step + 1) / 100) * (.5 + .5 * math.cos(math.pi * elapsed / args.seconds)) + 1e-3
        groups = [group for optimiser in optimisers for group in optimiser.param_groups]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * share
        places = draw_places(pool, args.batch, rng)
        x = to_tensor(cut(pool, places, CROP_PX))
        mean, log_variance = vae.quant_conv(vae.encoder(x)).chunk(2, 1)
        log_variance = log_variance.clamp(-20, 10)
        z = mean + (.5 * log_variance).exp() * torch.randn_like(mean)
        y = vae.decoder(vae.post_quant_conv(z))
        kl = .5 * (mean.pow(2) + log_variance.exp() - 1 - log_variance).mean()
        squared = F.mse_loss(y, x)
        loss = 2 * squared + .1 * F.l1_loss(y, x) + KL_WEIGHT * kl
        if near is not None:
            target = torch.from_numpy(cut(near, places, CROP_PX // 8)).float().permute(0, 3, 1, 2)
            distance = F.mse_loss(mean, target)
            loss = loss + NEAR_WEIGHT * distance
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.)
        for optimiser in optimisers:
            optimiser.step()
        step += 1
        running = squared.item() if running is None else .98 * running + .02 * squared.item()
        if step % 100 == 0:
            print(f"{elapsed:.0f} s  step {step}  crops {10 * math.log10(4 / running):.2f} dB  kl {kl.item():.2f}"
                  + (f"  distance {distance.item():.3f}" if near is not None else ""), flush=True)
        if step % 1000 == 0:
            save_atomically(vae.state_dict(), path)
    save_atomically(vae.state_dict(), path)
    with torch.no_grad():
        y = vae.eval().decode(vae.encode(test).latent_dist.mode()).sample
    print(f"{step} steps; {psnr(y, test):.2f} dB on 64 new pictures", flush=True)
    save_sheet(torch.cat([test[:24], y[:24]]), state / "vae.png")


if __name__ == "__main__":
    main()

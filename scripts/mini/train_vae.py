"""Stage 1: the autoencoder, 128 x 128 x 3 to 16 x 16 x 4 and back.

Trained on 64 x 64 crops (it is fully convolutional and has no attention, so crops teach the same at a
quarter of the cost). With --decoder-only the encoder stays as it is: latents computed earlier remain valid.
"""

import argparse
import math
import multiprocessing
import time

import numpy as np
import torch
import torch.nn.functional as F

from model import LATENT_CHANNELS, make_vae, picture, psnr, save_atomically, save_sheet, state_dir, to_tensor

CROP_PX = 64
START_LOG_VARIANCE = -5.  # with unit noise at the start the decoder learns to ignore the latents, for good
KL_WEIGHT = 2e-5


def pixels(seed):
    return picture(seed)[2]


def render_pool(count, first_seed, workers):
    with multiprocessing.Pool(workers) as pool:
        return np.stack(pool.map(pixels, range(first_seed, first_seed + count), chunksize=64))


def crops(pool, batch, rng):
    """A batch of crops at multiples of 8 pixels, mirrored half of the time."""
    out = np.empty((batch, CROP_PX, CROP_PX, 3), np.uint8)
    steps = (pool.shape[1] - CROP_PX) // 8 + 1
    for k, n in enumerate(rng.integers(len(pool), size=batch)):
        y, x = 8 * rng.integers(steps, size=2)
        crop = pool[n, y:y + CROP_PX, x:x + CROP_PX]
        out[k] = crop[:, ::-1] if rng.random() < .5 else crop
    return to_tensor(out)


def gradient_loss(a, b):
    d = a - b
    return d.diff(dim=2).abs().mean() + d.diff(dim=3).abs().mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--pictures", type=int, default=12000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--start", help="diffusers folder of an autoencoder to begin with, where there is no checkpoint yet")
    parser.add_argument("--decoder-only", action="store_true")
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
    trained = [p for p in vae.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, args.lr, betas=(.9, .99), weight_decay=1e-4)
    print(f"{sum(p.numel() for p in vae.parameters()) / 1e6:.2f} M parameters", flush=True)

    start, step, running = time.time(), 0, None
    while (elapsed := time.time() - start) < args.seconds:
        lr = args.lr * min(1, (step + 1) / 100) * (.5 + .5 * math.cos(math.pi * elapsed / args.seconds)) + 1e-6
        for group in optimiser.param_groups:
            group["lr"] = lr
        x = crops(pool, args.batch, rng)
        mean, log_variance = vae.quant_conv(vae.encoder(x)).chunk(2, 1)
        log_variance = log_variance.clamp(-20, 10)
        z = mean + (.5 * log_variance).exp() * torch.randn_like(mean)
        y = vae.decoder(vae.post_quant_conv(z))
        kl = .5 * (mean.pow(2) + log_variance.exp() - 1 - log_variance).mean()
        squared = F.mse_loss(y, x)
        loss = 2 * squared + .1 * F.l1_loss(y, x) + .05 * gradient_loss(y, x) + KL_WEIGHT * kl
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.)
        optimiser.step()
        step += 1
        running = squared.item() if running is None else .98 * running + .02 * squared.item()
        if step % 100 == 0:
            print(f"{elapsed:.0f} s  step {step}  crops {10 * math.log10(4 / running):.2f} dB  kl {kl.item():.2f}", flush=True)
        if step % 1000 == 0:
            save_atomically(vae.state_dict(), path)
    save_atomically(vae.state_dict(), path)
    with torch.no_grad():
        y = vae.eval().decode(vae.encode(test).latent_dist.mode()).sample
    print(f"{step} steps; {psnr(y, test):.2f} dB on 64 new pictures", flush=True)
    save_sheet(torch.cat([test[:24], y[:24]]), state / "vae.png")


if __name__ == "__main__":
    main()

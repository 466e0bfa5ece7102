"""The upscaler for the built-in model's pictures: 128 x 128 to 512 x 512, `sdx-generate --upscale cartoon-4x`.

It has learnt from drawings, which come in any size: the large one is what it is to find, the small one, seen through the
autoencoder, is what it is given. So it sharpens what the autoencoder blurs, too. The network is the compact one of
Real-ESRGAN (SRVGGNetCompact), written in the names that such files have.
"""

import argparse
import multiprocessing
import pathlib
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save as to_bytes
from torch import nn

from contexts import draw_subject
from model import SIZE_PX, psnr, save_atomically, save_sheet, state_dir, to_tensor
from render import render
from train_faces import load_vae
from training import Checkpoint, add_options, memory_format, prepare, rate_share

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "configs/models/cartoon-4x.safetensors"
FIRST_SEED = 70_000_000
SCALE, CHANNELS, LAYERS = 4, 32, 10
CROP_PX = 40  # of the small picture
TEST_PICTURES = 24
NOISE = .15  # of the latents, whose deviation is 1: pictures of the UNet are no drawings


class Upscaler(nn.Module):
    """[B,3,H,W] in 0..1 -> [B,3,4H,4W]; each layer but the last one is a convolution and a rectifier with slopes."""

    def __init__(self):
        super().__init__()
        layers, width = [], 3
        for _ in range(LAYERS):
            layers += [nn.Conv2d(width, CHANNELS, 3, padding=1), nn.PReLU(CHANNELS)]
            width = CHANNELS
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 3 * SCALE ** 2, 3, padding=1))

    def forward(self, x):
        return F.pixel_shuffle(self.body(x), SCALE) + F.interpolate(x, scale_factor=SCALE)


def both_sizes(seed):
    """One drawing, small and large."""
    identity, context = draw_subject(random.Random(seed))
    return tuple(np.asarray(render(identity, context, size_px=SIZE_PX * k)) for k in (1, SCALE))


@torch.no_grad()
def through_autoencoder(vae, drawn):
    """[N,128,128,3] bytes -> [N,3,128,128] in 0..1, as the programs write them."""
    out = []
    for some in to_tensor(drawn).split(16):
        z = vae.encode(some).latent_dist.mode()
        decoded = vae.decode(z + NOISE * torch.rand(len(z), 1, 1, 1) * torch.randn_like(z)).sample
        out.append(((decoded.clamp(-1, 1) + 1) * 127.5).round() / 255)
    return torch.cat(out)


def drawings(count, workers, vae):
    """(small [N,3,128,128] in 0..1, large [N,512,512,3] bytes)."""
    with multiprocessing.Pool(workers) as pool:
        small, large = zip(*pool.map(both_sizes, range(FIRST_SEED, FIRST_SEED + count), chunksize=4))
    return through_autoencoder(vae, np.stack(small)), np.stack(large)


def nearness(found, wanted):
    """In dB, of pictures in 0..1."""
    return psnr(2 * found.clamp(0, 1) - 1, 2 * wanted - 1)


def bicubic(small):
    return F.interpolate(small, scale_factor=SCALE, mode="bicubic", antialias=False)


def to_unit(large):
    return torch.from_numpy(large).permute(0, 3, 1, 2).float() / 255


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, steps=5000, batch=16, lr=1e-3)
    parser.add_argument("--pictures", type=int, default=700)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--weights", type=pathlib.Path, default=ROOT / "configs/models/mini", help="whose autoencoder")
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    args = parser.parse_args()
    prepare(args.device)
    torch.manual_seed(0)
    small, large = drawings(args.pictures, args.workers, load_vae(args.weights))
    print("drawn", flush=True)
    test, wanted = small[:TEST_PICTURES], to_unit(large[:TEST_PICTURES])
    network = Upscaler().to(device=args.device, memory_format=memory_format(args.device))
    optimiser = torch.optim.AdamW(network.parameters(), args.lr, weight_decay=0.)
    checkpoint, step = Checkpoint("upscaler-training.pt", args.save_every), 0
    saved = checkpoint.load()
    if saved:
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]
    rng, start, until = random.Random(step), time.time(), min(args.steps, args.until or args.steps)

    def save():
        checkpoint.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step})

    while step < until:
        for group in optimiser.param_groups:
            group["lr"] = args.lr * rate_share(step, args.steps, args.decay_last)
        x, y = [], []
        for k in rng.choices(range(TEST_PICTURES, len(small)), k=args.batch):
            a, b = (rng.randrange(SIZE_PX - CROP_PX + 1) for _ in range(2))
            x.append(small[k, :, a:a + CROP_PX, b:b + CROP_PX])
            y.append(large[k, SCALE * a:SCALE * (a + CROP_PX), SCALE * b:SCALE * (b + CROP_PX)])
        x = torch.stack(x).to(device=args.device, memory_format=memory_format(args.device))
        loss = F.l1_loss(network(x), to_unit(np.stack(y)).to(args.device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 100 == 0:
            print(f"{time.time() - start:.0f} s  step {step}  error {loss.item():.4f}", flush=True)
        if checkpoint.due():
            save()
    save()
    network.cpu().eval()
    with torch.no_grad():
        found = network(test)
    print(f"{nearness(found, wanted):.2f} dB on {TEST_PICTURES} new pictures; bicubic {nearness(bicubic(test), wanted):.2f}")
    save_sheet(2 * torch.cat([bicubic(test[:8]), found[:8], wanted[:8]]) - 1, state_dir() / "upscaler.png")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    save_atomically(weights, args.out, lambda value, file: file.write(to_bytes(value)))


if __name__ == "__main__":
    main()

"""Stage 3: draws the training pictures and keeps their latents; the pictures themselves are not needed again.

Identity and context of picture `k` follow from its seed, so that only the latents are stored. The autoencoder
is rewritten so that its latents have mean 0 and variance 1 in each channel: the scaling factor of its config is 1.
"""

import argparse
import multiprocessing
import random

import numpy as np
import torch

from contexts import draw_context
from model import make_vae, picture, save_atomically, state_dir, to_tensor
from render import draw_identity

FIRST_SEED = 10_000_000


def pixels(seed):
    return picture(seed)[2]


def who_and_what(seed):
    """What `model.picture` draws for this seed, without drawing it."""
    rng = random.Random(seed)
    identity = draw_identity(rng)
    return identity, draw_context(rng, identity)


@torch.no_grad()
def standardise(vae, mean, std):
    """Folds into the two 1x1 convolutions around the latents that each of their channels is (z - mean) / std."""
    channels = len(mean)
    vae.quant_conv.bias[:channels] = (vae.quant_conv.bias[:channels] - mean) / std
    vae.quant_conv.weight[:channels] /= std[:, None, None, None]
    vae.quant_conv.bias[channels:] -= 2 * std.log()
    vae.post_quant_conv.bias += vae.post_quant_conv.weight[:, :, 0, 0] @ mean
    vae.post_quant_conv.weight *= std[None, :, None, None]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=16000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    args = parser.parse_args()
    vae = make_vae().eval()
    vae.load_state_dict(torch.load(state_dir() / "vae.pt"))
    latents = np.empty((args.pictures, 4, 16, 16), np.float16)
    with multiprocessing.Pool(args.workers) as pool, torch.no_grad():
        stream = pool.imap(pixels, range(FIRST_SEED, FIRST_SEED + args.pictures), chunksize=32)
        for at in range(0, args.pictures, args.batch):
            some = [next(stream) for _ in range(min(args.batch, args.pictures - at))]
            latents[at:at + len(some)] = vae.encode(to_tensor(np.stack(some))).latent_dist.mode().numpy()
            if at % (64 * args.batch) == 0:
                print(f"{at} of {args.pictures}", flush=True)
    z = torch.from_numpy(latents).float()
    mean, std = z.mean((0, 2, 3)), z.std((0, 2, 3))
    if mean.abs().max() > .05 or (std - 1).abs().max() > .05:  # else it was done before, and the UNet relies on it
        z = (z - mean[:, None, None]) / std[:, None, None]
        standardise(vae, mean, std)
        save_atomically(vae.state_dict(), state_dir() / "vae.pt")
    save_atomically(z.half(), state_dir() / "latents.pt")
    print(f"mean {mean.tolist()}  std {std.tolist()}")


if __name__ == "__main__":
    main()

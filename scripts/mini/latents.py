"""Draws the training pictures and keeps their latents; the pictures themselves are not needed again.

Identity and context of picture `k` follow from its seed, so that only the latents are stored: half precision, in
shards of 4,000 pictures that are mapped and not read into memory. A killed run goes on with the next shard.

The autoencoder is first rewritten so that its latents have mean 0 and variance 1 in each channel: the scaling
factor of its config is 1.
"""

import argparse
import json
import multiprocessing
import random

import numpy as np
import torch

from contexts import draw_subject
from model import LATENT_CHANNELS, LATENT_PX, make_vae, save_atomically, state_dir, to_tensor
from pool import digest, pixels
from training import add_device, memory_format, prepare

FIRST_SEED = 10_000_000
SHARD = 4000
MEASURED = 2000  # pictures that tell mean and variance


def who_and_what(k):
    """Identity and context of latent `k`: what `model.picture` draws for its seed."""
    return draw_subject(random.Random(FIRST_SEED + k))


class Latents:
    """All latents that are there: [N,8,16,16] float16."""

    def __init__(self):
        folder = state_dir() / "latents"
        info = json.loads((folder / "info.json").read_text(encoding="utf-8")) if (folder / "info.json").exists() else {}
        self.shards = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))]
        if not self.shards:
            raise SystemExit("no latents: run latents.py first")
        if info["drawings"] != digest():
            raise SystemExit(f"the drawings have changed since {folder} was made: remove it and done-latents")

    def __len__(self):
        return sum(map(len, self.shards))

    def __getitem__(self, places):
        return torch.from_numpy(np.stack([self.shards[k // SHARD][k % SHARD] for k in places])).float()


@torch.no_grad()
def standardise(vae, mean, std):
    """Folds into the two 1x1 convolutions around the latents that each of their channels is (z - mean) / std."""
    channels = len(mean)
    vae.quant_conv.bias[:channels] = (vae.quant_conv.bias[:channels] - mean) / std
    vae.quant_conv.weight[:channels] /= std[:, None, None, None]
    vae.quant_conv.bias[channels:] -= 2 * std.log()
    vae.post_quant_conv.bias += vae.post_quant_conv.weight[:, :, 0, 0] @ mean
    vae.post_quant_conv.weight *= std[None, :, None, None]


@torch.no_grad()
def encode(vae, stream, count, device, batch):
    """The next `count` pictures of the stream as latents."""
    layout = {"device": device, "memory_format": memory_format(device)}
    out = np.empty((count, LATENT_CHANNELS, LATENT_PX, LATENT_PX), np.float16)
    for at in range(0, count, batch):
        some = np.stack([next(stream) for _ in range(min(batch, count - at))])
        out[at:at + len(some)] = vae.encode(to_tensor(some).to(**layout)).latent_dist.mode().cpu().numpy()
    return out


def load_encoder(device):
    vae = make_vae().eval()
    vae.load_state_dict(torch.load(state_dir() / "vae.pt", map_location="cpu"))
    return vae.to(device=device, memory_format=memory_format(device))


def save_array(array, path):
    save_atomically(array, path, lambda value, file: np.save(file, value))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=160_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=25)
    add_device(parser)
    args = parser.parse_args()
    prepare(args.device)
    folder = state_dir() / "latents"
    folder.mkdir(exist_ok=True)
    info = folder / "info.json"
    if info.exists() and json.loads(info.read_text(encoding="utf-8"))["drawings"] != digest():
        raise SystemExit(f"the drawings have changed since {folder} was begun: remove it to begin anew")
    info.write_text(json.dumps({"drawings": digest()}) + "\n", encoding="utf-8")
    with multiprocessing.Pool(args.workers) as pool:
        vae = load_encoder(args.device)
        paths = [folder / f"{k:03}.npy" for k in range(-(-args.pictures // SHARD))]
        if not paths[0].exists():
            z = torch.from_numpy(encode(vae, pool.imap(pixels, range(FIRST_SEED, FIRST_SEED + MEASURED), 32), MEASURED,
                                        args.device, args.batch)).float()
            mean, std = z.mean((0, 2, 3)), z.std((0, 2, 3))
            if mean.abs().max() > .05 or (std - 1).abs().max() > .05:  # else it was done before
                vae.cpu()
                standardise(vae, mean, std)
                save_atomically(vae.state_dict(), state_dir() / "vae.pt")
                vae.to(device=args.device, memory_format=memory_format(args.device))
            print(f"mean {mean.tolist()}  std {std.tolist()}", flush=True)
        for k, path in enumerate(paths):
            if path.exists():
                continue
            seeds = range(FIRST_SEED + k * SHARD, FIRST_SEED + min((k + 1) * SHARD, args.pictures))
            z = encode(vae, pool.imap(pixels, seeds, 32), len(seeds), args.device, args.batch)
            save_array(z, path)
            print(f"shard {k + 1} of {len(paths)}", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes tiny TAESDs in every naming that people's files have, and what diffusers' AutoencoderTiny computes with them.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_taesd_goldens.py tests/data/taesd

All hold the same random weights of five channels in place of 64. `golden.safetensors` holds `latents` and `decoded`,
`images` and `encoded`, both in diffusers' scaling (pictures in -1 to 1); its metadata say which versions made it.
`sixteen.safetensors` has latents of 16 channels, as those of Stable Diffusion 3 and Flux.
"""

import json
import shutil
import sys
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file

CHANNELS = 5


def make(latent_channels: int) -> AutoencoderTiny:
    torch.manual_seed(latent_channels)
    width = (CHANNELS,) * 4
    network = AutoencoderTiny(encoder_block_out_channels=width, decoder_block_out_channels=width,
                              latent_channels=latent_channels).eval()
    for name, value in network.named_parameters():
        # Deep networks of random weights fade out; the biases show that none is left out.
        torch.nn.init.normal_(value, std=0.4 if name.endswith("bias") else 0.8 / value[0].numel() ** 0.5)
    return network


def original(network: AutoencoderTiny, part: str) -> dict:
    """In the author's naming: a decoder's first layer is the one that bends latents, so all have one number more."""
    shift = 1 if part == "decoder" else 0
    named = {}
    for key, value in getattr(network, part).state_dict().items():
        number, rest = key.removeprefix("layers.").split(".", 1)
        named[f"{int(number) + shift}.{rest}"] = value.contiguous()
    return named


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    network = make(4)
    network.save_pretrained(folder / "folder")
    config = json.loads((folder / "folder" / "config.json").read_text())
    (folder / "folder" / "config.json").write_text(json.dumps(
        {key: config[key] for key in ("_class_name", "act_fn", "latent_channels", "scaling_factor", "shift_factor")},
        indent=2) + "\n")
    decoder, encoder = (original(network, part) for part in ("decoder", "encoder"))
    save_file(decoder, folder / "taesd_decoder.safetensors")
    torch.save(decoder, folder / "taesd_decoder.pth")
    save_file(encoder, folder / "taesd_encoder.safetensors")
    both = {f"decoder.{key}": value for key, value in decoder.items()}
    both |= {f"encoder.{key}": value for key, value in encoder.items()}
    save_file(both, folder / "both.safetensors")
    save_file({f"taesd_{key}": value for key, value in both.items()}
              | dict(vae_scale=torch.tensor(0.18215), vae_shift=torch.tensor(0.0)), folder / "comfy.safetensors")
    save_file(original(make(16), "decoder"), folder / "sixteen.safetensors")

    torch.manual_seed(0)
    latents, images = torch.randn(2, 4, 6, 5) * 2, torch.rand(2, 3, 40, 48) * 2 - 1
    with torch.no_grad():
        golden = dict(latents=latents, decoded=network.decode(latents).sample, images=images,
                      encoded=network.encode(images).latents)
    for key, value in golden.items():
        print(key, tuple(value.shape), f"deviation {value.std():.3f}")
    save_file({key: value.contiguous() for key, value in golden.items()}, folder / "golden.safetensors",
              dict(diffusers=diffusers.__version__, torch=torch.__version__))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))

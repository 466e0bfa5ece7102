#!/usr/bin/env python3
"""Makes the reference pictures of inpainting models, whose UNet reads nine channels: latents, a mask, a masked picture.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_inpainting_goldens.py tests/data

Writes `layouts/inpainting-tiny.safetensors`: what StableDiffusionInpaintPipeline makes with the tiny Stable Diffusion 1,
and StableDiffusionXLInpaintPipeline with the tiny SDXL, of given latents, 20 steps, guidance 7. The weights are those
of make_layouts.py; the first convolution of the UNet is the synthetic one of nine channels.

The pipelines encode pictures by a random draw from the autoencoder's distribution. Here its mean is the draw, as in sdx.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from diffusers import (DDIMScheduler, EulerDiscreteScheduler, StableDiffusionInpaintPipeline,
                       StableDiffusionXLInpaintPipeline)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_inpaint
from diffusers.pipelines.stable_diffusion_xl import pipeline_stable_diffusion_xl_inpaint
from PIL import Image
from safetensors.torch import save_file

import sdxl
from clip_tokenizer import clip_tokenizer
from make_layouts import VERSIONS, build, configs
from synthetic import noise

PROMPT = "a portrait of a man in the snow"
WIDTH, HEIGHT, CHANNELS = 96, 64, 9
CASES = {  # sampler (with the spacing that sdx gives it), share of the steps
    "ddim": (DDIMScheduler, "leading", 1.), "euler": (EulerDiscreteScheduler, "linspace", 1.),
    "part": (EulerDiscreteScheduler, "linspace", .6)}


def pictures():
    """A picture of waves, and a mask whose edge is soft and off the latents' grid: 127 and 128 are on either side."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [127.5 + 120 * np.sin(x / 9. + k) * np.cos(y / (5. + k)) for k in range(3)]
    radius = np.hypot((x - 57.) / 1.3, y - 29.)
    mask = np.clip(128 + (22 - radius) * 25, 0, 255)
    return np.stack(waves, -1).round().astype(np.uint8), mask.round().astype(np.uint8)


def parts_of(model):
    parts = {}
    for layout in ("sdxl-tiny-rest", "sdxl-tiny") if model == "sdxl" else ("sd1-tiny",):
        for part, config in configs(layout).items():
            if part != "scheduler":
                parts[part] = build(part, config | (dict(in_channels=CHANNELS) if part == "unet" else {}), full_size=False)
    return parts


def pipeline(model, parts, scheduler):
    with tempfile.TemporaryDirectory() as place:
        tokenizer = clip_tokenizer(Path(place), pad="<|endoftext|>")
    if model == "sd1":
        return StableDiffusionInpaintPipeline(**parts, tokenizer=tokenizer, scheduler=scheduler, safety_checker=None,
                                              feature_extractor=None, requires_safety_checker=False)
    with tempfile.TemporaryDirectory() as place:
        second = clip_tokenizer(Path(place), pad="!")
    return StableDiffusionXLInpaintPipeline(**parts, tokenizer=tokenizer, tokenizer_2=second, scheduler=scheduler,
                                            force_zeros_for_empty_prompt=True, add_watermarker=False)


def main(folder: Path) -> None:
    latents = noise("inpainting", 1, 4, HEIGHT // 8, WIDTH // 8)
    picture, mask = pictures()
    golden = dict(latents=latents, image=torch.from_numpy(picture), mask=torch.from_numpy(mask))
    DiagonalGaussianDistribution.sample = lambda self, generator=None: self.mode()
    for module in (pipeline_stable_diffusion_inpaint, pipeline_stable_diffusion_xl_inpaint):
        module.randn_tensor = lambda *args, **kwargs: latents.clone()  # what the picture is noised with
    for model in ("sd1", "sdxl"):
        parts = parts_of(model)
        for case, (sampler, spacing, strength) in CASES.items():
            pipe = pipeline(model, parts, sampler.from_config(sdxl.SCHEDULER | dict(timestep_spacing=spacing)))
            pipe.set_progress_bar_config(disable=True)
            made = pipe(PROMPT, image=Image.fromarray(picture), mask_image=Image.fromarray(mask), width=WIDTH, height=HEIGHT,
                        strength=strength, num_inference_steps=20, guidance_scale=7, output_type="pt",
                        latents=latents.clone() if strength == 1 else None).images
            print(model, case, "values at the ends:", float(((made == 0) | (made == 1)).float().mean()))
            golden[f"{model}.{case}"] = (made * 255).round().to(torch.uint8)
    save_file({key: value.contiguous() for key, value in golden.items()},
              folder / "layouts/inpainting-tiny.safetensors", VERSIONS)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))

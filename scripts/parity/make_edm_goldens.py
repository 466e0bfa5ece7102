#!/usr/bin/env python3
"""Makes the reference data of models that were trained on noise levels (EDM): Playground 2.5's and CosXL's schedules.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_edm_goldens.py tests/data

Writes `layouts/edm-tiny.safetensors`:
 - `walk.<model>.<sampler>.<schedule>.<steps>`: trajectories of diffusers' EDMEulerScheduler and
   EDMDPMSolverMultistepScheduler with a smooth function in place of a UNet, `….times` what it was told. Samples are in
   the variance preserving scaling of latents with unit deviation: x / sqrt(sigma² + sigma_data²).
 - `picture.<model>`: what StableDiffusionXLPipeline makes of given latents with the synthetic weights of make_layouts.py,
   20 steps, guidance 3. Playground's autoencoder has a mean and a deviation for each channel (`picture.mean`, `.std`).
"""

import sys
import tempfile
from pathlib import Path

import torch
from diffusers import EDMDPMSolverMultistepScheduler, EDMEulerScheduler, StableDiffusionXLPipeline
from safetensors.torch import save_file

from clip_tokenizer import clip_tokenizer
from make_layouts import VERSIONS, build, configs
from synthetic import noise

MODELS = {"playground": dict(sigma_min=.002, sigma_max=80., sigma_data=.5, prediction_type="epsilon"),
          "cosxl": dict(sigma_min=.002, sigma_max=120., sigma_data=1., prediction_type="v_prediction")}
SAMPLERS = dict(euler=EDMEulerScheduler, dpmpp_2m=EDMDPMSolverMultistepScheduler)
MEAN, STD = [-1.6574, 1.886, -1.383, 2.5155], [8.4927, 5.9022, 6.5498, 5.2299]  # about what Playground has


def walk(scheduler, steps: int):
    data = scheduler.config.sigma_data
    scheduler.set_timesteps(steps)
    sample = noise("edm.start", 1, 4, 3, 2).double() * float(scheduler.sigmas[0])
    samples, times = [], []
    for i, time in enumerate(scheduler.timesteps):
        times.append(float(time))
        seen = scheduler.scale_model_input(sample, time)
        output = torch.sin(seen * .7 + float(time) * 1.3) * .9
        sample = scheduler.step(output, time, sample).prev_sample
        level = float(scheduler.sigmas[i + 1])
        samples.append(sample / (level**2 + data**2) ** .5)
    return torch.cat(samples).float(), torch.tensor(times, dtype=torch.float64)


def walks() -> dict:
    golden = {"walk.start": noise("edm.start", 1, 4, 3, 2)}
    for model, config in MODELS.items():
        for sampler, kind in SAMPLERS.items():
            for schedule in ("karras", "exponential"):
                for steps in (5, 20):
                    key = f"walk.{model}.{sampler}.{schedule}.{steps}"
                    golden[key], golden[key + ".times"] = walk(kind(**config, sigma_schedule=schedule), steps)
    return golden


def pictures() -> dict:
    parts = {}
    for layout in ("sdxl-tiny-rest", "sdxl-tiny"):
        for part, config in configs(layout).items():
            if part != "scheduler":
                parts[part] = build(part, config, full_size=False)
    with tempfile.TemporaryDirectory() as place:
        first = clip_tokenizer(Path(place), pad="<|endoftext|>")
    with tempfile.TemporaryDirectory() as place:
        second = clip_tokenizer(Path(place), pad="!")
    golden = {"picture.latents": noise("edm.picture", 1, 4, 8, 8), "picture.mean": torch.tensor(MEAN),
              "picture.std": torch.tensor(STD)}
    for model, config in MODELS.items():
        if model == "playground":
            parts["vae"].register_to_config(latents_mean=MEAN, latents_std=STD, scaling_factor=.5)
        else:
            parts["vae"].register_to_config(latents_mean=None, latents_std=None, scaling_factor=.13025)
        pipe = StableDiffusionXLPipeline(
            **parts, tokenizer=first, tokenizer_2=second, scheduler=EDMEulerScheduler(**config),
            force_zeros_for_empty_prompt=True, add_watermarker=False)
        pipe.set_progress_bar_config(disable=True)
        made = pipe("a portrait of a man in the snow", latents=golden["picture.latents"].clone(), num_inference_steps=20,
                    guidance_scale=3, height=64, width=64, output_type="pt").images
        print(model, "values at the ends:", float(((made == 0) | (made == 1)).float().mean()))
        golden[f"picture.{model}"] = (made * 255).round().to(torch.uint8)
    return golden


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    save_file({key: value.contiguous() for key, value in (walks() | pictures()).items()},
              Path(sys.argv[1]) / "layouts/edm-tiny.safetensors", VERSIONS)

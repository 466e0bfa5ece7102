#!/usr/bin/env python3
"""Makes the reference trajectories of the samplers with diffusers and k-diffusion.

    pip install -r scripts/parity/requirements.txt
    pip install --no-deps k-diffusion==0.1.1.post1    # only its samplers are used, not what it trains with
    python scripts/parity/make_sampler_goldens.py tests/data/samplers.safetensors

Both packages run as published; only their random numbers are replaced, by the draws that are stored as `noise`, for
DPM++ SDE and DPM++ 2M SDE diffusers' float32 tables by float64 ones (`exact`), and for `final` the tables as
sampler_cross_product.py says. Where they have nothing (the schedules "simple" and, but for ten steps, "ays"; see
`levels_of`), the published formula stands in sampler_references.py on its own.

Keys: `walk.<sampler>.<variant>.<prediction>.<steps>` holds the sample after each of the steps in `recorded.<steps>`,
and `...timesteps` where the model was asked. The variant is `auto`, a schedule, a timestep spacing, or `zero_snr` (with
trailing spacing). `schedule.<name>.<steps>.levels` and `.timesteps` are the schedules themselves.
`final.<sampler>.<schedule>.<prediction>.<steps>` is the sample at the end of every sampler on every named schedule;
sampler_cross_product.py says which reference each has. Samples are of the variance preserving scaling throughout.
"""

import importlib.metadata
import sys

import diffusers
import scipy
import torch
from diffusers import (DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, DPMSolverSDEScheduler,
                       EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler,
                       KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler, LCMScheduler, LMSDiscreteScheduler,
                       PNDMScheduler, TCDScheduler, UniPCMultistepScheduler)
from safetensors.torch import save_file

from sampler_cross_product import cross_product
from sampler_references import (BETAS, CUSTOM, DISCRETE, DRAWS, START, exact, levels_of, sampling, walk_k_diffusion,
                                walk_levels, walk_preserving)

STEPS = (5, 20, 50)
# In k-diffusion's scaling, x0 + sigma·noise, with the evaluations of a step.
LEVEL_CLASSES = {"euler": (EulerDiscreteScheduler, 1), "euler_a": (EulerAncestralDiscreteScheduler, 1),
                 "heun": (HeunDiscreteScheduler, 2), "lms": (LMSDiscreteScheduler, 1),
                 "dpm2": (KDPM2DiscreteScheduler, 2), "dpm2_a": (KDPM2AncestralDiscreteScheduler, 2),
                 "dpmpp_sde": (DPMSolverSDEScheduler, 2)}


def recorded(steps: int) -> list:
    return sorted({1, 2, 3, steps // 2, steps - 1, steps} & set(range(1, steps + 1)))


def automatic_walk(sampler: str, prediction: str, steps: int, **more):
    """The sampler with its class's defaults and, in `more`, what a model asks for."""
    config = BETAS | dict(prediction_type=prediction) | more
    discrete = config | dict(steps_offset=1)
    if sampler in LEVEL_CLASSES:
        scheduler_class, evaluations = LEVEL_CLASSES[sampler]
        scheduler = scheduler_class(**config)
        return walk_levels(exact(scheduler) if sampler == "dpmpp_sde" else scheduler, evaluations, steps)
    if sampler in ("dpmpp_2s_a", "dpmpp_3m_sde"):  # none in diffusers; AUTOMATIC1111's default schedules
        function = sampling.get_sigmas_karras if sampler == "dpmpp_2s_a" else sampling.get_sigmas_exponential
        sigmas = function(steps, float(DISCRETE.sigma_min), float(DISCRETE.sigma_max))
        return walk_k_diffusion(sampler, prediction, sigmas)
    make = {
        "ddim": lambda: DDIMScheduler(**discrete, clip_sample=False, set_alpha_to_one=False),
        "ddpm": lambda: DDPMScheduler(**discrete, clip_sample=False),
        "pndm": lambda: PNDMScheduler(**discrete, skip_prk_steps=True),
        "lcm": lambda: LCMScheduler(**{key: value for key, value in config.items() if key != "timestep_spacing"}),
        "tcd": lambda: TCDScheduler(**{key: value for key, value in config.items() if key != "timestep_spacing"}),
        "unipc": lambda: UniPCMultistepScheduler(**config),
        "dpmpp_2m": lambda: DPMSolverMultistepScheduler(**config),
        "dpmpp_2m_sde": lambda: DPMSolverMultistepScheduler(**config, algorithm_type="sde-dpmsolver++")}
    scheduler = make[sampler]()
    zero_snr = more.get("rescale_betas_zero_snr", False)
    return walk_preserving(exact(scheduler) if sampler == "dpmpp_2m_sde" and not zero_snr else scheduler, steps)


def scheduled_walk(sampler: str, schedule: str, prediction: str, steps: int):
    """The sampler along a schedule: diffusers' own where it has it, else given to it or to k-diffusion as levels."""
    known = {"karras": dict(use_karras_sigmas=True), "exponential": dict(use_exponential_sigmas=True),
             "beta": dict(use_beta_sigmas=True)}
    if schedule in known:
        return automatic_walk(sampler, prediction, steps, **known[schedule])
    if sampler == "euler" and schedule == "normal":
        return automatic_walk(sampler, prediction, steps)
    sigmas, _ = levels_of(schedule, steps)
    if sampler == "dpmpp_2m":
        return walk_k_diffusion(sampler, prediction, sigmas)
    return walk_levels(EulerDiscreteScheduler(**BETAS, prediction_type=prediction), 1, steps, sigmas)


def main(file: str) -> None:
    golden = {"start": START, "noise": DRAWS.noise, "custom": torch.tensor(CUSTOM, dtype=torch.float64)}

    def keep(key: str, steps: int, walked) -> None:
        samples, asked = walked
        assert len(samples) == steps
        golden[f"recorded.{steps}"] = torch.tensor(recorded(steps))
        golden[f"walk.{key}.{steps}"] = torch.cat([samples[i - 1] for i in recorded(steps)]).float()
        golden[f"walk.{key}.{steps}.timesteps"] = torch.tensor(asked, dtype=torch.float64)

    samplers = [*LEVEL_CLASSES, "ddim", "ddpm", "pndm", "lcm", "tcd", "unipc", "dpmpp_2m", "dpmpp_2m_sde",
                "dpmpp_2s_a", "dpmpp_3m_sde"]
    for sampler in samplers:
        for prediction in ("epsilon", "v_prediction"):
            for steps in STEPS:
                keep(f"{sampler}.auto.{prediction}", steps, automatic_walk(sampler, prediction, steps))
    for sampler in ("ddim", "euler", "heun", "dpmpp_2m", "unipc", "lcm", "tcd"):
        keep(f"{sampler}.auto.sample", 20, automatic_walk(sampler, "sample", 20))

    for schedule in ("normal", "karras", "exponential", "sgm_uniform", "simple", "ddim", "beta", "ays", "custom"):
        for steps in [len(CUSTOM)] if schedule == "custom" else [*STEPS, 10] if schedule == "ays" else STEPS:
            sigmas, timesteps = levels_of(schedule, steps)
            golden[f"schedule.{schedule}.{steps}.levels"] = torch.tensor(sigmas, dtype=torch.float64)
            golden[f"schedule.{schedule}.{steps}.timesteps"] = torch.tensor(timesteps, dtype=torch.float64)
            for sampler in ("euler", "dpmpp_2m"):
                keep(f"{sampler}.{schedule}.epsilon", steps, scheduled_walk(sampler, schedule, "epsilon", steps))
    for schedule in ("karras", "exponential", "beta"):
        for sampler in ("heun", "lms", "dpm2", "dpm2_a", "dpmpp_sde", "dpmpp_2m_sde", "unipc"):
            keep(f"{sampler}.{schedule}.epsilon", 20, scheduled_walk(sampler, schedule, "epsilon", 20))

    for spacing in ("leading", "trailing", "linspace"):
        for sampler in ("euler", "euler_a", "heun", "dpmpp_2m", "unipc", "ddpm"):
            offset = {} if sampler == "ddpm" else dict(steps_offset=1)
            walked = automatic_walk(sampler, "epsilon", 20, timestep_spacing=spacing, **offset)
            keep(f"{sampler}.{spacing}.epsilon", 20, walked)
    # Few steps, as SD-Turbo, Lightning and latent consistency models want them.
    for steps in (1, 2, 4, 8):
        for prediction in ("epsilon", "v_prediction"):
            for sampler in ("euler", "euler_a", "ddim"):
                walked = automatic_walk(sampler, prediction, steps, timestep_spacing="trailing")
                keep(f"{sampler}.trailing.{prediction}", steps, walked)
            for sampler in ("lcm", "tcd"):
                keep(f"{sampler}.auto.{prediction}", steps, automatic_walk(sampler, prediction, steps))

    zero_snr = dict(rescale_betas_zero_snr=True, timestep_spacing="trailing")
    golden["zero_snr.alphas_cumprod"] = DDIMScheduler(**BETAS, rescale_betas_zero_snr=True).alphas_cumprod
    for sampler in ("ddim", "ddpm", "euler", "euler_a", "dpmpp_2m", "dpmpp_2m_sde", "unipc", "lcm", "tcd"):
        for steps in STEPS:
            walked = automatic_walk(sampler, "v_prediction", steps, **zero_snr)
            keep(f"{sampler}.zero_snr.v_prediction", steps, walked)

    golden |= cross_product()
    versions = dict(diffusers=diffusers.__version__, torch=torch.__version__, scipy=scipy.__version__,
                    k_diffusion=importlib.metadata.version("k-diffusion"))
    save_file({key: value.contiguous() for key, value in golden.items()}, file, versions)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])

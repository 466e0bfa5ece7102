#!/usr/bin/env python3
"""Makes the reference trajectories of the samplers with diffusers and k-diffusion.

    pip install -r scripts/parity/requirements.txt
    pip install --no-deps k-diffusion==0.1.1.post1    # only its samplers are used, not what it trains with
    python scripts/parity/make_sampler_goldens.py tests/data/samplers.safetensors

Both packages run as published; only their random numbers are replaced, by the draws that are stored
as `noise`, and for DPM++ SDE and DPM++ 2M SDE diffusers' float32 tables by float64 ones (`exact`).
Where they have nothing (the schedules "simple" and, but for ten steps, "ays"; see
`levels_of`), the published formula stands here on its own.

Keys: `walk.<sampler>.<variant>.<prediction>.<steps>` holds the sample after each of the steps in
`recorded.<steps>`, and `...timesteps` where the model was asked. The variant is `auto`, a schedule,
a timestep spacing, or `zero_snr` (with trailing spacing). `schedule.<name>.<steps>.levels` and
`.timesteps` are the schedules themselves. Samples are of the variance preserving scaling throughout.
"""

import importlib
import importlib.metadata
import importlib.util
import sys
import types

import diffusers
import numpy as np
import scipy
import torch
from diffusers import (DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, DPMSolverSDEScheduler,
                       EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler,
                       KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler, LCMScheduler, LMSDiscreteScheduler,
                       PNDMScheduler, UniPCMultistepScheduler)
from diffusers.schedulers.scheduling_utils import AysSchedules
from safetensors.torch import save_file

BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)
STEPS = (5, 20, 50)
CUSTOM = [14.0, 7.5, 3.25, 1.5, 0.8, 0.4, 0.1]
# In k-diffusion's scaling, x0 + sigma·noise, with the evaluations of a step.
LEVEL_CLASSES = {"euler": (EulerDiscreteScheduler, 1), "euler_a": (EulerAncestralDiscreteScheduler, 1),
                 "heun": (HeunDiscreteScheduler, 2), "lms": (LMSDiscreteScheduler, 1),
                 "dpm2": (KDPM2DiscreteScheduler, 2), "dpm2_a": (KDPM2AncestralDiscreteScheduler, 2),
                 "dpmpp_sde": (DPMSolverSDEScheduler, 2)}


def k_diffusion():
    """Its samplers alone: the package itself imports everything that training needs, and torchvision for pictures."""
    pictures = types.ModuleType("torchvision.transforms")
    pictures.functional = None
    sys.modules |= {"torchvision": types.ModuleType("torchvision"), "torchvision.transforms": pictures}
    package = types.ModuleType("k_diffusion")
    package.__path__ = importlib.util.find_spec("k_diffusion").submodule_search_locations
    sys.modules["k_diffusion"] = package
    return importlib.import_module("k_diffusion.sampling"), importlib.import_module("k_diffusion.external")


sampling, external = k_diffusion()


def stand_in_model(sample: torch.Tensor, timestep: float) -> torch.Tensor:
    """A smooth function in place of a UNet, which the C++ test repeats exactly."""
    return torch.sin(sample * 0.7 + float(timestep) * 0.003) * 0.9


def recorded(steps: int) -> list:
    return sorted({1, 2, 3, steps // 2, steps - 1, steps} & set(range(1, steps + 1)))


class Draws:
    """The stored noise, in place of a module's generator of random numbers: one draw for each step."""

    def __init__(self):
        torch.manual_seed(6)
        self.noise = torch.randn(100, 1, 4, 3, 2, dtype=torch.float64)
        self.step = 0

    def randn_tensor(self, shape, generator=None, device=None, dtype=None, layout=None):
        return self.noise[self.step].to(dtype)

    def brownian(self, sigmas: list):
        """DPM++ SDE's two stretches of a step: draws 2·step and 2·step + 1, and the sum of both as a Brownian
        motion over sigma has it."""

        def noise_sampler(sigma, sigma_next):
            start, end = float(sigmas[self.step]), float(sigmas[self.step + 1])
            middle = (start * end) ** 0.5
            first, second = self.noise[2 * self.step], self.noise[2 * self.step + 1]
            if abs(float(sigma_next) - middle) < abs(float(sigma_next) - end):
                return first
            return (first * (start - middle) ** 0.5 + second * (middle - end) ** 0.5) / (start - end) ** 0.5

        return noise_sampler


DRAWS = Draws()
for module in ("ddpm", "lcm", "euler_ancestral_discrete", "k_dpm_2_ancestral_discrete", "dpmsolver_multistep"):
    importlib.import_module(f"diffusers.schedulers.scheduling_{module}").randn_tensor = DRAWS.randn_tensor

torch.manual_seed(2)
START = torch.randn(1, 4, 3, 2, dtype=torch.float64)


def discrete_schedule():
    betas = torch.linspace(BETAS["beta_start"] ** 0.5, BETAS["beta_end"] ** 0.5, 1000, dtype=torch.float64) ** 2
    alphas_cumprod = torch.cumprod(1 - betas, 0)
    return external.DiscreteSchedule(((1 - alphas_cumprod) / alphas_cumprod) ** 0.5, quantize=False)


DISCRETE = discrete_schedule()


def exact(scheduler):
    """diffusers' noisiest level is off by 1.3e-5 of itself, for ᾱ is a product of a thousand float32 factors. The two
    samplers on which noise is drawn from the noisiest level on and the model is asked for more than one slope multiply
    that by twenty: they get ᾱ and the levels in float64."""
    scheduler.alphas_cumprod = 1 / (DISCRETE.sigmas**2 + 1)
    original_set_timesteps = scheduler.set_timesteps

    def set_timesteps(steps):
        original_set_timesteps(steps)
        scheduler.sigmas = scheduler.sigmas.double()

    scheduler.set_timesteps = set_timesteps
    return scheduler


def walk_preserving(scheduler, steps: int):
    """diffusers' schedulers of the variance preserving scaling. With exponential and beta sigmas they keep timesteps as
    integers, which cuts them off: the model is asked where k-diffusion asks it."""
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):  # else equal timesteps at the start are taken for one step
        scheduler.set_begin_index(0)
    timesteps = scheduler.timesteps
    if scheduler.config.get("use_exponential_sigmas") or scheduler.config.get("use_beta_sigmas"):
        timesteps = DISCRETE.sigma_to_t(scheduler.sigmas[:-1].double())
    plms = isinstance(scheduler, PNDMScheduler)
    sample, samples, asked = START.clone(), [], []
    for i, timestep in enumerate(timesteps):
        asked.append(float(timestep))
        DRAWS.step = i
        sample = scheduler.step(stand_in_model(sample, timestep), timestep, sample).prev_sample
        if plms and i == 0 and steps > 1:
            continue  # the first half of the first step
        samples.append(sample)
    return samples, asked


def walk_levels(scheduler, evaluations: int, steps: int, sigmas=None):
    """diffusers' schedulers of k-diffusion's scaling."""
    scheduler.set_timesteps(sigmas=sigmas) if sigmas else scheduler.set_timesteps(steps)
    levels = torch.unique_consecutive(scheduler.sigmas).double()
    assert len(levels) == steps + 1
    if isinstance(scheduler, DPMSolverSDEScheduler):
        scheduler.noise_sampler = DRAWS.brownian(levels)
    sample, samples, asked = START * (levels[0] ** 2 + 1) ** 0.5, [], []
    for i, timestep in enumerate(scheduler.timesteps):
        asked.append(float(timestep))
        DRAWS.step = step = i // evaluations
        output = stand_in_model(scheduler.scale_model_input(sample, timestep), timestep)
        sample = scheduler.step(output, timestep, sample).prev_sample
        if i % evaluations == evaluations - 1 or step == steps - 1:
            samples.append(sample / (levels[step + 1] ** 2 + 1) ** 0.5)
    return samples, asked


def walk_k_diffusion(sampler: str, prediction: str, sigmas):
    """k-diffusion's samplers; its own mapping of noise levels to timesteps."""
    levels = torch.as_tensor(sigmas, dtype=torch.float64)
    samples, asked = [], []

    def model(x, sigma):
        sigma = sigma[0]
        timestep = float(DISCRETE.sigma_to_t(sigma[None])[0])
        asked.append(timestep)
        output = stand_in_model(x / (sigma**2 + 1) ** 0.5, timestep)
        if prediction == "epsilon":
            return x - sigma * output
        return x / (sigma**2 + 1) - output * sigma / (sigma**2 + 1) ** 0.5

    def callback(state):
        if state["i"] > 0:
            samples.append(state["x"] / (levels[state["i"]] ** 2 + 1) ** 0.5)

    def noise_sampler(sigma, sigma_next):
        return DRAWS.noise[(levels - sigma).abs().argmin()]

    extra = {} if sampler == "dpmpp_2m" else dict(noise_sampler=noise_sampler)
    function = {"dpmpp_2m": sampling.sample_dpmpp_2m, "dpmpp_2s_a": sampling.sample_dpmpp_2s_ancestral,
                "dpmpp_3m_sde": sampling.sample_dpmpp_3m_sde}[sampler]
    end = function(model, START * (levels[0] ** 2 + 1) ** 0.5, levels, callback=callback, disable=True, **extra)
    return samples + [end], asked


def levels_of(schedule: str, steps: int):
    """The noise levels of the schedules, with the 0 at the end, and the timesteps where a reference has them."""
    config = BETAS | {"beta": dict(use_beta_sigmas=True), "karras": dict(use_karras_sigmas=True), "normal": {},
                      "exponential": dict(use_exponential_sigmas=True),
                      "ddim": dict(timestep_spacing="leading", steps_offset=1)}.get(schedule, {})
    scheduler = EulerDiscreteScheduler(**config)
    if schedule in ("normal", "karras", "exponential", "beta", "ddim"):
        scheduler.set_timesteps(steps)
        return scheduler.sigmas.tolist(), scheduler.timesteps.tolist()
    sigmas = {
        # As AUTOMATIC1111 has it, on k-diffusion's mapping.
        "sgm_uniform": lambda: DISCRETE.t_to_sigma(torch.linspace(999, 0, steps + 1)[:-1]).tolist(),
        # As ComfyUI and AUTOMATIC1111 have it: every n-th level.
        "simple": lambda: [float(DISCRETE.sigmas[999 - int(i * 1000 / steps)]) for i in range(steps)],
        "ays": lambda: align_your_steps(steps), "custom": lambda: CUSTOM}[schedule]() + [0.0]
    scheduler.set_timesteps(sigmas=sigmas)
    return sigmas, scheduler.timesteps.tolist()


def align_your_steps(steps: int) -> list:
    """The published table for ten steps as diffusers has it; others log-linearly, as its authors advise. They give
    0.029 where diffusers has the final 0."""
    if steps == 10:
        return AysSchedules["StableDiffusionSigmas"][:-1]
    table = np.log(AysSchedules["StableDiffusionSigmas"][:-1] + [0.029])
    return np.exp(np.interp(np.linspace(0, 10, steps + 1), np.arange(11), table))[:-1].tolist()


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

    samplers = [*LEVEL_CLASSES, "ddim", "ddpm", "pndm", "lcm", "unipc", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2s_a",
                "dpmpp_3m_sde"]
    for sampler in samplers:
        for prediction in ("epsilon", "v_prediction"):
            for steps in STEPS:
                keep(f"{sampler}.auto.{prediction}", steps, automatic_walk(sampler, prediction, steps))
    for sampler in ("ddim", "euler", "heun", "dpmpp_2m", "unipc", "lcm"):
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
            keep(f"lcm.auto.{prediction}", steps, automatic_walk("lcm", prediction, steps))

    zero_snr = dict(rescale_betas_zero_snr=True, timestep_spacing="trailing")
    golden["zero_snr.alphas_cumprod"] = DDIMScheduler(**BETAS, rescale_betas_zero_snr=True).alphas_cumprod
    for sampler in ("ddim", "ddpm", "euler", "euler_a", "dpmpp_2m", "dpmpp_2m_sde", "unipc", "lcm"):
        for steps in STEPS:
            walked = automatic_walk(sampler, "v_prediction", steps, **zero_snr)
            keep(f"{sampler}.zero_snr.v_prediction", steps, walked)

    versions = dict(diffusers=diffusers.__version__, torch=torch.__version__, scipy=scipy.__version__,
                    k_diffusion=importlib.metadata.version("k-diffusion"))
    save_file({key: value.contiguous() for key, value in golden.items()}, file, versions)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])

"""The samplers of diffusers and k-diffusion, walked with a stand-in for the model and with stored noise.

Both packages run as published; only their random numbers are replaced, and where a function says so their tables.
"""

import importlib
import importlib.util
import inspect
import sys
import types

import numpy as np
import torch
from diffusers import DPMSolverSDEScheduler, EulerDiscreteScheduler, PNDMScheduler
from diffusers.schedulers.scheduling_utils import AysSchedules

BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)
CUSTOM = [14.0, 7.5, 3.25, 1.5, 0.8, 0.4, 0.1]
# The samplers that k-diffusion has under another name.
K_DIFFUSION = {"euler_a": "euler_ancestral", "dpm2": "dpm_2", "dpm2_a": "dpm_2_ancestral",
               "dpmpp_2s_a": "dpmpp_2s_ancestral"}
# Two evaluations in each step but the last; Heun's second is at the next level, the others' between the two.
TWO_STAGE = ("heun", "dpm2", "dpm2_a", "dpmpp_2s_a", "dpmpp_sde")


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
for module in ("ddpm", "lcm", "tcd", "euler_ancestral_discrete", "k_dpm_2_ancestral_discrete", "dpmsolver_multistep"):
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


def walk_k_diffusion(sampler: str, prediction: str, sigmas, timesteps=None):
    """k-diffusion's samplers. The model is asked at `timesteps` at these levels, if there are any, and between them by
    k-diffusion's own mapping of noise levels to timesteps."""
    levels = torch.as_tensor(sigmas, dtype=torch.float64)
    samples, asked = [], []

    def timestep_of(sigma) -> float:
        # Not looked up by the level: an ancestral step's middle is often the next level, to the last bit.
        step, second = divmod(len(asked), 2 if sampler in TWO_STAGE else 1)
        if timesteps is None or (second and sampler != "heun"):
            return float(DISCRETE.sigma_to_t(sigma[None])[0])
        return float(timesteps[step + second])

    def model(x, sigma):
        sigma = sigma[0]
        timestep = timestep_of(sigma)
        asked.append(timestep)
        output = stand_in_model(x / (sigma**2 + 1) ** 0.5, timestep)
        if prediction == "epsilon":
            return x - sigma * output
        return x / (sigma**2 + 1) - output * sigma / (sigma**2 + 1) ** 0.5

    def callback(state):
        DRAWS.step = state["i"]
        if state["i"] > 0:
            samples.append(state["x"] / (levels[state["i"]] ** 2 + 1) ** 0.5)

    def noise_sampler(sigma, sigma_next):
        return DRAWS.noise[(levels - sigma).abs().argmin()]

    function = getattr(sampling, "sample_" + K_DIFFUSION.get(sampler, sampler))
    extra = {}
    if "noise_sampler" in inspect.signature(function).parameters:
        extra["noise_sampler"] = DRAWS.brownian(levels) if sampler == "dpmpp_sde" else noise_sampler
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

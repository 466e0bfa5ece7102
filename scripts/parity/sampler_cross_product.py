"""Where each of the 17 samplers ends on each of the eight named schedules, by the sampler of its reference.

All of it is computed in float64. The references of the samplers, the same on every schedule:

- Euler, Euler a, Heun, LMS, DPM2, DPM2 a, DPM++ 2S a, DPM++ 2M, DPM++ SDE, DPM++ 2M SDE, DPM++ 3M SDE: k-diffusion's
  function, given the schedule's levels;
- UniPC: diffusers' class with the schedule's levels in its table `sigmas`;
- DDIM, PNDM, DDPM, LCM: diffusers' class, told that training had only as many timesteps as the schedule has steps, with
  the schedule's 1 / (1 + level²) as its table `alphas_cumprod`. Its fixed stride is then 1, and any schedule fits. LCM's
  boundary condition is still asked for the timestep at which the model is;
- TCD: diffusers' class with the schedule's timesteps as its own, and as `alphas_cumprod` a table that also knows ᾱ at
  these. Where it jumps to, its own whole timesteps, the table is that of float64.

Of the schedules: the levels of Karras', exponential and beta by diffusers' Euler class from float64 tables; normal and
DDIM at the timesteps of that class; "simple", SGM uniform and AYS by their published formulas (`levels_of`).
"""

import numpy as np
import torch
from diffusers import (DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler, LCMScheduler, PNDMScheduler,
                       TCDScheduler, UniPCMultistepScheduler)

from sampler_references import BETAS, DISCRETE, DRAWS, START, levels_of, stand_in_model, walk_k_diffusion

SAMPLERS = ("euler", "euler_a", "heun", "lms", "dpm2", "dpm2_a", "dpmpp_2s_a", "dpmpp_2m", "dpmpp_sde", "dpmpp_2m_sde",
            "dpmpp_3m_sde", "unipc", "ddim", "pndm", "ddpm", "lcm", "tcd")
SCHEDULES = ("normal", "karras", "exponential", "sgm_uniform", "simple", "ddim", "beta", "ays")
# Whole timesteps on Karras' schedule, as in diffusers' classes.
ROUNDED = ("dpm2", "dpm2_a", "dpmpp_2m", "dpmpp_2m_sde", "unipc")


def points_of(schedule: str, steps: int):
    """The levels, without the 0 at the end, and the timesteps at which the model is asked there."""
    scheduler, known = EulerDiscreteScheduler(**BETAS), DISCRETE.sigmas.numpy()
    convert = {"karras": scheduler._convert_to_karras, "exponential": scheduler._convert_to_exponential,
               "beta": scheduler._convert_to_beta}
    if schedule in convert:
        levels = convert[schedule](in_sigmas=known[::-1].copy(), num_inference_steps=steps)
    elif schedule in ("normal", "ddim"):
        timesteps = np.array(levels_of(schedule, steps)[1])
        return torch.from_numpy(np.interp(timesteps, np.arange(1000), known)), torch.from_numpy(timesteps)
    else:
        levels = levels_of(schedule, steps)[0][:-1]
    levels = torch.as_tensor(levels, dtype=torch.float64)
    return levels, DISCRETE.sigma_to_t(levels)


def unipc(prediction: str, levels, timesteps):
    scheduler = UniPCMultistepScheduler(**BETAS, prediction_type=prediction)
    scheduler.set_timesteps(len(levels))
    scheduler.sigmas = torch.cat([levels, torch.zeros(1, dtype=torch.float64)])
    scheduler.set_begin_index(0)
    sample = START.clone()
    for timestep in timesteps:
        sample = scheduler.step(stand_in_model(sample, timestep), timestep, sample).prev_sample
    return sample


def renumbered(sampler: str, schedule: str, prediction: str, levels, timesteps):
    """DDIM, PNDM, DDPM or LCM, to which the schedule's points are the timesteps steps − 1 … 0 of a training."""
    steps = len(levels)
    common = BETAS | dict(num_train_timesteps=steps, prediction_type=prediction)
    scheduler = {"ddim": lambda: DDIMScheduler(**common, clip_sample=False),
                 "pndm": lambda: PNDMScheduler(**common, skip_prk_steps=True, set_alpha_to_one=True),
                 "ddpm": lambda: DDPMScheduler(**common, clip_sample=False),
                 "lcm": lambda: LCMScheduler(**common, original_inference_steps=steps)}[sampler]()
    scheduler.alphas_cumprod = (1 / (levels**2 + 1)).flip(0)
    at_first_timestep = schedule == "ddim" and sampler in ("ddim", "pndm")  # where diffusers' classes end
    scheduler.final_alpha_cumprod = 1 / (DISCRETE.sigma_min**2 + 1) if at_first_timestep else torch.tensor(1.0)
    asked = timesteps.flip(0)
    if sampler == "lcm":
        boundary = scheduler.get_scalings_for_boundary_condition_discrete
        scheduler.get_scalings_for_boundary_condition_discrete = lambda number: boundary(asked[number])
    scheduler.set_timesteps(steps)
    assert sorted(set(scheduler.timesteps.tolist())) == list(range(steps))
    sample = START.clone()
    for number in scheduler.timesteps:
        DRAWS.step = steps - 1 - int(number)
        sample = scheduler.step(stand_in_model(sample, asked[number]), number, sample).prev_sample
    return sample


class AlphasOfSchedule:
    """TCD's table: at its timesteps that of the schedule, at whole ones that of the training, at last the end's."""

    def __init__(self, levels, timesteps, end):
        self.levels, self.timesteps, self.end, self.is_last = levels, timesteps, end, False

    def __getitem__(self, timestep):
        if not timestep.is_floating_point():
            return self.end if self.is_last else 1 / (DISCRETE.sigmas[timestep] ** 2 + 1)
        return 1 / (self.levels[self.timesteps.tolist().index(float(timestep))] ** 2 + 1)


def tcd(schedule: str, prediction: str, levels, timesteps):
    scheduler = TCDScheduler(**BETAS, prediction_type=prediction)
    scheduler.set_timesteps(len(levels))
    scheduler.timesteps = timesteps.float()  # as the class multiplies its own: 0.7 · 350 is 245
    end = 1 / (DISCRETE.sigma_min**2 + 1) if schedule == "ddim" else torch.tensor(1.0, dtype=torch.float64)
    scheduler.alphas_cumprod = AlphasOfSchedule(levels, scheduler.timesteps, end)
    scheduler.set_begin_index(0)
    sample = START.clone()
    for DRAWS.step, timestep in enumerate(scheduler.timesteps):
        scheduler.alphas_cumprod.is_last = DRAWS.step == len(levels) - 1
        output = stand_in_model(sample, timesteps[DRAWS.step])
        sample = scheduler.step(output, timestep, sample).prev_sample
    return sample


def cross_product() -> dict:
    """The samples at the end, under `final.<sampler>.<schedule>.<prediction>.<steps>`."""
    ends = {}
    for schedule in SCHEDULES:
        for steps in (5, 20):
            levels, timesteps = points_of(schedule, steps)
            for sampler in SAMPLERS:
                asked = timesteps.round() if schedule == "karras" and sampler in ROUNDED else timesteps
                for prediction in ("epsilon", "v_prediction"):
                    if sampler == "unipc":
                        end = unipc(prediction, levels, asked)
                    elif sampler == "tcd":
                        end = tcd(schedule, prediction, levels, asked)
                    elif sampler in ("ddim", "pndm", "ddpm", "lcm"):
                        end = renumbered(sampler, schedule, prediction, levels, asked)
                    else:
                        end = walk_k_diffusion(sampler, prediction, [*levels.tolist(), 0.0], asked)[0][-1]
                    assert end.dtype == torch.float64 and end.isfinite().all()
                    ends[f"final.{sampler}.{schedule}.{prediction}.{steps}"] = end.float()
    return ends

"""The parts of the built-in model, the places of its files, and small helpers shared by the training stages.

The anatomy is that of Stable Diffusion 1.x, only narrower: every class and key name is the one of
diffusers and transformers, so that any reader of SD 1.x folders reads this one.
"""

import math
import os
import pathlib
import random

import numpy as np
import torch
from PIL import Image

from contexts import draw_subject
from render import SIZE_PX, render

MAX_TOKENS = 77
LATENT_CHANNELS = 8
LATENT_PX = SIZE_PX // 8
UNK, BOS, EOS = 0, 1, 2
WIDTH = 128


def state_dir():
    """Where checkpoints and intermediate data live: $SDX_MINI_STATE, else ~/.cache/sdx-mini."""
    path = pathlib.Path(os.environ.get("SDX_MINI_STATE") or pathlib.Path.home() / ".cache" / "sdx-mini")
    path.mkdir(parents=True, exist_ok=True)
    return path


def save_atomically(value, path, write=torch.save):
    """`write(value, file)` that never leaves half a file behind, whatever kills the process or the machine."""
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as file:
        write(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def make_vae():
    from diffusers import AutoencoderKL
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=(24, 48, 96, 128), layers_per_block=1, latent_channels=LATENT_CHANNELS,
        norm_num_groups=4, sample_size=SIZE_PX, mid_block_add_attention=False)


def make_unet():
    from diffusers import UNet2DConditionModel
    unet = UNet2DConditionModel(
        sample_size=LATENT_PX, in_channels=LATENT_CHANNELS, out_channels=LATENT_CHANNELS, layers_per_block=1,
        block_out_channels=(64, 128, 192),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH, attention_head_dim=2, norm_num_groups=16)  # in SD 1.x this means two heads
    for name, module in unet.named_modules():  # every residual branch begins as nothing, as in the original
        if name.endswith((".conv2", ".proj_out", "conv_out")):
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.zeros_(module.bias)
    return unet


def make_text_encoder(vocabulary):
    from transformers import CLIPTextConfig, CLIPTextModel
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=WIDTH, intermediate_size=384, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS, hidden_act="quick_gelu", bos_token_id=BOS, eos_token_id=EOS, pad_token_id=EOS))


def make_scheduler():
    from diffusers import DDIMScheduler
    return DDIMScheduler(
        beta_start=.00085, beta_end=.012, beta_schedule="scaled_linear", num_train_timesteps=1000, clip_sample=False,
        set_alpha_to_one=False, steps_offset=1, prediction_type="epsilon")


def picture(seed, reserved=False):
    """The seed's picture: (identity, context, [128,128,3] uint8)."""
    rng = random.Random(seed)
    identity, context = draw_subject(rng, reserved)
    return identity, context, np.asarray(render(identity, context))


def to_tensor(pictures):
    """[B,H,W,3] uint8 to [B,3,H,W] float32 in -1..1."""
    return torch.tensor(np.asarray(pictures)).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def save_sheet(pictures, path, columns=8):
    """[B,3,H,W] in -1..1 as one PNG of `columns` pictures a row."""
    a = ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    height, width = a.shape[1:3]
    sheet = Image.new("RGB", (columns * width, math.ceil(len(a) / columns) * height), "white")
    for k, one in enumerate(a):
        sheet.paste(Image.fromarray(one), (k % columns * width, k // columns * height))
    sheet.save(path)


def psnr(a, b):
    """Peak signal-to-noise ratio in dB of two batches in -1..1, from the mean squared error of all."""
    return 10 * math.log10(4 / max(1e-12, (a - b).pow(2).mean().item()))

"""Writes a diffusers folder of a full-size Stable Diffusion 1.5 with random weights (seed 0, float32, 4.3 GB).

    make_sd15.py FOLDER

Arithmetic, memory and loading do not depend on what the weights are, so no download is needed to measure them.
"""

import pathlib
import sys

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

TOKENIZER = pathlib.Path(__file__).resolve().parents[2] / "configs/tokenizers/clip"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.manual_seed(0)
    channels = (128, 256, 512, 512)
    pipeline = StableDiffusionPipeline(
        text_encoder=CLIPTextModel(CLIPTextConfig(
            hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, vocab_size=49408,
            max_position_embeddings=77, hidden_act="quick_gelu", projection_dim=768)),
        tokenizer=CLIPTokenizer(str(TOKENIZER / "vocab.json"), str(TOKENIZER / "merges.txt")),
        unet=UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8,
                                  block_out_channels=(320, 640, 1280, 1280)),
        vae=AutoencoderKL(block_out_channels=channels, down_block_types=("DownEncoderBlock2D",) * 4,
                          up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=4,
                          sample_size=512, scaling_factor=0.18215),
        scheduler=PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                                skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipeline.save_pretrained(sys.argv[1])


if __name__ == "__main__":
    main()

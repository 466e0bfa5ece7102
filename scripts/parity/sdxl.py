"""The models of SDXL's anatomy whose reference data make_layouts.py makes.

Depths as the published configurations have them: SDXL base 1.0, SSD-1B and Segmind Vega (Gupta et al. 2024,
"Progressive Knowledge Distillation of Stable Diffusion XL Using Layer Level Loss"), KOALA-700M (Lee et al. 2023, "KOALA:
Empirical Lessons Toward Memory-Efficient and Fast Diffusion Models for Text-to-Image Synthesis"). The tiny ones keep the
shape: which levels have transformers, and which of a level have more than their neighbours.
"""

import torch

from synthetic import noise

CLIP, OPEN_CLIP = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
END = 49407

CROSS_MIDDLE, PLAIN_MIDDLE = "UNetMidBlock2DCrossAttn", "UNetMidBlock2D"
UNETS = {  # depths on the way down, on the way up (None: the same), resnets a level, middle block
    "sdxl": ([1, 2, 10], None, 2, CROSS_MIDDLE),
    "ssd1b": ([0, [2, 2], [4, 4]], [[4, 4, 10], [2, 1, 1], 1], 2, PLAIN_MIDDLE),
    "vega": ([1, 1, 2], None, 2, PLAIN_MIDDLE),
    "sdxl-tiny": ([1, 1, 2], None, 2, CROSS_MIDDLE),
    "ssd1b-tiny": ([0, [1, 1], [2, 2]], [[2, 2, 3], [2, 1, 1], 1], 2, PLAIN_MIDDLE),
    "vega-tiny": ([1, 1, 2], None, 2, PLAIN_MIDDLE),
    "koala-tiny": ([1, 1, 2], None, 1, None),
}
RESTS = {False: "sdxl-rest", True: "sdxl-tiny-rest"}
MODELS = [RESTS[True], *(m for m in UNETS if "tiny" in m), RESTS[False], *(m for m in UNETS if "tiny" not in m)]
SCHEDULER = dict(  # as base 1.0 has it
    beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000, steps_offset=1,
    prediction_type="epsilon", timestep_spacing="leading", interpolation_type="linear", use_karras_sigmas=False,
    clip_sample=False, set_alpha_to_one=False, skip_prk_steps=True, sample_max_value=1.0)
SIZE_IDS = [[1024, 1024, 0, 0, 1024, 1024], [768, 1333, 16, 0, 832, 1216], [300, 512, 0, 40, 1536, 640]]


def head(model):
    """What the JSON says first: where the other parts are, and which values of large outputs are kept."""
    tiny = "tiny" in model
    if model not in UNETS:
        return dict(kept_every={part: kept_every(model, part) for part in ("text", "text_2", "vae")})
    return dict(rest=RESTS[tiny], kept_every=dict(unet=kept_every(model, "unet")))


def kept_every(model, part):
    tiny, text = "tiny" in model, part.startswith("text")
    if text:
        second = part.endswith("_2")
        return (11 if second else 7) if tiny else 251 if second else 61
    return 1 if tiny else 61


def configs(model):
    tiny = "tiny" in model
    widths = (64, 128) if tiny else (768, 1280)
    if model in UNETS:
        down, up, layers, middle = UNETS[model]
        channels = (64, 128, 192) if tiny else (320, 640, 1280)
        return dict(unet=dict(
            sample_size=128, in_channels=4, out_channels=4, layers_per_block=layers, block_out_channels=channels,
            down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], mid_block_type=middle,
            cross_attention_dim=sum(widths), attention_head_dim=[c // 64 for c in channels], use_linear_projection=True,
            transformer_layers_per_block=down, reverse_transformer_layers_per_block=up, addition_embed_type="text_time",
            addition_time_embed_dim=256, projection_class_embeddings_input_dim=widths[1] + 6 * 256))
    clip = dict(vocab_size=49408, max_position_embeddings=77, layer_norm_eps=1e-5, bos_token_id=0, pad_token_id=1,
                eos_token_id=2)  # as the published files have them, wrongly
    texts = {name: clip | dict(hidden_size=width, projection_dim=width, intermediate_size=(2 if tiny else 4) * width,
                               num_hidden_layers=layers, num_attention_heads=width // 64, hidden_act=act)
             for name, width, layers, act in (("text_encoder", widths[0], 3 if tiny else 12, "quick_gelu"),
                                              ("text_encoder_2", widths[1], 4 if tiny else 32, "gelu"))}
    vae = dict(block_out_channels=(32, 32, 64, 64) if tiny else (128, 256, 512, 512), layers_per_block=1 if tiny else 2,
               latent_channels=4, down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
               sample_size=1024, scaling_factor=0.13025, force_upcast=True)
    return texts | dict(vae=vae, scheduler=dict(_class_name="EulerDiscreteScheduler") | SCHEDULER)


def added_conditions(unet, name, batch):
    pooled = unet.config.projection_class_embeddings_input_dim - 6 * unet.config.addition_time_embed_dim
    return dict(text_embeds=noise(f"{name}.pooled", batch, pooled), time_ids=torch.tensor(SIZE_IDS[:batch]).float())


def text_goldens(part, text):
    """The last layer but one and those before it, as diffusers counts clip skip, and the pooled vector.

    The first text has two end tokens: the first one is where it is pooled.
    """
    ids = (torch.arange(2 * 77).reshape(2, 77) * 631 + 11) % 49400
    ids[0, 20] = ids[0, 30] = ids[1, 76] = END
    found = text(ids, output_hidden_states=True)
    key = part.replace("encoder_", "").replace("_encoder", "")
    golden = {f"{key}.{skip}": found.hidden_states[-(skip + 2)] for skip in range(len(found.hidden_states) - 2)}
    return golden | ({f"{key}.pooled": found.text_embeds} if key == "text_2" else {})

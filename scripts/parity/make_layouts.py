#!/usr/bin/env python3
"""Makes the reference data for whole checkpoints, tiny and full size, in both layouts.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_layouts.py tests/data [sd1-tiny sd2-tiny sd1 sd2 sdxl-tiny-rest sdxl-tiny ...]

For each model writes `layouts/<model>.json`, the configs and the names and shapes of its tensors in diffusers' layout
and in the original one (proved with diffusers' own converters), and `layouts/<model>.safetensors`, what diffusers and
transformers compute with synthetic weights (synthetic.py), in float32. The full-size models have weights rounded to
half precision, as the checkpoints that people have; of their large outputs every 61st value is kept.

The models of SDXL's anatomy (sdxl.py) share all but the UNet: `rest` in the JSON names the layout of the other parts.
"""

import gc
import json
import sys
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import sdxl
from synthetic import noise, weight

BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000, steps_offset=1)
UNET, VAE, CLIP, OPEN_CLIP = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.", "cond_stage_model.model."
KEEP_EVERY = 61
VERSIONS = dict(diffusers=diffusers.__version__, transformers=transformers.__version__, torch=torch.__version__)


def configs(model):
    if model in sdxl.MODELS:
        return sdxl.configs(model)
    second, tiny = model.startswith("sd2"), model.endswith("tiny")
    width = (128 if second else 64) if tiny else (1024 if second else 768)
    channels = ((64, 128) if second else (32, 64)) if tiny else (320, 640, 1280, 1280)
    heads = ([c // 64 for c in channels] if second else 8)
    text = dict(vocab_size=49408, hidden_size=width, intermediate_size=2 * width if tiny else 4 * width,
                num_hidden_layers=2 if tiny else 23 if second else 12, num_attention_heads=width // 64,
                max_position_embeddings=77, hidden_act="gelu" if second else "quick_gelu")
    down = ["CrossAttnDownBlock2D"] * (len(channels) - 1) + ["DownBlock2D"]
    up = ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * (len(channels) - 1)
    unet = dict(sample_size=96 if second else 64, in_channels=4, out_channels=4, layers_per_block=1 if tiny else 2,
                block_out_channels=channels, down_block_types=down, up_block_types=up, cross_attention_dim=width,
                attention_head_dim=heads, use_linear_projection=second)
    vae_channels = (32, 32, 64, 64) if tiny else (128, 256, 512, 512)
    vae = dict(block_out_channels=vae_channels, layers_per_block=1 if tiny else 2, latent_channels=4,
               down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4, sample_size=512)
    scheduler = BETAS | dict(prediction_type="v_prediction" if second else "epsilon")
    return dict(text_encoder=text, unet=unet, vae=vae, scheduler=scheduler)


def original_unet_names(unet, layers):
    """diffusers' name -> the name in the original layout, by the blocks' places."""
    levels = len(unet.config.block_out_channels)
    beginnings = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
                  "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
                  "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
                  "mid_block.resnets.1": "middle_block.2",
                  "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}
    for level in range(levels):
        for layer in range(layers):
            n = 1 + level * (layers + 1) + layer
            beginnings[f"down_blocks.{level}.resnets.{layer}"] = f"input_blocks.{n}.0"
            beginnings[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{n}.1"
        beginnings[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{(level + 1) * (layers + 1)}.0.op"
        has_attention = hasattr(unet.up_blocks[level], "attentions")
        for layer in range(layers + 1):
            n = level * (layers + 1) + layer
            beginnings[f"up_blocks.{level}.resnets.{layer}"] = f"output_blocks.{n}.0"
            beginnings[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{n}.1"
        beginnings[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{n}.{2 if has_attention else 1}.conv"
    leaves = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
              "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}
    names = {}
    for name in unet.state_dict():
        old = max((b for b in beginnings if name.startswith(b + ".")), key=len)
        rest = name[len(old) + 1:]
        if ".resnets." in name:
            leaf, kind = rest.rsplit(".", 1)
            rest = f"{leaves[leaf]}.{kind}"
        names[name] = UNET + beginnings[old] + "." + rest
    return names


def original_vae_names(vae):
    last = len(vae.config.block_out_channels) - 1
    names = {}
    for name in vae.state_dict():
        new = name
        for i in range(last + 1):
            new = new.replace(f"encoder.down_blocks.{i}.", f"encoder.down.{i}.")
            new = new.replace(f"decoder.up_blocks.{i}.", f"decoder.up.{last - i}.")
        for a, b in {"mid_block.resnets.0.": "mid.block_1.", "mid_block.resnets.1.": "mid.block_2.", ".resnets.": ".block.",
                     "mid_block.attentions.0.group_norm": "mid.attn_1.norm", "mid_block.attentions.0.to_out.0": "mid.attn_1.proj_out",
                     "mid_block.attentions.0.to_": "mid.attn_1.", "downsamplers.0": "downsample", "upsamplers.0": "upsample",
                     "conv_shortcut": "nin_shortcut", "conv_norm_out": "norm_out"}.items():
            new = new.replace(a, b)
        names[name] = VAE + new
    return names


def original_text_names(text, clip_prefix, open_clip_prefix):
    """@param open_clip_prefix None: transformers' own names are the original ones."""
    names = {}
    for name in text.state_dict():
        name = name.removeprefix("text_model.")
        if open_clip_prefix is None:
            names[name] = clip_prefix + "text_model." + name
            continue
        new = name
        for a, b in {"encoder.layers.": "transformer.resblocks.", "layer_norm": "ln_", "self_attn.out_proj": "attn.out_proj",
                     "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "final_ln_": "ln_final", "final_layer_norm": "ln_final",
                     "embeddings.token_embedding": "token_embedding",
                     "embeddings.position_embedding.weight": "positional_embedding",
                     "text_projection.weight": "text_projection#T"}.items():  # "#T": transposed
            new = new.replace(a, b)
        for i, letter in enumerate("qkv"):  # one matrix holds all three; "#i" says which third
            new = new.replace(f"self_attn.{letter}_proj.weight", f"attn.in_proj_weight#{i}")
            new = new.replace(f"self_attn.{letter}_proj.bias", f"attn.in_proj_bias#{i}")
        names[name] = open_clip_prefix + new
    return names


def original_state(weights, names):
    """The tensors under their original names, in the original's shapes."""
    state, thirds = {}, {}
    for name, tensor in weights.items():
        original = names[name]
        if original.endswith("#T"):
            state[original[:-2]] = tensor.T.contiguous()
        elif "#" in original:
            thirds.setdefault(original.split("#")[0], {})[int(original[-1])] = tensor
        elif ".attn_1." in original and ".norm." not in original and tensor.dim() == 2:
            state[original] = tensor[:, :, None, None]
        else:
            state[original] = tensor
    return state | {name: torch.cat([parts[i] for i in range(3)]) for name, parts in thirds.items()}


def check_with_diffusers(part, module, state):
    """diffusers' own converter must make of the original names exactly diffusers' names."""
    is_open_clip = lambda prefix: any(n.startswith(prefix + "transformer.resblocks.") for n in state)
    if part == "unet":
        found = single_file_utils.convert_ldm_unet_checkpoint(dict(state), module.config)
    elif part == "vae":
        found = single_file_utils.convert_ldm_vae_checkpoint(dict(state), module.config)
    elif prefix := next((p for p in (OPEN_CLIP, sdxl.OPEN_CLIP) if is_open_clip(p)), None):
        found = single_file_utils.convert_open_clip_checkpoint(module, dict(state), prefix)
    else:
        found = single_file_utils.convert_ldm_clip_checkpoint(dict(state))
    strip = lambda name: name.removeprefix("text_model.")
    expected = {strip(n): t for n, t in module.state_dict().items()}
    got = {strip(n): t for n, t in found.items()}
    assert expected.keys() == got.keys(), (part, sorted(expected.keys() ^ got.keys())[:9])
    for name, tensor in expected.items():
        assert torch.equal(tensor.flatten(), got[name].flatten()), (part, name)


def text_goldens(text):
    golden = {}
    ids = (torch.arange(2 * 77).reshape(2, 77) * 631 + 11) % 49400
    hidden = text(ids, output_hidden_states=True).hidden_states
    norm = (text.text_model if hasattr(text, "text_model") else text).final_layer_norm
    for skip in range(len(hidden) - 1):
        golden[f"text.{skip}"] = norm(hidden[len(hidden) - 1 - skip])
    return golden


def unet_goldens(unet, tiny):
    golden = {}
    sizes = {"square": (1, 8, 8), "wide": (3, 8, 12), "odd": (2, 7, 9)} if tiny else {"square": (1, 32, 32), "wide": (2, 16, 24), "three": (3, 8, 16)}
    for name, (batch, height, width) in sizes.items():
        timestep = torch.tensor([981, 500, 3][:batch])
        context = noise(f"{name}.context", batch, 77, unet.config.cross_attention_dim)
        added = sdxl.added_conditions(unet, name, batch) if unet.config.addition_embed_type else None
        golden[f"unet.{name}"] = unet(noise(f"{name}.sample", batch, 4, height, width), timestep, context,
                                      added_cond_kwargs=added).sample
    return golden


def vae_goldens(vae):
    return {"vae.moments": vae.encode(noise("image", 1, 3, 64, 96) * .5).latent_dist.parameters,
            "vae.decoded": vae.decode(noise("latents", 1, 4, 8, 12)).sample}


def goldens(model, part, module):
    """What the reference computes; inputs are synthetic too, so only outputs are kept."""
    tiny = "tiny" in model
    if part == "vae":
        golden = vae_goldens(module)
    elif part == "unet":
        golden = unet_goldens(module, tiny)
    elif model in sdxl.MODELS:
        golden = sdxl.text_goldens(part, module)
    else:
        golden = text_goldens(module)
    every = sdxl.kept_every(model, part) if model in sdxl.MODELS else 1 if tiny else KEEP_EVERY
    return {key: (value if every == 1 else value.flatten()[::every]).contiguous() for key, value in golden.items()}


def build(part, config, full_size):
    """The reference's module of synthetic weights."""
    with torch.device("meta"):
        if part == "unet":
            module = UNet2DConditionModel(**config)
        elif part == "vae":
            module = AutoencoderKL(**config)
        elif "eos_token_id" in config:  # transformers keeps the id when it builds a model, so it must be right here
            kind = CLIPTextModelWithProjection if part == "text_encoder_2" else CLIPTextModel
            module = kind(CLIPTextConfig(**config | dict(eos_token_id=sdxl.END)))
        else:
            module = CLIPTextModel(CLIPTextConfig(**config))
    module.to_empty(device="cpu").eval().requires_grad_(False)
    for name, value in module.state_dict().items():
        values = weight(f"{part}.{name.removeprefix('text_model.')}", value.shape)
        # Rounded to half precision: the checkpoints of the full size hold halves.
        value.copy_(values.half() if full_size else values)
    for name, buffer in module.named_buffers():
        if name.endswith("position_ids"):
            buffer.copy_(torch.arange(77)[None])
    return module


def original_names(model, part, module, config):
    if part == "unet":
        return original_unet_names(module, config["layers_per_block"])
    if part == "vae":
        return original_vae_names(module)
    if model in sdxl.MODELS:
        return original_text_names(module, sdxl.CLIP, sdxl.OPEN_CLIP if part == "text_encoder_2" else None)
    return original_text_names(module, CLIP, OPEN_CLIP if model.startswith("sd2") else None)


def make(model, folder):
    config = configs(model)
    head = dict(reference=VERSIONS) | (sdxl.head(model) if model in sdxl.MODELS else {})
    tensors, golden = {}, {}
    for part in config:
        if part == "scheduler":
            continue
        module = build(part, config[part], "tiny" not in model)
        names = original_names(model, part, module, config[part])
        state = {n.removeprefix("text_model."): t for n, t in module.state_dict().items()}
        tensors[part] = {n: [list(t.shape), names[n]] for n, t in state.items()}
        check_with_diffusers(part, module, original_state(state, names))
        with torch.no_grad():
            golden |= goldens(model, part, module)
        del module, state
        gc.collect()  # one part at a time: SDXL's UNet alone is 10 GB
    (folder / "layouts").mkdir(exist_ok=True)
    text = json.dumps(head | dict(configs=config, tensors=tensors), indent=0).replace(",\n", ",").replace("[\n", "[")
    (folder / f"layouts/{model}.json").write_text(text + "\n")
    save_file(golden, folder / f"layouts/{model}.safetensors", VERSIONS)
    print(model, sum(len(t) for t in tensors.values()), "tensors", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for one in sys.argv[2:] or ["sd1-tiny", "sd2-tiny", "sd1", "sd2", *sdxl.MODELS]:
        make(one, Path(sys.argv[1]))

#!/usr/bin/env python3
"""Makes the reference data for whole checkpoints, tiny and full size, in both layouts.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_layouts.py tests/data [sd1-tiny sd2-tiny sd1 sd2]

For each model writes `layouts/<model>.json`, the configs and the names and shapes of its tensors in diffusers' layout
and in the original one (proved with diffusers' own converters), and `layouts/<model>.safetensors`, what diffusers and
transformers compute with synthetic weights (synthetic.py), in float32. The full-size models have weights rounded to
half precision, as the checkpoints that people have; of their large outputs every 61st value is kept.
"""

import json
import sys
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from synthetic import noise, weight

BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000, steps_offset=1)
UNET, VAE, CLIP, OPEN_CLIP = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.", "cond_stage_model.model."
KEEP_EVERY = 61
VERSIONS = dict(diffusers=diffusers.__version__, transformers=transformers.__version__, torch=torch.__version__)


def configs(model):
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
                  "mid_block.resnets.1": "middle_block.2"}
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


def original_text_names(text, second):
    names = {}
    for name in text.state_dict():
        name = name.removeprefix("text_model.")
        if not second:
            names[name] = CLIP + "text_model." + name
            continue
        new = name
        for a, b in {"encoder.layers.": "transformer.resblocks.", "layer_norm": "ln_", "self_attn.out_proj": "attn.out_proj",
                     "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "final_ln_": "ln_final", "final_layer_norm": "ln_final",
                     "embeddings.token_embedding": "token_embedding",
                     "embeddings.position_embedding.weight": "positional_embedding"}.items():
            new = new.replace(a, b)
        for i, letter in enumerate("qkv"):  # one matrix holds all three; "#i" says which third
            new = new.replace(f"self_attn.{letter}_proj.weight", f"attn.in_proj_weight#{i}")
            new = new.replace(f"self_attn.{letter}_proj.bias", f"attn.in_proj_bias#{i}")
        names[name] = OPEN_CLIP + new
    return names


def original_state(weights, names):
    """The tensors under their original names, in the original's shapes."""
    state, thirds = {}, {}
    for name, tensor in weights.items():
        original = names[name]
        if "#" in original:
            thirds.setdefault(original.split("#")[0], {})[int(original[-1])] = tensor
        elif ".attn_1." in original and ".norm." not in original and tensor.dim() == 2:
            state[original] = tensor[:, :, None, None]
        else:
            state[original] = tensor
    return state | {name: torch.cat([parts[i] for i in range(3)]) for name, parts in thirds.items()}


def check_with_diffusers(parts, state, second):
    """diffusers' own converters must make of the original names exactly diffusers' names."""
    found = dict(
        unet=single_file_utils.convert_ldm_unet_checkpoint(dict(state), parts["unet"].config),
        vae=single_file_utils.convert_ldm_vae_checkpoint(dict(state), parts["vae"].config),
        text_encoder=single_file_utils.convert_open_clip_checkpoint(parts["text_encoder"], dict(state)) if second
        else single_file_utils.convert_ldm_clip_checkpoint(dict(state)))
    for part, model in parts.items():
        strip = lambda name: name.removeprefix("text_model.")
        expected = {strip(n): t for n, t in model.state_dict().items()}
        got = {strip(n): t for n, t in found[part].items()}
        assert expected.keys() == got.keys(), (part, sorted(expected.keys() ^ got.keys())[:9])
        for name, tensor in expected.items():
            assert torch.equal(tensor.flatten(), got[name].flatten()), (part, name)


def goldens(model, parts):
    """What the reference computes; inputs are synthetic too, so only outputs are kept."""
    text, unet, vae = parts["text_encoder"], parts["unet"], parts["vae"]
    tiny, width = model.endswith("tiny"), parts["unet"].config.cross_attention_dim
    golden = {}
    ids = (torch.arange(2 * 77).reshape(2, 77) * 631 + 11) % 49400
    hidden = text(ids, output_hidden_states=True).hidden_states
    norm = (text.text_model if hasattr(text, "text_model") else text).final_layer_norm
    for skip in range(len(hidden) - 1):
        golden[f"text.{skip}"] = norm(hidden[len(hidden) - 1 - skip])
    sizes = {"square": (1, 8, 8), "wide": (3, 8, 12), "odd": (2, 7, 9)} if tiny else {"square": (1, 32, 32), "wide": (2, 16, 24), "three": (3, 8, 16)}
    for name, (batch, height, width_) in sizes.items():
        timestep = torch.tensor([981, 500, 3][:batch])
        context = noise(f"{name}.context", batch, 77, width)
        golden[f"unet.{name}"] = unet(noise(f"{name}.sample", batch, 4, height, width_), timestep, context).sample
    golden["vae.moments"] = vae.encode(noise("image", 1, 3, 64, 96) * .5).latent_dist.parameters
    golden["vae.decoded"] = vae.decode(noise("latents", 1, 4, 8, 12)).sample
    return {key: (value if tiny else value.flatten()[::KEEP_EVERY]).contiguous() for key, value in golden.items()}


def make(model, folder):
    second, tiny = model.startswith("sd2"), model.endswith("tiny")
    config = configs(model)
    with torch.device("meta"):
        parts = dict(text_encoder=CLIPTextModel(CLIPTextConfig(**config["text_encoder"])),
                     unet=UNet2DConditionModel(**config["unet"]), vae=AutoencoderKL(**config["vae"]))
    names = dict(unet=original_unet_names(parts["unet"], config["unet"]["layers_per_block"]),
                 vae=original_vae_names(parts["vae"]), text_encoder=original_text_names(parts["text_encoder"], second))
    tensors, originals = {}, {}
    for part, module in parts.items():
        module.to_empty(device="cpu").eval().requires_grad_(False)
        state = {}
        for name, value in module.state_dict().items():
            short = name.removeprefix("text_model.")
            # Rounded to half precision: the checkpoints of the full size hold halves.
            state[name] = weight(f"{part}.{short}", value.shape) if tiny else weight(f"{part}.{short}", value.shape).half().float()
            tensors.setdefault(part, {})[short] = [list(value.shape), names[part][short]]
        module.load_state_dict(state)
        for name, buffer in module.named_buffers():
            if name.endswith("position_ids"):
                buffer.copy_(torch.arange(77)[None])
        originals |= original_state({n.removeprefix("text_model."): t for n, t in state.items()}, names[part])
    check_with_diffusers(parts, originals, second)
    (folder / "layouts").mkdir(exist_ok=True)
    text = json.dumps(dict(reference=VERSIONS, configs=config, tensors=tensors), indent=0).replace(",\n", ",").replace("[\n", "[")
    (folder / f"layouts/{model}.json").write_text(text + "\n")
    with torch.no_grad():
        save_file(goldens(model, parts), folder / f"layouts/{model}.safetensors", VERSIONS)
    print(model, sum(len(t) for t in tensors.values()), "tensors", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for one in sys.argv[2:] or ["sd1-tiny", "sd2-tiny", "sd1", "sd2"]:
        make(one, Path(sys.argv[1]))

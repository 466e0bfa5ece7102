#!/usr/bin/env python3
"""Makes small LoRA files of each kind and layout, and the reference data of the tests with them.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_lora_goldens.py tests/data

Writes `lora/<case>.safetensors` for the tiny Stable Diffusion 1 of make_goldens.py (`sd1-*`) and the tiny SDXL of
make_layouts.py (`sdxl-*`), and `lora/golden.safetensors`: outputs of UNet and text encoders, and pictures.

Files that diffusers reads go through load_lora_weights and set_adapters (PEFT). The others (LoHa, LoKr, cores, whole
differences) are computed here by their formula, of weights that are changed in place. Where both are possible they are
compared.
"""

import math
import sys
import tempfile
from pathlib import Path

import diffusers
import peft
import sentencepiece
import torch
from diffusers import (AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline,
                       UNet2DConditionModel)
from safetensors.torch import save_file
from transformers import CLIPTextModel

import make_goldens
import make_layouts
import sdxl
from clip_tokenizer import clip_tokenizer
from make_sdxl_goldens import PADS
from synthetic import noise

STRENGTHS = (0.8, -1.0)
KEPT = 19  # every how many-th position of a text encoder's output is kept
PROMPT = "a portrait of a man in the snow"

LINEAR = ["down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
          "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k",
          "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0",
          "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj",
          "up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_v"]
CONVOLUTIONS = ["down_blocks.0.attentions.0.proj_in", "down_blocks.0.resnets.0.conv1",
                "down_blocks.0.downsamplers.0.conv", "mid_block.resnets.1.conv2", "up_blocks.0.resnets.1.conv_shortcut",
                "up_blocks.0.upsamplers.0.conv"]
TIMES = ["mid_block.resnets.0.time_emb_proj", "time_embedding.linear_1"]
TEXT = ["encoder.layers.0.self_attn.q_proj", "encoder.layers.1.mlp.fc1", "encoder.layers.2.self_attn.out_proj"]
XL_LINEAR = ["down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
             "down_blocks.2.attentions.1.transformer_blocks.1.attn2.to_k",
             "mid_block.attentions.0.transformer_blocks.1.attn2.to_out.0",
             "up_blocks.0.attentions.2.transformer_blocks.0.ff.net.2", "up_blocks.1.attentions.0.proj_in"]
XL_TEXT_2 = ["encoder.layers.0.mlp.fc1", "encoder.layers.3.mlp.fc2"]
XL_ATTENTION_2 = ["encoder.layers.0.self_attn.v_proj", "encoder.layers.3.self_attn.out_proj"]


# ------------------------------------------------------------------------------------------------ kinds: the formulas
# Each takes a weight's shape [O,I,...] and gives the tensors of the file by their endings, and the difference.

def matrix(name, *shape, gain=1.0):
    """Values that make a difference of about `gain` times a weight of unit gain."""
    return noise(name, *shape) * gain


def lora(name, shape, rank, alpha, middle=False):
    o, i, kernel = shape[0], shape[1], list(shape[2:])
    size = math.prod(kernel)
    up = matrix(f"{name}.up", o, rank, *([1] * len(kernel)), gain=.5)
    scale = rank ** -.5 / math.sqrt(i * size) * 2
    if middle:
        down = matrix(f"{name}.down", rank, i, 1, 1, gain=scale)
        mid = matrix(f"{name}.mid", rank, rank, *kernel, gain=rank ** -.5)
        difference = torch.einsum("or,rshw,si->oihw", up.flatten(1), mid, down.flatten(1))
        tensors = {"up": up, "down": down, "mid": mid}
    else:
        down = matrix(f"{name}.down", rank, i, *kernel, gain=scale)
        difference = (up.flatten(1) @ down.flatten(1)).reshape(shape)
        tensors = {"up": up, "down": down}
    return tensors, difference * (alpha / rank if alpha is not None else 1)


def loha(name, shape, rank, alpha, core=False):
    o, i, kernel = shape[0], shape[1], list(shape[2:])
    gain = math.sqrt(1 / (i * math.prod(kernel))) ** .5 * rank ** -.5
    tensors, factors = {}, []
    for n in (1, 2):
        if core and kernel:
            t = matrix(f"{name}.t{n}", rank, rank, *kernel, gain=rank ** -.5)
            a, b = matrix(f"{name}.a{n}", rank, o), matrix(f"{name}.b{n}", rank, i, gain=gain)
            factors.append(torch.einsum("rshw,ro,si->oihw", t, a, b))
            tensors[f"hada_t{n}"] = t
        else:
            a, b = matrix(f"{name}.a{n}", o, rank), matrix(f"{name}.b{n}", rank, i * math.prod(kernel), gain=gain)
            factors.append((a @ b).reshape(shape))
        tensors |= {f"hada_w{n}_a": a, f"hada_w{n}_b": b}
    return tensors, factors[0] * factors[1] * (alpha / rank if alpha is not None else 1)


def lokr(name, shape, rank, alpha, whole_first=True, whole_second=False, core=False):
    o, i, kernel = shape[0], shape[1], list(shape[2:])
    (a, c), (b, d) = (4, o // 4), (2, i // 2)
    gain = math.sqrt(1 / (i * math.prod(kernel)))
    tensors = {}
    if whole_first:
        first = tensors["lokr_w1"] = matrix(f"{name}.w1", a, b)
    else:
        tensors |= {"lokr_w1_a": matrix(f"{name}.w1a", a, rank), "lokr_w1_b": matrix(f"{name}.w1b", rank, b)}
        first = tensors["lokr_w1_a"] @ tensors["lokr_w1_b"]
    if whole_second:
        second = tensors["lokr_w2"] = matrix(f"{name}.w2", c, d, *kernel, gain=gain)
    elif core and kernel:
        t = matrix(f"{name}.t2", rank, rank, *kernel, gain=rank ** -.5)
        tensors |= {"lokr_t2": t, "lokr_w2_a": matrix(f"{name}.w2a", rank, c),
                    "lokr_w2_b": matrix(f"{name}.w2b", rank, d, gain=gain)}
        second = torch.einsum("rshw,rc,sd->cdhw", t, tensors["lokr_w2_a"], tensors["lokr_w2_b"])
    else:
        tensors |= {"lokr_w2_a": matrix(f"{name}.w2a", c, rank),
                    "lokr_w2_b": matrix(f"{name}.w2b", rank, d * math.prod(kernel), gain=gain)}
        second = (tensors["lokr_w2_a"] @ tensors["lokr_w2_b"]).reshape(c, d, *kernel)
    for _ in kernel:
        first = first.unsqueeze(-1)
    difference = torch.kron(first.contiguous(), second.contiguous())
    no_rank = whole_first and whole_second
    return tensors, difference * (1 if no_rank or alpha is None else alpha / rank)


def with_magnitude(weight, difference, magnitude):
    """DoRA. The lengths are of the rows if the magnitude is [O,1,...] or [O], else of the columns."""
    changed = weight + difference
    if magnitude.numel() == magnitude.shape[0]:
        lengths = changed.flatten(1).norm(dim=1).reshape(-1, *[1] * (weight.dim() - 1))
        magnitude = magnitude.reshape(lengths.shape)
    else:
        lengths = changed.transpose(0, 1).flatten(1).norm(dim=1).reshape(1, -1, *[1] * (weight.dim() - 2))
    return magnitude / lengths * changed - weight


# ---------------------------------------------------------------------------------------------------- names: the layouts

KOHYA = {"up": "lora_up.weight", "down": "lora_down.weight", "mid": "lora_mid.weight"}


def flat(name):
    return name.replace(".", "_")


class Naming:
    """What layers are called. Parts are "unet", "text_encoder", "text_encoder_2"."""

    def __init__(self, style, originals):
        self.style, self.originals = style, originals

    def name(self, part, layer, role):
        text = "text_model." if part != "unet" else ""
        if self.style in ("kohya", "kohya-xl", "sgm"):
            beginning = {"unet": "lora_unet_", "text_encoder": "lora_te_" if self.style == "kohya" else "lora_te1_",
                         "text_encoder_2": "lora_te2_"}[part]
            if self.style == "sgm" and part == "unet":
                layer = self.originals[layer]
            return beginning + flat(text + layer) + "." + KOHYA.get(role, role)
        if self.style == "peft":
            return f"{part}.{text}{layer}." + {"up": "lora_B.weight", "down": "lora_A.weight"}[role]
        if self.style == "original":
            return f"diffusion_model.{self.originals[layer]}." + {"up": "lora_B.weight", "down": "lora_A.weight",
                                                                  "alpha": "alpha"}[role]
        if self.style == "processor":  # diffusers up to 0.17
            block, leaf = layer.removesuffix(".0").rsplit(".", 1)
            return f"unet.{block}.processor.{leaf}_lora.{role}.weight"
        raise ValueError(self.style)


# --------------------------------------------------------------------------------------------------------------- cases

def rank_of(index):
    return 2 + index % 3


def alpha_of(index, alphas):
    """diffusers 0.42 loses an alpha that not all layers of a file share (its alpha_pattern names the layers otherwise)."""
    return {"none": None, "one": 3.0, "several": [1.0, 4.0, 3.0][index % 3]}[alphas]


def make_case(parts, naming, layers, kind, *, alphas="one", dtype=torch.float32, magnitude=None, **options):
    """Tensors of a file, and what they add to the weights: {part: {layer: difference}}."""
    tensors, additions = {}, {}
    for part, names in layers.items():
        for index, layer in enumerate(names):
            module = parts[part].get_submodule(("text_model." if hasattr(parts[part], "text_model") else "") + layer)
            rank, alpha = rank_of(index), alpha_of(index, alphas)
            made, difference = kind(f"{part}.{layer}", module.weight.shape, rank, alpha, **options)
            if dtype != torch.float32:  # the file's values count
                rounded = {role: tensor.to(dtype) for role, tensor in made.items()}
                assert kind is lora
                difference = (rounded["up"].float().flatten(1) @ rounded["down"].float().flatten(1)).reshape(
                    module.weight.shape) * (1 if alpha is None else alpha / rank)
                made = rounded
            for role, tensor in made.items():
                tensors[naming.name(part, layer, role)] = tensor
            if alpha is not None:
                tensors[naming.name(part, layer, "alpha")] = torch.tensor(alpha).to(dtype)
            if magnitude:
                size = module.weight.shape[0 if magnitude == "rows" else 1]
                shape = [1] * module.weight.dim()
                shape[0 if magnitude == "rows" else 1] = size
                dims = [d for d in range(module.weight.dim()) if shape[d] == 1 or module.weight.shape[d] != size or d != (
                    0 if magnitude == "rows" else 1)]
                lengths = module.weight.pow(2).sum(dims, keepdim=True).sqrt()
                values = lengths * (1 + .2 * noise(f"{part}.{layer}.magnitude", *lengths.shape))
                tensors[naming.name(part, layer, "dora_scale")] = values
                difference = with_magnitude(module.weight, difference, values)
            additions.setdefault(part, {})[layer] = difference
    return tensors, additions


class Applied:
    """The models with differences added to their weights, until the end of a block."""

    def __init__(self, parts, weighted):
        self.parts, self.weighted, self.kept = parts, weighted, []

    def __enter__(self):
        for additions, strength in self.weighted:
            for part, layers in additions.items():
                for layer, difference in layers.items():
                    inner = "text_model." if hasattr(self.parts[part], "text_model") else ""
                    weight = self.parts[part].get_submodule(inner + layer).weight
                    self.kept.append((weight, weight.data.clone()))
                    weight.data += strength * difference

    def __exit__(self, *_):
        for weight, data in reversed(self.kept):
            weight.data = data


# ----------------------------------------------------------------------------------------------------------------- SD 1

def load_sd1(folder):
    parts = dict(text_encoder=CLIPTextModel.from_pretrained(folder / "tiny/text_encoder"),
                 unet=UNet2DConditionModel.from_pretrained(folder / "tiny/unet"),
                 vae=AutoencoderKL.from_pretrained(folder / "tiny/vae"))
    for part in parts.values():
        part.eval().requires_grad_(False)
    return parts


def sd1_pipeline(parts):
    scheduler = DDIMScheduler(**make_goldens.BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    pipeline = StableDiffusionPipeline(**parts, tokenizer=None, scheduler=scheduler, safety_checker=None,
                                       feature_extractor=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def sd1_outputs(parts, inputs):
    text = parts["text_encoder"](inputs["text.ids"]).last_hidden_state
    unet = parts["unet"](inputs["unet.sample"], inputs["unet.timestep"], inputs["unet.context"]).sample
    return dict(unet=unet.clone(), text=text[:, ::KEPT].clone())


def sd1_picture(parts, latents, tokenizer):
    def encode(text):
        ids = [1] + tokenizer.encode(text)
        ids = torch.tensor([ids + [2] * (make_goldens.POSITIONS - len(ids))])
        return parts["text_encoder"](ids).last_hidden_state

    pipeline = sd1_pipeline(dict(parts, text_encoder=parts["text_encoder"]))
    made = pipeline(prompt_embeds=encode(PROMPT), negative_prompt_embeds=encode(""), latents=latents.clone(),
                    num_inference_steps=20, guidance_scale=7.5, height=64, width=64, output_type="pt").images
    return (made * 255).round().to(torch.uint8)


def through_diffusers(parts, make_pipeline, files, weights, compute):
    """What `compute` gives while diffusers has the files loaded with these weights."""
    pipeline = make_pipeline(parts)
    names = [f"lora{i}" for i in range(len(files))]
    for name, file in zip(names, files):
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=name)
    pipeline.set_adapters(names, adapter_weights=list(weights))
    made = compute()
    pipeline.unload_lora_weights()
    return made


def sd1_cases(parts):
    originals = {old.removesuffix(".weight"): new.removeprefix(make_layouts.UNET).removesuffix(".weight")
                 for old, new in make_layouts.original_unet_names(
                     parts["unet"], parts["unet"].config.layers_per_block).items() if old.endswith(".weight")}
    kohya, sgm = Naming("kohya", originals), Naming("sgm", originals)
    both = dict(unet=LINEAR, text_encoder=TEXT)
    wide = dict(unet=LINEAR[:2] + CONVOLUTIONS + TIMES)
    small = dict(unet=LINEAR[:3] + CONVOLUTIONS[1:3], text_encoder=TEXT[:1])
    return {
        "sd1-kohya": (True, make_case(parts, kohya, both, lora)),
        "sd1-alphas": (False, make_case(parts, kohya, both, lora, alphas="several")),
        "sd1-half": (True, make_case(parts, kohya, both, lora, dtype=torch.float16)),
        "sd1-bfloat16": (True, make_case(parts, kohya, both, lora, dtype=torch.bfloat16)),
        "sd1-no-alpha": (True, make_case(parts, kohya, both, lora, alphas="none")),
        "sd1-peft": (True, make_case(parts, Naming("peft", originals), both, lora, alphas="none")),
        "sd1-processor": (True, make_case(parts, Naming("processor", originals),
                                          dict(unet=[x for x in LINEAR if ".attn" in x]), lora, alphas="none")),
        "sd1-original": (False, make_case(parts, Naming("original", originals), wide, lora, alphas="several")),
        "sd1-sgm": (False, make_case(parts, sgm, wide, lora, alphas="several")),
        "sd1-locon": (True, make_case(parts, kohya, wide, lora)),
        "sd1-core": (False, make_case(parts, kohya, dict(unet=CONVOLUTIONS[1:4]), lora, middle=True, alphas="several")),
        "sd1-loha": (False, make_case(parts, kohya, small, loha, alphas="several")),
        "sd1-loha-core": (False, make_case(parts, kohya, small, loha, core=True, alphas="several")),
        "sd1-lokr": (False, make_case(parts, kohya, small, lokr, alphas="several")),
        "sd1-lokr-whole": (False, make_case(parts, kohya, small, lokr, whole_second=True)),
        "sd1-lokr-product": (False, make_case(parts, kohya, small, lokr, whole_first=False, alphas="several")),
        "sd1-lokr-core": (False, make_case(parts, kohya, small, lokr, core=True, alphas="several")),
        "sd1-dora-rows": (False, make_case(parts, kohya, small, lora, magnitude="rows", alphas="several")),
        "sd1-dora-columns": (False, make_case(parts, kohya, small, lora, magnitude="columns", alphas="several")),
        "sd1-loha-dora": (False, make_case(parts, kohya, small, loha, magnitude="columns", alphas="several")),
    }


# ----------------------------------------------------------------------------------------------------------------- SDXL

def load_sdxl():
    parts = {}
    for model in ("sdxl-tiny", "sdxl-tiny-rest"):
        for part, config in sdxl.configs(model).items():
            if part != "scheduler":
                parts[part] = make_layouts.build(part, config, full_size=False)
    return parts


def load_clip():
    clip = {}
    for part, pad in PADS.items():
        with tempfile.TemporaryDirectory() as place:
            clip[part] = clip_tokenizer(Path(place), pad="<|endoftext|>" if pad == sdxl.END else "!")
    return clip


def sdxl_cases(parts):
    originals = {old.removesuffix(".weight"): new.removeprefix(make_layouts.UNET).removesuffix(".weight")
                 for old, new in make_layouts.original_unet_names(
                     parts["unet"], parts["unet"].config.layers_per_block).items() if old.endswith(".weight")}
    layers = dict(unet=XL_LINEAR, text_encoder=TEXT[1:2], text_encoder_2=XL_TEXT_2)
    small = dict(unet=XL_LINEAR[:3], text_encoder=TEXT[:1], text_encoder_2=XL_ATTENTION_2)
    attention = dict(unet=XL_LINEAR, text_encoder=TEXT[:2], text_encoder_2=XL_ATTENTION_2)
    return {
        "sdxl-sgm": (True, make_case(parts, Naming("sgm", originals), layers, lora, dtype=torch.float16)),
        "sdxl-kohya": (True, make_case(parts, Naming("kohya-xl", originals), layers, lora, dtype=torch.float16)),
        "sdxl-peft": (True, make_case(parts, Naming("peft", originals), attention, lora, alphas="none",
                                       dtype=torch.float16)),
        "sdxl-lokr": (False, make_case(parts, Naming("sgm", originals), small, lokr)),
    }


def sdxl_outputs(parts, inputs):
    first = parts["text_encoder"](inputs["xl.ids"], output_hidden_states=True).hidden_states[-2]
    second = parts["text_encoder_2"](inputs["xl.ids"], output_hidden_states=True)
    added = dict(text_embeds=inputs["xl.pooled"], time_ids=inputs["xl.size_ids"].float())
    unet = parts["unet"](inputs["xl.sample"], inputs["xl.timestep"], inputs["xl.context"], added_cond_kwargs=added).sample
    return dict(unet=unet.clone(), text=first[:, ::KEPT].clone(), text_2=second.hidden_states[-2][:, ::KEPT].clone(),
                pooled=second.text_embeds.clone())


def sdxl_pipeline(parts, clip):
    scheduler = DDIMScheduler.from_config(sdxl.SCHEDULER | dict(timestep_spacing="leading"))
    pipeline = StableDiffusionXLPipeline(**parts, tokenizer=clip["text_encoder"], tokenizer_2=clip["text_encoder_2"],
                                         scheduler=scheduler, force_zeros_for_empty_prompt=True, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def sdxl_picture(parts, clip, latents):
    made = sdxl_pipeline(parts, clip)(PROMPT, negative_prompt="", latents=latents.clone(), num_inference_steps=20,
                                      guidance_scale=7, height=64, width=64, output_type="pt").images
    return (made * 255).round().to(torch.uint8)


# ----------------------------------------------------------------------------------------------------------------- main

def check_close(what, a, b):
    for key in a:
        difference = float((a[key] - b[key]).abs().max())
        assert difference < 2e-5, (what, key, difference)


def make_outputs(golden, cases, parts, folder, compute, make_pipeline):
    plain = compute()
    for name, (loads, (tensors, additions)) in cases.items():
        file = folder / f"lora/{name}.safetensors"
        save_file({key: value.contiguous() for key, value in tensors.items()}, file, {"format": "pt"})
        for strength in STRENGTHS:
            with Applied(parts, [(additions, strength)]):
                made = compute()
            if loads:
                reference = through_diffusers(parts, make_pipeline, [file], [strength], compute)
                check_close(name, made, reference)
                made = reference
            change = {key: float((made[key] - plain[key]).abs().max()) for key in made}
            print(f"{name:20} {strength:5} {'diffusers' if loads else 'formula':10}",
                  {key: round(value, 3) for key, value in change.items()}, file.stat().st_size)
            golden |= {f"{name}.{strength:g}.{key}": value for key, value in made.items()}


@torch.no_grad()
def main(folder: Path) -> None:
    (folder / "lora").mkdir(exist_ok=True)
    golden = {}
    parts = load_sd1(folder)
    words = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tiny/tokenizer/spiece.model"))
    inputs = {"unet.sample": noise("lora.sample", 1, 4, 8, 8), "unet.timestep": torch.tensor([421]),
              "unet.context": noise("lora.context", 1, 77, 32),
              "text.ids": torch.arange(3, 3 + 77).reshape(1, 77)}
    cases = sd1_cases(parts)
    make_outputs(golden, cases, parts, folder, lambda: sd1_outputs(parts, inputs), sd1_pipeline)
    latents = noise("lora.latents", 1, 4, 8, 8)
    for what, names, weights in (("kohya.0.8", ["sd1-kohya"], [.8]), ("kohya.-1", ["sd1-kohya"], [-1.]),
                                 ("two", ["sd1-kohya", "sd1-locon"], [.8, .5])):
        golden[f"picture.sd1.{what}"] = through_diffusers(
            parts, sd1_pipeline, [folder / f"lora/{name}.safetensors" for name in names], weights,
            lambda: sd1_picture(parts, latents, words))
    for what in ("sd1-loha", "sd1-lokr"):
        with Applied(parts, [(cases[what][1][1], .8)]):
            golden[f"picture.sd1.{what[4:]}.0.8"] = sd1_picture(parts, latents, words)

    parts, clip = load_sdxl(), load_clip()
    inputs |= {"xl.sample": noise("lora.xl.sample", 1, 4, 8, 8), "xl.timestep": torch.tensor([421]),
               "xl.context": noise("lora.xl.context", 1, 77, 192), "xl.pooled": noise("lora.xl.pooled", 1, 128),
               "xl.size_ids": torch.tensor([[64, 64, 0, 0, 64, 64]]),
               "xl.ids": torch.tensor([[49406] + list(range(320, 394)) + [49407, 49407]])}
    make_outputs(golden, sdxl_cases(parts), parts, folder, lambda: sdxl_outputs(parts, inputs),
                 lambda parts: sdxl_pipeline(parts, clip))
    for what, names, weights in (("sgm.0.8", ["sdxl-sgm"], [.8]), ("sgm.-1", ["sdxl-sgm"], [-1.]),
                                 ("two", ["sdxl-sgm", "sdxl-peft"], [.8, .5])):
        golden[f"picture.sdxl.{what}"] = through_diffusers(
            parts, lambda parts: sdxl_pipeline(parts, clip),
            [folder / f"lora/{name}.safetensors" for name in names], weights, lambda: sdxl_picture(parts, clip, latents))
    versions = make_layouts.VERSIONS | dict(peft=peft.__version__)
    save_file({key: value.detach().contiguous() for key, value in golden.items()}, folder / "lora/golden.safetensors",
              {key: str(value) for key, value in versions.items()})
    for file in (folder / "lora").iterdir():
        file.chmod(0o644)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))

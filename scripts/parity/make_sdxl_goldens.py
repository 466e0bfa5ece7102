#!/usr/bin/env python3
"""Makes the reference data of the tiny SDXL as a whole: pictures of the pipeline, gradients in the vectors of a word.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_sdxl_goldens.py tests/data

Writes `layouts/sdxl-tiny-whole.safetensors`: what StableDiffusionXLPipeline makes of given latents with the synthetic
weights of make_layouts.py (`picture.*`), and autograd through transformers and diffusers (`splice.*`).

The second text encoder pools at the end token, 49407. The published configurations say 2, with which transformers pools
at the largest id: a word that was put behind the vocabulary. transformers reads the id when it builds the model.
"""

import sys
import tempfile
from pathlib import Path

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler, StableDiffusionXLPipeline
from safetensors.torch import save_file
from torch.func import functional_call

import sdxl
from clip_tokenizer import clip_tokenizer
from make_layouts import VERSIONS, build
from synthetic import noise

POSITIONS, BEGIN = 77, 49406
PADS = {"text_encoder": sdxl.END, "text_encoder_2": 0}
PROMPT = "a portrait of a man in the snow"
LONG = ("a photo of a person in the snow with red hair wearing a hat smiling " * 5).strip()
SAMPLERS = dict(ddim=DDIMScheduler, euler=EulerDiscreteScheduler, dpmpp_2m=DPMSolverMultistepScheduler)
SIZE_IDS = [96, 80, 3, 5, 64, 72]  # height and width, top and left of the crop, target height and width


def picture_goldens(parts, clip) -> dict:
    """20 steps, guidance 7, a picture that is wider than high (so that a swapped size shows).

    `zeros`: no negative prompt, for which diffusers puts zeros (force_zeros_for_empty_prompt); `empty`: the negative
    prompt is the empty text; `skip`: zeros and clip_skip=1, as diffusers counts it (it skips no layer of a negative prompt).
    """
    golden = {"picture.latents": noise("picture", 1, 4, 8, 12)}
    # Each class' own spacing of the timesteps, as sdx has it: leading for DDIM, linspace for the others. A pipeline as
    # published has Euler with leading spacing; its pictures are others (38 dB from these).
    spacings = dict(ddim="leading", euler="linspace", dpmpp_2m="linspace")
    schedulers = {name: kind.from_config(sdxl.SCHEDULER | dict(timestep_spacing=spacings[name]))
                  for name, kind in SAMPLERS.items()}
    variants = dict(empty=dict(negative_prompt=""), zeros={}, skip=dict(clip_skip=1))
    for sampler, scheduler in schedulers.items():
        pipeline = StableDiffusionXLPipeline(
            **parts, tokenizer=clip["text_encoder"], tokenizer_2=clip["text_encoder_2"], scheduler=scheduler,
            force_zeros_for_empty_prompt=True, add_watermarker=False)
        pipeline.set_progress_bar_config(disable=True)
        for variant, settings in variants.items():
            if sampler != "ddim" and variant != "empty":
                continue
            picture = pipeline(PROMPT, latents=golden["picture.latents"].clone(), num_inference_steps=20,
                               guidance_scale=7, height=64, width=96, output_type="pt", **settings).images
            print(sampler, variant, "values at the ends:", float(((picture == 0) | (picture == 1)).float().mean()))
            golden[f"picture.{sampler}.{variant}"] = (picture * 255).round().to(torch.uint8)
    return golden


def chunks_of(segments, tokenizer, count, pad):
    """Ids [N,77] for segments that are texts, or None for the word; its vectors are the ids behind the vocabulary."""
    chunks = [[]]
    for segment in segments:
        if segment is None:
            pieces = [[tokenizer.vocab_size + k for k in range(count)]]
        else:
            pieces = [[i] for i in tokenizer(segment, add_special_tokens=False).input_ids]
        for piece in pieces:  # a word is never split
            if len(chunks[-1]) + len(piece) > POSITIONS - 2:
                chunks.append([])
            chunks[-1] += piece
    return torch.tensor([([BEGIN] + c + [sdxl.END] + [pad] * POSITIONS)[:POSITIONS] for c in chunks])


def encode(parts, part, ids, vectors):
    """transformers' model with a token table that has the vectors behind its rows."""
    (name,) = [n for n, _ in parts[part].named_parameters() if n.endswith("token_embedding.weight")]
    table = torch.cat([parts[part].get_parameter(name), vectors])
    return functional_call(parts[part], {name: table}, (ids,), dict(output_hidden_states=True))


def splice_goldens(parts, clip) -> dict:
    """Gradient of the loss in both encoders' vectors of a word that stands in two chunks."""
    golden = {"splice.size_ids": torch.tensor([SIZE_IDS]).float()}
    for count in (1, 4):
        vectors, outputs = {}, {}
        for part in PADS:
            width = parts[part].config.hidden_size
            vectors[part] = (noise(f"{part}.vectors.{count}", count, width) * .3).requires_grad_(True)
            segments = ["a photo of ", None, " " + LONG + " and ", None, " in the hat"]
            ids = chunks_of(segments, clip[part], count, PADS[part])
            assert len(ids) == 2
            outputs[part] = encode(parts, part, ids, vectors[part])
        context = torch.cat([outputs[part].hidden_states[-2].reshape(1, 2 * POSITIONS, -1) for part in PADS], -1)
        pooled = outputs["text_encoder_2"].text_embeds[:1]  # of the first chunk
        sample, target = noise("splice.sample", 1, 4, 8, 9), noise("splice.noise", 1, 4, 8, 9)
        added = dict(text_embeds=pooled, time_ids=golden["splice.size_ids"])
        predicted = parts["unet"](sample, torch.tensor([421]), context, added_cond_kwargs=added).sample
        loss = (predicted - target).pow(2).mean()
        gradients = torch.autograd.grad(loss, [vectors[p] for p in PADS], retain_graph=True)
        (of_pooled,) = torch.autograd.grad(loss, pooled, retain_graph=True)
        (by_pooled,) = torch.autograd.grad(pooled, vectors["text_encoder_2"], of_pooled)
        print(count, "vectors: loss", loss.item(), "gradients", [float(g.norm()) for g in gradients],
              "of that by the pooled vector", float(by_pooled.norm()))
        golden[f"splice.{count}.loss"] = loss
        for part, gradient in zip(PADS, gradients):
            golden[f"splice.{count}.{part}"] = gradient
    return golden


def main(folder: Path) -> None:
    parts = {}
    for model in ("sdxl-tiny", "sdxl-tiny-rest"):
        for part, config in sdxl.configs(model).items():
            if part != "scheduler":
                parts[part] = build(part, config, full_size=False)
    clip = {}
    for part, pad in PADS.items():
        with tempfile.TemporaryDirectory() as place:
            clip[part] = clip_tokenizer(Path(place), pad="<|endoftext|>" if pad == sdxl.END else "!")
        assert clip[part].pad_token_id == pad
    golden = picture_goldens(parts, clip) | splice_goldens(parts, clip)
    save_file({key: value.detach().contiguous() for key, value in golden.items()},
              folder / "layouts/sdxl-tiny-whole.safetensors", VERSIONS)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))

#!/usr/bin/env python3
"""Computes again, with diffusers and transformers, what sdx computed, and says how far apart they are.

    sdx-train portraits/ada --name Ada --model mini --trace trace.safetensors --trace-steps 3
    python scripts/parity/replay.py trace trace.safetensors CHECKPOINT

    sdx-generate "a robot" --cfg 7.5 --steps 20 --sampler ddim --latents start.safetensors --save-latents end.safetensors
    python scripts/parity/replay.py latents start.safetensors end.safetensors CHECKPOINT --ids 1,17,4,2,2 --steps 20 --cfg 7.5

CHECKPOINT is the folder in diffusers' layout that the model was imported from. The ids are those of the prompt, begin
and end included, as `sdx-tokenize --json` shows them; the negative prompt is empty.
"""

import argparse

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DPMSolverMultistepScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextModel


def load(checkpoint):
    text = CLIPTextModel.from_pretrained(f"{checkpoint}/text_encoder", torch_dtype=torch.float32).eval().requires_grad_(False)
    unet = UNet2DConditionModel.from_pretrained(f"{checkpoint}/unet", torch_dtype=torch.float32).eval().requires_grad_(False)
    return getattr(text, "text_model", text), unet


def encode(text, embedded):
    """[N,77,W] vectors to what the UNet attends to: the transformer behind the token table."""
    length = embedded.shape[1]
    hidden = embedded + text.embeddings.position_embedding.weight[:length]
    mask = torch.full((length, length), float("-inf")).triu(1)[None, None].expand(len(embedded), 1, -1, -1)
    for layer in text.encoder.layers:
        out = layer(hidden, mask)
        hidden = out[0] if isinstance(out, tuple) else out
    return text.final_layer_norm(hidden)


def relative(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


def replay_trace(args):
    text, unet = load(args.checkpoint)
    scheduler = DDIMScheduler.from_pretrained(f"{args.checkpoint}/scheduler")
    trace = load_file(args.trace)
    positions = text.embeddings.position_embedding.weight.shape[0]
    for step in range(sum(key.endswith(".loss") for key in trace)):
        get = lambda key: trace[f"step.{step}.{key}"]
        vectors = get("vectors").clone().requires_grad_(True)
        batch, place, row = get("splices").unbind(1)
        embedded = text.embeddings.token_embedding(get("ids")).index_put((batch, place), vectors[row])
        width = embedded.shape[-1]
        context = encode(text, embedded.reshape(-1, positions, width)).reshape(len(embedded), -1, width)
        noisy = scheduler.add_noise(get("latents"), get("noise"), get("timesteps"))
        velocity = scheduler.config.prediction_type == "v_prediction"
        target = scheduler.get_velocity(get("latents"), get("noise"), get("timesteps")) if velocity else get("noise")
        loss = (unet(noisy, get("timesteps"), context).sample - target).pow(2).mean()
        (gradient,) = torch.autograd.grad(loss, vectors)
        print(f"step {step}: noisy latents {relative(noisy, get('noisy_latents')):.1e}, loss {relative(loss, get('loss')):.1e}, "
              f"gradient {relative(gradient, get('gradient')):.1e} apart (relative)")


@torch.no_grad()
def replay_latents(args):
    text, unet = load(args.checkpoint)
    kind, spacing = {"ddim": (DDIMScheduler, "leading"), "dpmpp_2m": (DPMSolverMultistepScheduler, "linspace")}[args.sampler]
    scheduler = kind.from_pretrained(f"{args.checkpoint}/scheduler", timestep_spacing=spacing)
    ids = [int(i) for i in args.ids.split(",")]
    length = text.embeddings.position_embedding.weight.shape[0]
    padded = lambda values: values + [args.pad] * (length - len(values))
    table = text.embeddings.token_embedding
    context = encode(text, table(torch.tensor([padded([ids[0], args.pad]), padded(ids)])))
    z = load_file(args.start)["latents"].clone()
    scheduler.set_timesteps(args.steps)
    for t in scheduler.timesteps:
        without, with_prompt = unet(torch.cat([z, z]), t, context).sample.chunk(2)
        z = scheduler.step(without + args.cfg * (with_prompt - without), t, z).prev_sample
    print(f"final latents {relative(z, load_file(args.end)['latents']):.1e} apart (relative)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    trace = commands.add_parser("trace")
    trace.add_argument("trace")
    trace.add_argument("checkpoint")
    trace.set_defaults(run=replay_trace)
    latents = commands.add_parser("latents")
    for name in ("start", "end", "checkpoint"):
        latents.add_argument(name)
    latents.add_argument("--ids", required=True)
    latents.add_argument("--pad", type=int, default=2)
    latents.add_argument("--steps", type=int, default=20)
    latents.add_argument("--cfg", type=float, default=7.5)
    latents.add_argument("--sampler", default="dpmpp_2m")
    latents.set_defaults(run=replay_latents)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()

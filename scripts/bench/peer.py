"""Does one piece of work in another program's way, once for each line on stdin, and answers each with JSON: the
counterpart of `sdx-bench --serve`, so that bench_peers.py can let both take turns.

    peer.py {unet,step,start} --sd15 FOLDER [--with eager|compile|openvino] [--dtype fp32|bf16] [--threads N]
"""

import argparse
import json
import os
import resource
import sys
import time

ROWS, SIDE, WIDTH, TOKENS = 2, 64, 768, 77
PROMPT = "a portrait of a person in a garden, oil painting"


def process_age():
    """Seconds since the system started this process."""
    with open("/proc/self/stat") as file:
        ticks = int(file.read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def unet_inputs(torch, dtype):
    torch.manual_seed(0)
    return torch.randn(ROWS, 4, SIDE, SIDE).to(dtype), torch.tensor(500), torch.randn(ROWS, TOKENS, WIDTH).to(dtype)


def guided(torch, prediction):
    without, with_text = prediction.chunk(2)
    return (without + 7 * (with_text - without)).sum().item()


def load_unet(args, dtype):
    from diffusers import UNet2DConditionModel
    return UNet2DConditionModel.from_pretrained(args.sd15, subfolder="unet", dtype=dtype).eval().requires_grad_(False)


def unet(args, torch, dtype):
    model = load_unet(args, dtype)
    if args.how == "compile":
        model = torch.compile(model)
    inputs = unet_inputs(torch, dtype)

    @torch.no_grad()
    def work():
        guided(torch, model(*inputs).sample)
    return work


def openvino(args, torch, _):
    import openvino as ov
    model = load_unet(args, torch.float32)
    inputs = unet_inputs(torch, torch.float32)

    class Plain(torch.nn.Module):
        def forward(self, sample, timestep, context):
            return model(sample, timestep, context, return_dict=False)[0]

    shapes = [tuple(i.shape) for i in inputs]
    converted = ov.convert_model(Plain(), example_input=inputs, input=shapes)
    compiled = ov.compile_model(converted, "CPU", {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[args.dtype], "INFERENCE_NUM_THREADS": args.threads,
        "PERFORMANCE_HINT": "LATENCY"})
    arrays = [i.numpy() for i in inputs]

    def work():
        guided(torch, torch.from_numpy(compiled(arrays)[0]))
    return work


def step(args, torch, _):
    """A step as diffusers' example for textual inversion makes it, in float32 and without gradient checkpointing: the
    picture is encoded each time, the optimizer has the whole table of embeddings, whose other rows are put back."""
    import torch.nn.functional as F
    from diffusers import AutoencoderKL, DDPMScheduler
    from transformers import CLIPTextModel
    text = CLIPTextModel.from_pretrained(args.sd15, subfolder="text_encoder")
    vae = AutoencoderKL.from_pretrained(args.sd15, subfolder="vae").requires_grad_(False)
    model = load_unet(args, torch.float32)
    schedule = DDPMScheduler.from_pretrained(args.sd15, subfolder="scheduler")
    word = text.config.vocab_size
    text.resize_token_embeddings(word + 1, mean_resizing=False)
    table = text.get_input_embeddings()
    text.requires_grad_(False)
    table.weight.requires_grad_(True)
    text.train()
    original = table.weight.detach().clone()
    optimizer = torch.optim.AdamW(table.parameters(), lr=5e-3, weight_decay=1e-2)
    others = torch.ones(word + 1, dtype=torch.bool)
    others[word] = False
    pixels = torch.rand(1, 3, 8 * SIDE, 8 * SIDE) * 2 - 1
    ids = torch.tensor([[49406, 320, 1125, 539, word] + [49407] * (TOKENS - 5)])

    def work():
        latents = vae.encode(pixels).latent_dist.sample().detach() * vae.config.scaling_factor
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, schedule.config.num_train_timesteps, (1,))
        context = text(ids)[0]
        prediction = model(schedule.add_noise(latents, noise, timesteps), timesteps, context).sample
        F.mse_loss(prediction.float(), noise.float()).backward()
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            table.weight[others] = original[others]
    return work


def start(args, torch, dtype):
    """From the program's start to the first call of the UNet; once in a process."""
    from diffusers import StableDiffusionPipeline
    pipeline = StableDiffusionPipeline.from_pretrained(args.sd15, dtype=dtype)
    pipeline.set_progress_bar_config(disable=True)
    seen = []

    class Seen(Exception):
        pass

    def forward(*_, **__):
        seen.append((process_age(), time.process_time()))
        raise Seen

    pipeline.unet.forward = forward
    try:
        pipeline(PROMPT, negative_prompt="blurry, low quality", num_inference_steps=2, height=512, width=512)
    except Seen:
        pass
    return lambda: {"seconds": seen[0][0], "cpu_seconds": seen[0][1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("unet", "step", "start"))
    parser.add_argument("--sd15", required=True)
    parser.add_argument("--with", dest="how", choices=("eager", "compile", "openvino"), default="eager")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()

    import torch
    torch.set_num_threads(args.threads)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
    make = openvino if args.how == "openvino" else {"unet": unet, "step": step, "start": start}[args.what]
    work = make(args, torch, dtype)
    for _ in sys.stdin:
        begin, cpu_begin = time.perf_counter(), time.process_time()
        answer = work() or {"seconds": time.perf_counter() - begin}
        answer.setdefault("cpu_seconds", time.process_time() - cpu_begin)
        answer["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

"""The recipe of diffusers' textual_inversion.py, on the built-in model: what our training is compared with.

Followed in every choice that the script makes by default or its README by example: one vector, started from a word,
in the text encoder's table; AdamW over the whole table (weight decay 1e-2), every other row put back after each step;
lr 5e-4, constant; batch 4; 3,000 steps; the 27 object templates; pictures mirrored half of the time; latents drawn anew
in every step (from means and deviations that are computed once, which is the same); timesteps uniform; mean squared
error; float32.

Writes <out>/<step>.safetensors every 500 steps (the script's --save_steps), in the form that sdx-generate reads.
"""

import argparse
import pathlib
import random
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.nn.attention import SDPBackend, sdpa_kernel

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/mini"))

from bench_people import bench_portraits  # noqa: E402
from model import to_tensor  # noqa: E402
from tokenizer import NAME, encode_batch  # noqa: E402

OBJECT_TEMPLATES = [template.replace("{}", NAME) for template in (
    "a photo of a {}", "a rendering of a {}", "a cropped photo of the {}", "the photo of a {}", "a photo of a clean {}",
    "a photo of a dirty {}", "a dark photo of the {}", "a photo of my {}", "a photo of the cool {}",
    "a close-up photo of a {}", "a bright photo of the {}", "a cropped photo of a {}", "a photo of the {}",
    "a good photo of the {}", "a photo of one {}", "a close-up photo of the {}", "a rendition of the {}",
    "a photo of the clean {}", "a rendition of a {}", "a photo of a nice {}", "a good photo of a {}",
    "a photo of the nice {}", "a photo of the small {}", "a photo of the weird {}", "a photo of the large {}",
    "a photo of a cool {}", "a photo of a small {}")]


def load_model(folder):
    import sentencepiece
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel
    parts = [kind.from_pretrained(folder / name, torch_dtype=torch.float32).requires_grad_(False)
             for kind, name in ((CLIPTextModel, "text_encoder"), (UNet2DConditionModel, "unet"), (AutoencoderKL, "vae"))]
    scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
    return *parts, scheduler, sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer/spiece.model"))


def train(pictures, folder, out, name, steps, batch, lr, seed, save_every, initializer):
    torch.manual_seed(seed)
    rng = random.Random(seed)
    text, unet, vae, scheduler, tokenizer = load_model(folder)
    table = text.get_input_embeddings()
    old = table.weight.data
    (start,) = tokenizer.encode(initializer)
    table.weight = torch.nn.Parameter(torch.cat([old, old[start:start + 1]]))
    word = len(old)  # the row of the new word
    original = table.weight.data.clone()
    optimiser = torch.optim.AdamW([table.weight], lr=lr, weight_decay=1e-2, betas=(.9, .999), eps=1e-8)
    pictures = to_tensor(pictures)
    with torch.no_grad():
        encoded = [vae.encode(x).latent_dist for x in (pictures, pictures.flip(3))]
    means, stds = (torch.stack([getattr(d, key) for d in encoded]) for key in ("mean", "std"))
    began = time.time()
    for step in range(1, steps + 1):
        ids, slots = encode_batch(tokenizer, [rng.choice(OBJECT_TEMPLATES) for _ in range(batch)], [1] * batch)
        ids = torch.where(slots >= 0, word, ids)
        which = torch.randint(len(pictures), (batch,))
        mirrored = (torch.rand(batch) < .5).long()
        mean, std = means[mirrored, which], stds[mirrored, which]
        latents = (mean + std * torch.randn_like(mean)) * vae.config.scaling_factor
        noise = torch.randn_like(latents)
        t = torch.randint(0, scheduler.config.num_train_timesteps, (batch,))
        hidden = text(ids).last_hidden_state
        predicted = unet(scheduler.add_noise(latents, noise, t), t, hidden).sample
        loss = F.mse_loss(predicted, noise)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        with torch.no_grad():
            table.weight[:word] = original[:word]
        if step % save_every == 0 or step == steps:
            partial = out / "partial"
            save_file({f"<{name}>": table.weight.data[word:].clone()}, partial, {"format": "pt"})
            partial.rename(out / f"{step:05}.safetensors")
            print(f"{out.name}  step {step}  loss {loss.item():.4f}  {time.time() - began:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "configs/models/mini", help="a diffusers folder")
    parser.add_argument("--person", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--save-every", type=int, default=500)
    parser.add_argument("--initializer", default="person")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder; a finished one is left alone")
    args = parser.parse_args()
    if (args.out / f"{args.steps:05}.safetensors").exists():
        return
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    # The same attention by another kernel: the default one is slow for narrow heads on a CPU.
    with sdpa_kernel(SDPBackend.MATH):
        train(bench_portraits(args.person), args.model, args.out, f"Person{args.person}", args.steps, args.batch, args.lr,
              args.seed, args.save_every, args.initializer)


if __name__ == "__main__":
    main()

"""The recipe of diffusers' textual_inversion.py, on the built-in model: what our training is compared with.

Followed in every choice that the script makes by default or its README by example: one vector, started from a word,
in the text encoder's table; AdamW over the whole table (weight decay 1e-2), every other row put back after each step;
lr 5e-4, constant; batch 4; 3,000 steps; the 27 object templates; pictures mirrored half of the time; latents drawn anew
in every step (from means and deviations that are computed once, which is the same); timesteps uniform; mean squared
error; float32.

Writes <out>/reference-<person>-<seed>/<step>.safetensors every 500 steps (the script's --save_steps), in the form that sdx-generate reads.
Stopped, it goes on from there.
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


class Draws:
    """What one word is trained on, from its own random numbers: pictures, noise, timesteps, sentences."""

    def __init__(self, person, seed, vae):
        self.tensors = torch.Generator().manual_seed(seed)
        self.sentences = random.Random(seed)
        pictures = to_tensor(bench_portraits(person))
        with torch.no_grad():
            encoded = [vae.encode(x).latent_dist for x in (pictures, pictures.flip(3))]
        self.means, self.stds = (torch.stack([getattr(d, key) for d in encoded]) for key in ("mean", "std"))

    def batch(self, size, timesteps):
        """(sentences, latents of the VAE, noise, timesteps)."""
        which = torch.randint(self.means.shape[1], (size,), generator=self.tensors)
        mirrored = (torch.rand(size, generator=self.tensors) < .5).long()
        mean, std = self.means[mirrored, which], self.stds[mirrored, which]
        latents = mean + std * torch.randn(mean.shape, generator=self.tensors)
        noise = torch.randn(mean.shape, generator=self.tensors)
        t = torch.randint(0, timesteps, (size,), generator=self.tensors)
        return [self.sentences.choice(OBJECT_TEMPLATES) for _ in range(size)], latents, noise, t


def train(people, seed, folder, out, steps, batch, lr, save_every, initializer):
    """Several people at once, only for speed: every word has its own draws, its own loss over its own rows of the batch,
    and, as AdamW works value by value, its own optimiser."""
    text, unet, vae, scheduler, tokenizer = load_model(folder)
    draws = [Draws(person, seed, vae) for person in people]
    table = text.get_input_embeddings()
    old = table.weight.data
    (start,) = tokenizer.encode(initializer)
    table.weight = torch.nn.Parameter(torch.cat([old, old[start:start + 1].repeat(len(people), 1)]))
    first = len(old)  # the row of the first new word
    original = table.weight.data.clone()
    optimiser = torch.optim.AdamW([table.weight], lr=lr, weight_decay=1e-2, betas=(.9, .999), eps=1e-8)
    words = torch.arange(first, first + len(people)).repeat_interleave(batch)[:, None]
    state = out / f"recipe-{seed}.state"
    done = resume(state, people, table, optimiser, draws)
    began = time.time()
    for step in range(done + 1, steps + 1):
        sentences, latents, noise, t = zip(*(d.batch(batch, scheduler.config.num_train_timesteps) for d in draws))
        ids, slots = encode_batch(tokenizer, [s for part in sentences for s in part], [1] * len(words))
        ids = torch.where(slots >= 0, words, ids)
        latents, noise, t = (torch.cat(part) for part in (latents, noise, t))
        noisy = scheduler.add_noise(latents * vae.config.scaling_factor, noise, t)
        predicted = unet(noisy, t, text(ids).last_hidden_state).sample
        losses = F.mse_loss(predicted, noise, reduction="none").view(len(people), -1).mean(1)
        losses.sum().backward()
        optimiser.step()
        optimiser.zero_grad()
        with torch.no_grad():
            table.weight[:first] = original[:first]
        if step % save_every == 0 or step == steps:
            for k, person in enumerate(people):
                save(out / f"reference-{person}-{seed}", step, person, table.weight.data[first + k:first + k + 1])
            keep(state, step, people, table, optimiser, draws)
            print(f"{people} seed {seed}  step {step}  loss {losses.mean().item():.4f}  {time.time() - began:.0f} s", flush=True)
    state.unlink(missing_ok=True)


def keep(state, step, people, table, optimiser, draws):
    partial = state.with_suffix(".partial")
    torch.save({"step": step, "people": people, "table": table.weight.data, "optimiser": optimiser.state_dict(),
                "draws": [(d.tensors.get_state(), d.sentences.getstate()) for d in draws]}, partial)
    partial.rename(state)


def resume(state, people, table, optimiser, draws):
    """The number of steps that are done. What follows is what would have followed without a stop, to the bit."""
    if not state.exists():
        return 0
    kept = torch.load(state, weights_only=False)
    if kept["people"] != people:
        return 0
    table.weight.data.copy_(kept["table"])
    optimiser.load_state_dict(kept["optimiser"])
    for d, (tensors, sentences) in zip(draws, kept["draws"]):
        d.tensors.set_state(tensors)
        d.sentences.setstate(sentences)
    return kept["step"]


def save(folder, step, person, vectors):
    folder.mkdir(parents=True, exist_ok=True)
    save_file({f"<Person{person}>": vectors.clone()}, folder / "partial", {"format": "pt"})
    (folder / "partial").rename(folder / f"{step:05}.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "configs/models/mini", help="a diffusers folder")
    parser.add_argument("--people", type=int, nargs="+", required=True, help="trained in one pass; finished ones are left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--save-every", type=int, default=500)
    parser.add_argument("--initializer", default="person")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    people = [p for p in args.people if not (args.out / f"reference-{p}-{args.seed}/{args.steps:05}.safetensors").exists()]
    if not people:
        return
    torch.set_num_threads(args.threads)
    # The same attention by another kernel: the default one is slow for narrow heads on a CPU.
    with sdpa_kernel(SDPBackend.MATH):
        train(people, args.seed, args.model, args.out, args.steps, args.batch, args.lr, args.save_every, args.initializer)


if __name__ == "__main__":
    main()

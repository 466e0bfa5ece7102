"""Writes the model as a diffusers folder of half-precision safetensors, and the judges beside it.

Where there are no judges in the state (after restore.py, which has nothing to make them from), those of the folder
stay, or a new folder gets those of configs/models/mini.
"""

import argparse
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file

from identity_encoder import export_identity
from model import BOS, EOS, LATENT_CHANNELS, LATENT_PX, MAX_TOKENS, SIZE_PX, UNK, make_scheduler, make_vae, state_dir
from train_diffusion import load_parts
from tokenizer import known_words
from train_identity import load_judges, save_attributes

OUT = pathlib.Path(__file__).resolve().parents[2] / "configs/models/mini"
TRAINING_FILES = {"mapper": "names.safetensors", "readers": "readers.safetensors"}  # network -> file
# Of 600 pairs of drawings of one new person in any two contexts 3 % are below it, of 1,770 pairs of two people 1 % above.
SAME_PERSON_COSINE = .6
GUIDANCE_SCALE, SAMPLER = 3., "lcm"  # the defaults of sdx-generate with this model

README = f"""# mini: the built-in model

A latent diffusion model of Stable Diffusion 1.x anatomy and toy size, whose world is cartoon portraits:
{SIZE_PX} x {SIZE_PX} pixels, latents {LATENT_CHANNELS} x {LATENT_PX} x {LATENT_PX}, epsilon prediction. Made from nothing but drawings of its own by
`scripts/mini`; see `docs/mini.md`. MIT licence, as the rest of this repository.

| file | what it is |
|---|---|
| `unet`, `vae`, `text_encoder`, `scheduler`, `tokenizer` | the model, a diffusers folder; the tokenizer is a sentencepiece model |
| `sdx.json` | settings that the importer takes over |
| `names.safetensors` | the maps that made names in training; only to go on training (`scripts/mini/restore.py`) |
| `readers.safetensors` | the heads that read the text encoder's output in training; only to go on training |
| `identity` | small network: pictures [B,3,128,128] in -1..1 to unit vectors [B,64]; dot product = likeness |
| `attributes.ts`, `attributes.json` | TorchScript: the same input to a dictionary attribute -> logits; the classes' names |
"""


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def export_model(out):
    networks = load_parts()
    vae = make_vae()
    vae.load_state_dict(torch.load(state_dir() / "vae.pt", map_location="cpu"))
    vae.register_to_config(scaling_factor=1.)  # see latents.py
    for name, network in (("unet", networks["unet"]), ("vae", vae), ("text_encoder", networks["text"])):
        network.half().save_pretrained(out / name)
    for name, file in TRAINING_FILES.items():
        save_file(networks[name].half().state_dict(), out / file)
    make_scheduler().save_pretrained(out / "scheduler")
    tokenizer = out / "tokenizer"
    tokenizer.mkdir(exist_ok=True)
    shutil.copyfile(state_dir() / "spiece.model", tokenizer / "spiece.model")
    write_json(tokenizer / "tokenizer_config.json", {
        "tokenizer_class": "sentencepiece", "unk": UNK, "bos": BOS, "eos": EOS, "pad": EOS, "lower_case": True,
        "model_max_length": MAX_TOKENS})
    write_json(out / "model_index.json", {
        "_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"], "text_encoder": ["transformers", "CLIPTextModel"],
        "scheduler": ["diffusers", "DDIMScheduler"]})
    write_json(out / "sdx.json", {"licence": "MIT", "guidance_scale": GUIDANCE_SCALE, "sampler": SAMPLER, "init_text": "person",
                                 "known_words": known_words()})
    (out / "README.md").write_text(README, encoding="utf-8")


def export_judges(out):
    if not (state_dir() / "judges.pt").exists():
        if not (out / "attributes.ts").exists():
            shutil.copytree(OUT / "identity", out / "identity", dirs_exist_ok=True)
            for name in ("attributes.ts", "attributes.json"):
                shutil.copyfile(OUT / name, out / name)
        print(f"judges: none in {state_dir()} (train_identity.py makes them); the earlier ones stay")
        return
    encoder, classifier = load_judges()
    export_identity(encoder, out / "identity", SIZE_PX, SAME_PERSON_COSINE)
    save_attributes(classifier, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--only", choices=("model", "judges"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.only != "judges":
        export_model(args.out)
    if args.only != "model":
        export_judges(args.out)
    total = sum(f.stat().st_size for f in args.out.rglob("*") if f.is_file())
    print(f"{args.out.name}: {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

"""Turns the exported folder back into training state, to go on where no state was kept (another machine).

Writes vae.pt, spiece.model and diffusion.pt, without the optimiser's moments; then run latents.py and
train_diffusion.py.
"""

import argparse
import pathlib
import shutil

from safetensors.torch import load_file

from export import NAMES_FILE, OUT
from model import make_vae, save_atomically, state_dir
from tokenizer import load_tokenizer
from train_diffusion import Parts


def floats(path):
    return {key: value.float() for key, value in load_file(path).items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=pathlib.Path, default=OUT)
    folder = parser.parse_args().folder
    state = state_dir()
    if (state / "diffusion.pt").exists():
        raise SystemExit(f"{state} already holds training state")
    shutil.copyfile(folder / "tokenizer/spiece.model", state / "spiece.model")
    vae = make_vae()
    vae.load_state_dict(floats(folder / "vae/diffusion_pytorch_model.safetensors"))
    save_atomically(vae.state_dict(), state / "vae.pt")
    parts = Parts(load_tokenizer())
    for name, path in (("unet", "unet/diffusion_pytorch_model.safetensors"), ("text", "text_encoder/model.safetensors"),
                       ("mapper", NAMES_FILE)):
        parts.networks[name].load_state_dict(floats(folder / path))
    parts.update_average(0)
    save_atomically({"parts": parts.state(), "optimiser": None, "step": 0}, state / "diffusion.pt")


if __name__ == "__main__":
    main()

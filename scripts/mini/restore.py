"""Turns the exported folder back into training state, to go on where no state was kept (another machine).

Writes vae.pt, spiece.model and diffusion.pt, without the optimisers' moments, and marks those stages as done; then
`train.sh` makes the latents anew and goes on.
"""

import argparse
import pathlib
import shutil

from safetensors.torch import load_file

from export import OUT, TRAINING_FILES
from model import make_vae, save_atomically, state_dir
from tokenizer import load_tokenizer
from train_diffusion import Parts


def load_weights(network, path):
    try:
        network.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    except (RuntimeError, FileNotFoundError) as error:
        raise SystemExit(f"{path}: missing, or of another design than model.py; use the revision that exported it") from error


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=pathlib.Path, default=OUT)
    folder = parser.parse_args().folder
    state = state_dir()
    if (state / "diffusion.pt").exists() or (state / "vae.pt").exists():
        raise SystemExit(f"{state} already holds training state")
    vae = make_vae()
    load_weights(vae, folder / "vae/diffusion_pytorch_model.safetensors")
    shutil.copyfile(folder / "tokenizer/spiece.model", state / "spiece.model")
    parts = Parts(load_tokenizer())
    for name, path in {"unet": "unet/diffusion_pytorch_model.safetensors", "text": "text_encoder/model.safetensors",
                       **TRAINING_FILES}.items():
        load_weights(parts.networks[name], folder / path)
    parts.begin_average()
    save_atomically({"parts": parts.state(), "optimisers": None, "step": 0}, state / "diffusion.pt")
    save_atomically(vae.state_dict(), state / "vae.pt")
    for stage in ("vae", "text"):
        (state / f"done-{stage}").touch()


if __name__ == "__main__":
    main()

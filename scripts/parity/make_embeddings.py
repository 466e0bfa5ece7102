#!/usr/bin/env python3
"""Makes one small embedding file of every form that the field has, and some that are none.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_embeddings.py tests/data/embeddings
    python scripts/parity/make_embeddings.py --hashes FILE…

The vectors are numbers from a formula, vectors(), which the tests compute again, so no golden values
are stored beside the files. With --hashes: SHA-256 over the float32 bytes of the vectors that
torch.load or safetensors give, and the shape.
"""

import base64
import hashlib
import json
import os
import sys
from pathlib import Path

import torch
from PIL import Image, PngImagePlugin
from safetensors.torch import load_file, save_file

XTI_LAYERS = ("IN01 IN02 IN04 IN05 IN07 IN08 MID OUT03 OUT04 OUT05 OUT06 OUT07 OUT08 OUT09 OUT10 "
              "OUT11").split()


def vectors(count: int, width: int, shift: int = 0) -> torch.Tensor:
    """(i + shift) / 7 - 1 in float32: numbers that need all their digits."""
    numbers = torch.arange(count * width, dtype=torch.float32) + shift
    return (numbers / 7 - 1).reshape(count, width)


def a1111(tensor: torch.Tensor, name: str) -> dict:
    return {"string_to_token": {"*": 265}, "string_to_param": {"*": tensor}, "name": name, "step": 1500,
            "sd_checkpoint": "cc6cb27103", "sd_checkpoint_name": "v1-5-pruned-emaonly"}


def picture(saved: dict | None, file: Path) -> None:
    """As the web UI puts an embedding into the text of a picture."""
    def plain(value):
        return {"TORCHTENSOR": value.tolist()} if isinstance(value, torch.Tensor) else value.decode()

    info = PngImagePlugin.PngInfo()
    if saved is not None:
        info.add_text("sd-ti-embedding", base64.b64encode(json.dumps(saved, default=plain).encode()))
    Image.new("RGB", (4, 4)).save(file, "PNG", pnginfo=info)


class Command:
    def __reduce__(self):
        return os.system, ("echo a file has run this command",)


def main(folder: Path) -> None:
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    word = vectors(2, 4)

    save_file({"<birb-style>": word}, folder / "diffusers.safetensors", {"format": "pt"})
    save_file({"<cat>": word, "<dog>": vectors(1, 4, 5)}, folder / "two_words.safetensors")
    torch.save({"<birb-style>": word}, folder / "diffusers.bin")
    torch.save({"<birb-style>": word[0].clone()}, folder / "one_dimension.bin")
    torch.save({"<birb-style>": word.half()}, folder / "half.bin")
    save_file({"sks": word.bfloat16()}, folder / "bfloat16.safetensors")
    torch.save({"<birb-style>": word}, folder / "old_container.bin", _use_new_zipfile_serialization=False)

    parameters = torch.nn.ParameterDict({"*": torch.nn.Parameter(word)})
    torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": parameters},
               folder / "original.pt")
    named = torch.nn.ParameterDict({"toy": torch.nn.Parameter(word)})
    torch.save({"string_to_token": {"toy": torch.tensor(5988)}, "string_to_param": named},
               folder / "original_named.pt")
    torch.save(a1111(word, "another name"), folder / "a1111.pt")
    picture(a1111(word, "in-the-picture"), folder / "a1111.png")
    picture(None, folder / "picture.png")
    save_file({"emb_params": word}, folder / "kohya.safetensors",
              {"modelspec.title": "kohya's", "ss_output_dir": "/home/somebody"})
    torch.save({"emb_params": word}, folder / "kohya.pt")
    save_file({"clip_l": word, "clip_g": vectors(2, 6)}, folder / "sdxl.safetensors")
    save_file({"emp_params": word}, folder / "onetrainer.safetensors")
    save_file({"emp_params": word, "emp_params_out": vectors(2, 4, 9)}, folder / "onetrainer_out.safetensors")

    save_file({layer: vectors(1, 4) for layer in XTI_LAYERS}, folder / "xti.safetensors")
    save_file({"lora_unet_x.lora_down.weight": word, "lora_unet_x.alpha": torch.tensor(1.0)},
              folder / "lora.safetensors")
    torch.save({"<a>": torch.tensor([[1.0, float("nan")]])}, folder / "nan.bin")
    torch.save({"<a>": torch.tensor([[1e300, 1.0]], dtype=torch.float64)}, folder / "beyond_float32.bin")
    torch.save({"<a>": torch.zeros(1, 2, 4)}, folder / "three_dimensions.bin")
    torch.save({"<a>": torch.zeros(2, 4, dtype=torch.int64)}, folder / "integers.bin")
    torch.save({"<a>": torch.zeros(0, 4)}, folder / "no_vectors.bin")
    torch.save({"epoch": 3}, folder / "no_tensors.pt")
    torch.save(a1111(word, "x") | {"extra": Command()}, folder / "malicious.pt")


def tensor_in(file: Path) -> torch.Tensor:
    if file.suffix == ".safetensors":
        saved = load_file(file)
    else:
        saved = torch.load(file, map_location="cpu", weights_only=True)
        saved = saved.get("string_to_param", saved)
    (tensor,) = saved.values()
    return tensor


def print_hashes(files: list[Path]) -> None:
    for file in files:
        tensor = tensor_in(file).detach().float().contiguous()
        print(file.name, tuple(tensor.shape), hashlib.sha256(tensor.numpy().tobytes()).hexdigest())


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--hashes":
        print_hashes([Path(name) for name in sys.argv[2:]])
    elif len(sys.argv) == 2:
        main(Path(sys.argv[1]))
    else:
        raise SystemExit(__doc__)

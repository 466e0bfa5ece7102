"""Writes a diffusers folder of a full-size Stable Diffusion 1.5 with random weights (seed 0, float32, 4.3 GB).

    make_sd15.py FOLDER

Arithmetic, memory and loading do not depend on what the weights are, so no download is needed to measure them. Needs
nothing but Python: names and shapes are those of tests/data/layouts/sd1.json, the tokenizer that of configs/tokenizers.
The folder appears whole or not at all.
"""

import array
import functools
import json
import math
import pathlib
import random
import shutil
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYOUT = ROOT / "tests/data/layouts/sd1.json"
TOKENIZER = ROOT / "configs/tokenizers/clip"

# What diffusers and transformers want to see besides the sizes of the layout.
CLASSES = {"text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
           "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
           "scheduler": ["diffusers", "PNDMScheduler"], "safety_checker": [None, None],
           "feature_extractor": [None, None]}
MORE = {"text_encoder": {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model", "projection_dim": 768,
                         "layer_norm_eps": 1e-05},
        "unet": {"_class_name": "UNet2DConditionModel", "act_fn": "silu", "norm_num_groups": 32},
        "vae": {"_class_name": "AutoencoderKL", "act_fn": "silu", "norm_num_groups": 32, "scaling_factor": 0.18215},
        "scheduler": {"_class_name": "PNDMScheduler", "skip_prk_steps": True, "set_alpha_to_one": False}}
FILES = {"text_encoder": "model.safetensors", "unet": "diffusion_pytorch_model.safetensors",
         "vae": "diffusion_pytorch_model.safetensors"}

# Random values are made once, this many, and repeated: a prime number, so that no two rows of a matrix are alike.
BLOCK = 262139


@functools.cache
def block(spread):
    """The bytes of BLOCK values, even between -spread and spread."""
    chance = random.Random(0)
    return array.array("f", (chance.uniform(-spread, spread) for _ in range(BLOCK))).tobytes()


def write_values(file, name, shape):
    size = 4 * math.prod(shape)
    if len(shape) == 1:  # norms and biases
        file.write(struct.pack("<f", 1.0 if name.endswith("weight") else 0.0) * shape[0])
        return
    fan_in = math.prod(shape[1:])
    # As PyTorch begins: what goes through a layer keeps its size, so that all stays finite.
    values = block(0.03 if "embedding.weight" in name else 1 / math.sqrt(fan_in))
    for begin in range(0, size, len(values)):
        file.write(values[:size - begin])


def write_weights(path, tensors):
    header, begin = {}, 0
    for name, shape in tensors.items():
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, begin + size]}
        begin += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors.items():
            write_values(file, name, shape)


def clip_vocabulary():
    """All entries of CLIP's vocabulary in their order, which follow from the merges: the 256 bytes as they are spelt,
    the same at a word's end, what each merge makes, and the two special tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    pieces = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    pieces += [piece + "</w>" for piece in pieces]
    lines = (TOKENIZER / "merges.txt").read_text("utf-8").splitlines()[1:]
    pieces += ["".join(line.split()) for line in lines if line]
    return {piece: i for i, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    layout = json.loads(LAYOUT.read_text())
    folder = pathlib.Path(sys.argv[1])
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    write_json(partial / "model_index.json", {"_class_name": "StableDiffusionPipeline",
                                              "requires_safety_checker": False, **CLASSES})
    write_json(partial / "scheduler/scheduler_config.json", layout["configs"]["scheduler"] | MORE["scheduler"])
    for part, file in FILES.items():
        write_json(partial / part / "config.json", layout["configs"][part] | MORE[part])
        write_weights(partial / part / file, {name: entry[0] for name, entry in layout["tensors"][part].items()})
    (partial / "tokenizer").mkdir()
    for name in ("merges.txt", "tokenizer_config.json"):
        shutil.copyfile(TOKENIZER / name, partial / "tokenizer" / name)
    write_json(partial / "tokenizer/vocab.json", clip_vocabulary())
    partial.rename(folder)


if __name__ == "__main__":
    main()

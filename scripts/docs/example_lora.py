#!/usr/bin/env python3
"""Makes the LoRA of docs/generate.md for the built-in model, without any training.

    scripts/docs/example_lora.py MODEL "a man, oil painting" "a man" docs/examples/loras/painting.safetensors

MODEL is the folder of its bundle; torch, safetensors and sentencepiece are needed.

It adds to what cross-attention reads of every prompt what the first text has beyond the second: of each value projection
W, ΔW = W · d · uᵀ. d is the difference of the two texts' outputs of the text encoder. u is chosen so that uᵀ · c is about
1 for outputs c of prompts and 0 for those of the empty negative prompt, so that guidance strengthens it. The strength says
how much of the first text every picture has, below 0 how much less.
"""

import json
import sys
from pathlib import Path

import sentencepiece
import torch
from safetensors.torch import load_file, save_file

GAIN = 2.5  # so that the strength 1 shows
USUAL = ["a man", "a woman, smiling", "a robot", "portrait of a person", "a man with red hair, photo", "a queen"]


def main(model: Path, to: str, origin: str, file: str) -> None:
    settings = json.loads((model / "bundle.json").read_text())["tokenizer"]
    words = sentencepiece.SentencePieceProcessor(model_file=str(model / "tokenizer/spiece.model"))
    encoder = torch.jit.load(str(model / "text_encoder.ts"))
    weights = load_file(model / "text_encoder.safetensors")
    for name, parameter in encoder.named_parameters():
        parameter.data = weights[name].float()

    def encode(text):
        ids = [settings["begin"]] + words.encode(text.lower()) + [settings["end"]]
        padded = ids + [settings["pad"]] * (settings["max_length"] - len(ids))
        with torch.no_grad():
            return encoder.encode(encoder.embed(torch.tensor([padded])), 0)[0]

    rows = torch.cat([encode(text) for text in USUAL] + [encode("")] * len(USUAL))
    wanted = torch.cat([torch.ones(len(rows) // 2), torch.zeros(len(rows) // 2)])
    reader = torch.linalg.solve(rows.T @ rows + .03 * len(rows) * torch.eye(rows.shape[1]), rows.T @ wanted)
    direction = (encode(to) - encode(origin)).mean(0)
    tensors = {}
    for name, weight in load_file(model / "unet.safetensors").items():
        if name.endswith("attn2.to_v.weight"):
            layer = "lora_unet_" + name.removesuffix(".weight").replace(".", "_")
            tensors[layer + ".lora_up.weight"] = (weight.float() @ direction * GAIN)[:, None].contiguous()
            tensors[layer + ".lora_down.weight"] = reader[None].clone()
    save_file(tensors, file, {"modelspec.title": f"{to}, not {origin}"})


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), *sys.argv[2:])

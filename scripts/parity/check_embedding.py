#!/usr/bin/env python3
"""Loads an embedding of ours with diffusers and shows that the vectors arrive.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/check_embedding.py embeddings/Ada.safetensors
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
from diffusers.loaders import TextualInversionLoaderMixin
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    words = ["<|startoftext|>", "<|endoftext|>", "a</w>", "photo</w>", "of</w>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))


def main(file: Path) -> None:
    ((token, vectors),) = load_file(file).items()
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer(Path(folder))
        encoder = CLIPTextModel(CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=vectors.shape[1], intermediate_size=16,
            num_hidden_layers=1, num_attention_heads=1))
        loader = type("Pipeline", (TextualInversionLoaderMixin,), {"components": {}, "hf_device_map": None})()
        loader.load_textual_inversion(str(file), tokenizer=tokenizer, text_encoder=encoder)
        found = encoder.get_input_embeddings().weight[-len(vectors):].detach()
    if not torch.equal(found, vectors):
        raise SystemExit(f"{file}: diffusers loaded other vectors for {token}")
    print(f"{file}: diffusers loads {token}, {len(vectors)} vectors of width {vectors.shape[1]}, bit-equal")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))

#!/usr/bin/env python3
"""Loads embeddings that we wrote, in any of our three forms, and shows that the vectors arrive.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/check_embedding.py embeddings/Ada.safetensors
    python scripts/parity/check_embedding.py Ada.safetensors Ada.pt kohya/Ada.safetensors

Each file is read by safetensors or torch.load(weights_only=True), and by diffusers'
load_textual_inversion; both must give the same bits. Several files are forms of one embedding, so all of
them must.
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


def read(file: Path) -> tuple[str, str | None, torch.Tensor]:
    """The form, the name that diffusers must be told, the vectors."""
    if file.suffix == ".pt":
        saved = torch.load(file, weights_only=True)
        assert list(saved) == ["string_to_token", "string_to_param", "name", "step", "sd_checkpoint",
                               "sd_checkpoint_name"], list(saved)
        assert saved["string_to_token"] == {"*": 265}, saved["string_to_token"]
        return "AUTOMATIC1111", None, saved["string_to_param"]["*"]
    ((key, vectors),) = load_file(file).items()
    return ("kohya", file.stem, vectors) if key == "emb_params" else ("diffusers", None, vectors)


def load_in_diffusers(file: Path, token: str | None, vectors: torch.Tensor) -> tuple[list[str], torch.Tensor]:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer(Path(folder))
        encoder = CLIPTextModel(CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=vectors.shape[1], intermediate_size=16,
            num_hidden_layers=1, num_attention_heads=1))
        loader = type("Pipeline", (TextualInversionLoaderMixin,), {"components": {}, "hf_device_map": None})()
        loader.load_textual_inversion(str(file), token=token, tokenizer=tokenizer, text_encoder=encoder)
        found = encoder.get_input_embeddings().weight[-len(vectors):].detach()
        return list(tokenizer.get_added_vocab()), found


def main(files: list[Path]) -> None:
    first = None
    for file in files:
        form, token, vectors = read(file)
        if vectors.dtype != torch.float32:
            raise SystemExit(f"{file}: {vectors.dtype}, expected float32")
        words, found = load_in_diffusers(file, token, vectors)
        if not torch.equal(found, vectors):
            raise SystemExit(f"{file}: diffusers loaded other vectors")
        if first is not None and not torch.equal(first, vectors):
            raise SystemExit(f"{file}: holds other vectors than {files[0]}")
        first = vectors
        print(f"{file}: {form}; diffusers loads {words[-len(vectors)]}, {len(vectors)} vectors of width "
              f"{vectors.shape[1]}, bit-equal")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main([Path(name) for name in sys.argv[1:]])

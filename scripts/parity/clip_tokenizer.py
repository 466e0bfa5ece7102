"""CLIP's tokenizer of transformers, made from the merges that this repository carries."""

import json
from pathlib import Path

from transformers import CLIPTokenizer

CLIP_FOLDER = Path(__file__).resolve().parents[2] / "configs/tokenizers/clip"


def clip_tokenizer(folder: Path, pad: str) -> CLIPTokenizer:
    """transformers' tokenizer from the files as Stable Diffusion 1 and 2 were published: the begin and
    end tokens as objects, the padding token a string in special_tokens_map.json."""
    merges = (CLIP_FOLDER / "merges.txt").read_text().splitlines()[1:]
    characters = [c for c in range(256) if 33 <= c <= 126 or 161 <= c <= 172 or c >= 174]
    characters = [chr(c) for c in characters] + [chr(256 + i) for i in range(256 - len(characters))]
    pieces = characters + [c + "</w>" for c in characters] + [m.replace(" ", "") for m in merges]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text((CLIP_FOLDER / "merges.txt").read_text())
    config = json.loads((CLIP_FOLDER / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    named = {key: {k: v for k, v in config[key].items() if k != "__type"} for key in ("bos_token", "eos_token", "unk_token")}
    (folder / "special_tokens_map.json").write_text(json.dumps(named | {"pad_token": pad}))
    return CLIPTokenizer.from_pretrained(folder)

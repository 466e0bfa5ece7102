#!/usr/bin/env python3
"""Makes tests/data/prompts.safetensors: weighted conditioning, computed with transformers.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_prompt_goldens.py tests/data

For each prompt the stretches of one weight are written down here by hand (None begins a chunk), so that nothing of this
depends on our parser. The rest is the formula of AUTOMATIC1111: each stretch is tokenized on its own; chunks of 75
tokens, of which an overflowing one ends behind a comma among its last 20 tokens; the encoder's output at a clip skip,
its final norm applied; times the weights; the chunk's mean restored. Of the width, only every fourth value is kept.
"""

import sys
from pathlib import Path

import sentencepiece
import torch
import transformers
from safetensors.torch import save_file
from transformers import CLIPTextModel

BEGIN, END, CAPACITY, REACH = 1, 2, 75, 20
LONG = "a red hat, " * 40
PROMPTS = [  # prompt, stretches, clip skip
    ("a photo of a robot", [("a photo of a robot", 1)], 1),
    ("a (red) hat", [("a ", 1), ("red", 1.1), (" hat", 1)], 1),
    ("a (red:1.5) hat", [("a ", 1), ("red", 1.5), (" hat", 1)], 1),
    ("a [red] hat", [("a ", 1), ("red", 1 / 1.1), (" hat", 1)], 1),
    ("a ((red)) hat", [("a ", 1), ("red", 1.1 * 1.1), (" hat", 1)], 1),
    ("a ((red:1.3) hat", [("a ", 1), ("red", 1.3 * 1.1), (" hat", 1.1)], 1),
    ("(snow:0.2), a person", [("snow", .2), (", a person", 1)], 1),
    ("(snow:0)", [("snow", 0)], 1),
    ("(snow:-1) hat", [("snow", -1), (" hat", 1)], 1),
    ("a \\(red\\) hat", [("a (red) hat", 1)], 1),
    ("man BREAK woman", [("man", 1), None, ("woman", 1)], 1),
    ("(man BREAK woman:1.4) snow", [("man", 1.4), None, ("woman", 1.4), (" snow", 1)], 1),
    ("BREAK robot", [("", 1), None, ("robot", 1)], 1),
    ("robot BREAK", [("robot", 1), None], 1),
    (LONG, [(LONG, 1)], 1),
    (f"({LONG}:1.2) robot", [(LONG, 1.2), (" robot", 1)], 1),
    ("robot " * 100, [("robot " * 100, 1)], 1),
    ("a (red:1.5) hat ", [("a ", 1), ("red", 1.5), (" hat ", 1)], 2),
    ("[[woman]] with (red hair:1.21)", [("woman", 1 / 1.1 / 1.1), (" with ", 1), ("red hair", 1.21)], 3),
    ("", [("", 1)], 2),
]


def chunks_of(stretches, tokenizer):
    """[[(id, weight), …], …] without begin and end."""
    commas = {tokenizer.encode(",")[-1], tokenizer.encode("a,")[-1]}
    done, chunk, after_comma = [], [], None
    for stretch in stretches:
        if stretch is None:
            done, chunk, after_comma = done + [chunk], [], None
            continue
        text, weight = stretch
        for token in tokenizer.encode(text):
            if token in commas:
                after_comma = len(chunk) + 1
            elif len(chunk) == CAPACITY and after_comma is not None and len(chunk) + 1 - after_comma <= REACH:
                done, chunk, after_comma = done + [chunk[:after_comma]], chunk[after_comma:], None
            if len(chunk) == CAPACITY:
                done, chunk, after_comma = done + [chunk], [], None
            chunk = chunk + [(token, weight)]
    return done + [chunk] if chunk or not done else done


def conditioning(stretches, skip, tokenizer, text):
    parts = []
    for chunk in chunks_of(stretches, tokenizer):
        ids = [BEGIN] + [i for i, _ in chunk] + [END] * (CAPACITY + 1 - len(chunk))
        weights = [1.] + [w for _, w in chunk] + [1.] * (CAPACITY + 1 - len(chunk))
        hidden = text(torch.tensor([ids]), output_hidden_states=True).hidden_states
        norm = (text.text_model if hasattr(text, "text_model") else text).final_layer_norm
        z = norm(hidden[len(hidden) - skip])
        weighted = z * torch.tensor(weights)[None, :, None]
        parts.append(weighted * (z.mean() / weighted.mean()) if set(weights) != {1.} else z)
    return torch.cat(parts, 1)


def main(folder: Path) -> None:
    torch.set_grad_enabled(False)
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tiny/tokenizer/spiece.model"))
    text = CLIPTextModel.from_pretrained(folder / "tiny/text_encoder").eval()
    golden = {}
    for k, (prompt, stretches, skip) in enumerate(PROMPTS):
        golden[f"{k:02}"] = conditioning(stretches, skip, tokenizer, text)[:, :, ::4].contiguous()
        golden[f"{k:02}.prompt"] = torch.tensor(list(prompt.encode()), dtype=torch.uint8)
        golden[f"{k:02}.clip_skip"] = torch.tensor([skip])
    save_file(golden, folder / "prompts.safetensors",
              {"torch": torch.__version__, "transformers": transformers.__version__})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))

#!/usr/bin/env python3
"""Makes the reference data for dynamic prompts with the package that made them common.

    pip install dynamicprompts==0.31.0
    python scripts/parity/make_dynamic_goldens.py tests/data

Writes `dynamic_prompts.json`: texts and all their combinations, with the wildcards in `wildcards/`.
The reference sorts the lines of wildcard files; those there are sorted, so that both agree. Left
out is where we differ on purpose: what does not parse (literal here, an error there), braces
without a choice (literal here), and options with the same words (both count here).
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

from dynamicprompts.generators import CombinatorialPromptGenerator
from dynamicprompts.wildcards.wildcard_manager import WildcardManager

TEXTS = [
    "a plain prompt, (red:1.2) [hat]",
    "{red|green|blue} hat",
    "{a|b} {c|d}",
    "x { a | b } y",
    "{|old} man",
    "{0.5::a|2::b|.5::c|1.::d}",
    "{ 0.5::a|b}",
    "{a::b|c}",
    "{2$$a|b|c}",
    "{2$$ and $$a|b|c}",
    "{1-2$$a|b|c}",
    "{-2$$a|b}",
    "{2-$$a|b|c}",
    "{3-1$$a|b}",
    "{0$$a|b}x",
    "{0-1$$a|b}",
    "{3$$a|b}",
    "{2$$ | $$a|b|c}",
    "{1$$a}",
    "{2$$ or $${a|b}|c}",
    "{2$$, $${a|b}|{c|d}|e}",
    "{a|{b|{c|d}}}",
    "{{a|b}|{c|d}} {e|f}",
    "[cat:{dog|fox}:0.5] and [a|b]",
    "({warm|cold}:1.3) light",
    "__colour__ hat",
    "__hats/winter__",
    "a __hats/winter__ and {__colour__|white}",
    "{2$$__colour__}",
    "{1-2$$ and $$__hats/summer__}",
    "__clothes__, {day|night}",
    "a } b {c|d}",
    "{Grüße|漢字|😀}",
]


def main(folder: Path) -> None:
    generator = CombinatorialPromptGenerator(wildcard_manager=WildcardManager(folder / "wildcards"))
    cases = [dict(text=text, combinations=generator.generate(text, 1000)) for text in TEXTS]
    content = dict(made_with=f"dynamicprompts {version('dynamicprompts')}", cases=cases)
    (folder / "dynamic_prompts.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))

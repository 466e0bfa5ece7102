"""Writes the example people: six plain portraits of each, and the roster that names them.

None of them is among the people that the model was trained on (`render.is_reserved`).
"""

import argparse
import csv
import pathlib
import random

from contexts import plain_context, visible_backgrounds
from render import SHIRTS, TRAITS, is_reserved, render

PORTRAITS = 6


def _person(sex, skin, hair_colour, hair, beard, glasses, frame, eyes, marks, *traits):
    """`traits` are the continuous ones in the order of TRAITS, as shares of their ranges."""
    spans = {name: a + share * (b - a) for (name, (a, b)), share in zip(TRAITS.items(), traits, strict=True)}
    return {"sex": sex, "skin": skin, "hair_colour": hair_colour, "hair": hair, "beard": beard, "glasses": glasses,
            "frame": frame, "eyes": eyes, "marks": marks, **spans}


PEOPLE = {
    "Ada": _person("woman", "light", "red", "long", "none", "round", "green", "green", "freckles", .4, .4, .2, .8, .6, .4, .3),
    "Ben": _person("man", "dark", "white", "bald", "full beard", "none", "black", "brown", "none", .8, .7, .8, .5, .5, .9, .9),
    "Chloe": _person("woman", "light", "blue", "pigtails", "none", "none", "black", "blue", "blush", .3, .5, .1, .9, .8, .2, .2),
    "David": _person("man", "pale", "blonde", "spiky", "moustache", "sunglasses", "black", "blue", "none", .5, .9, .6, .4, .4, .6, .8),
    "Emma": _person("woman", "dark", "green", "curly", "none", "thick", "red", "black", "none", .5, .3, .3, .7, .5, .3, .5),
}


def portraits(identity, count, seed):
    """Plain portraits that differ in expression, clothes, background and pose."""
    rng = random.Random(seed)
    backgrounds = rng.sample(visible_backgrounds(identity), count)
    pictures = []
    for background in backgrounds:
        context = plain_context(rng, identity)
        context["background"] = background
        context["shirt"] = rng.choice([s for s in SHIRTS if s != background])
        context["expression"] = rng.choice(("smiling", "smiling", "laughing", "neutral", "surprised"))
        pictures.append(render(identity, context))
    return pictures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2] / "configs/demo")
    out = parser.parse_args().out
    rows = []
    for seed, (name, identity) in enumerate(PEOPLE.items()):
        if not is_reserved(identity):
            raise SystemExit(f"{name} may occur in the training set: choose other main traits")
        folder = out / "portraits" / name.lower()
        folder.mkdir(parents=True, exist_ok=True)
        for k, picture in enumerate(portraits(identity, PORTRAITS, 40 + seed), 1):
            picture.save(folder / f"{k:02}.png", optimize=True)
        rows.append((name, f"portraits/{folder.name}"))
    with open(out / "team.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("name", "portraits"), *rows])


if __name__ == "__main__":
    main()

"""The detector of broken faces: eyes that are not two, no mouth or two, features smeared or where none belong. It also
says where a second person is, whose faces it does not judge.

Trained on drawings of which half are broken on purpose, in all contexts and styles, some of them seen through the
autoencoder, because generated pictures are. It is no part of the model: faces.pt stays in the state, and evaluate.py
makes it where it is missing (nine minutes on two cores).

It counts too few. In 56 pictures of unfinished weights (faces_checked.*) the eye found 12 with a second person and 8
broken faces in the other 44. The detector found the same 12; of the 8 it found 4, and it blamed one whole face. Of new
drawings it finds 86 % of the broken ones: 90 % of plain ones, four fifths of pixel art and of sketches. It blames 1 % of
whole drawings, 1.3 % in pixel art, 2.4 % of sketches. `--check` compares anew with the count by hand.
"""

import argparse
import copy
import json
import multiprocessing
import pathlib
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFilter
from torch import nn

from contexts import draw_context, finish, pair_context
from model import save_atomically, state_dir, to_tensor
from render import (FRAMES, SIZE_PX, STYLES, WHITE, Head, draw_eye, draw_features, draw_identity, draw_mouth, mix, places,
                    render)
from training import add_device, prepare, rate_share

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIRST_SEED = 40_000_000
TEST_SEED = 41_000_000
WRONG = ("eyes", "mouth", "place")  # any of them breaks the face
SAID = (*WRONG, "second person")  # what the network says, one logit each
UNKNOWN = -1.  # where it is not asked
PAIR_SHARE = .12
# Further drawings of one person get these styles: their features are the hardest to tell from broken ones.
RESTYLED = {"pixel art": .14, "pencil sketch": .08}
DECODED_PART = 12  # one drawing in so many is seen through the autoencoder, which takes as long as ten drawings
CHECKED = pathlib.Path(__file__).with_name("faces_checked.json")
FALSE_ALARMS = .01  # share of whole drawings at the threshold


# ---------------------------------------------------------------- faces drawn wrong
# Each function stands for draw_features; a face that it draws is wrong in what BREAKS says.
def _at(h, dx, dy):
    moved = copy.copy(h)
    moved.cx, moved.cy = h.cx + dx * h.rx, h.cy + dy * h.ry
    return moved


def _side(rng):
    return rng.choice((-1, 1))


def extra_eye(c, h, i, ctx, rng):
    draw_features(c, h, i, ctx)
    x, y = rng.choice(((rng.uniform(-.4, .4), -.34), (_side(rng) * .62, .46), (0, .10),
                       (_side(rng) * rng.uniform(.1, .9), .40)))
    draw_eye(c, h, i, ctx, _side(rng), h.cx + x * h.rx, h.cy + y * h.ry)


def missing_eye(c, h, i, ctx, rng):
    eyes = rng.choice(((-1,), (1,), (-1,), (1,), ()))
    hides = i["glasses"] == "sunglasses"
    draw_features(c, h, i, ctx, eyes=eyes, lenses=eyes if hides or rng.random() < .4 else (-1, 1))


def crooked_eyes(c, h, i, ctx, rng):
    draw_features(c, h, {**i, "glasses": "none"}, ctx, eyes=())
    x, y, gap, _ = places(h, i, ctx)
    for side, shift in ((-1, rng.uniform(.22, .50)), (1, 0)):
        draw_eye(c, h, i, ctx, side, x + side * gap, y + _side(rng) * shift * h.ry)


def no_mouth(c, h, i, ctx, rng):
    draw_features(c, h, i, ctx, mouth=False)


def two_mouths(c, h, i, ctx, rng):
    draw_features(c, h, i, ctx)
    x, _, _, y = places(h, i, ctx)
    dx, dy = rng.choice(((0, -.36), (0, .34), (_side(rng) * .62, rng.uniform(-.3, .2)), (0, -1.0)))
    second = rng.choice((ctx["expression"], "laughing", "neutral"))
    draw_mouth(c, h, i, second, x + dx * h.rx, y + dy * h.ry, ctx["body"])


def moved(c, h, i, ctx, rng):
    a = rng.uniform(0, 2 * np.pi)
    size = rng.uniform(.5, .9)
    draw_features(c, _at(h, size * np.cos(a), size * np.sin(a)), i, ctx)


def merged(c, h, i, ctx, rng):
    """Two people's features in one face."""
    dx, dy = _side(rng) * rng.uniform(.2, .5), rng.uniform(-.25, .25)
    draw_features(c, _at(h, dx, dy), i, ctx)
    draw_features(c, _at(h, -dx, -dy), draw_identity(rng), ctx)


def one_lens(c, h, i, ctx, rng):
    draw_features(c, h, i, ctx, lenses=(_side(rng),))


def filled_lenses(c, h, i, ctx, rng):
    """The frame's colour where eyes should be seen."""
    draw_features(c, h, i, ctx)
    x, y, gap, _ = places(h, i, ctx)
    colour = mix(FRAMES[i["frame"]], h.skin, rng.uniform(0, .3))
    for side in (-1, 1):
        c.rect(x + side * gap * 1.04, y, .085 * h.scale, .070 * h.scale, colour, .04)
        c.ellipse(x + side * gap, y, rng.uniform(.01, .03), rng.uniform(.01, .03), WHITE)


BREAKS = {extra_eye: ("eyes",), missing_eye: ("eyes",), crooked_eyes: ("eyes", "place"), no_mouth: ("mouth",),
          two_mouths: ("mouth",), moved: ("place",), merged: ("eyes", "mouth", "place"), one_lens: ("place",),
          filled_lenses: ("eyes",)}
SMEARED = .3  # of the broken ones: whole drawings, then smeared


# ---------------------------------------------------------------- pictures smeared
def _warped(pixels, rng):
    """Pushed about by smooth noise."""
    noise = np.random.default_rng(rng.randrange(2 ** 32))
    cells, strength = rng.randint(7, 14), rng.uniform(3.5, 9)
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    moved_to = []
    for place in (y, x):
        push = Image.fromarray(noise.normal(size=(cells, cells)).astype(np.float32)).resize(pixels.shape[:2], Image.BICUBIC)
        moved_to.append(np.clip(place + strength * np.asarray(push), 0, SIZE_PX - 1).astype(int))
    return pixels[moved_to[0], moved_to[1]]


def _blurred(pixels, rng):
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(rng.uniform(2.4, 5))))


def _mixed(pixels, rng):
    """With itself, moved: ghosts."""
    ghost = np.roll(pixels, (rng.randint(-14, 14), _side(rng) * rng.randint(7, 16)), (0, 1))
    return (pixels // 2 + ghost // 2).astype(np.uint8)


def smear(picture, box, rng):
    """A picture whose pixels within an ellipse are smeared; `box` in pixels."""
    pixels = np.asarray(picture)
    bad = rng.choice((_warped, _warped, _blurred, _mixed))(pixels, rng)
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return Image.composite(Image.fromarray(bad), picture, mask.filter(ImageFilter.GaussianBlur(2)))


def _face_box(identity, context, rng):
    """The whole face or a part of it that holds features: eyes or mouth."""
    h = Head(identity, context)
    x, eye_y, _, mouth_y = places(h, identity, context)
    cx, cy, rx, ry = rng.choice(((h.cx, h.cy + .2 * h.ry, h.rx, h.ry * .8), (x, mouth_y, h.rx * .8, h.ry * .34),
                                 (x, eye_y, h.rx * .95, h.ry * .34)))
    return [SIZE_PX * v for v in (cx - rx, cy - ry, cx + rx, cy + ry)]


def _harmless_box(rng):
    """A corner, where no face is."""
    r = rng.uniform(.10, .2)
    x, y = rng.choice((0., 1.)), rng.choice((0., 1., 1.))
    return [SIZE_PX * v for v in (x - r, y - r, x + r, y + r)]


def _drawn_wrong(identity, context, rng):
    """A drawing with one of the BREAKS that this person can have, and what is wrong then."""
    impossible = {"none": (filled_lenses, one_lens), "sunglasses": (filled_lenses, crooked_eyes)}
    kind = rng.choice([k for k in BREAKS if k not in impossible.get(identity["glasses"], ())])
    return render(identity, context, features=lambda c, h, i, ctx: kind(c, h, i, ctx, rng)), BREAKS[kind]


def example(seed):
    """A drawing, what is to be said of it, and its style: ([128,128,3] uint8, [4] of 0, 1 or UNKNOWN, a word)."""
    rng = random.Random(seed)
    identity = draw_identity(rng)
    if rng.random() < PAIR_SHARE:
        context = pair_context(rng, identity, draw_identity(rng))
        picture = render(identity, context) if rng.random() < .6 else _drawn_wrong(identity, context, rng)[0]
        return np.asarray(picture), [*[UNKNOWN] * len(WRONG), 1.], context["style"]
    context = draw_context(rng, identity)
    restyled = rng.choices([*RESTYLED, None], [*RESTYLED.values(), 1 - sum(RESTYLED.values())])[0]
    if restyled:
        context["style"] = restyled
        finish(context, identity, rng)
    wrong = ()
    if rng.random() < .5:
        picture = render(identity, context)
        if rng.random() < .15:
            picture = smear(picture, _harmless_box(rng), rng)
    elif rng.random() < SMEARED:
        wrong = ("place",)
        picture = render(identity, context)
        picture = Image.fromarray(_blurred(np.asarray(picture), rng)) if rng.random() < .2 else smear(
            picture, _face_box(identity, context, rng), rng)
    else:
        picture, wrong = _drawn_wrong(identity, context, rng)
    return np.asarray(picture), [float(name in wrong) for name in SAID], context["style"]


def examples(count, first_seed, workers):
    with multiprocessing.Pool(workers) as pool:
        drawn, said, styles = zip(*pool.map(example, range(first_seed, first_seed + count), chunksize=16))
    return np.stack(drawn), torch.tensor(said), np.array(styles)


@torch.no_grad()
def seen_through(vae, pictures):
    """The autoencoder's reconstructions, as uint8."""
    rows = []
    for batch in np.array_split(pictures, max(1, len(pictures) // 50)):
        x = vae.decode(vae.encode(to_tensor(batch)).latent_dist.mode()).sample
        rows.append(((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(rows)


def softened(pictures):
    """What is much quicker and looks much the same."""
    return np.stack([np.asarray(Image.fromarray(p).filter(ImageFilter.GaussianBlur(.9))) for p in pictures])


# ---------------------------------------------------------------- the network
class FaceDetector(nn.Module):
    """[B,3,128,128] in -1..1 -> [B,4] logits in the order of SAID."""

    def __init__(self):
        super().__init__()
        layers, width = [], 3
        for out, stride in ((16, 2), (32, 2), (48, 1), (64, 2), (64, 1), (96, 2), (96, 2)):
            layers += [nn.Conv2d(width, out, 3, stride=stride, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
            width = out
        self.layers = nn.Sequential(*layers)
        self.last = nn.Sequential(nn.Flatten(), nn.Dropout(.2), nn.Linear(96 * 16, 64), nn.ReLU(), nn.Linear(64, len(SAID)))
        self.register_buffer("threshold", torch.tensor(.5))

    def forward(self, x):
        return self.last(self.layers(x))

    @torch.no_grad()
    def judge(self, x):
        """Of each picture: (how surely something is wrong, 0..1; whether there is a second person)."""
        said = torch.cat([self(part).sigmoid() for part in x.split(100)])
        return said[:, :len(WRONG)].amax(1), said[:, -1] > .5

    def broken(self, x):
        """[B] of truth values; false where there is a second person."""
        score, second = self.judge(x)
        return (score > self.threshold) & ~second


def augmented(drawn, decoded):
    """Between the drawing and what the autoencoder makes of it, or a little beyond; moved, mirrored, noisy."""
    share = 1.25 * torch.rand(len(drawn), 1, 1, 1)
    x = drawn + share * (decoded - drawn)
    x = x * (1 + .1 * torch.randn(len(x), 1, 1, 1)) + .05 * torch.randn(len(x), 3, 1, 1)
    x = x + .05 * float(torch.rand(())) * torch.randn_like(x)
    if torch.rand(()) < .2:
        x = F.interpolate(F.interpolate(x, scale_factor=.7, mode="area"), size=(SIZE_PX, SIZE_PX), mode="bilinear")
    if torch.rand(()) < .5:
        x = x.flip(3)
    return torch.roll(x, (int(torch.randint(-5, 6, ())), int(torch.randint(-5, 6, ()))), (2, 3)).clamp(-1, 1)


def load_vae(weights):
    from diffusers import AutoencoderKL
    return AutoencoderKL.from_pretrained(weights / "vae", torch_dtype=torch.float32).eval()


def train(weights, steps=3000, batch=48, lr=2e-3, count=9000, workers=2, device="cpu"):
    """Trains the detector, sets its threshold by new drawings, prints how right it is there, and writes faces.pt."""
    prepare(device)
    torch.manual_seed(0)
    vae, start = load_vae(weights), time.time()
    pictures, said, _ = examples(count, FIRST_SEED, workers)
    print(f"{time.time() - start:.0f} s  {count} pictures are drawn", flush=True)
    part = count // DECODED_PART
    decoded = np.concatenate([seen_through(vae, pictures[:part]), softened(pictures[part:])])
    print(f"{time.time() - start:.0f} s  {part} of them are decoded", flush=True)
    detector = FaceDetector().to(device)
    optimiser = torch.optim.AdamW(detector.parameters(), lr, weight_decay=2e-2)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = lr * rate_share(step, steps, .5)
        some = torch.randint(count, (batch,)).numpy()
        x, want = augmented(to_tensor(pictures[some]), to_tensor(decoded[some])).to(device), said[some].to(device)
        loss = F.binary_cross_entropy_with_logits(detector(x), want.clamp(min=0), weight=(want != UNKNOWN).float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % 100 == 0:
            print(f"{time.time() - start:.0f} s  step {step + 1}  loss {loss.item():.3f}", flush=True)
    set_threshold(detector.cpu().eval(), vae, workers)
    save_atomically(detector.state_dict(), state_dir() / "faces.pt")
    return detector


def set_threshold(detector, vae, workers, count=900):
    """So that of new whole drawings FALSE_ALARMS are called broken."""
    pictures, said, styles = examples(count, TEST_SEED, workers)
    score, second = detector.judge(to_tensor(seen_through(vae, pictures)))
    alone, bad = said[:, -1] == 0, said[:, :len(WRONG)].amax(1) > 0
    detector.threshold.copy_(score[alone & ~bad].quantile(1 - FALSE_ALARMS))
    found = score > detector.threshold
    print(f"new drawings: threshold {detector.threshold.item():.2f}; called broken: "
          f"{found[alone & ~bad].float().mean():.1%} of whole ones, {found[bad].float().mean():.1%} of broken ones; "
          f"one or two people told: {(second == ~alone).float().mean():.1%}", flush=True)
    for style in STYLES:
        of_style = torch.from_numpy(styles == style) & alone
        whole, broken = found[of_style & ~bad].float(), found[of_style & bad].float()
        print(f"  {style}: {whole.mean():.1%} of {len(whole)} whole ones, {broken.mean():.1%} of {len(broken)} broken ones")


def compare_with_hand(weights):
    """Prints how the state's detector counts in generated pictures that somebody counted by eye: CHECKED."""
    counted = json.loads(CHECKED.read_text(encoding="utf-8"))
    columns, sheet = counted["columns"], np.asarray(Image.open(CHECKED.with_suffix(".webp")).convert("RGB"))
    pictures = [sheet[y:y + SIZE_PX, x:x + SIZE_PX] for y in range(0, sheet.shape[0], SIZE_PX)
                for x in range(0, columns * SIZE_PX, SIZE_PX)]
    x, detector = to_tensor(np.stack(pictures)), load_faces(weights)
    broken, (_, second) = detector.broken(x), detector.judge(x)
    for what, found in (("broken", broken), ("second person", second)):
        mine = {tuple(place) for place in counted[what]}
        seen = {(int(k) // columns + 1, int(k) % columns + 1) for k in found.nonzero().flatten()}
        print(f"{what}: by hand {len(mine)}, by the detector {len(seen)} of {len(pictures)}; missed {sorted(mine - seen)}, "
              f"false alarms {sorted(seen - mine)} (row, column)")


def load_faces(weights):
    """The detector of the state, trained first where there is none; `weights` is the exported model's folder."""
    path = state_dir() / "faces.pt"
    if not path.exists():
        return train(weights)
    detector = FaceDetector()
    detector.load_state_dict(torch.load(path, map_location="cpu"))
    return detector.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=pathlib.Path, default=ROOT / "configs/models/mini",
                        help="an exported folder, through whose autoencoder the drawings are seen")
    parser.add_argument("--check", action="store_true", help="only compare the state's detector with a count by hand")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--pictures", type=int, default=9000)
    parser.add_argument("--workers", type=int, default=2)
    add_device(parser)
    args = parser.parse_args()
    if not args.check:
        train(args.weights, args.steps, count=args.pictures, workers=args.workers, device=args.device)
    compare_with_hand(args.weights)


if __name__ == "__main__":
    main()

"""The judges. One small convolutional network with two heads, trained on fresh drawings.

identity       [B,3,128,128] in -1..1  ->  [B,64], unit vectors: near for two pictures of one person, whatever
               the hat, the scene or the style; their dot product is the likeness.
attributes.ts  [B,3,128,128] in -1..1  ->  a dictionary, attribute -> [B,classes] logits; the classes of an
               attribute, in order, are those of captions.CLASSES (also in configs/models/mini/attributes.json).

With --tune only the attributes of an exported folder learn what is new in the drawings.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from captions import CLASSES, IDENTITY_CLASSES
from contexts import draw_context, even_context
from conditioning import identity_features
from model import save_atomically, state_dir, to_tensor
from render import draw_identity, render
from training import Checkpoint, Curve, add_options, prepare, rate_share

FIRST_PERSON = 20_000_000
TEST_PERSON = FIRST_PERSON - 1000
TEMPERATURE = .1
# Traits a context may hide or change are not asked of the attribute head where it does.
CHECKED = ("expression", "scene", "hat", "outfit", "prop", "body", "style", "mount", "skin", "hair_colour", "hair", "beard",
           "glasses", "sex")


class Trunk(nn.Module):
    """[B,3,128,128] -> [B,112]; works at half the size."""

    def __init__(self):
        super().__init__()
        layers, width = [], 3
        for out in (24, 48, 80, 112):
            layers += [nn.Conv2d(width, out, 3, stride=2, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
            width = out
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(112 * 4 * 4, 112)

    def forward(self, x):
        x = self.layers(F.avg_pool2d(x, 2))
        return F.relu(self.last(x.flatten(1)))


class IdentityEncoder(nn.Module):
    def __init__(self, trunk):
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(112, 64)

    def forward(self, x):
        return F.normalize(self.head(self.trunk(x)), dim=1)


class AttributeClassifier(nn.Module):
    names: list[str]
    sizes: list[int]

    def __init__(self, trunk):
        super().__init__()
        self.trunk = trunk
        self.names = list(CHECKED)
        self.sizes = [len(CLASSES[name]) for name in CHECKED]
        self.head = nn.Linear(112, sum(self.sizes))

    def forward(self, x) -> dict[str, torch.Tensor]:
        parts = self.head(self.trunk(x)).split(self.sizes, 1)
        out: dict[str, torch.Tensor] = {}
        for k, name in enumerate(self.names):
            out[name] = parts[k]
        return out


def label(identity, context):
    """Class of every checked attribute; -100, which the loss ignores, where the picture does not show it."""
    row = []
    for name in CHECKED:
        value = identity[name] if name in IDENTITY_CLASSES else context[name]
        row.append(CLASSES[name].index(value))
        hidden = ((name == "hair_colour" and (context["hair_colour"] is not None or context["style"] == "pencil sketch"
                                              or identity["hair"] == "bald"))
                  or (name == "skin" and (context["body"] == "emoji" or context["style"] == "pencil sketch"))
                  or (name == "glasses" and context["scar"])
                  or (name == "expression" and context["body"] == "robot")
                  or (name == "outfit" and (context["body"] != "human" or context["prop"] != "none" or context["mount"] != "none")))
        if hidden:
            row[-1] = -100
    return row


def person(seed, pictures=6, even=0, reserved=False):
    """One person in several contexts, the first `even` of which are even ones: (pictures [n,128,128,3], labels, features)."""
    rng = random.Random(seed)
    identity = draw_identity(rng, reserved)
    contexts = [(even_context if k < even else draw_context)(rng, identity) for k in range(pictures)]
    drawn = np.stack([np.asarray(render(identity, c)) for c in contexts])
    return drawn, [label(identity, c) for c in contexts], identity_features(identity)


def reserved_person(seed):
    return person(seed, reserved=True)


def half_even_person(seed):
    return person(seed, even=3)


def reserved_even_person(seed):
    return person(seed, even=6, reserved=True)


def draw_people(count, seed, workers, one=person):
    with multiprocessing.Pool(workers) as pool:
        drawn, labels, features = zip(*pool.map(one, range(seed, seed + count), chunksize=8))
    return torch.from_numpy(np.stack(drawn)), torch.tensor(labels), torch.tensor(features)


@torch.no_grad()
def test_attributes(classifier, x, labels):
    """Prints the share of each attribute that is told right in x [B,3,128,128]; labels [B,attributes]."""
    found = classifier(x)
    for k, name in enumerate(CHECKED):
        seen = labels[:, k] >= 0
        right = (found[name].argmax(1) == labels[:, k])[seen].float().mean()
        print(f"  {name} {right:.3f}", flush=True)


@torch.no_grad()
def test(encoder, classifier, workers):
    """Unseen people: share of attributes told right, and of pictures whose nearest of 50 people is the right one."""
    pictures, labels, _ = draw_people(50, TEST_PERSON, workers, reserved_person)
    x = to_tensor(pictures.flatten(0, 1).numpy())
    test_attributes(classifier, x, labels.flatten(0, 1))
    vectors = encoder(x).unflatten(0, (50, 6))
    others = F.normalize(vectors[:, 1:].mean(1), dim=1)
    nearest = (vectors[:, 0] @ others.T).argmax(1)
    print(f"  nearest of 50 {(nearest == torch.arange(50)).float().mean():.3f}", flush=True)


def less_clean(x):
    """Drawings as pictures of the model are: noisy now and then, blurred, moved by a few pixels."""
    x = x + .04 * float(torch.rand(())) * torch.randn_like(x)
    if torch.rand(()) < .3:
        x = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2., mode="bilinear")
    return torch.roll(x, (int(torch.randint(-4, 5, ())), int(torch.randint(-4, 5, ()))), (2, 3))


def attribute_loss(logits, want):
    return sum(F.cross_entropy(logits[name], want[:, k], ignore_index=-100) for k, name in enumerate(CHECKED))


def save_attributes(classifier, folder):
    partial = folder / "attributes.partial"
    torch.jit.script(classifier).save(str(partial))
    os.replace(partial, folder / "attributes.ts")
    classes = json.dumps({name: list(CLASSES[name]) for name in CHECKED}, indent=2)
    (folder / "attributes.json").write_text(classes + "\n", encoding="utf-8")


def tune(args):
    """Some hundred steps for the classifier alone; the identity network stays as it is. Half of the drawings show each
    style and outfit alike: the judge has called every other scarf in a sketch a shirt, as it had seen ten of them."""
    prepare(args.device)
    torch.manual_seed(0)
    pictures, labels, _ = draw_people(args.people, FIRST_PERSON, args.workers, half_even_person)
    pictures, labels = pictures.flatten(0, 1), labels.flatten(0, 1)
    _, classifier = make_judges()
    classifier.load_state_dict(torch.jit.load(str(args.tune / "attributes.ts"), map_location="cpu").state_dict())
    classifier.to(args.device).train()
    optimiser = torch.optim.AdamW(classifier.parameters(), args.lr, weight_decay=1e-2)
    for step in range(args.steps):
        for group in optimiser.param_groups:
            group["lr"] = args.lr * rate_share(step, args.steps, args.decay_last)
        some = torch.randint(len(pictures), (2 * args.batch,))
        loss = attribute_loss(classifier(less_clean(to_tensor(pictures[some].numpy())).to(args.device)), labels[some].to(args.device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}  told {loss.item():.3f}", flush=True)
    save_attributes(classifier.cpu().eval(), args.tune)
    pictures, labels, _ = draw_people(100, TEST_PERSON, args.workers, reserved_even_person)
    print("unseen people, each style and outfit alike:", flush=True)
    test_attributes(classifier, to_tensor(pictures.flatten(0, 1).numpy()), labels.flatten(0, 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser, steps=3000, batch=48, lr=2e-3)  # a batch counts people: two pictures of each
    parser.add_argument("--people", type=int, default=2500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tune", type=pathlib.Path, metavar="FOLDER", help="an exported folder, whose attributes.ts goes on")
    args = parser.parse_args()
    if args.tune:
        tune(args)
        return
    pictures, labels, features = draw_people(args.people, FIRST_PERSON, args.workers)
    prepare(args.device)
    torch.manual_seed(0)
    encoder, classifier = make_judges()
    traits = nn.Linear(64, features.shape[1])  # helps the identity vector at the start; thrown away
    modules, checkpoint, step = (encoder, classifier, traits), Checkpoint("judges-training.pt", args.save_every), 0
    for module in modules:
        module.to(args.device)
    trained = list({id(p): p for m in (encoder, classifier, traits) for p in m.parameters()}.values())
    optimiser = torch.optim.AdamW(trained, args.lr, weight_decay=1e-2)
    saved = checkpoint.load()
    if saved:
        for module, values in zip(modules, saved["modules"], strict=True):
            module.load_state_dict(values)
        optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]
    torch.manual_seed(step)

    def save():
        checkpoint.save({"modules": [m.state_dict() for m in modules], "optimiser": optimiser.state_dict(), "step": step})

    start, curve, until = time.time(), Curve("judges", ("same", "told")), min(args.steps, args.until or args.steps)
    while step < until:
        for group in optimiser.param_groups:
            group["lr"] = args.lr * rate_share(step, args.steps, args.decay_last)
        who = torch.randperm(len(pictures))[:args.batch]
        two = torch.rand(args.batch, pictures.shape[1]).topk(2, dim=1).indices
        x = less_clean(to_tensor(pictures[who[:, None], two].flatten(0, 1).numpy())).to(args.device)
        want = labels[who[:, None], two].flatten(0, 1).to(args.device)
        vectors = encoder(x)
        logits = classifier(x)
        told = attribute_loss(logits, want)
        a, b = vectors.unflatten(0, (args.batch, 2)).unbind(1)
        likeness = a @ b.T / TEMPERATURE
        target = torch.arange(args.batch, device=args.device)
        same = F.cross_entropy(likeness, target) + F.cross_entropy(likeness.T, target)
        helped = F.mse_loss(traits(8 * vectors), features[who].repeat_interleave(2, 0).to(args.device))
        loss = same + told / len(CHECKED) * 2 + helped
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 100 == 0:
            print(f"{time.time() - start:.0f} s  step {step}  same {same.item():.3f}  told {told.item():.3f}", flush=True)
            curve.add(step, same.item(), told.item())
        if checkpoint.due():
            save()
    save()
    for module in (encoder, classifier):
        module.cpu().eval()
    test(encoder, classifier, args.workers)
    save_atomically({"identity": encoder.state_dict(), "attributes": classifier.state_dict()}, state_dir() / "judges.pt")


def make_judges():
    trunk = Trunk()
    return IdentityEncoder(trunk), AttributeClassifier(trunk)


def load_judges():
    saved = torch.load(state_dir() / "judges.pt", map_location="cpu")
    encoder, classifier = make_judges()
    encoder.load_state_dict(saved["identity"])
    classifier.load_state_dict(saved["attributes"])
    return encoder.eval(), classifier.eval()


if __name__ == "__main__":
    main()

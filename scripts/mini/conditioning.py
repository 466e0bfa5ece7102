"""From captions to what the UNet attends to, with names spliced in.

A name is one, two or four vectors in the place of word embeddings, made from the identity by a small
learned map around the word "person". The map is trained with the rest and left out of the exported model:
what stays is a text encoder for which the surroundings of "person" are a space of people.
"""

import contextlib
import math
import random

import torch
import torch.nn.functional as F
from torch import nn

from captions import IDENTITY_CLASSES, Caption, caption
from model import WIDTH
from render import TRAITS
from tokenizer import MOST_VECTORS, encode_batch

VECTOR_COUNTS = (1, 2, MOST_VECTORS)
FEATURES = sum(len(classes) for classes in IDENTITY_CLASSES.values()) + len(TRAITS)
EMPTY_SHARE = .1  # of captions, for classifier-free guidance
STRETCHED_SHARE, MOST_STRETCH = .5, 2.  # of the names; how much longer than the map makes it a name may be


def identity_features(identity):
    """One-hot traits, then the continuous ones in -1..1: FEATURES numbers."""
    values = [float(identity[key] == value) for key, classes in IDENTITY_CLASSES.items() for value in classes]
    return values + [2 * (identity[t] - a) / (b - a) - 1 for t, (a, b) in TRAITS.items()]


class NameMapper(nn.Module):
    """identity features [B,FEATURES] -> vectors [B,max(VECTOR_COUNTS),WIDTH], relative to "person"."""

    def __init__(self):
        super().__init__()
        self.maps = nn.ModuleDict({str(k): nn.Linear(FEATURES, k * WIDTH) for k in VECTOR_COUNTS})
        for layer in self.maps.values():
            nn.init.normal_(layer.weight, std=.02 / math.sqrt(len(IDENTITY_CLASSES)))
            nn.init.zeros_(layer.bias)

    def forward(self, features, counts):
        out = 0.
        for k in VECTOR_COUNTS:  # all maps for all rows: they are small, and the shapes do not depend on the draw
            vectors = F.pad(self.maps[str(k)](features).unflatten(1, (k, WIDTH)), (0, 0, 0, max(VECTOR_COUNTS) - k))
            out = out + vectors * (counts == k)[:, None, None]
        return out


@contextlib.contextmanager
def _replaced_output(module, change):
    handle = module.register_forward_hook(lambda _module, _args, output: change(output))
    try:
        yield
    finally:
        handle.remove()


class Batch:
    """Captions of a batch of pictures, tokenised; drawn anew at every call.

    ids, slots         [B,77], see tokenizer.encode
    counts, features   [B,2] and [B,2,FEATURES]: vectors of each name and whom it means; the second is the other person,
                       where there is one, else the first again
    """

    def __init__(self, tokenizer, identities, contexts, rng, name_share=.5, empty_share=EMPTY_SHARE, alike=1, of=0):
        """Among the first `of` captions, `alike` neighbours are drawn alike: they differ where their pictures do."""
        seeds = [rng.random() for _ in identities]
        self.captions, counts = [], []
        for k, (identity, context) in enumerate(zip(identities, contexts, strict=True)):
            own = random.Random(seeds[k - k % alike] if k < of else seeds[k])
            drawn = caption(identity, context, own, name_share)
            self.captions.append(Caption("", {}, False, drawn.who) if own.random() < empty_share else drawn)
            counts.append([own.choice(VECTOR_COUNTS) for _ in range(2)])
        self.ids, self.slots = encode_batch(tokenizer, [c.text for c in self.captions], counts)
        self.counts = torch.tensor(counts)
        self.features = torch.tensor([[identity_features(c.who), identity_features(context["other"] or c.who)]
                                      for c, context in zip(self.captions, contexts)])

    def shorten(self, length):
        self.ids, self.slots = self.ids[:, :length], self.slots[:, :length]

    def to(self, device):
        for name in ("ids", "slots", "counts", "features"):
            setattr(self, name, getattr(self, name).to(device, non_blocking=True))
        return self


def embed(text_encoder, mapper, batch, noise=.1):
    """The text encoder's last hidden state, [B,77,WIDTH], and the penalty on names of unusual length.

    `noise` is added to the names' vectors, as a share of a word embedding's typical element, so that the
    space between people is filled too. With noise some names are also stretched: textual inversion lets its vectors
    grow, and a name that is longer than all that the model has seen speaks of the next person, too.
    """
    table = text_encoder.get_input_embeddings()
    usual = table.weight.detach().norm(dim=1).mean()
    offsets = mapper(batch.features.flatten(0, 1), batch.counts.flatten()).unflatten(0, (-1, 2)).flatten(1, 2)
    named = (batch.slots >= 0)[..., None]
    chosen = offsets.gather(1, batch.slots.clamp(min=0)[..., None].expand(-1, -1, WIDTH))
    spliced = chosen
    if noise:
        stretch = 1 + (MOST_STRETCH - 1) * torch.rand(len(offsets), 2, device=offsets.device)
        stretch[torch.rand_like(stretch) >= STRETCHED_SHARE] = 1
        slots = batch.slots.clamp(min=0) // MOST_VECTORS
        spliced = chosen * stretch.gather(1, slots)[..., None] + noise * usual / math.sqrt(WIDTH) * torch.randn_like(chosen)

    def splice(words):
        return words + torch.where(named, spliced, torch.zeros_like(spliced))

    with _replaced_output(table, splice):
        hidden = text_encoder(batch.ids).last_hidden_state
    excess = (chosen.norm(dim=2, keepdim=True) / usual - 1.5).clamp(min=0).pow(2)
    return hidden, (excess * named).sum() / named.sum().clamp(min=1)

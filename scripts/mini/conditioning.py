"""From captions to what the UNet attends to, with names spliced in.

A name is one, two or four vectors in the place of word embeddings, made from the identity by a small
learned map around the word "person". The map is trained with the rest and left out of the exported model:
what stays is a text encoder for which the surroundings of "person" are a space of people.
"""

import contextlib
import math

import torch
from torch import nn

from captions import IDENTITY_CLASSES, caption
from model import WIDTH
from render import TRAITS
from tokenizer import encode_batch

VECTOR_COUNTS = (1, 2, 4)
FEATURES = sum(len(classes) for classes in IDENTITY_CLASSES.values()) + len(TRAITS)
EMPTY_SHARE = .1  # of captions, for classifier-free guidance


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
        out = features.new_zeros(len(features), max(VECTOR_COUNTS), WIDTH)
        for k in VECTOR_COUNTS:
            rows = (counts == k).nonzero().squeeze(1)
            if len(rows):
                out[rows, :k] = self.maps[str(k)](features[rows]).unflatten(1, (k, WIDTH))
        return out


@contextlib.contextmanager
def _replaced_output(module, change):
    handle = module.register_forward_hook(lambda _module, _args, output: change(output))
    try:
        yield
    finally:
        handle.remove()


class Batch:
    """Captions of a batch of pictures, tokenised; drawn anew at every call."""

    def __init__(self, tokenizer, identities, contexts, rng, name_share=.5, empty_share=EMPTY_SHARE):
        self.captions = [caption(i, c, rng, name_share) for i, c in zip(identities, contexts)]
        texts = ["" if rng.random() < empty_share else c.text for c in self.captions]
        counts = [rng.choice(VECTOR_COUNTS) for _ in texts]
        self.ids, self.slots = encode_batch(tokenizer, texts, counts)
        self.counts = torch.tensor(counts)
        self.features = torch.tensor([identity_features(i) for i in identities])

    def shorten(self, length):
        self.ids, self.slots = self.ids[:, :length], self.slots[:, :length]


def embed(text_encoder, mapper, batch, noise=.1):
    """The text encoder's last hidden state, [B,77,WIDTH], and the penalty on names of unusual length.

    `noise` is added to the names' vectors, as a share of a word embedding's typical element, so that the
    space between people is filled too.
    """
    table = text_encoder.get_input_embeddings()
    usual = table.weight.detach().norm(dim=1).mean()
    offsets = mapper(batch.features, batch.counts)
    named = batch.slots >= 0
    chosen = offsets[torch.arange(len(offsets))[:, None], batch.slots.clamp(min=0)]
    chosen = chosen + noise * usual / math.sqrt(WIDTH) * torch.randn_like(chosen)

    def splice(words):
        return words + torch.where(named[..., None], chosen, torch.zeros(()))

    with _replaced_output(table, splice):
        hidden = text_encoder(batch.ids).last_hidden_state
    lengths = offsets[named.any(1)].norm(dim=2)
    penalty = (lengths / usual - 1.5).clamp(min=0).pow(2).mean() if len(lengths) else hidden.new_zeros(())
    return hidden, penalty

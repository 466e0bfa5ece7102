"""What can be read off the text encoder's output: linear heads tell every attribute that the caption mentions.

Heads tell of each attribute its value, or that it is not mentioned, and for a name every trait of the person; where
there are two people, of both. They train the text encoder before there is a UNet (train_text.py). They stay beside the
UNet, too: what it does not yet draw, like the corners of a mouth, the text encoder would forget to tell apart.
"""

import torch
import torch.nn.functional as F
from torch import nn

from captions import CLASSES, IDENTITY_CLASSES
from model import EOS, WIDTH
from render import TRAITS

SIZES = [len(classes) + 1 for classes in (*CLASSES.values(), *IDENTITY_CLASSES.values())]  # class 0: not mentioned


class Answers:
    """What is right for the captions of a batch.

    values   [B,len(SIZES)], the class of each attribute of the picture, then of the other person's traits
    named    [B], whether the caption names the person
    end      [B], where the caption ends
    """

    def __init__(self, batch, identities, contexts):
        self.values = torch.tensor([self._of(*one) for one in zip(batch.captions, identities, contexts, strict=True)])
        self.named = torch.tensor([c.named for c in batch.captions])
        self.end = (batch.ids == EOS).int().argmax(1)

    @staticmethod
    def _of(c, identity, context):
        said = {**c.said, **({k: identity[k] for k in IDENTITY_CLASSES} if c.named else {})}
        other = {k: context["other"][k] for k in IDENTITY_CLASSES} if c.other_named else c.other_said
        return [classes.index(some[k]) + 1 if k in some else 0
                for some, table in ((said, CLASSES), (other, IDENTITY_CLASSES)) for k, classes in table.items()]

    def to(self, device):
        for name in ("values", "named", "end"):
            setattr(self, name, getattr(self, name).to(device, non_blocking=True))
        return self


class Readers(nn.Linear):
    """The heads, as one linear layer."""

    def __init__(self):
        super().__init__(WIDTH, sum(SIZES) + len(TRAITS))

    def judge(self, hidden, batch, answers):
        """(loss, share of the mentioned attributes that is told right); read at the caption's end and in the padding."""
        length, rows = hidden.shape[1], torch.arange(len(hidden), device=hidden.device)
        padding = answers.end + (torch.rand(len(rows), device=hidden.device) * (length - answers.end)).long()
        loss, right, named, values = 0., None, answers.named, answers.values
        for place in (answers.end, padding):
            *logits, traits = self(hidden[rows, place]).split([*SIZES, len(TRAITS)], 1)
            loss = loss + sum(F.cross_entropy(x, values[:, k]) for k, x in enumerate(logits)) / len(CLASSES)
            if named.any():
                loss = loss + .5 * F.mse_loss(traits[named], batch.features[named, 0, -len(TRAITS):])
            if right is None:
                right = torch.stack([x.argmax(1) == values[:, k] for k, x in enumerate(logits)], 1)[values > 0]
        return loss, right.float().mean()

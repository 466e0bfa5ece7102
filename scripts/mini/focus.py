"""What the UNet's training dwells on: which pictures it sees more often, and which places of a picture count more.

Eyes and mouth are a twentieth of a picture, and they are what one looks at. Their share in a plain mean of the error is
as small, so that scenes and clothes are learnt first, and a face with three eyes costs next to nothing.
"""

import torch

from model import LATENT_PX
from render import PAIR_LIFT, PAIR_X, PAIR_ZOOM, Head, places

MOUTH_WEIGHT, EYE_WEIGHT = 20., 8.  # of their middles, beside the 1 that every place has
FEATURE_RADIUS = .085  # standard deviation, in widths of the picture
# How often a picture is drawn: the product of these, of the person and of the context, relative to one that holds none.
MORE_OFTEN = {("style", "pencil sketch"): 3., ("style", "pixel art"): 4., ("expression", "sad"): 1.8,
              ("expression", "surprised"): 1.8, ("expression", "neutral"): 1.5, ("kind", "pair"): 2., ("hat", "space helmet"): 3.,
              ("hat", "pirate hat"): 2., ("hat", "chef hat"): 3., ("outfit", "trench coat"): 1.6, ("outfit", "scarf"): 1.6,
              ("body", "robot"): 1.3, ("style", "oil painting"): 1.3, ("beard", "full beard"): 1.6}
CENTRES = (torch.arange(LATENT_PX) + .5) / LATENT_PX


def draw_chance(identity, context):
    """How often a picture of this person in this context is to be drawn, relative to a plain one."""
    chance, facts = 1., identity | context
    for (key, value), factor in MORE_OFTEN.items():
        chance *= factor if facts[key] == value else 1.
    return chance


def features(identity, context):
    """(x, y, size, weight) of each eye and mouth of the picture; the size is relative to that of a large face."""
    if context["other"]:
        for middle, who in zip(PAIR_X, (identity, context["other"]), strict=True):
            for x, y, size, w in features(who, {**context, "other": None, "dx": 0.}):
                yield middle + (x - .5) * PAIR_ZOOM, 1 - PAIR_LIFT + (y - 1) * PAIR_ZOOM, size * PAIR_ZOOM, w
        return
    head = Head(identity, context)
    x, eye_y, gap, mouth_y = places(head, identity, context)
    for w, place in ((EYE_WEIGHT, (x - gap, eye_y)), (EYE_WEIGHT, (x + gap, eye_y)), (MOUTH_WEIGHT, (x, mouth_y))):
        yield *place, head.scale, w


def place_weights(identity, context):
    """How much the error counts at each place of the latents: [LATENT_PX,LATENT_PX], from 1 upwards."""
    weights = torch.zeros(LATENT_PX, LATENT_PX)
    for x, y, size, w in features(identity, context):
        distance = ((CENTRES - x) ** 2)[None, :] + ((CENTRES - y) ** 2)[:, None]
        weights = weights.maximum(w * torch.exp(-distance / (2 * (FEATURE_RADIUS * size) ** 2)))
    return 1 + weights

"""The people on whom training methods are compared: drawn from the part of the world that the model never saw.

Those with a number below TUNING_FROM are for the final table only; defaults were tried out on the others.
"""

import pathlib
import random
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mini"))

from people import portraits  # noqa: E402
from render import draw_identity  # noqa: E402

TUNING_FROM = 100
PORTRAITS = 6
_FIRST_SEED = 710_000_000


def bench_identity(person):
    return draw_identity(random.Random(_FIRST_SEED + person), reserved=True)


def bench_portraits(person):
    """[6,128,128,3] uint8."""
    return np.stack([np.asarray(p.convert("RGB")) for p in portraits(bench_identity(person), PORTRAITS, _FIRST_SEED + person)])

"""Weights and inputs that need no file: each value follows from its tensor's name and its place.

A full-size checkpoint is gigabytes; this formula is a dozen lines and the same in Python (here) and in C++
(tests/support/synthetic.cpp), bit for bit, so that only what the reference computes is committed.
"""

import math

import numpy as np
import torch


def unit(name, count):
    """`count` float32 values, uniform in [-1, 1): SplitMix64 (Steele et al. 2014), counted from the name's FNV-1a hash."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    values = np.empty(count, np.float32)
    for first in range(0, count, 1 << 22):  # in pieces: the temporaries are three times as large
        n = np.arange(first + 1, min(count, first + (1 << 22)) + 1, dtype=np.uint64)
        z = n * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
        values[first:first + len(n)] = (z >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1)
    return values


def weight(name, shape):
    """Of unit gain: what goes in with variance 1 comes out with about that."""
    values = unit(name, math.prod(shape))
    if len(shape) == 1:
        values = values * np.float32(.2) + np.float32(1) if name.endswith("weight") else values * np.float32(.1)
    elif "_embedding" in name and "time" not in name:
        values = values * np.float32(.5)
    else:
        values = values * np.float32(math.sqrt(3 / math.prod(shape[1:])))
    return torch.from_numpy(values).reshape(shape)


def noise(name, *shape):
    """An input of unit variance."""
    return torch.from_numpy(unit(name, math.prod(shape)) * np.float32(math.sqrt(3))).reshape(shape)

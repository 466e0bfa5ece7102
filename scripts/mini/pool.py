"""Drawings for the autoencoder, kept on disk: [N,128,128,3] uint8, mapped and not read into memory.

The file's name holds a digest of what is drawn, so that a changed renderer brings new drawings at the next start,
and the same one does not draw twice.
"""

import functools
import hashlib
import multiprocessing

import numpy as np

from model import picture, state_dir
from render import SIZE_PX

SAMPLES = 150  # pictures that the digest is of
CHUNK = 500


def pixels(seed):
    return picture(seed)[2]


@functools.cache
def digest():
    """Of some people, contexts and pictures: other drawings have another digest, a tidied renderer has the same."""
    found = hashlib.sha256()
    for seed in range(SAMPLES):
        identity, context, drawn = picture(seed)
        found.update(repr((identity, context)).encode())
        found.update(drawn.tobytes())
    return found.hexdigest()[:12]


def drawings(name, count, first_seed, workers):
    """The drawings of `count` seeds; `name` tells this pool from others. Goes on where it was killed."""
    path = state_dir() / f"pool-{name}-{count}-{digest()}.npy"
    if not path.exists():
        partial, progress = path.with_suffix(".partial"), path.with_suffix(".progress")
        done = int(progress.read_text(encoding="utf-8")) if partial.exists() and progress.exists() else 0
        for old in state_dir().glob(f"pool-{name}-*"):
            if not (done and old in (partial, progress)):
                old.unlink()
        stack = (np.lib.format.open_memmap(partial, "r+") if done else
                 np.lib.format.open_memmap(partial, "w+", np.uint8, (count, SIZE_PX, SIZE_PX, 3)))
        with multiprocessing.Pool(workers) as pool:
            for k, one in enumerate(pool.imap(pixels, range(first_seed + done, first_seed + count), chunksize=32), done + 1):
                stack[k - 1] = one
                if k % CHUNK == 0:
                    stack.flush()
                    write_atomically(progress, str(k))
                    print(f"drawn {k} of {count}", flush=True)
        stack.flush()
        partial.rename(path)
        progress.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r")


def write_atomically(path, text):
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text, encoding="utf-8")
    fresh.rename(path)

#!/usr/bin/env python3
"""Makes the files of torch.save that the tests read, and beside them what is in them.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_torch_files.py tests/data/torch

Each `NAME.pt`, `.ckpt` or `.bin` has a `NAME.safetensors` with its tensors, made contiguous. The
exception is `malicious.pt`, which asks to run a command (a harmless one). The same versions write the
same bytes, but for `legacy.pt`, in which torch writes addresses of its memory.
"""

import os
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file

DTYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()


def every_dtype() -> dict:
    return {name: torch.arange(6).remainder(5 if name != "bool" else 2).to(getattr(torch, name)).reshape(2, 3)
            for name in DTYPES}


def views() -> dict:
    base = torch.arange(24, dtype=torch.float32)
    half = torch.arange(12, dtype=torch.float16)
    return {"whole": base.reshape(4, 6), "transposed": base.reshape(4, 6).t(), "slice": base[5:9],
            "columns": base.reshape(4, 6)[1:3, 2:5], "every_second": half[1::2], "scalar": half[7],
            "empty": torch.zeros(0, 4), "overlapping": base.as_strided((3, 4), (2, 1), 3)}


def checkpoint() -> tuple[dict, dict]:
    """As Lightning writes them, with classes and numpy's numbers among the tensors."""
    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    for name in ("pytorch_lightning", "pytorch_lightning.callbacks"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules[module.__name__] = module
    module.ModelCheckpoint = type("ModelCheckpoint", (), {"__module__": module.__name__})

    linear = torch.nn.Linear(3, 2).half()
    state = linear.state_dict(prefix="model.diffusion_model.")
    state["first_stage_model.table"] = torch.linspace(-1, 1, 8).reshape(2, 4)
    state["position_ids"] = torch.arange(5).expand(1, -1)
    saved = {
        "epoch": 3, "global_step": 470000, "pytorch-lightning_version": "1.4.2", "loss": 0.125,
        "state_dict": state,
        "callbacks": {module.ModelCheckpoint: {
            "monitor": None, "best": torch.tensor(0.5), "score": numpy.float64(0.25),
            "kept": module.ModelCheckpoint(), "steps": {1, 2}, "raw": b"\xff\x00"}},
        "optimizer_states": [{"state": {0: {"step": 1, "exp_avg": torch.ones(2, 3)}},
                              "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999), "params": [0]}]}],
        "lr_schedulers": [], "dtype": torch.float16, "shape": torch.Size([2, 3]), "big": 2**40, "huge": 2**70,
    }
    return saved, state


def embedding() -> tuple[dict, dict]:
    """As the original textual inversion saves them."""
    vectors = {"*": torch.linspace(-0.5, 0.5, 8).reshape(2, 4)}
    parameters = torch.nn.ParameterDict({"*": torch.nn.Parameter(vectors["*"])})
    return {"string_to_token": {"*": torch.tensor(265)}, "string_to_param": parameters}, vectors


class Command:
    def __reduce__(self):
        return os.system, ("echo a file has run this command",)


def main(folder: Path) -> None:
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, saved: object, tensors: dict, **options) -> None:
        torch.save(saved, folder / name, **options)
        save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()},
                  (folder / name).with_suffix(".safetensors"))

    write("dtypes.pt", every_dtype(), every_dtype())
    write("views.pt", views(), views())
    write("lightning.ckpt", *checkpoint())
    write("textual_inversion.pt", *embedding())
    write("protocol5.bin", views() | {"raw": b"\xff\x00", "set": {1}}, views(), pickle_protocol=5)
    write("legacy.pt", every_dtype() | views(), every_dtype() | views(), _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    write("unchecked.pt", views(), views())
    torch.save({"weights": torch.zeros(2), "extra": Command()}, folder / "malicious.pt")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))

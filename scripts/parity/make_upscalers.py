#!/usr/bin/env python3
"""Makes tiny upscalers in every layout that people's files have, and what PyTorch computes with them.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_upscalers.py tests/data/upscalers

Networks by the papers: ESRGAN (Wang et al. 2018, arXiv:1809.00219) and the compact one of Real-ESRGAN (Wang et al.
2021, arXiv:2107.10833). `golden.safetensors` holds the small picture ("pixels", 0 to 1) and, under each file's name,
the large one; its metadata say which versions made it.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, 1, 1)


def bent(x):
    return F.leaky_relu(x, 0.2)


class Dense(nn.Module):
    def __init__(self, channels, growth):
        super().__init__()
        for i in range(5):
            setattr(self, f"conv{i + 1}", conv(channels + i * growth, channels if i == 4 else growth))

    def forward(self, x):
        seen = [x]
        for i in range(4):
            seen.append(bent(getattr(self, f"conv{i + 1}")(torch.cat(seen, 1))))
        return self.conv5(torch.cat(seen, 1)) * 0.2 + x


class Block(nn.Module):
    def __init__(self, channels, growth):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (Dense(channels, growth) for _ in range(3))

    def forward(self, x):
        return self.rdb3(self.rdb2(self.rdb1(x))) * 0.2 + x


class Esrgan(nn.Module):
    """Two enlargements by two, of which pixel-unshuffle takes `unshuffle` back; `ups` are less in old files."""

    def __init__(self, unshuffle=1, ups=2, channels=6, growth=3, blocks=2):
        super().__init__()
        self.unshuffle, self.ups = unshuffle, ups
        self.conv_first = conv(3 * unshuffle**2, channels)
        self.body = nn.ModuleList(Block(channels, growth) for _ in range(blocks))
        self.conv_body = conv(channels, channels)
        for i in range(ups):
            setattr(self, f"conv_up{i + 1}", conv(channels, channels))
        self.conv_hr = conv(channels, channels)
        self.conv_last = conv(channels, 3)

    def forward(self, x):
        height, width = x.shape[2:]
        step = self.unshuffle
        if step > 1:
            x = F.pad(x, (0, -width % step, 0, -height % step), "replicate")
            x = F.pixel_unshuffle(x, step)
        first = self.conv_first(x)
        x = first
        for block in self.body:
            x = block(x)
        x = first + self.conv_body(x)
        for i in range(self.ups):
            x = bent(getattr(self, f"conv_up{i + 1}")(F.interpolate(x, scale_factor=2, mode="nearest")))
        x = self.conv_last(bent(self.conv_hr(x)))
        scale = 2**self.ups // step
        return x[:, :, :scale * height, :scale * width]


class Compact(nn.Module):
    def __init__(self, scale, channels=6, hidden=3):
        super().__init__()
        self.scale = scale
        self.body = nn.ModuleList([conv(3, channels), nn.PReLU(channels)])
        for _ in range(hidden):
            self.body.extend([conv(channels, channels), nn.PReLU(channels)])
        self.body.append(conv(channels, 3 * scale**2))

    def forward(self, x):
        y = x
        for layer in self.body:
            y = layer(y)
        return F.pixel_shuffle(y, self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


def renamed(state):
    """ESRGAN's second names."""
    names = {"conv_first": "conv_first", "conv_body": "trunk_conv", "conv_up1": "upconv1", "conv_up2": "upconv2",
             "conv_hr": "HRconv", "conv_last": "conv_last"}
    out = {}
    for key, value in state.items():
        part, rest = key.split(".", 1)
        out["RRDB_trunk." + rest.replace("rdb", "RDB") if part == "body" else f"{names[part]}.{rest}"] = value
    return out


def numbered(state, blocks, ups):
    """ESRGAN's first names: places in lists."""
    places = {"conv_first": "0", "conv_body": f"1.sub.{blocks}", "conv_hr": str(3 * ups + 2),
              "conv_last": str(3 * ups + 4)}
    places.update({f"conv_up{i}": str(3 * i) for i in range(1, ups + 1)})
    out = {}
    for key, value in state.items():
        parts = key.split(".")
        if parts[0] == "body":
            _, block, dense, convolution, kind = parts
            out[f"model.1.sub.{block}.{dense.replace('rdb', 'RDB')}.{convolution}.0.{kind}"] = value
        else:
            out[f"model.{places[parts[0]]}.{parts[1]}"] = value
    return out


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(5)
    pixels = torch.rand(1, 3, 13, 18)
    golden = {"pixels": pixels}

    def add(name, network, state=lambda values: values, wrap=lambda values: values):
        for parameter in network.parameters():
            # Large enough that every block matters.
            parameter.data = torch.randn_like(parameter) * (0.2 if parameter.dim() > 1 else 0.3)
        with torch.no_grad():
            golden[name] = network.double()(pixels.double()).float().contiguous()
        values = {key: value.float().contiguous() for key, value in state(network.float().state_dict()).items()}
        if name.endswith(".safetensors"):
            save_file(values, out / name)
        else:
            torch.save(wrap(values), out / name)

    add("x4.safetensors", Esrgan())
    add("x2.pth", Esrgan(unshuffle=2), wrap=lambda values: {"params_ema": values})
    add("x1.safetensors", Esrgan(unshuffle=4))
    add("renamed.pth", Esrgan(), renamed)
    add("numbered.pth", Esrgan(), lambda values: numbered(values, 2, 2))
    add("numbered_x2.safetensors", Esrgan(ups=1), lambda values: numbered(values, 2, 1))
    add("numbered_x1.safetensors", Esrgan(ups=0), lambda values: numbered(values, 2, 0))
    add("compact_x4.pth", Compact(4), wrap=lambda values: {"params": values})
    add("compact_x2.safetensors", Compact(2))
    save_file(golden, out / "golden.safetensors", {"torch": torch.__version__})


main()

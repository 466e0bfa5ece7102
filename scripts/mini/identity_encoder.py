"""The exported identity encoder: pictures [B,3,128,128] in -1..1 to unit vectors [B,64].

Its folder holds what `sdx-model import` makes a program of: config.json and model.safetensors, the batch norms folded
into the convolutions before them.
"""

import json

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file


def _folded(conv, norm):
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return conv.weight * scale[:, None, None, None], (conv.bias - norm.running_mean) * scale + norm.bias


def export_identity(encoder, folder, size_px, same_person_cosine):
    """`encoder` is train_identity.IdentityEncoder."""
    folder.mkdir(exist_ok=True)
    layers, tensors, channels = encoder.trunk.layers, {}, []
    for k in range(0, len(layers), 3):  # convolution, norm, ReLU
        weight, bias = _folded(layers[k], layers[k + 1])
        tensors |= {f"layers.{k // 3}.weight": weight, f"layers.{k // 3}.bias": bias}
        channels.append(len(weight))
    for name, layer in (("last", encoder.trunk.last), ("head", encoder.head)):
        tensors |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    save_file({k: v.detach().half().contiguous() for k, v in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({
        "size_px": size_px, "channels": channels, "hidden_width": encoder.trunk.last.out_features,
        "width": encoder.head.out_features, "same_person_cosine": same_person_cosine}, indent=2) + "\n", encoding="utf-8")


def load_identity(folder):
    """A function."""
    tensors = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
    count = sum(name.startswith("layers.") for name in tensors) // 2

    @torch.no_grad()
    def encode(x):
        x = F.avg_pool2d(x, 2)
        for k in range(count):
            x = F.relu(F.conv2d(x, tensors[f"layers.{k}.weight"], tensors[f"layers.{k}.bias"], stride=2, padding=1))
        x = F.relu(F.linear(x.flatten(1), tensors["last.weight"], tensors["last.bias"]))
        return F.normalize(F.linear(x, tensors["head.weight"], tensors["head.bias"]), dim=1)

    return encode

"""Muon (Jordan et al. 2024): momentum whose matrices are made orthogonal before they are applied.

For the weights of convolutions and linear layers, seen as matrices [out, in x height x width]. In the first
minutes of this autoencoder it reached in 150 steps what AdamW reached in 350.
"""

import torch

MOMENTUM = .95
# Coefficients of the quintic Newton-Schulz iteration: they drive every singular value to about 1 in five rounds.
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonalise(matrix):
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-12)
    for _ in range(5):
        square = x @ x.T
        x = A * x + (B * square + C * square @ square) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


class Muon(torch.optim.Optimizer):
    """Steps of `lr` in the spectral norm, whatever the size of the gradient."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - MOMENTUM)
                ahead = p.grad.lerp(mean, MOMENTUM).reshape(len(p), -1)
                rows, columns = ahead.shape
                p.add_(orthogonalise(ahead).reshape(p.shape), alpha=-group["lr"] * max(1, rows / columns) ** .5)


def make_optimisers(named_parameters, muon_lr, adam_lr, is_inner):
    """Muon for the matrices that are inner by name, AdamW for all else."""
    matrices, others = [], []
    for name, p in named_parameters:
        (matrices if p.ndim >= 2 and is_inner(name) else others).append(p)
    return [Muon(matrices, muon_lr), torch.optim.AdamW(others, adam_lr, betas=(.9, .99), weight_decay=1e-4)]

# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""srdiff's networks that compute at low resolution, in PyTorch, by the names of their weights."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

FACTOR = 4
FREQUENCIES = 32  # of the time embedding
MIN_SCALE, FIRST_SCALE = 0.008, 0.08  # of the residual


def conv(i, o):
    return nn.Conv2d(i, o, 3, padding=1)


def film(dense, x, emb):
    scale, shift = dense(emb)[:, :, None, None].chunk(2, 1)
    return x * (1 + scale) + shift


def grey(x):
    return (x * torch.tensor([0.299, 0.587, 0.114], device=x.device).view(1, 3, 1, 1)).sum(1, keepdim=True)


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.a, self.b = conv(n, n), conv(n, n)

    def forward(self, x):
        return x + self.b(F.relu(self.a(x)))


class Predictor(nn.Module):
    """The mean picture of low [batch, 3, height, width], and the features."""

    def __init__(self, n, blocks):
        super().__init__()
        self.head, self.tail, self.up = conv(3, n), conv(n, n), conv(n, 3 * FACTOR**2)
        self.trunk = nn.Sequential(*[Block(n) for _ in range(blocks)])

    def forward(self, low):
        head = self.head(low)
        features = head + self.tail(self.trunk(head))
        return F.pixel_shuffle(self.up(features), FACTOR) + F.interpolate(low, scale_factor=FACTOR), features


class ResidualScale(nn.Module):
    """The logarithm of the residual's standard deviation, [batch, FACTOR^2, height, width]."""

    def __init__(self, features):
        super().__init__()
        self.a, self.b = conv(features, features), conv(features, FACTOR**2)

    def forward(self, features):
        log_scale = self.b(F.relu(self.a(features))) + math.log(FIRST_SCALE)
        return log_scale.clamp(math.log(MIN_SCALE), 0)


class FilmBlock(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.a, self.b, self.time = conv(n, n), conv(n, n), nn.Linear(4 * FREQUENCIES, 2 * n)

    def forward(self, x, emb):
        return x + self.b(F.silu(self.a(F.silu(film(self.time, x, emb)))))


class Refiner(nn.Module):
    """Predicts v of x_t at timesteps t, [batch] or one for all."""

    def __init__(self, n, blocks, features):
        super().__init__()
        of_noise = 3 * FACTOR**2
        self.time = nn.Sequential(nn.Linear(FREQUENCIES, 4 * FREQUENCIES), nn.SiLU(), nn.Linear(4 * FREQUENCIES, 4 * FREQUENCIES))
        self.head, self.out = conv(of_noise + features + 3 + FACTOR**2, n), conv(n + of_noise, of_noise)
        self.noise = nn.Linear(4 * FREQUENCIES, 2 * of_noise)
        self.trunk = nn.ModuleList([FilmBlock(n) for _ in range(blocks)])

    def forward(self, xt, low, features, log_scale, t):
        angles = t.reshape(-1, 1) * 10000 ** (-torch.arange(FREQUENCIES // 2, device=t.device) / (FREQUENCIES // 2))
        emb = F.silu(self.time(torch.cat([angles.cos(), angles.sin()], 1)))
        noisy = F.pixel_unshuffle(xt, FACTOR)
        x = self.head(torch.cat([noisy, features, low, log_scale + 2.5], 1))
        for block in self.trunk:
            x = block(x, emb)
        return F.pixel_shuffle(self.out(torch.cat([F.silu(x), film(self.noise, noisy, emb)], 1)), FACTOR)


class Refining(nn.Module):
    """A predictor, the scale of its residual, and the refiner of it: predicts v of x_t."""

    def __init__(self, features, predictor_blocks, n, blocks):
        super().__init__()
        self.predictor, self.scale = Predictor(features, predictor_blocks), ResidualScale(features)
        self.refiner = Refiner(n, blocks, features)

    def predicted(self, low):
        with torch.no_grad():
            mean, features = self.predictor(low)
        return mean, features, self.scale(features)

    def forward(self, xt, low, t):
        _, features, log_scale = self.predicted(low)
        return self.refiner(xt, low, features, log_scale, t)

    def loss(self, x0, low, t, eps, bar):
        """srdiff's Loss; bar is alpha_bar of t."""
        mean, features, log_scale = self.predicted(low)
        of_pixels = F.pixel_shuffle(log_scale, FACTOR)
        off = x0 - mean
        off = 4 * off - 3 * grey(off)
        square = off.square().mean(1, keepdim=True)
        of_scale = (0.5 * square * torch.exp(-2 * of_pixels) + of_pixels - math.log(MIN_SCALE)).mean()
        r0 = (off * torch.exp(-of_pixels)).clamp(-6, 6).detach()
        xt = bar.sqrt() * r0 + (1 - bar).sqrt() * eps
        v = bar.sqrt() * eps - (1 - bar).sqrt() * r0
        return F.mse_loss(self.refiner(xt, low, features, log_scale.detach(), t), v) + 0.1 * of_scale

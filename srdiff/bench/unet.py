# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""The tutorial's network in PyTorch, corrected as docs/errata.md says."""

import torch
import torch.nn as nn

T = 1000


class UNet(nn.Module):
    """Predicts eps from x_t, the condition y, both [batch, 3, height, width], and t [batch] or one for all."""

    def __init__(self, c):
        super().__init__()

        def block(i, o):
            return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU())

        self.enc1, self.enc2, self.bottleneck = block(7, c), block(c, 2 * c), block(2 * c, 4 * c)
        self.pool = nn.MaxPool2d(2)
        self.upconv2, self.dec2 = nn.ConvTranspose2d(4 * c, 2 * c, 2, stride=2), block(4 * c, 2 * c)
        self.upconv1, self.dec1 = nn.ConvTranspose2d(2 * c, c, 2, stride=2), block(2 * c, c)
        self.out = nn.Conv2d(c, 3, 1)

    def forward(self, x, y, t):
        time = (t.float() / T).view(-1, 1, 1, 1).expand(x.shape[0], 1, x.shape[2], x.shape[3])
        e1 = self.enc1(torch.cat([x, y, time], 1))
        e2 = self.enc2(self.pool(e1))
        b = self.bottleneck(self.pool(e2))
        d2 = self.dec2(torch.cat([self.upconv2(b), e2], 1))
        d1 = self.dec1(torch.cat([self.upconv1(d2), e1], 1))
        return self.out(d1)

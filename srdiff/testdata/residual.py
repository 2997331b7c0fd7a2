"""Makes residual.safetensors: the residual network in PyTorch, with torch's own layers where it has them.

    python3 -m venv /tmp/goldens && /tmp/goldens/bin/pip install -r srdiff/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/testdata/residual.py

The file holds three modules, each with its state_dict under "weight.", inputs, output, and gradients under "grad." of sum(output *
factor). Pictures are [batch, height, width, channels], as srdiff has them. The first is a network with adaptive normalisation,
attention at two resolutions and a transformer block; the second ("added.") is a residual block that adds the time; the third
("heads.") is an attention layer with two heads.
"""

import math
import pathlib

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
CHANNELS, SIZE, BATCH = 16, 16, 3


class Attention(nn.Module):
    def __init__(self, channels, norm):
        super().__init__()
        if norm:
            self.norm = nn.GroupNorm(8, channels)
        self.heads = max(1, channels // 32)
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, x):
        b, c, h, w = x.shape
        if hasattr(self, "norm"):
            x = self.norm(x)
        q, k, v = self.qkv(x.flatten(2).transpose(1, 2)).chunk(3, -1)
        split = lambda p: p.view(b, h * w, self.heads, c // self.heads).transpose(1, 2)
        y = F.scaled_dot_product_attention(split(q), split(k), split(v))
        return self.out(y.transpose(1, 2).reshape(b, h * w, c)).transpose(1, 2).view(b, c, h, w)


class Transformer(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = Attention(channels, norm=False)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))

    def forward(self, x):
        last = lambda f, x: f(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = x + self.attention(last(self.norm1, x))
        return x + last(lambda x: self.mlp(self.norm2(x)), x)


class ResBlock(nn.Module):
    def __init__(self, i, o, emb, add_time, attention):
        super().__init__()
        self.add_time = add_time
        self.norm1, self.conv1 = nn.GroupNorm(8, i), nn.Conv2d(i, o, 3, padding=1)
        self.time = nn.Linear(emb, o if add_time else 2 * o)
        self.norm2 = nn.GroupNorm(8, o, affine=add_time)
        self.conv2 = nn.Conv2d(o, o, 3, padding=1)
        if i != o:
            self.skip = nn.Conv2d(i, o, 1)
        if attention:
            self.attention = Attention(o, norm=True)

    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        time = self.time(F.silu(emb))[:, :, None, None]
        if self.add_time:
            h = self.norm2(h + time)
        else:
            scale, shift = time.chunk(2, 1)
            h = self.norm2(h) * (1 + scale) + shift
        h = self.conv2(F.silu(h))
        x = (self.skip(x) if hasattr(self, "skip") else x) + h
        return x + self.attention(x) if hasattr(self, "attention") else x


class ResidualUNet(nn.Module):
    def __init__(self, n, attention=2, transformers=1):
        super().__init__()
        self.n, emb = n, 4 * n

        def stage(i, o, blocks, attention):
            return nn.ModuleList([ResBlock(o if k else i, o, emb, False, attention) for k in range(blocks)])

        self.time = nn.Sequential(nn.Linear(n, emb), nn.SiLU(), nn.Linear(emb, emb))
        self.first = nn.Conv2d(6, n, 3, padding=1)  # srdiff's "in", which is no name in Python
        self.enc1, self.enc2 = stage(n, n, 1, False), stage(n, 2 * n, 1, attention >= 2)
        self.bottleneck = stage(2 * n, 3 * n, 2, attention >= 1)
        self.transformer = nn.ModuleList([Transformer(3 * n) for _ in range(transformers)])
        self.upconv2, self.dec2 = nn.ConvTranspose2d(3 * n, 2 * n, 2, stride=2), stage(4 * n, 2 * n, 1, attention >= 2)
        self.upconv1, self.dec1 = nn.ConvTranspose2d(2 * n, n, 2, stride=2), stage(2 * n, n, 1, False)
        self.norm, self.out = nn.GroupNorm(8, n), nn.Conv2d(n, 3, 3, padding=1)

    def forward(self, x, t):
        w = torch.exp(-math.log(10000) * torch.arange(self.n // 2, device=t.device) / (self.n // 2))
        angles = t.float().reshape(-1, 1) * w[None]
        emb = self.time(torch.cat([angles.cos(), angles.sin()], 1))

        def run(stage, x):
            for block in stage:
                x = block(x, emb)
            return x

        enc1 = run(self.enc1, self.first(x))
        enc2 = run(self.enc2, F.avg_pool2d(enc1, 2))
        x = run(self.bottleneck, F.avg_pool2d(enc2, 2))
        for block in self.transformer:
            x = block(x)
        x = run(self.dec2, torch.cat([self.upconv2(x), enc2], 1))
        x = run(self.dec1, torch.cat([self.upconv1(x), enc1], 1))
        return self.out(F.silu(self.norm(x)))


golden = {}


def keep(prefix, model, inputs):
    """Weights, inputs x and what else, output y, and the gradients of sum(y * factor)."""
    for name, p in model.named_parameters():  # norms too, which torch would leave at 1 and 0
        if "norm" in name:
            nn.init.normal_(p, 1 if name.endswith("weight") else 0, 0.3)
    inputs["x"].requires_grad_()
    y = model(*inputs.values())
    factor = torch.randn(y.shape)
    (y * factor).sum().backward()
    for name, x in {**inputs, "y": y, "factor": factor, "grad.x": inputs["x"].grad}.items():
        golden[prefix + name] = x.detach().permute(0, 2, 3, 1).contiguous() if x.dim() == 4 else x.detach()
    for name, p in model.named_parameters():
        name = name.replace("first.", "in.")
        golden[prefix + "weight." + name], golden[prefix + "grad." + name] = p.detach().clone(), p.grad.clone()


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, t = torch.randn(BATCH, 6, SIZE, SIZE), torch.tensor([0, 370, 999])
    keep("", ResidualUNet(CHANNELS), {"x": x, "t": t.int()})
    x, emb = torch.randn(BATCH, CHANNELS, 4, 4), torch.randn(BATCH, 24)
    keep("added.", ResBlock(CHANNELS, 2 * CHANNELS, 24, add_time=True, attention=False), {"x": x, "emb": emb})
    keep("heads.", Attention(64, norm=True), {"x": torch.randn(BATCH, 64, 2, 3)})
    save_file(golden, HERE / "residual.safetensors")


if __name__ == "__main__":
    main()

"""Makes the golden files of package srdiff: the tutorial's program in PyTorch, corrected as docs/errata.md says.

    python3 -m venv /tmp/goldens && /tmp/goldens/bin/pip install -r srdiff/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/testdata/goldens.py

writes, beside this script,
    tutorial.safetensors   a small tutorial network's state_dict, saved as anyone would
    goldens.safetensors    inputs and results; pictures are [batch, height, width, 3], as srdiff has them
"""

import pathlib

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
BASE_CHANNELS, SIZE, BATCH, T = 4, 16, 3, 1000
ADAM_STEPS, LEARNING_RATE = 5, 1e-3


class UNet(nn.Module):
    def __init__(self, in_channels, out_channels=3, base_channels=32):
        super().__init__()

        def block(i, o):
            return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU())

        c = base_channels
        self.enc1, self.enc2, self.bottleneck = block(in_channels, c), block(c, 2 * c), block(2 * c, 4 * c)
        self.pool = nn.MaxPool2d(2)
        self.upconv2, self.dec2 = nn.ConvTranspose2d(4 * c, 2 * c, 2, stride=2), block(4 * c, 2 * c)
        self.upconv1, self.dec1 = nn.ConvTranspose2d(2 * c, c, 2, stride=2), block(2 * c, c)
        self.out = nn.Conv2d(c, out_channels, 1)

    def forward(self, x, t):
        time = (t.float() / T).view(-1, 1, 1, 1).expand(x.shape[0], 1, x.shape[2], x.shape[3])
        e1 = self.enc1(torch.cat([x, time], 1))
        e2 = self.enc2(self.pool(e1))
        b = self.bottleneck(self.pool(e2))
        d2 = self.dec2(torch.cat([self.upconv2(b), e2], 1))
        d1 = self.dec1(torch.cat([self.upconv1(d2), e1], 1))
        return self.out(d1)


class Diffusion:
    def __init__(self, beta_start=1e-4, beta_end=0.02):
        self.betas = torch.linspace(beta_start, beta_end, T, dtype=torch.float64)
        self.alphas = 1 - self.betas
        self.alpha_bars = torch.cumprod(self.alphas, 0)

    def at(self, table, t):
        return table[t].float().view(-1, 1, 1, 1)

    def forward_process(self, x0, t, eps):
        a = self.at(self.alpha_bars, t)
        return a.sqrt() * x0 + (1 - a).sqrt() * eps

    def predict_x0(self, x, t, eps):
        a = self.at(self.alpha_bars, t)
        return (x - (1 - a).sqrt() * eps) / a.sqrt()

    def reverse_process(self, x, t, eps, z):
        """The tutorial's update."""
        beta, alpha, a = self.at(self.betas, t), self.at(self.alphas, t), self.at(self.alpha_bars, t)
        noise = beta.sqrt() * z * (t > 0).float().view(-1, 1, 1, 1)
        return (x - beta / (1 - a).sqrt() * eps) / alpha.sqrt() + noise

    def reverse_process_clipped(self, x, t, eps, z):
        """The same with the predicted x_0 clipped: the noise that the clipped x_0 implies takes eps's place."""
        a = self.at(self.alpha_bars, t)
        x0 = self.predict_x0(x, t, eps).clamp(-1, 1)
        return self.reverse_process(x, t, (x - a.sqrt() * x0) / (1 - a).sqrt(), z)


def down(x):
    return F.interpolate(x, scale_factor=0.25, mode="bilinear", align_corners=False)


def up(x):
    return F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, diffusion, golden = UNet(7, base_channels=BASE_CHANNELS), Diffusion(), {}

    def keep(name, x):
        if x.dim() == 4 and x.shape[1] == 3:  # pictures
            x = x.permute(0, 2, 3, 1)
        golden[name] = x.detach().contiguous().clone()

    save_file(model.state_dict(), HERE / "tutorial.safetensors")
    keep("alpha_bars", diffusion.alpha_bars)

    # The condition: sizes of every remainder that matters, among them the smallest.
    x0 = torch.rand(BATCH, 3, SIZE, SIZE) * 2 - 1
    y = up(down(x0))
    keep("x0", x0), keep("down", down(x0)), keep("y", y)
    for height, width in [(1, 1), (2, 3), (5, 4)]:
        low = torch.rand(1, 3, height, width) * 2 - 1
        keep(f"low_{height}x{width}", low), keep(f"up_{height}x{width}", up(low))

    # One forward step, one forward pass, one reverse step.
    t = torch.tensor([0, 370, 999])
    eps, z = torch.randn(x0.shape), torch.randn(x0.shape)
    xt = diffusion.forward_process(x0, t, eps)
    predicted = model(torch.cat([xt, y], 1), t)
    keep("t", t.int()), keep("eps", eps), keep("z", z), keep("xt", xt), keep("predicted", predicted)
    keep("reversed", diffusion.reverse_process(xt, t, predicted, z))
    keep("reversed_clipped", diffusion.reverse_process_clipped(xt, t, predicted, z))

    # The loss, its gradients, and Adam.
    loss = F.mse_loss(predicted, eps)
    loss.backward()
    keep("loss", loss.view(1))
    for name, p in model.named_parameters():
        golden["grad." + name] = p.grad.clone()
    model.zero_grad()
    adam = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for step in range(ADAM_STEPS):
        t, eps = torch.randint(0, T, (BATCH,)), torch.randn(x0.shape)
        keep(f"adam.{step}.t", t.int()), keep(f"adam.{step}.eps", eps)
        adam.zero_grad()
        loss = F.mse_loss(model(torch.cat([diffusion.forward_process(x0, t, eps), y], 1), t), eps)
        loss.backward()
        keep(f"adam.{step}.loss", loss.view(1))
        adam.step()
    for name, p in model.named_parameters():
        golden["trained." + name] = p.detach().clone()
    save_file(golden, HERE / "goldens.safetensors")


if __name__ == "__main__":
    main()

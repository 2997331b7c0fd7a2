# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""The tutorial's program in PyTorch, corrected as docs/errata.md says, as a contestant of srdiff/bench/quality.

    learner.py --pictures FILE --held-out FILE [--size 32] [--batch 32] [--rate 1e-3]

trains on the pictures of a file, bytes [count, size, size, 3], in their order, and answers in a line of JSON on stdout each line
on stdin:

    train SECONDS   trains for about so long: how many seconds and steps it was
    noise COUNT     the mean squared error of the noise predicted for so many batches of the other file
    sample COUNT FILE
                    writes what DDIM in 50 steps makes of so many of its pictures, enlarged from a quarter, as float32
"""

import argparse
import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from unet import T, UNet

SCALE, CHANNELS, STEPS, TOGETHER = 4, 32, 50, 16


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", required=True)
    parser.add_argument("--held-out", required=True)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    args = parser.parse_args()

    # Pictures and weights lie in memory as convolutions like them best, and Adam is one kernel: the fastest that PyTorch does
    # here without minutes of compiling.
    layout = torch.channels_last
    torch.manual_seed(1)
    model = UNet(CHANNELS).to(memory_format=layout)
    adam = torch.optim.Adam(model.parameters(), lr=args.rate, fused=True)
    alpha_bars = torch.from_numpy(np.cumprod(1 - np.linspace(1e-4, 0.02, T)).astype(np.float32))

    def opened(path):
        return np.memmap(path, np.uint8, "r").reshape(-1, args.size, args.size, 3)

    def batch(pictures, n):  # n counts batches, over and over
        rows = np.arange(n * args.batch, (n + 1) * args.batch) % len(pictures)
        return torch.from_numpy(pictures[rows].astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)

    pictures, held_out = opened(args.pictures), opened(args.held_out)

    def resize(x, factor):
        return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)

    def loss_of(x0):
        y = resize(resize(x0, 1 / SCALE), SCALE)
        t = torch.randint(0, T, (len(x0),))
        eps = torch.randn_like(x0)
        a = alpha_bars[t].view(-1, 1, 1, 1)
        return F.mse_loss(model(a.sqrt() * x0 + (1 - a).sqrt() * eps, y, t), eps)

    def sample(low):
        y = resize(low, SCALE)
        x = torch.randn_like(y)
        visited = [round(T - i * T / STEPS) - 1 for i in range(STEPS)]
        for t, s in zip(visited, visited[1:] + [None]):
            a, b = alpha_bars[t], alpha_bars[s] if s is not None else torch.ones(())
            eps = model(x, y, torch.tensor([t]))
            x0 = ((x - (1 - a).sqrt() * eps) / a.sqrt()).clamp(-1, 1)
            x = b.sqrt() * x0 + (1 - b).sqrt() * (x - a.sqrt() * x0) / (1 - a).sqrt()
        return x

    steps = 0
    print(json.dumps({"about": f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"}), flush=True)
    for line in sys.stdin:
        command, argument = line.split(maxsplit=1)
        answer = {}
        if command == "train":
            started, first = time.perf_counter(), steps
            while time.perf_counter() - started < float(argument):
                adam.zero_grad()
                loss = loss_of(batch(pictures, steps).contiguous(memory_format=layout))
                loss.backward()
                adam.step()
                loss.item()
                steps += 1
            answer = {"seconds": time.perf_counter() - started, "steps": steps - first}
        elif command == "noise":
            with torch.inference_mode():
                answer = {"error": float(np.mean([loss_of(batch(held_out, n)).item() for n in range(int(argument))]))}
        elif command == "sample":
            with torch.inference_mode():
                count, path = argument.split()
                x0 = torch.from_numpy(held_out[:int(count)].astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)
                made = torch.cat([sample(resize(some, 1 / SCALE)) for some in x0.split(TOGETHER)])
                made.permute(0, 2, 3, 1).numpy().astype("<f4").tofile(path)
        else:
            sys.exit(f"command {line.strip()!r} is not known")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

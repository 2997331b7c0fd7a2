# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""A contestant of `bench/enlarging`: srdiff's models in PyTorch or ONNX Runtime.

    python peers.py torch-eager|torch-channels-last|torch-compile|onnxruntime MODELS --dtype float32|bfloat16

MODELS is a folder with predictor.safetensors, refiner.safetensors, predictor.onnx and refiner.onnx. Requests are lines on stdin,
"predictor N" or "refiner N": enlarge the picture N times. The answer is a line of JSON: the seconds of all, and the mean of the result.
"""

import argparse
import json
import pathlib
import sys
import time

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent))  # for lowres

SIDE, FACTOR, T = 256, 4, 1000


def picture():
    """main.go has the same one; 0 to 1."""
    y, x, c = np.meshgrid(np.arange(SIDE), np.arange(SIDE), np.arange(3), indexing="ij")
    return np.round(127.5 + 100 * np.sin(0.4 * y + 0.3 * x + c)).astype(np.float32) / 255


def torch_models(variant, folder, dtype):
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    from lowres import Predictor, Refiner, ResidualScale, grey
    from safetensors import safe_open
    from safetensors.torch import load_file

    class Whole(nn.Module):
        """A sample of DDIM; the predictor runs once."""

        def __init__(self, weights, steps):
            super().__init__()
            n = lambda name: len({k.split(".")[2] for k in weights if k.startswith(name + ".trunk.")})
            width = lambda name: weights[name + ".head.weight"].shape[0]
            features = width("predictor")
            self.predictor = Predictor(features, n("predictor"))
            self.scale = ResidualScale(features)
            self.refiner = Refiner(width("refiner"), n("refiner"), features)
            t = torch.arange(T) / T
            bars = torch.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
            self.at = torch.linspace(T - 1, 0, steps + 1)[:-1].round().long()
            self.bars = torch.cat([bars[self.at], torch.ones(1)])

        def forward(self, low, noise):
            mean, features = self.predictor(low)
            log_scale = self.scale(features)
            x = noise
            for k, t in enumerate(self.at):
                bar, following = self.bars[k], self.bars[k + 1]
                v = self.refiner(x, low, features, log_scale, t)
                x0 = bar.sqrt() * x - (1 - bar).sqrt() * v
                eps = bar.sqrt() * v + (1 - bar).sqrt() * x
                x = following.sqrt() * x0 + (1 - following).sqrt() * eps
            detail = F.pixel_shuffle(log_scale, FACTOR).exp().clamp(max=0.2) * (0.25 * x + 0.75 * grey(x))
            return mean + detail

    layout = torch.contiguous_format if variant == "torch-eager" else torch.channels_last
    low = torch.from_numpy(2 * picture() - 1).permute(2, 0, 1)[None].contiguous(memory_format=layout)
    noise = torch.randn(1, 3, FACTOR * SIDE, FACTOR * SIDE).contiguous(memory_format=layout)

    def loaded(module, weights):
        module.load_state_dict({k: v.float() for k, v in weights.items()})
        module = module.eval().to(memory_format=layout)
        return torch.compile(module) if variant == "torch-compile" else module

    weights = load_file(folder / "predictor.safetensors")
    blocks = len({k.split(".")[1] for k in weights if k.startswith("trunk.")})
    predictor = loaded(Predictor(weights["head.weight"].shape[0], blocks), weights)
    weights = load_file(folder / "refiner.safetensors")
    with safe_open(folder / "refiner.safetensors", "pt") as file:
        steps = json.loads(file.metadata()["srdiff"])["diffusion"]["distilled"] or 4  # srdiff's default
    refiner = loaded(Whole(weights, steps), weights)

    def run(of):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            result = predictor(low)[0] if of == "predictor" else refiner(low, noise)
        return float(result.float().mean()) / 2 + 0.5

    return f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads", run


def onnx_models(folder):
    import onnxruntime

    image = np.ascontiguousarray(picture().transpose(2, 0, 1)[None])
    noise = np.random.default_rng(0).standard_normal((1, 3, FACTOR * SIDE, FACTOR * SIDE), np.float32)
    inputs = {"predictor": {"image": image}, "refiner": {"image": image, "noise": noise, "strength": np.float32([1])}}
    session = {of: onnxruntime.InferenceSession(folder / f"{of}.onnx", providers=["CPUExecutionProvider"]) for of in inputs}
    return f"ONNX Runtime {onnxruntime.__version__}", lambda of: float(session[of].run(["result"], inputs[of])[0].mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("variant", choices=["torch-eager", "torch-channels-last", "torch-compile", "onnxruntime"])
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    o = parser.parse_args()
    about, run = onnx_models(o.models) if o.variant == "onnxruntime" else torch_models(o.variant, o.models, o.dtype)
    print(json.dumps({"about": about}), flush=True)
    for line in sys.stdin:
        of, count = line.split()
        began = time.perf_counter()
        for _ in range(int(count)):
            mean = run(of)
        print(json.dumps({"seconds": time.perf_counter() - began, "mean": mean}), flush=True)


main()

# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""The contestants of PyTorch and JAX for srdiff/bench: the tutorial's program, corrected as docs/errata.md says, and the training of
srdiff's other networks.

    reference.py torch-eager | torch-channels-last | torch-compile | jax [--network tutorial|small|predictor|refiner]
        [--device cpu|cuda] [--dtype float32|bfloat16]

answers, in lines of JSON on stdout, what bench asks for in lines on stdin; see worker.go. torch-eager is written as the
tutorial is. The two others keep pictures and weights in the order of memory that convolutions are fastest in, and have
Adam as one kernel; torch-compile is compiled besides, with CUDA graphs on a GPU.
"""

import argparse
import json
import os
import pathlib
import sys
import time

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent.parent / "testdata"))  # for residual

SIZE, SCALE, BATCH, SAMPLES, T, CHANNELS, RATE = 32, 4, 32, 16, 1000, 32, 1e-4
LARGE, LARGE_BATCH = 128, 16  # for networks that compute at low resolution


def pictures(count, size):
    """Smooth pictures, each with a phase of its own; the same as worker.go's."""
    i, row, column, channel = np.ogrid[:count, :size, :size, :3]
    return (0.8 * np.sin(1.7 * i + 0.4 * row + 0.3 * column + channel)).astype(np.float32)


def schedule():
    """alpha_bar of every timestep, and the coefficients of a reverse step from x_t and the clipped x_0:
    x_0 = clip(c0 x_t - c1 eps), x_{t-1} = c2 x_t + c3 x_0 + c4 z."""
    betas = np.linspace(1e-4, 0.02, T)
    alphas, alpha_bars = 1 - betas, np.cumprod(1 - betas)
    rest = 1 - alpha_bars
    table = [1 / np.sqrt(alpha_bars), np.sqrt(rest / alpha_bars), (1 - betas / rest) / np.sqrt(alphas),
             betas * np.sqrt(alpha_bars) / (rest * np.sqrt(alphas)), np.sqrt(betas) * (np.arange(T) > 0)]
    return alpha_bars.astype(np.float32), np.stack(table, 1).astype(np.float32)


def pytorch(variant, network, device, dtype):
    import torch
    import torch.nn.functional as F

    torch.manual_seed(0)
    tuned, compiled = variant != "torch-eager", variant == "torch-compile"
    layout = torch.channels_last if tuned else torch.contiguous_format
    alpha_bars, table = (torch.from_numpy(a).to(device) for a in schedule())
    timesteps = torch.arange(T, device=device)

    def tensor(p):
        return torch.from_numpy(p).permute(0, 3, 1, 2).contiguous(memory_format=layout)

    def resize(x, factor):
        return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)

    def shrink(x):
        return F.interpolate(x, scale_factor=1 / SCALE, mode="bicubic", antialias=True)

    def noise(x0):  # timesteps, eps and alpha_bars
        t = torch.randint(0, T, (len(x0),), device=device)
        return t, torch.randn_like(x0), alpha_bars[t].view(-1, 1, 1, 1)

    enlarged = network in ("tutorial", "small")  # the condition is, before the network sees it
    size, batch = (SIZE, BATCH) if enlarged else (LARGE, LARGE_BATCH)
    if enlarged:
        if network == "tutorial":
            from unet import UNet

            model = UNet(CHANNELS)
            predict = model
        else:
            from residual import ResidualUNet

            model = ResidualUNet(CHANNELS, attention=1, transformers=0)

            def predict(x, y, t):
                return model(torch.cat([x, y], 1), t)

        def loss_of(x0):
            y = resize(resize(x0, 1 / SCALE), SCALE)
            t, eps, a = noise(x0)
            return F.mse_loss(in_dtype(predict, a.sqrt() * x0 + (1 - a).sqrt() * eps, y, t), eps)

    elif network == "predictor":
        from lowres import Predictor

        model = Predictor(64, 12)

        def predict(x, low, t):
            return model(low)[0]

        def loss_of(x0):
            return F.l1_loss(in_dtype(predict, None, shrink(x0), None), x0)

    else:
        from lowres import Refining

        model = Refining(64, 8, 96, 6)
        model.predictor.requires_grad_(False)
        predict = model

        def loss_of(x0):
            return in_dtype(model.loss, x0, shrink(x0), *noise(x0))

    def in_dtype(f, *args):
        with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
            return f(*args).float()

    model = model.to(device, memory_format=layout)
    adam = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=RATE, fused=tuned)
    data = tensor(pictures(8 * batch, size)).split(batch)
    xt, low = tensor(pictures(SAMPLES, size)).to(device), tensor(pictures(SAMPLES, size // SCALE)).to(device)
    condition = resize(low, SCALE) if enlarged else low

    def f_theta(x, low, t):
        return in_dtype(predict, x, low, t)

    def reverse(x, y, t):
        c = table[t]
        x0 = (c[0] * x - c[1] * f_theta(x, y, t)).clamp(-1, 1)
        return c[2] * x + c[3] * x0 + c[4] * torch.randn_like(x)

    def begin():  # of a run of the compiled programs
        pass

    if compiled:
        mode = "default"
        if device == "cuda":
            mode, begin = "reduce-overhead", torch.compiler.cudagraph_mark_step_begin
        loss_of, reverse, f_theta = (torch.compile(f, mode=mode) for f in (loss_of, reverse, f_theta))

    def keep(x):  # CUDA graphs write each result where the last one is
        return x.clone() if compiled and device == "cuda" else x

    def train(step):
        begin()
        adam.zero_grad()
        loss = loss_of(data[step % len(data)].to(device))
        loss.backward()
        adam.step()
        return loss.item()

    @torch.inference_mode()
    def forward(n):
        x = xt
        for _ in range(n):
            begin()
            x = keep(f_theta(x, condition, timesteps[T // 2]))
        return x.cpu()

    @torch.inference_mode()
    def sample():
        y = resize(low, SCALE)
        x = torch.randn_like(y)
        for t in reversed(range(T)):
            begin()
            x = keep(reverse(x, y, timesteps[t]))
        return x.cpu()

    about = f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
    if device == "cuda":
        about = f"PyTorch {torch.__version__} on {torch.cuda.get_device_name()}, cuDNN {torch.backends.cudnn.version()}"
    return about, train, forward, sample


def jax_jit(device, dtype):
    os.environ["JAX_PLATFORMS"] = device
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # others are on the GPU too
    os.environ.setdefault("JAX_TRACEBACK_FILTERING", "off")  # or an error's last line is about that
    from functools import partial

    import jax
    import jax.numpy as jnp
    from jax import lax

    alpha_bars, table = (jnp.asarray(a) for a in schedule())

    def first_weights(c=CHANNELS):
        rng = np.random.default_rng(0)
        weights = {}

        def layer(name, fan_in, *shape):
            bound = fan_in ** -0.5
            weights[name] = (jnp.asarray(rng.uniform(-bound, bound, shape), jnp.float32),
                             jnp.asarray(rng.uniform(-bound, bound, shape[-1:]), jnp.float32))

        for name, i, o in [("enc1", 7, c), ("enc2", c, 2 * c), ("bottleneck", 2 * c, 4 * c), ("dec2", 4 * c, 2 * c),
                           ("dec1", 2 * c, c)]:
            layer(name + ".0", 9 * i, 3, 3, i, o)
            layer(name + ".2", 9 * o, 3, 3, o, o)
        layer("upconv2", 4 * 2 * c, 4 * c, 2, 2, 2 * c)
        layer("upconv1", 4 * c, 2 * c, 2, 2, c)
        layer("out", c, 1, 1, c, 3)
        return weights

    def eps_theta(weights, x, y, t):
        time = jnp.broadcast_to((t / T).reshape(-1, 1, 1, 1), (*x.shape[:3], 1)).astype(x.dtype)

        def conv(name, x):
            w, b = (v.astype(dtype) for v in weights[name])
            return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + b

        def block(name, x):
            return jax.nn.relu(conv(name + ".2", jax.nn.relu(conv(name + ".0", x))))

        def pool(x):  # faster than lax.reduce_window and its gradient
            n, h, w, c = x.shape
            return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))

        def upconv(name, x):  # faster than lax.conv_transpose
            n, h, w, _ = x.shape
            kernel, b = (v.astype(dtype) for v in weights[name])
            return jnp.einsum("nhwi,iklo->nhkwlo", x, kernel).reshape(n, 2 * h, 2 * w, -1) + b

        e1 = block("enc1", jnp.concatenate([x, y, time], -1).astype(dtype))
        e2 = block("enc2", pool(e1))
        b = block("bottleneck", pool(e2))
        d2 = block("dec2", jnp.concatenate([upconv("upconv2", b), e2], -1))
        d1 = block("dec1", jnp.concatenate([upconv("upconv1", d2), e1], -1))
        return conv("out", d1).astype(jnp.float32)

    def resize(x, size):
        return jax.image.resize(x, (x.shape[0], size, size, 3), "bilinear", antialias=False)

    def loss_of(weights, x0, key):
        y = resize(resize(x0, SIZE // SCALE), SIZE)
        of_t, of_eps = jax.random.split(key)
        t = jax.random.randint(of_t, (len(x0),), 0, T)
        eps = jax.random.normal(of_eps, x0.shape)
        a = alpha_bars[t].reshape(-1, 1, 1, 1)
        return jnp.mean((eps - eps_theta(weights, jnp.sqrt(a) * x0 + jnp.sqrt(1 - a) * eps, y, t)) ** 2)

    @partial(jax.jit, donate_argnums=0)
    def train_step(state, x0):
        weights, m, v, step, key = state
        key, here = jax.random.split(key)
        loss, grad = jax.value_and_grad(loss_of)(weights, x0, here)
        step += 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grad)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grad)
        weights = jax.tree.map(lambda w, m, v: w - RATE * (m / (1 - 0.9**step)) / (jnp.sqrt(v / (1 - 0.999**step)) + 1e-8),
                               weights, m, v)
        return (weights, m, v, step, key), loss

    forward_step = jax.jit(eps_theta)

    @jax.jit
    def trajectory(weights, low, key):
        y = resize(low, SIZE)
        key, first = jax.random.split(key)

        def reverse(i, carry):
            x, key = carry
            key, here = jax.random.split(key)
            t = T - 1 - i
            c = table[t]
            x0 = jnp.clip(c[0] * x - c[1] * eps_theta(weights, x, y, t), -1, 1)
            return c[2] * x + c[3] * x0 + c[4] * jax.random.normal(here, x.shape), key

        return lax.fori_loop(0, T, reverse, (jax.random.normal(first, y.shape), key))[0]

    weights, zeros = first_weights(), jax.tree.map(jnp.zeros_like, first_weights())
    state = (weights, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros(()), jax.random.key(0))
    data = np.split(pictures(8 * BATCH, SIZE), 8)
    xt, y, low = jnp.asarray(pictures(SAMPLES, SIZE)), jnp.asarray(pictures(SAMPLES, SIZE)), pictures(SAMPLES, SIZE // SCALE)

    def train(step):
        nonlocal state
        state, loss = train_step(state, data[step % len(data)])
        return float(loss)

    def forward(n):
        x, t = xt, jnp.asarray(T // 2)
        for _ in range(n):
            x = forward_step(state[0], x, y, t)
        return np.asarray(x)

    def sample():
        return np.asarray(trajectory(state[0], low, jax.random.key(1)))

    return f"JAX {jax.__version__} on {jax.devices()[0].device_kind}", train, forward, sample


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=["torch-eager", "torch-channels-last", "torch-compile", "jax"])
    parser.add_argument("--network", choices=["tutorial", "small", "predictor", "refiner"], default="tutorial")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    args = parser.parse_args()
    # Libraries print on stdout too: it becomes stderr, and the answers keep the real one.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**values):
        print(json.dumps(values), file=answers, flush=True)

    if args.contestant == "jax":
        about, train, forward, sample = jax_jit(args.device, args.dtype)
    else:
        about, train, forward, sample = pytorch(args.contestant, args.network, args.device, args.dtype)
    answer(about=about)
    steps = 1
    answer(loss=train(0))
    for line in sys.stdin:
        command, *count = line.split()
        losses, start = [], time.perf_counter()
        if command == "train":
            for _ in range(int(count[0])):
                losses.append(train(steps))
                steps += 1
        elif command == "forward":
            forward(int(count[0]))
        elif command == "sample":
            sample()
        else:
            sys.exit(f"command {line.strip()!r} is not known")
        answer(seconds=time.perf_counter() - start, loss=float(np.mean(losses)) if losses else 0)


if __name__ == "__main__":
    main()

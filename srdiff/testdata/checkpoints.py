"""Makes checkpoints as people save them, and what the network in them computes.

    python3 -m venv /tmp/goldens && /tmp/goldens/bin/pip install -r srdiff/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/testdata/checkpoints.py

writes, beside this script,
    predictor*.pth           a predictor's weights, saved in several ways
    checkpoints.safetensors  its input "low" and its results by the names of these files; pictures are [batch, height, width, 3]
"""

import pathlib

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
CHANNELS, BLOCKS, FACTOR = 8, 2, 3


def conv(i, o):
    return nn.Conv2d(i, o, 3, padding=1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = conv(CHANNELS, CHANNELS), conv(CHANNELS, CHANNELS)

    def forward(self, x):
        return x + self.b(F.relu(self.a(x)))


class Predictor(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.tail = conv(3, CHANNELS), conv(CHANNELS, CHANNELS)
        self.trunk = nn.Sequential(*[Block() for _ in range(BLOCKS)])
        self.up = conv(CHANNELS, 3 * FACTOR**2)

    def forward(self, low):
        head = self.head(low)
        up = self.up(head + self.tail(self.trunk(head)))
        return F.pixel_shuffle(up, FACTOR) + F.interpolate(low, scale_factor=FACTOR)


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, low = Predictor(), 0.5 * torch.rand(1, 3, 5, 7)
    last = lambda x: x.permute(0, 2, 3, 1).contiguous()
    golden = {"low": last(low)}

    def keep(name, module, object, **options):
        torch.save(object, HERE / f"{name}.pth", **options)
        with torch.no_grad():
            golden[name] = last(module.float()(low))

    keep("predictor", model, model.state_dict())
    keep("predictor-protocol5", model, model.state_dict(), pickle_protocol=5)
    strided = Predictor().to(memory_format=torch.channels_last)  # a weight's numbers in another order
    keep("predictor-strided", strided, nn.DataParallel(strided).state_dict())
    trained = Predictor()
    optimizer = torch.optim.Adam(trained.parameters())
    trained(low).sum().backward()
    optimizer.step()
    keep("predictor-training", trained, {"epoch": 3, "loss": 0.5, "name": "x3", "best": None, "done": False,
         "lr": [1e-3, -70000], "model": trained.state_dict(), "optimizer": optimizer.state_dict()})
    parameters = Predictor()
    keep("predictor-parameters", parameters, {"params": Predictor().state_dict(), "params_ema": dict(parameters.named_parameters())})
    for name, dtype in {"half": torch.float16, "bfloat16": torch.bfloat16}.items():
        module = Predictor().to(dtype)
        keep(f"predictor-{name}", module, module.state_dict())

    # What is refused.
    torch.save(model, HERE / "refused-module.pth")
    torch.save({"w": torch.zeros(2, dtype=torch.float64)}, HERE / "refused-float64.pth")
    torch.save({"epoch": 1}, HERE / "refused-empty.pth")
    torch.save(torch.zeros(2), HERE / "refused-tensor.pth")
    torch.save({"w": torch.zeros(2)}, HERE / "refused-legacy.pth", _use_new_zipfile_serialization=False)
    torch.jit.script(nn.Linear(2, 2)).save(HERE / "refused-script.pth")
    save_file(golden, HERE / "checkpoints.safetensors")


if __name__ == "__main__":
    main()

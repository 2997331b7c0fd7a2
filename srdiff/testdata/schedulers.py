"""Makes schedulers.safetensors: noise schedules, samplers, losses and degradations as diffusers and PyTorch compute them.

    python3 -m venv /tmp/goldens && /tmp/goldens/bin/pip install -r srdiff/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/testdata/schedulers.py

It needs tutorial.safetensors, which goldens.py writes. Pictures are [batch, height, width, 3], as srdiff has them.
"""

import pathlib

import numpy
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from diffusers.schedulers import scheduling_ddpm
from goldens import UNet
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
T, BETAS = 1000, {"beta_start": 1e-4, "beta_end": 0.02}
KINDS = {"linear": "linear", "scaled-linear": "scaled_linear", "cosine": "squaredcos_cap_v2", "sigmoid": "sigmoid"}
PREDICTIONS = {"eps": "epsilon", "x0": "sample", "v": "v_prediction"}
MOST_STEPS = 50

golden = {}


def keep(name, x):
    golden[name] = torch.as_tensor(x).detach().contiguous().clone()


def pictures(x):
    """[batch, 3, height, width] as srdiff has them."""
    return x.permute(0, 2, 3, 1)


def schedules():
    for name, kind in KINDS.items():
        for timesteps in (T, 50):
            for zero in (False, True):
                s = DDPMScheduler(num_train_timesteps=timesteps, beta_schedule=kind, rescale_betas_zero_snr=zero, **BETAS)
                case = f"{name}.{timesteps}" + (".zero" if zero else "")
                keep(f"betas.{case}", s.betas), keep(f"alpha_bars.{case}", s.alphas_cumprod)


def spacings():
    for spacing in ("leading", "trailing", "linspace"):
        for n in (1, 7, 10, 16, 20, 50):
            s = DDIMScheduler(num_train_timesteps=T, timestep_spacing=spacing)
            s.set_timesteps(n)
            keep(f"timesteps.{spacing}.{n}", s.timesteps.int())


def ancestral():
    """The coefficients of one step of DDPM, found by asking for it, and its variances."""
    s = DDPMScheduler(num_train_timesteps=T, clip_sample=False, prediction_type="sample", **BETAS)
    scheduling_ddpm.randn_tensor = lambda shape, **_: torch.zeros(shape)
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    keep("ddpm.of_x0", torch.stack([s.step(one, t, zero).prev_sample.view(()) for t in range(T)]))
    keep("ddpm.of_xt", torch.stack([s.step(zero, t, one).prev_sample.view(()) for t in range(T)]))
    for kind in ("fixed_small", "fixed_large"):
        keep(f"ddpm.{kind}", torch.stack([torch.as_tensor(s._get_variance(t, variance_type=kind)) for t in range(T)]))


class Sampler:
    """One of diffusers' schedulers, stepped with the noise that is given."""

    def __init__(self, name, steps, spacing, prediction, clip=False, zero=False):
        common = dict(num_train_timesteps=T, prediction_type=PREDICTIONS[prediction], rescale_betas_zero_snr=zero, **BETAS)
        self.name = name
        if name in ("ddpm", "ddpm-small"):
            self.scheduler = DDPMScheduler(variance_type="fixed_small" if name == "ddpm-small" else "fixed_large",
                                           clip_sample=clip, timestep_spacing=spacing, **common)
            self.scheduler.set_timesteps(steps)
        elif name in ("ddim", "ddim-half"):
            self.scheduler = DDIMScheduler(clip_sample=clip, timestep_spacing=spacing, **common)
            self.scheduler.set_timesteps(steps)
        else:
            # Its own leading and linspace are others. Of first order it is DDIM without noise, over any list.
            lister = DDIMScheduler(num_train_timesteps=T, timestep_spacing=spacing)
            lister.set_timesteps(steps)
            self.scheduler = DPMSolverMultistepScheduler(
                algorithm_type="dpmsolver++", solver_order={"dpmpp2m": 2, "dpmpp1": 1}[name], solver_type="midpoint",
                final_sigmas_type="zero", **common)
            self.scheduler.set_timesteps(timesteps=lister.timesteps.tolist())

    def run(self, x, outputs, noises):
        """All x after x_T."""
        trajectory, last = [], len(self.scheduler.timesteps) - 1
        for k, t in enumerate(self.scheduler.timesteps):
            z = noises[k] if k < last else torch.zeros_like(x)  # diffusers adds some after the last step where t is not 0
            if self.name.startswith("ddpm"):
                scheduling_ddpm.randn_tensor = lambda shape, z=z, **_: z
                x = self.scheduler.step(outputs[k], t, x).prev_sample
            elif self.name.startswith("ddim"):
                x = self.scheduler.step(outputs[k], t, x, eta=0.5 if self.name == "ddim-half" else 0,
                                        use_clipped_model_output=True, variance_noise=z).prev_sample
            else:
                x = self.scheduler.step(outputs[k], t, x).prev_sample
            trajectory.append(pictures(x))
        return torch.stack(trajectory)


def trajectories():
    shape = (2, 3, 2, 2)
    x, outputs, noises = torch.randn(shape), torch.randn(MOST_STEPS, *shape), torch.randn(MOST_STEPS, *shape)
    keep("trajectory.x", pictures(x))
    keep("trajectory.outputs", outputs.permute(0, 1, 3, 4, 2)), keep("trajectory.noises", noises.permute(0, 1, 3, 4, 2))

    def run(name, steps, spacing, prediction, **how):
        case = ".".join(["trajectory", name, str(steps), spacing, prediction, *how])
        keep(case, Sampler(name, steps, spacing, prediction, **how).run(x, outputs, noises))

    for prediction in PREDICTIONS:
        for name in ("ddpm", "ddpm-small", "ddim", "ddim-half", "dpmpp2m"):
            for steps in (10, 20, 50):
                for spacing in ("leading", "trailing"):
                    run(name, steps, spacing, prediction)
        # Lists whose jumps differ. DDIMScheduler cannot do them: it takes alpha_bar of t - T // steps for the next one's.
        for name in ("ddpm", "ddpm-small", "dpmpp1", "dpmpp2m"):
            run(name, 20, "linspace", prediction), run(name, 16, "trailing", prediction)
    for name in ("ddpm", "ddpm-small", "ddim", "ddim-half"):
        run(name, 20, "trailing", "eps", clip=True)
        run(name, 20, "trailing", "v", zero=True)


def optimising():
    gradients = [torch.randn(3, 4), torch.randn(5), torch.randn(2, 3, 2) * 3]
    for i, g in enumerate(gradients):
        keep(f"clip_norm.{i}", g)
    for limit in (0.5, 100.0):
        parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
        for p, g in zip(parameters, gradients):
            p.grad = g.clone()
        torch.nn.utils.clip_grad_norm_(parameters, limit)
        for i, p in enumerate(parameters):
            keep(f"clip_norm.{limit:g}.{i}", p.grad)


def losses():
    """Losses of the network in tutorial.safetensors; min-SNR weights as in diffusers' training examples."""
    net = UNet(7, base_channels=4)
    net.load_state_dict(load_file(HERE / "tutorial.safetensors"))
    s = DDPMScheduler(num_train_timesteps=T, **BETAS)
    x0, y, eps = (torch.randn(4, 3, 8, 8) for _ in range(3))
    t = torch.tensor([3, 250, 600, 990])
    keep("loss.x0", pictures(x0)), keep("loss.y", pictures(y)), keep("loss.eps", pictures(eps)), keep("loss.t", t.int())
    predicted = net(torch.cat([s.add_noise(x0, eps, t), y], 1), t)
    bars = s.alphas_cumprod[t]
    snr = (bars.sqrt() / (1 - bars).sqrt()) ** 2
    for prediction, target in {"eps": eps, "x0": x0, "v": s.get_velocity(x0, eps, t)}.items():
        for name, loss in {"mse": F.mse_loss, "l1": F.l1_loss, "huber": F.huber_loss}.items():
            each = loss(predicted, target, reduction="none").mean((1, 2, 3))
            keep(f"loss.{name}.{prediction}", loss(predicted, target).view(1))
            weights = torch.stack([snr, 5 * torch.ones_like(t)], 1).min(1)[0]
            weights = weights / {"eps": snr, "x0": 1, "v": snr + 1}[prediction]
            keep(f"loss.{name}.{prediction}.min_snr", (each * weights).mean().view(1))


def blur(x, sigma):
    """A Gaussian, cut off at 4 sigma, over a border that is repeated."""
    reach = int(numpy.ceil(4 * sigma)) - 1
    weights = torch.exp(-torch.arange(-reach, reach + 1, dtype=torch.float64) ** 2 / (2 * sigma**2))
    weights = (weights / weights.sum()).float()
    x = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
        x = F.conv2d(x, weights.view(shape).expand(3, 1, *weights.view(shape).shape[2:]), groups=3)
    return x


def degradations():
    filters = {
        "bilinear": dict(mode="bilinear", align_corners=False),
        "bicubic": dict(mode="bicubic", align_corners=False, antialias=True),
        "area": dict(mode="area"),
    }
    for height, width in ((32, 32), (16, 24)):
        x = torch.rand(1, 3, height, width) * 2 - 1
        case = f"degrade.{height}x{width}"
        keep(case, pictures(x))
        for name, how in filters.items():
            for sigma in (0, 0.6, 1.5):
                blurred = blur(x, sigma) if sigma else x
                keep(f"{case}.{name}.{sigma:g}", pictures(F.interpolate(blurred, (height // 4, width // 4), **how)))
    # A side that the other does not divide, for which torch's area is no mean over areas.
    keep("degrade.16x24.odd", pictures(F.interpolate(x, (7, 9), **filters["bicubic"])))


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    schedules(), spacings(), ancestral(), trajectories(), optimising(), losses(), degradations()
    save_file(golden, HERE / "schedulers.safetensors")


if __name__ == "__main__":
    main()

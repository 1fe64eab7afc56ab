"""A training step of an alpha-GAN beside the same networks, losses and Adam as a textbook writes them."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch.optim import Adam

from engine.models.alpha_gan import AlphaGAN, CodeDiscriminator, Downward
from engine.models.freed_memory import keep_freed_memory
from tests.benchmarks.alternating import Work, alternating
from tests.benchmarks.measurement import Measurement
from tests.trainers.textbook_alpha_gan import textbook_losses, without_short_cuts
from trainers.alpha_gan import AlphaGANPlan, AlphaGANTrainer
from trainers.method import Batch

NAME = "alpha-GAN training"
TARGET = "128 x 128 and 256 x 256: a step at least 2 times faster than eager float32"
CASES = ((128, 16), (256, 8))
"""Side and images of a step."""
ROUNDS = 5


def run() -> list[Measurement]:
    """One measurement a size."""
    return [_time(size, batch) for size, batch in CASES]


def _time(size: int, batch: int) -> Measurement:
    fast, slow = alternating(_step, ("ours", size, batch), ("textbook", size, batch), ROUNDS)
    return Measurement(
        f"a training step of {batch} images of {size} x {size} on the cpu in float32, {torch.get_num_threads()} threads",
        fast,
        "the same networks, losses and Adam eager, float32, contiguous, a loss a line",
        slow,
        slow / fast,
        "2 times faster",
        slow / fast >= 2,
    )


def _step(kind: str, size: int, batch: int) -> Work:
    torch.manual_seed(0)
    x = torch.rand(batch, 1, size, size) * 2 - 1
    return _ours(x) if kind == "ours" else _textbook(x)


def _ours(x: torch.Tensor) -> Work:
    keep_freed_memory()  # as every training run does
    trainer = AlphaGANTrainer(AlphaGANPlan(size=tuple(x.shape[2:]), epochs=1), Fabric(accelerator="cpu", devices=1))
    trainer.begin_epoch(0)
    batch, generator = Batch(x, torch.arange(len(x)), None, 0.5), torch.Generator().manual_seed(0)

    def step() -> None:
        trainer.step(batch, generator)

    return step


def _textbook(x: torch.Tensor) -> Work:
    size, code = x.shape[-1], 128
    model = without_short_cuts(AlphaGAN(size, code, ladder="growing"))
    networks = {
        "encoder": model.encoder,
        "generator": model.generator,
        "discriminator": Downward(size, 1, ladder="growing"),
        "code_discriminator": CodeDiscriminator(code),
    }
    optimizers = {name: Adam(network.parameters(), 1e-4, (0.5, 0.99)) for name, network in networks.items()}

    def step() -> None:
        for name, loss in textbook_losses(networks, x, torch.randn(len(x), code)).items():
            optimizers[name].zero_grad()  # of what an earlier network's loss left there; no later one's reaches it
            loss.backward()
        for optimizer in optimizers.values():
            optimizer.step()

    return step

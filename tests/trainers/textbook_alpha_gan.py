"""Rosca's four losses for an alpha-GAN as they are written, each with passes of its own: what the trainer must equal, and what it is timed beside."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.upsampled_convolution import UpsampledConvolution
from engine.models.winograd_training import WinogradConvolution

AnyModule = TypeVar("AnyModule", bound=nn.Module)

RECONSTRUCTION, ADVERSARIAL, CODE = 50.0, 1.0, 1.0
"""Weights, the plan's defaults."""


def textbook_losses(
    networks: Mapping[str, nn.Module], x: Tensor, noise: Tensor, fade: float = 1.0
) -> dict[str, Tensor]:
    """By the name of the network that each is for: encoder, generator, discriminator, code_discriminator. x: [B, 1, r, r]; noise: [B, code]."""
    encode, generate, judge, judge_code = (
        networks[name] for name in ("encoder", "generator", "discriminator", "code_discriminator")
    )
    side = x.shape[-1]
    z = encode(x, fade)
    encoder_loss = RECONSTRUCTION * (generate(z, side, fade) - x).abs().mean() + CODE * _real(judge_code(z))
    z = z.detach()
    drawn, sampled = generate(z, side, fade), generate(noise, side, fade)
    adversarial = _real(judge(drawn, fade)) + _real(judge(sampled, fade))
    forged = _real(-judge(drawn.detach(), fade)) + _real(-judge(sampled.detach(), fade))
    return {
        "encoder": encoder_loss,
        "generator": RECONSTRUCTION * (drawn - x).abs().mean() + ADVERSARIAL * adversarial,
        "discriminator": _real(judge(x, fade)) + forged,
        "code_discriminator": _real(judge_code(noise)) + _real(-judge_code(z)),
    }


def without_short_cuts(network: AnyModule) -> AnyModule:
    """A copy, each upsampling convolution and each wide one as the layers that it stands for; eval mode as it was."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, UpsampledConvolution | WinogradConvolution):
                convolution = nn.Conv2d(child.weight.shape[1], child.weight.shape[0], 3, padding=1)
                convolution.load_state_dict(child.state_dict())
                layers = [convolution, nn.LeakyReLU(child.slope, inplace=True)]
                doubled = [nn.Upsample(scale_factor=2)] if isinstance(child, UpsampledConvolution) else []
                setattr(parent, name, nn.Sequential(*doubled, *layers))
    return network


def _real(logit: Tensor) -> Tensor:
    return -F.logsigmoid(logit).mean()

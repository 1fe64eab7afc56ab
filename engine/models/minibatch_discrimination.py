"""Lets a discriminator see how alike the images of a batch are (Salimans et al., Improved techniques for training GANs, 2016, section 3.2).

A generator that always draws the same image gives itself away. While training, an image is compared with the others of its batch; at inference, with a
fixed set of training images, so that its score depends on no other image of the batch. Closeness is a mean over the images compared with, where the
publication has a sum: it then does not depend on how many there are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

REFERENCES = 64
"""Training images that inference compares with."""
KERNELS = 16
"""Numbers that a distance is taken over (Salimans: C)."""


class MinibatchDiscrimination(nn.Module):
    """[B, C, H, W] -> the same with `outputs` channels more, constant over the image: its closeness to the images it is compared with, in (0, 1].

    Args:
        features: C x H x W.
        outputs: kinds of closeness (Salimans: B).

    Weights begin small: standard Gaussian ones, over thousands of features, put every image infinitely far from every other.
    """

    references: Tensor

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.projection = nn.Linear(features, outputs * KERNELS, bias=False)
        nn.init.normal_(self.projection.weight, std=0.1 / features**0.5)
        self.register_buffer("references", torch.zeros(REFERENCES, outputs, KERNELS))

    def forward(self, x: Tensor) -> Tensor:
        places = self._places(x)  # [B, outputs, KERNELS]
        others = places if self.training else self.references  # [N, outputs, KERNELS]
        closeness = torch.exp(-(places[:, None] - others[None]).abs().sum(3)).sum(1)  # [B, outputs]
        itself = 1 if self.training else 0  # to which an image is as close as can be, and which is no other
        closeness = (closeness - itself) / max(len(others) - itself, 1)
        return torch.cat([x, closeness.to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1)

    @torch.no_grad()
    def remember(self, x: Tensor) -> None:
        """Compare with [N, C, H, W] from now on at inference: training images, of which the first 64 are taken, again and again if there are fewer."""
        places = self._places(x)
        self.references.copy_(places[torch.arange(REFERENCES, device=x.device) % len(places)])

    def _places(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # differences of rounded numbers are rounding
            return self.projection(x.float().flatten(1)).unflatten(1, (self.outputs, KERNELS))

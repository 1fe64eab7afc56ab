"""Each place of an image looks at all others (Zhang et al., Self-attention generative adversarial networks, 2019, equations 1 to 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """[B, C, H, W] -> the same, plus gamma times a mean of all places' values, weighed by how alike key and query are. Gamma begins at 0.

    Keys and queries have an eighth of the channels; their product is not scaled, as in the publication.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 8)
        self.query = nn.Conv2d(channels, narrow, 1)
        self.key = nn.Conv2d(channels, narrow, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (layer(x).flatten(2).mT for layer in (self.query, self.key, self.value))  # [B, H W, C']
        # zeros change no product, and equal lengths let torch go without the [H W, H W] table, which is slower to fetch than to compute
        query, key = (F.pad(side, (0, value.shape[2] - side.shape[2])) for side in (query, key))
        seen = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None], scale=1.0)[:, 0]
        return x + self.gamma * seen.mT.unflatten(2, x.shape[2:])

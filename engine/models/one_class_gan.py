"""The generative adversarial one-class classifier of Tang et al. 2019. The networks and their scores; no training.

Tang Y-X, Tang Y-B, Han M, Xiao J, Summers RM. Abnormal chest X-ray identification with generative adversarial one-class classifier. IEEE ISBI
2019:1358-1361. arXiv:1903.02040.

U, an autoencoder with skips, reconstructs the image; D judges whether what it drew looks real; E encodes what it drew again, and the two codes are
compared. All convolutions have 4x4 kernels. At 64 x 64 there are five levels: four that halve the image, and one that makes the last 4x4 places
the code. Each halving more or less of the image's size is a level more or less. The paper leaves the channels open: here they double from `width`,
64 as in DCGAN (Radford et al. 2016), whose kernels, slope and code length these are.

"Batch normalisation and leaky ReLU after each layer except for the first": the layer that sees the image has no normalisation, the one that draws it a
Tanh alone, D's last a bare logit. The code is normalised, which keeps E and U from agreeing on codes that are all zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from engine.models.base import Anomaly, AnomalyModel, ModelSpec
from engine.models.blocks import convolution_block, transposed_block
from engine.models.local_error import local_error
from engine.models.structural_similarity import smoothed, structural_dissimilarity

SLOPE = 0.2
KERNEL = SMALLEST = 4

Networks = Literal["U", "U+E", "U+D", "U+D+E"]
"""The rows of the paper's table 1: which networks there are beside the autoencoder."""
CodeDistance = Literal["norm", "mean square"]
"""Of two codes, as a term of the score."""


def level_channels(size: int, width: int) -> list[int]:
    """Channels after each halving: at 64 and width 64 the list 64, 128, 256, 512, and no more than eight times the width beyond."""
    if size < 2 * SMALLEST or size & (size - 1):
        raise ValueError(f"size must be a power of two of at least {2 * SMALLEST}, not {size}")
    return [width << min(level, 3) for level in range((size // SMALLEST).bit_length() - 1)]


class Descent(nn.Module):
    """U's encoder, and the second encoder E: every level's feature map, the last being the code.

    [B, 1, 64, 64] -> [B, w, 32, 32] -> [B, 2w, 16, 16] -> [B, 4w, 8, 8] -> [B, 8w, 4, 4] -> [B, 100, 1, 1]
    """

    def __init__(self, size: int, code: int, width: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            [
                *halvings(level_channels(size, width)),
                convolution_block(level_channels(size, width)[-1], code, KERNEL, slope=SLOPE),
            ]
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps


class Ascent(nn.Module):
    """U's decoder: each level but the first also sees the encoder's map of its size.

    [B, 100, 1, 1] -> [B, 8w, 4, 4] -> [B, 4w, 8, 8] -> [B, 2w, 16, 16] -> [B, w, 32, 32] -> [B, 1, 64, 64] in [-1, 1]
    """

    def __init__(self, size: int, code: int, width: int) -> None:
        super().__init__()
        channels = level_channels(size, width)[::-1]
        doublings = [
            transposed_block(2 * low, high, KERNEL, stride=2, padding=1, slope=SLOPE)
            for low, high in pairwise(channels)
        ]
        image = nn.Sequential(nn.ConvTranspose2d(2 * channels[-1], 1, KERNEL, stride=2, padding=1), nn.Tanh())
        self.levels = nn.ModuleList([transposed_block(code, channels[0], KERNEL, slope=SLOPE), *doublings, image])

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The maps of a `Descent` -> [B, 1, S, S]."""
        h: Tensor = self.levels[0](maps[-1])
        for level, skipped in zip(self.levels[1:], reversed(maps[:-1]), strict=True):
            h = level(torch.cat([h, skipped], dim=1))
        return h


class Autoencoder(nn.Module):
    """U: an encoder and a decoder with skips."""

    def __init__(self, size: int, code: int, width: int) -> None:
        super().__init__()
        self.encoder = Descent(size, code, width)
        self.decoder = Ascent(size, code, width)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[B, 1, S, S] -> the reconstruction [B, 1, S, S] in [-1, 1] and the encoder's maps, the last being the code."""
        maps = self.encoder(x)
        return self.decoder(maps), maps


class Discriminator(nn.Sequential):
    """D: the encoder's levels, and a logit for a code. [B, 1, S, S] -> [B, 1, 1, 1], high for a real image."""

    def __init__(self, size: int, width: int) -> None:
        channels = level_channels(size, width)
        super().__init__(*halvings(channels), nn.Conv2d(channels[-1], 1, KERNEL))


def halvings(channels: Sequence[int]) -> list[nn.Sequential]:
    """The encoder's levels down to 4x4 places, as D and E have them too."""
    return [
        convolution_block(inputs, outputs, KERNEL, stride=2, padding=1, normalised=level > 0, slope=SLOPE)
        for level, (inputs, outputs) in enumerate(pairwise([1, *channels]))
    ]


class OneClassGAN(AnomalyModel):
    """The autoencoder, and what its ablation has beside it.

    Args:
        size: side of the image, a power of two; the paper's is 64.
        code: length of the code; the paper's is 100.
        width: channels after the first level.
        networks: which of the paper's networks there are; without D or E their terms of the score are left out.
        preprocessing: name in engine.preprocess.
        heatmap_sigma: the heatmap's smoothing as a share of the side.
        weights: of the three terms of the score, lambda 1 to 3; the paper's are 20, 4 and 8.
        code_distance: "norm" as section 2.3 writes it; "mean square" is the loss, and what models score by that were trained before it was the norm.
    """

    method: ClassVar[str] = "one-class-gan"
    primary_score: ClassVar[str] = "anomaly"
    paper: ClassVar[dict[str, str]] = {
        "citation": "Tang Y-X, et al. Abnormal chest X-ray identification with generative adversarial one-class classifier. IEEE ISBI 2019:1358-1361",
        "doi": "10.1109/ISBI.2019.8759442",
        "figures": (
            "NIH, 64 x 64: AUROC .841 (sd .030); U alone .627, U+E .687, U+D .737. RSNA opacity: .802 (sd .033); U .592, U+E .659, U+D .720. "
            ".48 ms an image (TITAN Xp)"
        ),
    }

    def __init__(
        self,
        size: int = 64,
        code: int = 100,
        width: int = 64,
        networks: Networks = "U+D+E",
        preprocessing: str = "chest",
        heatmap_sigma: float = 1 / 64,
        weights: Sequence[float] = (20.0, 4.0, 8.0),
        code_distance: CodeDistance = "mean square",
    ) -> None:
        super().__init__()
        if networks not in get_args(Networks):
            raise ValueError(f"networks must be one of {', '.join(get_args(Networks))}, not {networks}")
        if code_distance not in get_args(CodeDistance):
            raise ValueError(f"code_distance must be one of {', '.join(get_args(CodeDistance))}, not {code_distance}")
        self.spec = ModelSpec(spatial_dims=2, size=(size, size), preprocessing=preprocessing)
        self.code, self.width, self.networks, self.heatmap_sigma = code, width, networks, heatmap_sigma
        self.weights, self.code_distance = tuple(weights), code_distance
        self.autoencoder = Autoencoder(size, code, width)
        self.discriminator = Discriminator(size, width) if "D" in networks else None
        self.second_encoder = Descent(size, code, width) if "E" in networks else None

    @property
    def architecture(self) -> dict[str, Any]:
        return {
            "size": self.spec.size[0],
            "code": self.code,
            "width": self.width,
            "networks": self.networks,
            "preprocessing": self.spec.preprocessing,
            "heatmap_sigma": self.heatmap_sigma,
            "weights": list(self.weights),
            "code_distance": self.code_distance,
        }

    def anomaly(self, x: Tensor) -> Anomaly:
        """The paper's score (section 2.3), each of its terms, and two that are not the paper's.

        `anomaly`: 20 `reconstruction_error` + 4 `discriminator` + 8 `code_distance`, of those terms that the ablation has. The paper brings it to
        [0, 1] among the test images, which moves no AUROC and would make an image's score depend on the others; here it stays as it is.
        `reconstruction_error`: ||x - x'||_1, a mean over pixels (equation 1).
        `discriminator`: 1 - D(x'), the probability that the reconstruction is none.
        `code_distance`: ||z - z'||_2. The paper calls the loss of that name a mean square error (equation 3). As a term of the score that would be about
        .01 beside 2 of either other one: lambda 3 would weigh nothing, and the second encoder would not add to the sum what table 1 says it adds.
        `ssim`, `local_error`: of x and x'; ours.
        Heatmap: |x - x'|, smoothed.
        """
        reconstruction, maps = self.autoencoder(x)
        reconstruction = reconstruction.float()
        error = (x.float() - reconstruction).abs()
        terms = {"reconstruction_error": error.flatten(1).mean(1)}
        if self.discriminator is not None:
            terms["discriminator"] = torch.sigmoid(-self.discriminator(reconstruction).float()).flatten()
        if self.second_encoder is not None:
            again = self.second_encoder(reconstruction)[-1]
            squares = (maps[-1].float() - again.float()).square().flatten(1)
            terms["code_distance"] = squares.sum(1).sqrt() if self.code_distance == "norm" else squares.mean(1)
        weight = dict(zip(("reconstruction_error", "discriminator", "code_distance"), self.weights, strict=True))
        scores = {
            "anomaly": torch.stack([weight[name] * term for name, term in terms.items()]).sum(0),
            **terms,
            "ssim": structural_dissimilarity(x, reconstruction),
            "local_error": local_error(error),
        }
        return Anomaly(scores, heatmap=smoothed(error, self.heatmap_sigma), reconstruction=reconstruction)

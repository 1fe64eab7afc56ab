"""alpha-GAN: an autoencoder with an image and a code discriminator (Nakao et al., J Digit Imaging 2021). The network and its scores; no training.

Nakao T, Hanaoka S, Nomura Y, et al. Unsupervised deep anomaly detection in chest radiographs. J Digit Imaging 34:418-427, 2021.
doi:10.1007/s10278-020-00413-2. Losses: Rosca M, et al. Variational approaches for auto-encoding generative adversarial networks. arXiv:1706.04987.

All three image networks are ladders over resolutions 4, 8, ..., size. `channels(r)` is Table 3's column of shapes: 512 channels at 4x4,
halved at each doubling, 8 at 256x256. A smaller `size` leaves out the outermost rungs, a larger one adds to them, as in progressive growing.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.base import Anomaly, AnomalyModel, ModelSpec
from engine.models.local_error import local_error
from engine.models.rectified_convolution import RectifiedConvolution
from engine.models.structural_similarity import smoothed, structural_dissimilarity
from engine.models.upsampled_convolution import UpsampledConvolution

SLOPE = (
    0.2  # of LeakyReLU; the paper names the activation but not its slope: that of progressive GANs (Karras et al. 2018)
)
SMALLEST = 4

Ladder = Literal["final", "growing"]
"""Which 1x1 convolutions to and from the image exist: that of the final size alone, or one at each resolution, for progressive growing."""


def resolutions(size: int) -> list[int]:
    """4, 8, ..., size."""
    if size < 2 * SMALLEST or size & (size - 1):
        raise ValueError(f"size must be a power of two of at least {2 * SMALLEST}, not {size}")
    return [SMALLEST << i for i in range((size // SMALLEST).bit_length())]


def channels(resolution: int, width: int = 512) -> int:
    """Channels at a resolution: `width` at 4x4, halved at each doubling (Table 3: 512, 256, ..., 8 at 256x256)."""
    return max(1, width * SMALLEST // resolution)


def he_initialised(layer: nn.Module) -> None:
    """Weights that keep a signal's size through LeakyReLU (He et al. 2015): without it, each rung that is faded in shrinks the code."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, a=SLOPE, nonlinearity="leaky_relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class Downward(nn.Module):
    """Table 3's encoder (`outputs` = 128) and discriminator (`outputs` = 1): they differ in the last linear layer alone.

    [B, 1, r, r] -> 1x1 convolution -> [B, channels(r), r, r] -> (3x3 convolution, downsampling) per rung -> [B, 512, 4, 4] -> linear -> [B, outputs]
    """

    def __init__(self, size: int, outputs: int, width: int = 512, ladder: Ladder = "final") -> None:
        super().__init__()
        self.size = size
        entrances = resolutions(size) if ladder == "growing" else [size]
        self.from_image = nn.ModuleDict(
            {str(r): RectifiedConvolution(1, channels(r, width), 1, SLOPE) for r in entrances}
        )
        self.convolution = nn.ModuleDict(
            {
                str(r): RectifiedConvolution(channels(r, width), channels(r // 2, width), 3, SLOPE)
                for r in reversed(resolutions(size)[1:])
            }
        )
        self.halved = nn.AvgPool2d(2)
        self.linear = nn.Linear(channels(SMALLEST, width) * SMALLEST**2, outputs)
        self.apply(he_initialised)

    def forward(self, x: Tensor, fade: float = 1.0) -> Tensor:
        """[B, 1, r, r] -> [B, outputs]. A `fade` below 1 blends in the rung at r, whose share it is, with the one below (Karras 2018, figure 2)."""
        r = x.shape[-1]
        h = self._enter(x, r)  # [B, channels(r), r, r]
        if r > SMALLEST:
            h = self._step(h, r)  # [B, channels(r / 2), r / 2, r / 2]
            if fade < 1:
                h = torch.lerp(self._enter(self.halved(x), r // 2), h, fade)
            while h.shape[-1] > SMALLEST:
                h = self._step(h, h.shape[-1])
        return self.linear(h.flatten(1))

    def _enter(self, x: Tensor, r: int) -> Tensor:
        entered: Tensor = self.from_image[str(r)](x)
        return entered

    def _step(self, h: Tensor, r: int) -> Tensor:
        halved: Tensor = self.halved(self.convolution[str(r)](h))
        return halved


class Generator(nn.Module):
    """Table 3's generator.

    [B, code] -> linear -> [B, 512, 4, 4] -> (upsampling, 3x3 convolution) per rung -> [B, channels(r), r, r] -> 1x1 convolution, tanh -> [B, 1, r, r]
    """

    def __init__(self, size: int, code: int, width: int = 512, ladder: Ladder = "final") -> None:
        super().__init__()
        self.size = size
        self.width = channels(SMALLEST, width)
        self.linear = nn.Linear(code, self.width * SMALLEST**2)
        self.convolution = nn.ModuleDict(
            {
                str(r): UpsampledConvolution(channels(r // 2, width), channels(r, width), SLOPE)
                for r in resolutions(size)[1:]
            }
        )
        exits = resolutions(size) if ladder == "growing" else [size]
        self.to_image = nn.ModuleDict({str(r): nn.Conv2d(channels(r, width), 1, 1) for r in exits})
        self.apply(he_initialised)

    def forward(self, z: Tensor, resolution: int | None = None, fade: float = 1.0) -> Tensor:
        """[B, code] -> [B, 1, r, r] in [-1, 1]. `fade` as in `Downward.forward`."""
        r = resolution or self.size
        h = F.leaky_relu(self.linear(z), SLOPE, inplace=True).unflatten(1, (self.width, SMALLEST, SMALLEST))
        before = h
        while h.shape[-1] < r:
            before = h
            h = self.convolution[str(h.shape[-1] * 2)](h)
        image = self._image(h, r)
        if fade < 1 and r > SMALLEST:
            image = torch.lerp(_doubled(self._image(before, r // 2)), image, fade)
        return image

    def _image(self, h: Tensor, r: int) -> Tensor:
        """The last layer in float32 whatever the rest runs in: bfloat16 would round the image itself to a hundred greys or so."""
        with torch.autocast(h.device.type, enabled=False):
            return torch.tanh(self.to_image[str(r)](h.float()))


def _doubled(h: Tensor) -> Tensor:
    return F.interpolate(h, scale_factor=2, mode="nearest")


class CodeDiscriminator(nn.Sequential):
    """Table 3's code discriminator: [B, 128] -> 1500 -> [B, 1], the logit that a code was drawn from the standard Gaussian."""

    def __init__(self, code: int, hidden: int = 1500) -> None:
        super().__init__(nn.Linear(code, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, 1))


class AlphaGAN(AnomalyModel):
    """The encoder and the generator: all that scores. The two discriminators are needed for training only (the paper's figure 2).

    Args:
        size: side of the image; the paper's is 256.
        code: length of the deterministic code; the paper's is 128.
        width: channels at 4x4; the paper's is 512.
        preprocessing: name in engine.preprocess.
        heatmap_sigma: the heatmap's smoothing as a share of the side; 0 is the paper's bare |x - x'|, in which every slightly displaced edge shines.
        ladder: "growing" while training, "final" in a bundle.
    """

    method: ClassVar[str] = "alpha-gan"
    primary_score: ClassVar[str] = "code_norm"
    paper: ClassVar[dict[str, str]] = {
        "citation": "Nakao T, et al. Unsupervised deep anomaly detection in chest radiographs. J Digit Imaging 2021;34:418-427",
        "doi": "10.1007/s10278-020-00413-2",
        "figures": "RSNA, 256 x 256: code norm AUROC .752 (opacity .838, other .704), reconstruction error .630",
    }

    def __init__(
        self,
        size: int = 256,
        code: int = 128,
        width: int = 512,
        preprocessing: str = "chest",
        heatmap_sigma: float = 1 / 64,
        ladder: Ladder = "final",
    ) -> None:
        super().__init__()
        resolutions(size)  # refuses a size that has no ladder
        self.spec = ModelSpec(spatial_dims=2, size=(size, size), preprocessing=preprocessing)
        self.code = code
        self.width = width
        self.heatmap_sigma = heatmap_sigma
        self.encoder = Downward(size, code, width, ladder)
        self.generator = Generator(size, code, width, ladder)

    @property
    def architecture(self) -> dict[str, Any]:
        return {
            "size": self.spec.size[0],
            "code": self.code,
            "width": self.width,
            "preprocessing": self.spec.preprocessing,
            "heatmap_sigma": self.heatmap_sigma,
        }

    def anomaly(self, x: Tensor) -> Anomaly:
        """The paper's two scores, and two that are not the paper's.

        `code_norm`: ||Enc(x)||, equation 2.
        `reconstruction_error`: ||x - Gen(Enc(x))||_1, equation 1, as a mean over pixels so that sizes compare.
        `ssim`: 1 - SSIM(x, Gen(Enc(x))) under a wide Gaussian.
        `local_error`: mean of the highest hundredth of the locally averaged |x - Gen(Enc(x))|.
        Heatmap: |x - Gen(Enc(x))| per pixel (figure 3), smoothed by `heatmap_sigma`.
        """
        z = self.encoder(x)  # [B, 128]
        reconstruction = self.generator(z).float()  # [B, 1, S, S]
        error = (x.float() - reconstruction).abs()
        scores = {
            "code_norm": torch.linalg.vector_norm(z.float(), dim=1),
            "reconstruction_error": error.flatten(1).mean(1),
            "ssim": structural_dissimilarity(x, reconstruction),
            "local_error": local_error(error),
        }
        return Anomaly(scores, heatmap=smoothed(error, self.heatmap_sigma), reconstruction=reconstruction)

    @torch.no_grad()
    def sample(self, count: int, temperature: float, generator: torch.Generator) -> Tensor:
        """[count, 1, S, S] in [-1, 1]: fictional normals, codes drawn with `temperature` as their standard deviation."""
        z = temperature * torch.randn(count, self.code, generator=generator)
        return self.generator(z.to(self.generator.linear.weight.device)).float()

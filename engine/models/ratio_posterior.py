"""Ratio posterior: log p(normal | x) from one density ratio, learned by telling known normals from an unlabelled mixture. The network and its score.

Shibata H, et al. (Int J Comput Assist Radiol Surg 2021) rank images by log p(normal | x), up to a constant log p(x | normal) - log p(x), and model each
density by a flow. Only their ratio is needed. A classifier trained on equally many known normals (class 1) and unlabelled images (class 0) has

    logit(x) = log p(x | normal) / p(x)                                                               (1)

where its logistic loss is least (Sugiyama M, Suzuki T, Kanamori T. Density ratio estimation in machine learning, 2012, chapter 4), and so

    log p(normal | x) = log pi + logit(x),   pi: share of normals in the mixture                      (2)

without one abnormal label. The method is ours; no paper has its figures.

Each member is a small residual network without fully connected layers (He K, et al. CVPR 2016): features at 1/16 of the side, their mean, and one
linear layer. A mean and a linear layer change places, so that the logit is the mean of what the linear layer says of each position, and the heatmap
is no explanation made afterwards: its mean over the image is the score.

Where a few hundred images are all there is, a network learns much of them by heart. A linear rule on features that nobody had to learn
(scattering.py) errs otherwise; what both say, weighed by how far held-out images bear each out, is then the logit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.base import Anomaly, AnomalyModel, ModelSpec
from engine.models.local_contrast import NEIGHBOURHOOD, evened
from engine.models.scattering import CHANNELS, Scattering

STRIDE = 16
"""Pixels of the input's side to a position of the features."""
TURNED_SHARE = 0.85
"""What the image as it lies alike with the others counts in a rule that turns images; its mirror image counts the rest."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut: [B, inputs, r, r] -> [B, outputs, r / stride, r / stride]."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.convolutions(x) + self.shortcut(x), inplace=True)


class RatioNetwork(nn.Module):
    """One member: [B, 1, H, W] -> [B], equation 1's logit. At width 24: 548,185 weights.

    [B, 1, 96, 96] -> 5x5 convolution -> [B, 24, 48, 48] -> 1 block -> [B, 24, 24, 24] -> 2 blocks -> [B, 48, 12, 12] -> 3 blocks
    -> [B, 96, 6, 6] -> mean -> [B, 96] -> linear -> [B]

    Batch normalisation takes its statistics from normals and mixture together; of either alone they would tell the class.
    """

    def __init__(
        self, width: int = 24, dropout: float = 0.0, margin: float = 0.0, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.margin, self.size = margin, size
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 5, 2, 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            ResidualBlock(width, width, 2),
            ResidualBlock(width, 2 * width, 2),
            ResidualBlock(2 * width, 2 * width),
            ResidualBlock(2 * width, 4 * width, 2),
            ResidualBlock(4 * width, 4 * width),
            ResidualBlock(4 * width, 4 * width),
        )
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(4 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.dropout(self.features(self.seen(x)).mean((2, 3)))  # [B, 96]
        logit: Tensor = self.linear(pooled)
        return logit[:, 0]

    def seen(self, x: Tensor) -> Tensor:
        """The image with its margin in one grey, at the size that the network was taught at."""
        x = without_margin(x, self.margin)
        if self.size is None or x.shape[-2:] == self.size:
            return x
        # in full precision: the antialiased kernel of the CPU knows no bfloat16, and reading an image is no place to round
        return F.interpolate(x.float(), self.size, mode="bilinear", antialias=True)

    def terms(self, x: Tensor) -> Tensor:
        """[B, 1, h / 16, w / 16] of the size that it sees: what each position says. Their mean is `forward`'s logit, in eval mode."""
        return F.conv2d(self.features(self.seen(x)), self.linear.weight[:, :, None, None], self.linear.bias)


class ScatteringRule(nn.Module):
    """A linear rule with weights of its own for every place: [B, 1, H, W] -> terms [B, 1, H / 16, W / 16], whose mean is equation 1's logit.

    Each place's bias is such that the known normals' mean is the same everywhere: a place stands out for how it differs from theirs.

    It looks at the image as it is (`film`), with its contrast evened out over so many pixels (`window`) where it is `evened`, or at both.

    With `turned` it looks at the image and its mirror image, and takes that for the first in which `side`, the direction in which images differ most from
    their mirror images, points the one way: right and left knees then lie alike, and a place has one meaning in all of them.
    """

    side: Tensor

    def __init__(
        self,
        size: tuple[int, int],
        margin: float,
        evened: bool = False,
        turned: bool = False,
        film: bool = True,
        window: float = NEIGHBOURHOOD,
    ) -> None:
        super().__init__()
        self.margin, self.evened, self.turned, self.film, self.window = margin, evened, turned, film, window
        self.scattering = Scattering(size)
        self.weight = nn.Parameter(torch.zeros(CHANNELS * (film + evened), size[0] // STRIDE, size[1] // STRIDE))
        self.bias = nn.Parameter(torch.zeros(self.weight.shape[1:]))
        if turned:
            self.register_buffer("side", torch.zeros_like(self.weight))

    def features(self, x: Tensor) -> Tensor:
        """[B, 133, H / 16, W / 16] of the image as it is, of the image with its contrast evened out, or of both, one after the other."""
        x = without_margin(x, self.margin)
        found = [self.scattering(x)] if self.film else []
        if self.evened:
            found.append(self.scattering(evened(x, self.window)))
        return torch.cat(found, dim=1)

    def together(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Features of images and of their mirror images, [B, C, h, w], as the features of images that lie alike; and which images [B, 1, 1, 1] were turned."""
        turned = ((first - second) * self.side).sum((1, 2, 3), keepdim=True) < 0
        return torch.lerp(first, second, torch.where(turned, TURNED_SHARE, 1 - TURNED_SHARE)), turned

    def terms(self, x: Tensor) -> Tensor:
        features, turned = self.features(x), None
        if self.turned:
            features, turned = self.together(features, self.features(x.flip(3)))
        terms = (features * self.weight).sum(1, keepdim=True) + self.bias
        return terms if turned is None else torch.where(turned, terms.flip(3), terms)


def without_margin(x: Tensor, margin: float) -> Tensor:
    """The image with such a share of it at each edge in one grey."""
    high, wide = (math.ceil(margin * side) for side in x.shape[-2:])
    if not margin:
        return x
    return F.pad(x[..., high:-high, wide:-wide], (wide, wide, high, high))


class RatioPosterior(AnomalyModel):
    """Several members, trained from other seeds and on other images, and what was measured of them on images that they had not learned from.

    Args:
        size: side of the image, or its height and width, multiples of 16.
        width: channels at the network's first level.
        members: networks whose logits are averaged.
        normal_share: pi of equation 2, estimated when training ends; 1 leaves the posterior up to a constant.
        slope, offset: turn the members' mean logit into the log ratio that held-out images support: a network that has learned its images by heart
            is too sure of new ones. A slope of 0: held-out images do not show that members add to the rule, which then counts alone.
        margin: at each edge, as a share of the side, where no member looks.
        member_size: height and width at which the members see the image, whole fractions of its own; none: as it is.
        scattering_slope: what a rule on wavelet scattering counts beside the members; none: there is no rule.
        scattering_evened: the rule also looks at the image with its contrast evened out from place to place.
        scattering_film: the rule looks at the image as it is; without, at the evened one alone.
        scattering_window: standard deviation, in pixels, of the neighbourhood over which contrast is evened out.
        scattering_turned: the rule turns images so that they lie alike; of a `mirrored` model only.
        mirrored: average what a member says of the image and of its mirror image, for body parts whose sides mean nothing.
        preprocessing: name in engine.preprocess.
    """

    method: ClassVar[str] = "ratio-posterior"
    primary_score: ClassVar[str] = "log_posterior"
    paper: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        size: int | Sequence[int] = 96,
        width: int = 24,
        members: int = 4,
        normal_share: float = 1.0,
        slope: float = 1.0,
        offset: float = 0.0,
        margin: float = 0.0,
        mirrored: bool = False,
        member_size: Sequence[int] | None = None,
        scattering_slope: float | None = None,
        scattering_evened: bool = False,
        scattering_turned: bool = False,
        scattering_film: bool = True,
        scattering_window: float = NEIGHBOURHOOD,
        preprocessing: str = "chest",
    ) -> None:
        super().__init__()
        sides = _sides(size)
        seen = sides if member_size is None else _sides(member_size)
        if any(side % (small // STRIDE) for side, small in zip(sides, seen, strict=True)):
            raise ValueError(f"the places of members that see {seen} do not fit into an image of {sides}")
        if members < 1 or not 0 < normal_share <= 1 or slope < 0 or not 0 <= margin < 0.4:
            raise ValueError(
                "members must be positive, the slope not negative, the share of normals within 0 and 1, and the margin under 0.4"
            )
        if scattering_turned and not mirrored:
            raise ValueError("a rule that turns images must be of a mirrored model: a score would depend on the side")
        if not (scattering_film or scattering_evened) or scattering_window <= 0:
            raise ValueError("a rule must look at the image, as it is or evened out over some pixels")
        self.spec = ModelSpec(spatial_dims=2, size=sides, preprocessing=preprocessing)
        self.width, self.margin, self.mirrored, self.member_size = width, margin, mirrored, seen
        self.normal_share, self.slope, self.offset, self.scattering_slope = (
            normal_share,
            slope,
            offset,
            scattering_slope,
        )
        self.members = nn.ModuleList(RatioNetwork(width, margin=margin, size=seen) for _ in range(members))
        self.rule = None
        if scattering_slope is not None:
            self.rule = ScatteringRule(
                sides, margin, scattering_evened, scattering_turned, scattering_film, scattering_window
            )
        self.scattering_evened, self.scattering_turned = scattering_evened, scattering_turned
        self.scattering_film, self.scattering_window = scattering_film, scattering_window

    @property
    def architecture(self) -> dict[str, Any]:
        return {
            "size": list(self.spec.size),
            "width": self.width,
            "members": len(self.members),
            "normal_share": self.normal_share,
            "slope": self.slope,
            "offset": self.offset,
            "margin": self.margin,
            "mirrored": self.mirrored,
            "member_size": list(self.member_size),
            "scattering_slope": self.scattering_slope,
            "scattering_evened": self.scattering_evened,
            "scattering_turned": self.scattering_turned,
            "scattering_film": self.scattering_film,
            "scattering_window": self.scattering_window,
            "preprocessing": self.spec.preprocessing,
        }

    def log_posterior(self, logit: Tensor) -> Tensor:
        """Equation 2, of the ensemble's logit or of each position's. It is not cut off at 0, where an estimated ratio may pass it."""
        return math.log(self.normal_share) + self.offset + logit

    def terms(self, x: Tensor) -> list[Tensor]:
        """Of each member, [B, 1, h / 16, w / 16] of the size that it sees."""
        return [self.terms_of(member, x) for member in self.members]

    def terms_of(self, said_by: nn.Module, x: Tensor) -> Tensor:
        """What a member or the rule says of each position, of the image as it is or also of its mirror image turned back."""
        assert isinstance(said_by, RatioNetwork | ScatteringRule)
        terms = said_by.terms(x)
        if not self.mirrored or (isinstance(said_by, ScatteringRule) and said_by.turned):  # which has seen both
            return terms
        return (terms + said_by.terms(x.flip(3)).flip(3)) / 2

    def anomaly(self, x: Tensor) -> Anomaly:
        """The score and the heatmap that it is the mean of.

        `log_posterior`: MINUS log p(normal | x), so that higher is more abnormal, as every score is. `Anomaly.posterior` is log p(normal | x) itself,
        higher = more normal.
        Heatmap: minus equation 2 of each position's term, interpolated to [B, 1, H, W]. Bilinear interpolation by a whole factor keeps the mean: that
        of the heatmap is the score.
        """
        parts = []
        if self.slope or self.rule is None:
            parts.append(self.slope * torch.stack([term.float() for term in self.terms(x)]).mean(0))
        if self.rule is not None and self.scattering_slope is not None:
            parts.append(self.scattering_slope * self.terms_of(self.rule, x).float())
        posterior = self.log_posterior(torch.stack([part.mean((1, 2, 3)) for part in parts]).sum(0))
        maps = [F.interpolate(part, x.shape[-2:], mode="bilinear", align_corners=False) for part in parts]
        heatmap = -self.log_posterior(torch.stack(maps).sum(0))
        return Anomaly({"log_posterior": -posterior}, heatmap=heatmap, posterior=posterior)


def _sides(size: int | Sequence[int]) -> tuple[int, int]:
    """Raises ValueError for what the strides do not divide."""
    height, width = (size, size) if isinstance(size, int) else size
    if any(side < 2 * STRIDE or side % STRIDE for side in (height, width)):
        raise ValueError(f"size must be a multiple of {STRIDE} and at least {2 * STRIDE}, not {size}")
    return height, width

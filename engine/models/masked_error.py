"""Reconstruction errors of what shows the patient, and of nothing else (Davletshina et al. 2020, sections 2.1 and 2.3). Knows no network.

What preprocessing cut away, padding and collimated black are at the darkest value there is, -1, and are no patient: a network may draw there what it
likes. Black inside a body is always near something brighter, so that widening the mask a little keeps it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.models.base import Anomaly
from engine.models.local_error import local_error
from engine.models.structural_similarity import smoothed, structural_dissimilarity

DARKEST = -1 + 0.02
"""Grey that is not patient, on the scale from -1 to 1: up to two of 255 levels above black, as compression leaves it."""
DILATION_OF_SIZE = 0.02
"""By which the mask is widened all around, as a share of the image's side."""
TOP = 200
"""Pixels that the scores `*_top200` average (Davletshina 2020, table 1)."""


def foreground(x: Tensor) -> Tensor:
    """[B, 1, H, W] in [-1, 1] -> [B, 1, H, W] float32, 1 where the patient may be and 0 outside.

    Each image's mask depends on that image alone.
    """
    reach = max(1, round(DILATION_OF_SIZE * min(x.shape[-2:])))
    return F.max_pool2d((x.float() > DARKEST).float(), 2 * reach + 1, stride=1, padding=reach)


def masked_mean(error: Tensor, mask: Tensor) -> Tensor:
    """Mean over the mask's area: the paper's masked reconstruction loss, for any error per pixel. An empty mask gives 0, not NaN.

    Args:
        error, mask: [B, 1, H, W].

    Returns:
        [B] float32.
    """
    return (error * mask).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp_min(1)


def masked_top(error: Tensor, mask: Tensor) -> Tensor:
    """Mean of the 200 highest errors in the mask (all of them in an image that has fewer pixels). Arguments and result as in `masked_mean`."""
    inside = (error * mask).flatten(1)
    return inside.topk(min(TOP, inside.shape[1]), dim=1, sorted=False).values.mean(1)


def judged_reconstruction(x: Tensor, drawn: Tensor, heatmap_sigma: float) -> Anomaly:
    """What every reconstruction method of the paper says of a batch.

    `mse`: masked mean squared error. `mse_top200`: mean of the 200 highest squared errors in the mask.
    `ssim`: structural dissimilarity under a wide Gaussian, and `local_error` of the squared error; not the paper's.
    Heatmap: masked squared error per pixel (figure 5), smoothed. Outside the mask the reconstruction is the image itself.

    Args:
        x: [B, 1, H, W] in [-1, 1].
        drawn: [B, 1, H, W], the network's reconstruction.
        heatmap_sigma: of the smoothing, as a share of the side; 0 leaves it out.
    """
    x, drawn = x.float(), drawn.float()
    mask = foreground(x)
    shown = torch.where(mask > 0, drawn, x)
    error = torch.square(x - shown)
    scores = {
        "mse": masked_mean(error, mask),
        "mse_top200": masked_top(error, mask),
        "ssim": structural_dissimilarity(x, shown),
        "local_error": local_error(error),
    }
    return Anomaly(scores, heatmap=smoothed(error, heatmap_sigma), reconstruction=shown)

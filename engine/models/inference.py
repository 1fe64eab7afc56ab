"""Runs a bundle's network as fast as the device allows without changing what it says. Never decodes, calibrates or stores anything.

torch.compile is left out: it needs a compiler on the user's machine.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Literal, overload

import torch
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format, convert_conv3d_weight_memory_format, parametrize
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from engine.errors import DeviceExhausted
from engine.models.base import Anomaly, AnomalyModel
from engine.models.bundle import Bundle
from engine.models.depthwise_pooling import quicken_pooling
from engine.models.freed_memory import keep_freed_memory
from engine.models.fused_convolution import fuse_rectifiers, fuses_on
from engine.models.narrow_transposed import quicken_narrow
from engine.models.parts_at_once import thread_each
from engine.models.rectified_convolution import RectifiedConvolution
from engine.models.upsampled_convolution import UpsampledConvolution
from engine.models.winograd import quicken_wide

Precision = Literal["auto", "float32", "bfloat16"]

MOST_CHANGE_OF_AUROC = 0.0005
"""A bundle says the same to three decimals whatever it runs in."""

MOST_DRIFT = MOST_CHANGE_OF_AUROC * math.sqrt(math.pi)
"""Change of a score by bfloat16, as a share of the normals' standard deviation, beyond which float32 is used.

Two patients can change places only if their scores lie within twice the drift d of each other. The difference of two scores spread like
normals' has a density of at most 1 / (2 sqrt(pi)) a standard deviation, so at most 2d / sqrt(pi) of all pairs lie so close (from -2d to 2d),
half of them in the order that can be lost: the AUROC, the share of pairs in the right order, changes by d / sqrt(pi) at most.
"""

PIECE = 4 * 256 * 256
"""Pixels or voxels of input that go through the network at once on the CPU. The first layers' results then stay in its cache, and under the
size that the C library takes from the operating system, page by page, anew each time: on whole batches that costs as much as the arithmetic."""


class Inference:
    """One bundle's network, ready on one device.

    Args:
        bundle: as loaded; its network is copied, not changed.
        device: "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:1".
        precision: "auto" is bfloat16 where the device computes in it and the card says that the scores hold; float32 otherwise.

    Raises:
        DeviceExhausted: the device is not there, or has no room for the network.
    """

    def __init__(self, bundle: Bundle, device: str = "auto", precision: Precision = "auto") -> None:
        keep_freed_memory()  # for flows above all: some of their layers are larger than a piece is meant to be
        self.device = choose_device(device)
        wanted = precision == "bfloat16" or (precision == "auto" and holds_in_bfloat16(bundle))
        self.dtype = torch.bfloat16 if wanted and computes_bfloat16(self.device) else torch.float32
        try:
            self._anomaly = prepare_for_inference(bundle.model, self.device, self.dtype)
        except torch.OutOfMemoryError as error:
            raise DeviceExhausted(
                f"{self.device} has no room for the model", cure="Close other programs, or choose the CPU."
            ) from error

    def __call__(self, x: Tensor) -> Anomaly:
        """[B, C, *S] float32 -> its scores and maps, float32 on the CPU. An image scores alone as it does in any batch."""
        found = self._anomaly(x)
        return Anomaly(
            scores={name: _home(score) for name, score in found.scores.items()},
            heatmap=_home(found.heatmap),
            reconstruction=_home(found.reconstruction),
            posterior=_home(found.posterior),
            neighbours=_home(found.neighbours),
        )

    def free_memory(self) -> None:
        """Give back what the device keeps for later, after it ran out."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def choose_device(device: str) -> torch.device:
    """The device a person asked for; "auto" is CUDA where there is one. Raises DeviceExhausted when it is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceExhausted("there is no CUDA device here", cure="Choose the device cpu, or auto.")
    return torch.device(device)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; emulated, it would be slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def holds_in_bfloat16(bundle: Bundle) -> bool:
    """Whether every score moved by less than `MOST_DRIFT` in bfloat16 on the calibration normals, as the card's recipe records."""
    drift = bundle.card.recipe.get("bfloat16_drift")
    if not isinstance(drift, dict) or not drift:
        return False
    # None, which no number is under, stands for a score that was not finite in bfloat16
    return all(isinstance(value, int | float) and value < MOST_DRIFT for value in drift.values())


def prepare_for_inference(model: AnomalyModel, device: torch.device, dtype: torch.dtype) -> Callable[[Tensor], Anomaly]:
    """A network's `ready_network` as a function of a batch, under autocast to `dtype`.

    The result takes [B, C, *S] float32 on any device and answers on `device`. In float32 it says what the plain network says: nothing but the
    order of additions is changed.
    """
    ready = ready_network(model, device, dtype)
    layout = _layout(model)
    # CUDA would multiply with ten bits of each number unasked: percentiles made on a processor would not be those of its scores
    torch.backends.cudnn.allow_tf32 = False

    @torch.inference_mode()
    def anomaly(x: Tensor) -> Anomaly:
        x = x.to(device, non_blocking=True).contiguous(memory_format=layout)
        with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            return ready.anomaly(x)

    return anomaly if device.type != "cpu" else partial(in_pieces, anomaly, max(1, PIECE // math.prod(model.spec.size)))


def in_pieces(anomaly: Callable[[Tensor], Anomaly], most: int, x: Tensor) -> Anomaly:
    """The answers for [B, C, *S], a piece of at most `most` images at a time, as many pieces at once as torch has threads."""
    threads = torch.get_num_threads()
    pieces = x.split(max(1, min(most, math.ceil(len(x) / threads))))
    if threads == 1 or len(pieces) == 1:
        return joined([anomaly(piece) for piece in pieces])
    with thread_each(len(pieces)) as pool:
        return joined(list(pool.map(anomaly, pieces)))


def ready_network(model: AnomalyModel, device: torch.device, dtype: torch.dtype) -> AnomalyModel:
    """A copy of a network in eval mode, channels last, its layers folded and fused as far as the device allows."""
    ready = copy.deepcopy(model).requires_grad_(False).eval()
    take_apart(ready)
    fold_normalisation(ready)
    if dtype == torch.float32 and fuses_on(device):
        quicken_narrow(ready)
        fuse_rectifiers(ready)
        quicken_wide(ready)
        quicken_pooling(ready)
    ready.to(device)
    flat = model.spec.spatial_dims == 2
    (convert_conv2d_weight_memory_format if flat else convert_conv3d_weight_memory_format)(ready, _layout(model))
    return ready


def _layout(model: AnomalyModel) -> torch.memory_format:
    return torch.channels_last if model.spec.spatial_dims == 2 else torch.channels_last_3d


def take_apart(module: nn.Module) -> None:
    """Replace each layer that has a shorter form for inference by it, in place."""
    with torch.random.fork_rng(devices=[]):  # new layers draw weights, which must not change what a training draws next
        for parent in list(module.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, RectifiedConvolution | UpsampledConvolution):
                    setattr(parent, name, child.for_inference().eval().requires_grad_(False))


def fold_normalisation(module: nn.Module) -> None:
    """Multiply each batch normalisation into the convolution or linear layer before it in a Sequential. Eval mode only; the outputs stay the same."""
    for sequence in [child for child in module.modules() if isinstance(child, nn.Sequential)]:
        for place in range(len(sequence) - 1):
            layer, normalisation = sequence[place], sequence[place + 1]
            if not isinstance(normalisation, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                continue
            if parametrize.is_parametrized(layer):  # its weights are made anew at each call
                continue
            if isinstance(layer, nn.Linear):
                sequence[place] = fuse_linear_bn_eval(layer, normalisation)
            elif isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
                transposed = isinstance(layer, nn.ConvTranspose2d | nn.ConvTranspose3d)
                sequence[place] = fuse_conv_bn_eval(layer, normalisation, transpose=transposed)
            else:
                continue
            sequence[place + 1] = nn.Identity()


def joined(parts: list[Anomaly]) -> Anomaly:
    """Several batches' answers as one."""

    def cat(tensors: list[Tensor | None]) -> Tensor | None:
        there = [tensor for tensor in tensors if tensor is not None]
        return torch.cat(there) if there else None

    return Anomaly(
        {name: torch.cat([part.scores[name] for part in parts]) for name in parts[0].scores},
        cat([part.heatmap for part in parts]),
        cat([part.reconstruction for part in parts]),
        cat([part.posterior for part in parts]),
        cat([part.neighbours for part in parts]),
    )


@overload
def _home(value: Tensor) -> Tensor: ...
@overload
def _home(value: None) -> None: ...
def _home(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.float().cpu()

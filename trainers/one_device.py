"""What runs a network on one device, whatever else the run beside it uses. Chooses no device."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric

from trainers.plan import Precision


def fabric_on(device: torch.device, precision: Precision) -> Fabric:
    """A fabric of this device alone. Convolutions learn in TF32 where CUDA has it, whatever was scored before; flows have none, and stay in float32."""
    torch.backends.cudnn.allow_tf32 = True
    devices = [device.index or 0] if device.type == "cuda" else 1
    return Fabric(accelerator=device.type, devices=devices, precision=precision)

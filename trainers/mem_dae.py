"""How MemDAE learns: the squared error alone; the bank only listens. The network is in engine/models/mem_dae.py."""

from __future__ import annotations

from torch import Tensor

from engine.models.mem_dae import MemDAE
from trainers.memory_autoencoder import MemoryAutoencoderPlan, MemoryAutoencoderTrainer, squared_error


class MemDAEPlan(MemoryAutoencoderPlan):
    """SALAD's, as in the paper's ablation."""

    method: str = "mem-dae"


class MemDAETrainer(MemoryAutoencoderTrainer):
    """Normals alone: the paper's baseline sees no abnormal image."""

    plan_class = MemDAEPlan

    def losses(self, x: Tensor, z: Tensor, reconstruction: Tensor, places: Tensor) -> dict[str, Tensor]:
        return {"reconstruction": squared_error(x, reconstruction)}

    def scoring_model(self) -> MemDAE:
        model = self.scored_by(MemDAE)
        assert isinstance(model, MemDAE)
        return model

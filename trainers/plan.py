"""What a training run will do, declared once: the paper's defaults, and what scales them down. Validated here; carried out elsewhere."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


class Augmentation(BaseModel):
    """Mild changes that a normal image may undergo. Each is the largest deviation drawn; 0 leaves it out.

    There is no left-right flip unless asked for: a mirrored chest is dextrocardia, which a model of normal chests must find abnormal.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shift: float = Field(default=0.02, ge=0, le=0.5, description="share of the image's side")
    rotation: float = Field(default=3.0, ge=0, le=180, description="degrees, in the image plane")
    scale: float = Field(default=0.03, ge=0, le=0.5, description="share of the size")
    exposure: float = Field(default=0.0, ge=0, le=1, description="of the logarithm of a gamma on grey values in [0, 1]")
    mirror: bool = Field(default=False, description="left-right flips with probability one half")


class TrainingPlan(BaseModel):
    """One run of one method: what every method has. A method's own plan, with its paper's defaults, is in its trainer's file and derives from this.

    Sizes are those of the paper unless said otherwise; `epochs` counts passes over the normal training images.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    rounds: ClassVar[bool] = True
    """Whether bfloat16 may be used where the device has it; flows say no."""

    method: str
    size: tuple[int, ...] = (256, 256)
    preprocessing: str = "chest"
    preprocessing_options: dict[str, object] = Field(default_factory=dict)
    epochs: int = Field(default=50, ge=1)
    batch: int = Field(default=10, ge=1)
    learning_rate: float = Field(default=3e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    heatmap_sigma: float = Field(
        default=1 / 64, ge=0, lt=1, description="smoothing of the heatmap, as a share of the side"
    )
    augmentation: Augmentation = Field(default_factory=lambda: Augmentation())
    precision: Precision = "32-true"
    minutes: float | None = Field(
        default=None, gt=0, description="stop at the end of the last epoch that fits, if epochs are not done before"
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="epochs without a lower loss on held-out normals after which to stop; the best epoch's weights are kept",
    )
    stopping_share: float = Field(
        default=0.0, ge=0, lt=1, description="of the training normals' patients, held out to watch that loss"
    )
    mixture_normals: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="of the training normals' patients, whose images join the mixture unlabelled instead",
    )
    mixture_abnormals: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        description="of the abnormal patients, set apart for the mixture where it is drawn from a cohort with labels",
    )
    mixture_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="share of abnormal images to draw a mixture with, where labels are known; None takes the mixture as it is",
    )
    selection_share: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="of abnormal patients, for watching runs and choosing among them; never reported on",
    )
    seed: int = 0

    @classmethod
    def sized(cls, side: int) -> tuple[int, ...]:
        """The input size for one number, the in-plane side; a volume keeps its number of slices."""
        default: tuple[int, ...] = cls.model_fields["size"].default
        return (*default[:-2], side, side)

"""What a training run will do, declared once: the paper's defaults, and what scales them down. Validated here; carried out elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.models.card import SplitBy

BestBy = Literal["loss", "auroc"]
Precision = Literal["32-true", "bf16-mixed"]
"""float16 is not among them: its losses would have to be scaled, and each method updates its networks by itself."""


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
    flip: bool = Field(default=False, description="upside-down flips with probability one half")
    stretch: float = Field(default=0.0, ge=0, le=0.5, description="share of the size, along each axis on its own")
    brightness: float = Field(default=0.0, ge=0, le=1, description="share of the grey value, black being 0")
    share: float = Field(
        default=1.0, gt=0, le=1, description="of the images that each change happens to, flips apart; 1 is all of them"
    )

    @classmethod
    def default_set(cls) -> Augmentation:
        """Davletshina 2020, supplement .3, "default", for her GANs and VAE: flips both ways. Padding is preprocessing's."""
        return cls(shift=0, rotation=0, scale=0, mirror=True, flip=True)

    @classmethod
    def advanced_set(cls) -> Augmentation:
        """Davletshina 2020, supplement .3, "advanced", for her CAE and BAE. The ranges are those of the authors' public code: the text lost them."""
        return cls(shift=0, rotation=20, scale=0, mirror=True, flip=True, stretch=0.2, brightness=0.2, share=0.5)


class TrainingPlan(BaseModel):
    """One run of one method: what every method has. A method's own plan, with its paper's defaults, is in its trainer's file and derives from this.

    Sizes are those of the paper unless said otherwise; `epochs` counts passes over the normal training images.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    rounds: ClassVar[bool] = True
    """Whether bfloat16 may be used where the device has it; flows say no."""
    trial: ClassVar[Mapping[str, Any]] = {"size": (64, 64)}
    """Fields that make an epoch take seconds, for `trainers.trial`; never a model that anybody reads with."""

    method: str
    size: tuple[int, ...] = (256, 256)
    preprocessing: str = "chest"
    preprocessing_options: dict[str, object] = Field(default_factory=dict)
    views: tuple[dict[str, object], ...] = Field(
        default=(),
        description="further preprocessing options: with each of them every training image is prepared once more, as one more image of its patient",
    )
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
        description="epochs without a better one after which to stop; the best epoch's weights are kept",
    )
    best_by: BestBy | None = Field(
        default=None,
        description=(
            "which epoch is best, and kept: loss, the lowest on held-out normals, which needs no label; auroc, the highest of the ranking score, held-out "
            "normals against labelled abnormal patients set apart for it. None: loss with patience, and without it the last epoch is kept"
        ),
    )
    stopping_share: float = Field(
        default=0.0, ge=0, lt=1, description="of the training normals' patients, held out to tell the best epoch"
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
    train_share: float = Field(
        default=0.7, gt=0, lt=1, description="of the normal patients (or units of `split_by`), to learn from"
    )
    calibration_share: float = Field(
        default=0.12, gt=0, lt=1, description="of them, to make percentiles on; the rest validate"
    )
    selection_share: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="of abnormal patients, for watching runs and choosing among them; never reported on",
    )
    seed: int = 0
    split_seed: int | None = Field(default=None, description="of the split alone; None takes `seed`")
    several_parts: bool = Field(
        default=False, description="one model of several body parts, where every image says which it shows"
    )
    split_by: SplitBy = Field(
        default="patient",
        description="what stays on one side of the split; a body part of a patient is SALAD's unit, and means several_parts",
    )

    @property
    def seed_of_split(self) -> int:
        """What the split is drawn with: runs that differ in `seed` alone may share it."""
        return self.seed if self.split_seed is None else self.split_seed

    @property
    def watched(self) -> BestBy | None:
        """What tells the best epoch; None where none is looked for, and the last is kept."""
        return "loss" if self.best_by is None and self.patience is not None else self.best_by

    @model_validator(mode="before")
    @classmethod
    def _means_several_parts(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("split_by") == "patient-and-body-part":
            if values.get("several_parts", True) is False:
                raise ValueError("a split by patient-and-body-part is of several_parts")
            return values | {"several_parts": True}
        return values

    @model_validator(mode="after")
    def _watches_what_it_stops_by(self) -> Self:
        asked = "patience" if self.best_by is None else f"best_by {self.best_by}"
        if self.watched and not self.stopping_share:
            raise ValueError(f"{asked} needs a stopping_share of the normals to watch")
        if self.watched == "auroc" and not self.selection_share:
            raise ValueError(f"{asked} needs a selection_share of the abnormal patients to watch")
        return self

    @model_validator(mode="after")
    def _leaves_somebody_to_validate(self) -> Self:
        if self.train_share + self.calibration_share >= 1:
            raise ValueError("train_share and calibration_share leave nobody to validate")
        return self

    @classmethod
    def sized(cls, side: int) -> tuple[int, ...]:
        """The input size for one number, the in-plane side; a volume keeps its number of slices."""
        default: tuple[int, ...] = cls.model_fields["size"].default
        return (*default[:-2], side, side)

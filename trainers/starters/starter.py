"""What a starter bundle is made of: a set of images, a method's plan, and the words that only people know. Reads no images itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.models.card import Applicability
from engine.models.inference import choose_device
from trainers.kept_run import is_interrupted
from trainers.model_card import CardText
from trainers.planning import default_plan
from trainers.run import Trained, train
from trainers.training import OnProgress

OURS = "Apache-2.0"


@dataclass(frozen=True)
class ImageSet:
    """A labelled set that starters learn from.

    Attributes:
        name: folder under --data with its labels.csv, and beginning of its bundles' ids.
        draw: makes a set that does not exist yet, under --data, and returns its table; None for a set that does.
        note: of every evaluation on it.
        limits: of every model of it.
    """

    name: str
    title: str
    cohort: str
    source: str
    licence: str
    applicability: Applicability
    note: str
    limits: tuple[str, ...]
    folder: str = ""
    draw: Callable[[Path], Path] | None = None

    def table(self, data: Path) -> Path:
        """The labels.csv under `data`, drawn first if need be."""
        return self.draw(data) if self.draw is not None else data / self.folder / "labels.csv"


@dataclass(frozen=True)
class Starter:
    """One bundle.

    Attributes:
        images, method: together the bundle's id, "chest-paediatric" and "alpha-gan".
        plan: fields that differ from the method's plan, the paper's.
        summary: what it learned, in a sentence.
        limits: beyond those of the set.
        recipe: how the network differs from the paper's table, and other facts for the card.
        primary_score: the one that ranks, decided before validation images were scored; "" is the method's.
        note: beyond the set's, of the evaluation.
        mixture: learn from a mixture drawn from the set's own training patients, labels forgotten.
    """

    images: ImageSet
    method: str
    plan: Mapping[str, object]
    summary: str
    limits: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    primary_score: str = ""
    note: str = ""
    mixture: bool = False
    title: str = ""

    @property
    def id(self) -> str:
        """The bundle's file name without its ending."""
        return f"{self.images.name}-{self.method}"

    def make(
        self,
        data: Path,
        out: Path,
        device: str,
        on_progress: OnProgress | None = None,
        *,
        devices: int | None = None,
    ) -> Trained:
        """Train it, or go on where an interrupted making stopped; one that is finished is made again and replaced at the end.

        `data` holds the sets' folders; `devices` is as `train` takes it.
        """
        file = out / f"{self.id}.safetensors"
        table = self.images.table(data)
        options = {"seed": 2021, **self.plan}
        plan = default_plan(self.method, None, None, 0, choose_device(device), options)
        text = CardText(
            id=self.id,
            title=self.title or f"{self.images.title}, {self.method}",
            summary=self.summary,
            cohort=self.images.cohort,
            source=self.images.source,
            data_licence=self.images.licence,
            licence=OURS,
            primary_score=self.primary_score,
            evaluation_note=" ".join(part for part in (self.note, self.images.note) if part),
            limits=(*self.limits, *self.images.limits),
            public_patients=True,
            applicability=self.images.applicability,
            recipe=dict(self.recipe),
        )
        return train(
            self.method,
            table,
            mixture=table if self.mixture else None,
            out=file,
            device=device,
            devices=devices,
            plan=plan,
            text=text,
            on_progress=on_progress,
            resume=is_interrupted(file),
        )
